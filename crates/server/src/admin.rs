//! What the operator does on the server's own machine, beside a server that may be running.
//!
//! Asks nobody's leave: who can read the data folder can do all of this anyway. Invariant: it only adds rows, puts
//! back bytes, or removes what nothing names, so a running server need not be told.

use std::path::{Path, PathBuf};

use spec::api::{NewInvitation, NewToken, TokenScope};
use spec::dsse::Keys;
use spec::name::AccountName;

use crate::app::App;
use crate::error::Error;
use crate::gateway::Gateway;
use crate::ops::storage::{self, BackedUp, Checked, Collected, Counted, Deed, Finding, Restored, Tell};
use crate::ops::{accounts, invitations, keys, sessions, tokens};
use crate::provider::Launcher;
use crate::secrets::Secret;
use crate::serve;
use crate::settings::Settings;

/// Makes a user; returns the secret of a token that may write.
pub async fn add_user(settings: &Settings, name: &str, is_admin: IsAdmin) -> Result<Secret, Error> {
    let name: AccountName = name.parse()?;
    let app = open(settings).await?;
    accounts::create_user_with_token(&app, &name, is_admin == IsAdmin::Yes).await
}

/// Makes one more token that may write for this user.
pub async fn add_token(settings: &Settings, name: &str) -> Result<Secret, Error> {
    let app = open(settings).await?;
    let account = accounts::by_name(&app, name).await?;
    let new = NewToken {
        name: "made by the operator".to_owned(),
        scope: TokenScope::Write,
        expires: None,
        repository: None,
    };
    let created = tokens::create_for(&app, &accounts::known(&account), &new).await?;
    Ok(Secret::new(created.secret))
}

/// Sets a user's e-mail address and vouches for it.
pub async fn set_email(settings: &Settings, name: &str, email: &str) -> Result<(), Error> {
    let app = open(settings).await?;
    accounts::set_verified_email(&app, name, email).await
}

/// Makes an invitation to the server; returns the address without scheme and host.
pub async fn invite_user(settings: &Settings, new: &NewInvitation) -> Result<String, Error> {
    let app = open(settings).await?;
    let secret = invitations::create_for(&app, "the operator", new).await?;
    Ok(format!("/invitations/{}", secret.expose()))
}

/// Makes a link that signs this user in once; returns the address without scheme and host.
pub async fn sign_in_link(settings: &Settings, name: &str) -> Result<String, Error> {
    let app = open(settings).await?;
    let account = accounts::by_name(&app, name).await?;
    let secret = sessions::create_link(&app, &account).await?;
    Ok(format!("/sign-in?link={}", secret.expose()))
}

/// The keys by which the server's statements can be checked; makes one where there is none yet.
pub async fn keys(settings: &Settings) -> Result<Keys, Error> {
    let app = open(settings).await?;
    keys::public(&app).await
}

/// Reads all that is stored and looks for all that is named; puts back what a second copy in that folder has. Tells each
/// finding as it is made.
pub async fn check_storage(
    settings: &Settings,
    second_copy: Option<&Path>,
    tell: impl FnMut(Finding),
) -> Result<Checked, Error> {
    let second_copy = second_copy.map(storage::second_copy).transpose()?;
    let app = open(settings).await?;
    storage::check(&app, second_copy.as_ref(), tell).await
}

/// Makes a snapshot of all rows and of what they name in this folder of backups.
pub async fn back_up(settings: &Settings, folder: &Path, tell: Tell<'_>) -> Result<BackedUp, Error> {
    let app = open(settings).await?;
    storage::backup(&app, folder, tell).await
}

/// Puts a snapshot where these settings say; the newest, if none is named.
pub async fn restore(
    folder: &Path,
    snapshot: Option<&str>,
    to: &Settings,
    tell: Tell<'_>,
) -> Result<Restored, Error> {
    storage::restore(folder, snapshot, &serve::store_settings(to)?, tell).await
}

/// Moves all that a server has from where some settings say to where others say.
pub async fn migrate(from: &Settings, to: &Settings, tell: Tell<'_>) -> Result<Restored, Error> {
    storage::migrate(&serve::store_settings(from)?, &serve::store_settings(to)?, tell).await
}

/// Collects what nothing named for as long as the settings say, or counts it.
pub async fn collect_unused(settings: &Settings, deed: Deed) -> Result<Collected, Error> {
    let app = open(settings).await?;
    storage::collect(&app, deed).await
}

/// Counts what is stored, and for which repositories.
pub async fn count_storage(settings: &Settings) -> Result<Counted, Error> {
    let app = open(settings).await?;
    storage::count(&app).await
}

/// Whether a new user may do everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IsAdmin {
    Yes,
    No,
}

async fn open(settings: &Settings) -> Result<std::sync::Arc<App>, Error> {
    let store = serve::open_store(settings).await?;
    // Nothing is started from here.
    let launcher = Launcher { program: PathBuf::new() };
    Ok(App::new(settings.clone(), store, Gateway::new(launcher, settings)))
}
