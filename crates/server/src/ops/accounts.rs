//! Accounts: who there is.
//!
//! Invariant: there is always an admin; the first one is made when the server starts on an empty folder.

use spec::api::{self, Me, NewToken, TokenScope};
use spec::limits;
use spec::name::AccountName;
use store::clock;
use store::db::accounts::{self, Account, AccountKind, NewAccount, Profile};

use super::access::{self, Actor, By, Known};
use super::events::{self, Done};
use super::sessions::{self, Browser};
use super::tokens;
use crate::app::App;
use crate::error::{During, Error};
use crate::secrets::Secret;
use crate::settings::SignUp;

mod export;
mod leave;

pub use export::export;
pub use leave::leave;

/// What the first admin is called.
const FIRST_ADMIN: &str = "admin";

/// Who asks, as they see themselves.
pub async fn me(app: &App, actor: &Actor) -> Result<Me, Error> {
    let known = access::signed_in(actor)?;
    let profile = match access::can_read(known) {
        true => profile(app, known).await?,
        // What a token is not for, it is not told.
        false => Profile { full_name: String::new(), email: String::new(), email_is_verified: false },
    };
    Ok(Me {
        name: known.name.clone(),
        is_admin: known.is_admin,
        scope: known.scope.as_str().to_owned(),
        full_name: profile.full_name,
        email: profile.email,
        email_is_verified: profile.email_is_verified,
    })
}

/// Sets what whoever asks says of themselves. For a new address nobody vouches.
pub async fn set_profile(app: &App, actor: &Actor, new: &api::Profile) -> Result<Me, Error> {
    let known = access::signed_in(actor)?;
    access::can_write(known)?;
    if new.full_name.chars().count() > limits::NAME_BYTES || new.full_name.chars().any(char::is_control) {
        return Err(Error::BadRequest("a name has at most 96 characters".to_owned()));
    }
    let email = new.email.trim().to_lowercase();
    if !email.is_empty() {
        check_email(&email)?;
    }
    let old = profile(app, known).await?;
    let email_is_verified = old.email_is_verified && old.email == email;
    let new = Profile { full_name: new.full_name.trim().to_owned(), email, email_is_verified };
    accounts::set_profile(&app.store.db, known.id, &new).await.during("store a profile")?;
    events::note(app, actor, Done { verb: "account.change", subject: &known.name, detail: "" }).await;
    me(app, actor).await
}

/// Sets a user's address and vouches for it: for the operator's own command.
pub async fn set_verified_email(app: &App, name: &str, email: &str) -> Result<(), Error> {
    let account = by_name(app, name).await?;
    let email = email.trim().to_lowercase();
    check_email(&email)?;
    let held = accounts::by_verified_email(&app.store.db, &email).await.during("look up accounts")?;
    if held.iter().any(|other| other.id != account.id) {
        return Err(Error::AlreadyExists { what: "an account for", name: email });
    }
    let old = profile(app, &known(&account)).await?;
    let new = Profile { email, email_is_verified: true, ..old };
    accounts::set_profile(&app.store.db, account.id, &new).await.during("store a profile")?;
    let done = Done { verb: "account.change", subject: &account.name, detail: "e-mail address" };
    events::note(app, &Actor::Nobody, done).await;
    Ok(())
}

/// Makes an account for whoever asks, where that is open to all; returns its session's secret.
pub async fn sign_up(
    app: &App,
    (name, password): (&str, String),
    browser: &Browser,
) -> Result<Secret, Error> {
    if app.settings.sign_up == SignUp::Closed {
        return Err(Error::SignUpClosed);
    }
    let name: AccountName = name.parse()?;
    app.rates.sign_ups.take(&browser.key())?;
    let hash = sessions::hash_password(app, password).await?;
    let account = create(app, &name, Some(&hash), false).await?;
    let actor = Actor::Account(known(&account));
    events::note(app, &actor, Done { verb: "account.create", subject: &account.name, detail: "" }).await;
    sessions::start(app, &account, browser).await
}

/// Refuses what is no address of anybody's.
pub fn check_email(email: &str) -> Result<(), Error> {
    let is_address = email.split_once('@').is_some_and(|(name, host)| !name.is_empty() && !host.is_empty());
    let is_clean = !email.chars().any(|c| c.is_control() || c.is_whitespace());
    match is_address && is_clean && email.len() <= limits::EMAIL_BYTES {
        true => Ok(()),
        false => Err(Error::BadRequest("an e-mail address has the form `name@example.org`".to_owned())),
    }
}

/// A text of somebody else's as a name may be kept: bounded, without control characters.
pub fn plain_text(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(limits::NAME_BYTES).collect::<String>().trim().to_owned()
}

async fn profile(app: &App, known: &Known) -> Result<Profile, Error> {
    let found = accounts::profile(&app.store.db, known.id).await.during("look up a profile")?;
    found.ok_or(Error::NotSignedIn)
}

/// Makes a user without asking who asks: for the operator's own command.
pub async fn create_user(app: &App, name: &AccountName, is_admin: bool) -> Result<Account, Error> {
    create(app, name, None, is_admin).await
}

/// Makes a user without asking who asks.
pub(super) async fn create(
    app: &App,
    name: &AccountName,
    password_hash: Option<&str>,
    is_admin: bool,
) -> Result<Account, Error> {
    let new =
        NewAccount { name, kind: AccountKind::User, password_hash, is_admin, created_ms: clock::now_ms() };
    match accounts::create(&app.store.db, &new).await {
        Err(store::Error::AlreadyExists { .. }) => {
            Err(Error::AlreadyExists { what: "an account", name: name.to_string() })
        }
        result => result.during("store an account"),
    }
}

/// Makes a user and a token that may write, whose secret is returned: for the operator's own command.
pub async fn create_user_with_token(app: &App, name: &AccountName, is_admin: bool) -> Result<Secret, Error> {
    let account = create_user(app, name, is_admin).await?;
    let new = NewToken {
        name: "made with the account".to_owned(),
        scope: TokenScope::Write,
        expires: None,
        repository: None,
    };
    let created = tokens::create_for(app, &known(&account), &new).await?;
    Ok(Secret::new(created.secret))
}

/// The account of this name.
pub async fn by_name(app: &App, name: &str) -> Result<Account, Error> {
    let found = accounts::by_name(&app.store.db, name).await.during("look up an account")?;
    found.ok_or_else(|| Error::NotFound { what: "account", name: name.to_owned() })
}

/// Makes the first admin if there is none yet; returns it then.
pub async fn ensure_admin(app: &App) -> Result<Option<Account>, Error> {
    if accounts::n_admins(&app.store.db).await.during("count admins")? > 0 {
        return Ok(None);
    }
    let name: AccountName = FIRST_ADMIN.parse()?;
    match create_user(app, &name, true).await {
        // Another server started on the same database in this very moment.
        Err(Error::AlreadyExists { .. }) => Ok(None),
        result => result.map(Some),
    }
}

/// An account that was recognised by a session.
pub fn known(account: &Account) -> Known {
    Known {
        id: account.id,
        name: account.name.clone(),
        is_admin: account.is_admin,
        scope: TokenScope::Write,
        only: None,
        by: By::Session { csrf: String::new(), hash: String::new() },
    }
}
