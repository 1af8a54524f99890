//! Accounts: who there is.
//!
//! Invariant: there is always an admin; the first one is made when the server starts on an empty folder.

use spec::api::{Me, NewToken, TokenScope};
use spec::name::AccountName;
use store::clock;
use store::db::accounts::{self, Account, AccountKind, NewAccount};

use super::access::{self, Actor, By, Known};
use super::tokens;
use crate::app::App;
use crate::error::{During, Error};
use crate::secrets::Secret;

/// What the first admin is called.
const FIRST_ADMIN: &str = "admin";

/// Who asks, as they see themselves.
pub fn me(actor: &Actor) -> Result<Me, Error> {
    let known = access::signed_in(actor)?;
    Ok(Me { name: known.name.clone(), is_admin: known.is_admin, scope: known.scope.as_str().to_owned() })
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
        by: By::Session { csrf: String::new() },
    }
}
