//! Accounts: users and organisations.
//!
//! Refuses to know how a password is hashed. Invariant: no two names differ only in the case of letters.

use spec::name::AccountName;
use spec::rights::Action;

use super::ids::AccountId;
use super::members;
use super::words::words;
use super::{Db, Page, Tx, id_cursor, page, page_limit, query};
use crate::Error;

words!(
    /// Who can own repositories.
    AccountKind, "kind of account", { User = "user", Organization = "organization" }
);

/// An account, without its password.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Account {
    pub id: AccountId,
    pub name: String,
    #[sqlx(try_from = "String")]
    pub kind: AccountKind,
    pub is_admin: bool,
    pub created_ms: i64,
}

/// What an account begins as.
#[derive(Clone)]
pub struct NewAccount<'a> {
    pub name: &'a AccountName,
    pub kind: AccountKind,
    /// As the hasher wrote it; `None` for who cannot sign in by password.
    pub password_hash: Option<&'a str>,
    pub is_admin: bool,
    pub created_ms: i64,
}

const COLUMNS: &str = "id, name, kind, is_admin, created_ms";

/// An organisation that an account alone administers.
const ALONE: &str = "SELECT organization_id FROM members m WHERE m.account_id = $1 AND m.role = 'admin'
    AND NOT EXISTS (SELECT 1 FROM members o WHERE o.organization_id = m.organization_id
        AND o.account_id <> $1 AND o.role = 'admin') LIMIT 1";

/// Creates an account. [`Error::AlreadyExists`] if the name is taken, in any case of its letters.
pub async fn create(db: &Db, new: &NewAccount<'_>) -> Result<Account, Error> {
    let mut tx = db.begin().await?;
    let created = create_in(&mut tx, new).await?;
    tx.commit().await?;
    Ok(created)
}

/// Creates an organisation with its first member, who administers it. Errors as for [`create`].
pub async fn create_organization(db: &Db, new: &NewAccount<'_>, admin: AccountId) -> Result<Account, Error> {
    let mut tx = db.begin().await?;
    let created = create_in(&mut tx, new).await?;
    members::put_in(&mut tx, created.id, admin, Action::Administer, new.created_ms).await?;
    tx.commit().await?;
    Ok(created)
}

/// What a user says of themselves.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Profile {
    pub full_name: String,
    /// Empty where none is known.
    pub email: String,
    /// Whether somebody else vouches for the address.
    pub email_is_verified: bool,
}

/// What is known of the person behind an account.
pub async fn profile(db: &Db, id: AccountId) -> Result<Option<Profile>, Error> {
    let sql = "SELECT full_name, email, email_is_verified FROM accounts WHERE id = $1";
    query("read a profile", sql).bind(id).optional(db).await
}

pub async fn set_profile(db: &Db, id: AccountId, profile: &Profile) -> Result<(), Error> {
    let sql = "UPDATE accounts SET full_name = $2, email = $3, email_is_verified = $4 WHERE id = $1";
    let set = query("set a profile", sql)
        .bind(id)
        .bind(profile.full_name.as_str())
        .bind(profile.email.as_str())
        .bind(profile.email_is_verified);
    if set.run(db.writer()).await? == 0 { Err(Error::not_found("account", id)) } else { Ok(()) }
}

/// The users for whom somebody vouches that they have this address; at most two, as one is meant to be.
pub async fn by_verified_email(db: &Db, email: &str) -> Result<Vec<Account>, Error> {
    let sql = format!(
        "SELECT {COLUMNS} FROM accounts WHERE email = $1 AND email <> '' AND email_is_verified
         ORDER BY id LIMIT 2"
    );
    query("find accounts", sql).bind(email).all(db).await
}

/// Deletes an account with its tokens, sessions, memberships, grants and likes. [`Error::NotEmpty`] if it owns
/// repositories, [`Error::LastAdmin`] if it alone administers an organisation, [`Error::LastServerAdmin`] if it alone
/// administers the server.
pub async fn delete(db: &Db, id: AccountId) -> Result<(), Error> {
    let mut tx = db.begin().await?;
    check_server_admins(&mut tx, id).await?;
    // Two admins of one organisation who leave at the same moment wait here for one another.
    let sql = "SELECT id FROM accounts WHERE id IN (SELECT organization_id FROM members
        WHERE account_id = $1 AND role = 'admin') ORDER BY id {lock}";
    query("hold organisations", sql).bind(id).all::<(i64,)>(&mut tx).await?;
    if query("look at organisations", ALONE).bind(id).optional::<(i64,)>(&mut tx).await?.is_some() {
        return Err(Error::LastAdmin);
    }
    let owned = "SELECT id FROM repositories WHERE owner_id = $1 LIMIT 1";
    if query("look at repositories", owned).bind(id).optional::<(i64,)>(&mut tx).await?.is_some() {
        return Err(Error::NotEmpty { what: "account", name: id.to_string() });
    }
    let sql = "UPDATE repositories SET n_likes = n_likes - 1
        WHERE id IN (SELECT repository_id FROM likes WHERE account_id = $1)";
    query("count likes", sql).bind(id).run(&mut tx).await?;
    let deleted = query("delete an account", "DELETE FROM accounts WHERE id = $1").bind(id);
    if deleted.run(&mut tx).await? == 0 {
        return Err(Error::not_found("account", id));
    }
    tx.commit().await
}

/// Refuses where somebody else has to be left to administer the server, and is not.
async fn check_server_admins(tx: &mut Tx, leaving: AccountId) -> Result<(), Error> {
    // Two of them who leave at the same moment wait here for one another.
    let sql = "SELECT id FROM accounts WHERE is_admin ORDER BY id {lock}";
    let admins = query("hold admins", sql).all::<(AccountId,)>(tx).await?;
    if admins == [(leaving,)] { Err(Error::LastServerAdmin) } else { Ok(()) }
}

/// Whether an account alone administers an organisation.
pub async fn is_last_admin(db: &Db, id: AccountId) -> Result<bool, Error> {
    Ok(query("look at organisations", ALONE).bind(id).optional::<(i64,)>(db).await?.is_some())
}

async fn create_in(tx: &mut Tx, new: &NewAccount<'_>) -> Result<Account, Error> {
    let sql = format!(
        "INSERT INTO accounts (name, name_key, kind, password_hash, is_admin, created_ms)
         VALUES ($1, $2, $3, $4, $5, $6) RETURNING {COLUMNS}"
    );
    let created = query("create an account", sql)
        .bind(new.name.as_str())
        .bind(key(new.name.as_str()))
        .bind(new.kind)
        .bind(new.password_hash)
        .bind(new.is_admin)
        .bind(new.created_ms)
        .one(tx)
        .await;
    created.map_err(|error| error.if_taken("account", new.name))
}

/// The account of that name, in any case of its letters.
pub async fn by_name(db: &Db, name: &str) -> Result<Option<Account>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM accounts WHERE name_key = $1");
    query("find an account", sql).bind(key(name)).optional(db).await
}

pub async fn by_id(db: &Db, id: AccountId) -> Result<Option<Account>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM accounts WHERE id = $1");
    query("find an account", sql).bind(id).optional(db).await
}

/// What [`set_password`] or [`create`] was given.
pub async fn password_hash(db: &Db, id: AccountId) -> Result<Option<String>, Error> {
    let sql = "SELECT password_hash FROM accounts WHERE id = $1";
    let row = query("read a password hash", sql).bind(id).optional::<(Option<String>,)>(db).await?;
    Ok(row.and_then(|(hash,)| hash))
}

/// Sets or, with `None`, takes away the password. Sessions go on; see [`super::sessions::delete_all`].
pub async fn set_password(db: &Db, id: AccountId, password_hash: Option<&str>) -> Result<(), Error> {
    let sql = "UPDATE accounts SET password_hash = $2 WHERE id = $1";
    let n_rows = query("set a password", sql).bind(id).bind(password_hash).run(db.writer()).await?;
    if n_rows == 0 { Err(Error::not_found("account", id)) } else { Ok(()) }
}

/// Accounts by age, oldest first.
pub async fn list(db: &Db, after: Option<&str>, limit: u32) -> Result<Page<Account>, Error> {
    let limit = page_limit(limit);
    let sql = format!("SELECT {COLUMNS} FROM accounts WHERE id > $1 ORDER BY id LIMIT $2");
    let list =
        query("list accounts", sql).bind(id_cursor(after, 0)?).bind(limit + 1).all::<Account>(db).await?;
    Ok(page(list, limit, |account| account.id.to_string()))
}

/// How many admins there are; a server without any makes the first.
pub async fn n_admins(db: &Db) -> Result<i64, Error> {
    let sql = "SELECT CAST(count(*) AS BIGINT) FROM accounts WHERE is_admin";
    Ok(query("count admins", sql).one::<(i64,)>(db).await?.0)
}

/// The name of an account that a transaction is about to use.
pub(super) async fn name_in(tx: &mut Tx, id: AccountId) -> Result<String, Error> {
    let row = query("find an account", "SELECT name FROM accounts WHERE id = $1").bind(id);
    let row = row.optional::<(String,)>(tx).await?;
    row.map(|(name,)| name).ok_or_else(|| Error::not_found("account", id))
}

/// Under which a name is unique.
pub(super) fn key(name: &str) -> String {
    name.to_ascii_lowercase()
}
