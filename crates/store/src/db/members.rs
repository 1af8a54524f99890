//! Members of organisations, and what each may do with the organisation's repositories.
//!
//! Refuses to know who may change this. Invariant: an organisation that has members has one who administers it.

use spec::rights::Action;

use super::ids::AccountId;
use super::{Db, Page, Query, Tx, id_cursor, page, page_limit, query};
use crate::Error;

/// A member, or a membership, depending on whose list it stands in.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Member {
    pub organization_id: AccountId,
    pub account_id: AccountId,
    /// The member's name in a list of members, the organisation's in a list of memberships.
    pub name: String,
    #[sqlx(try_from = "String")]
    pub role: Action,
    pub created_ms: i64,
}

/// Makes an account a member, or gives a member another role. [`Error::LastAdmin`] if nobody would be left to
/// administer the organisation, [`Error::NotFound`] without one of the two.
pub async fn put(
    db: &Db,
    organization: AccountId,
    account: AccountId,
    role: Action,
    now_ms: i64,
) -> Result<(), Error> {
    let mut tx = db.begin().await?;
    put_in(&mut tx, organization, account, role, now_ms).await?;
    tx.commit().await
}

/// [`put`] as a part of a transaction.
pub(super) async fn put_in(
    tx: &mut Tx,
    organization: AccountId,
    account: AccountId,
    role: Action,
    now_ms: i64,
) -> Result<(), Error> {
    let sql = "INSERT INTO members (organization_id, account_id, role, created_ms) VALUES ($1, $2, $3, $4)
        ON CONFLICT (organization_id, account_id) DO UPDATE SET role = excluded.role";
    let put = query("store a member", sql).bind(organization).bind(account).bind(role).bind(now_ms);
    put.run(&mut *tx).await.map_err(|error| error.if_missing("account", account))?;
    check_admins(tx, organization).await
}

/// Ends a membership. [`Error::NotFound`] if there is none, [`Error::LastAdmin`] as for [`put`].
pub async fn delete(db: &Db, organization: AccountId, account: AccountId) -> Result<(), Error> {
    let mut tx = db.begin().await?;
    let sql = "DELETE FROM members WHERE organization_id = $1 AND account_id = $2";
    let n_rows = query("delete a member", sql).bind(organization).bind(account).run(&mut tx).await?;
    if n_rows == 0 {
        return Err(Error::not_found("member", account));
    }
    check_admins(&mut tx, organization).await?;
    tx.commit().await
}

/// What an account may do as a member of an organisation.
pub async fn role(db: &Db, organization: AccountId, account: AccountId) -> Result<Option<Action>, Error> {
    let row = find(organization, account).optional::<Role>(db).await?;
    Ok(row.map(|row| row.role))
}

/// [`role`] as a part of a transaction.
pub(super) async fn role_in(
    tx: &mut Tx,
    organization: AccountId,
    account: AccountId,
) -> Result<Option<Action>, Error> {
    let row = find(organization, account).optional::<Role>(tx).await?;
    Ok(row.map(|row| row.role))
}

/// The members of an organisation, by account.
pub async fn list(
    db: &Db,
    organization: AccountId,
    after: Option<&str>,
    limit: u32,
) -> Result<Page<Member>, Error> {
    let limit = page_limit(limit);
    let sql = "SELECT m.organization_id, m.account_id, a.name, m.role, m.created_ms
        FROM members m JOIN accounts a ON a.id = m.account_id
        WHERE m.organization_id = $1 AND m.account_id > $2 ORDER BY m.account_id LIMIT $3";
    let list = query("list members", sql).bind(organization).bind(id_cursor(after, 0)?).bind(limit + 1);
    Ok(page(list.all::<Member>(db).await?, limit, |member| member.account_id.to_string()))
}

/// The organisations that an account is a member of, by organisation; at most `limit`.
pub async fn organizations(db: &Db, account: AccountId, limit: u32) -> Result<Vec<Member>, Error> {
    let sql = "SELECT m.organization_id, m.account_id, a.name, m.role, m.created_ms
        FROM members m JOIN accounts a ON a.id = m.organization_id
        WHERE m.account_id = $1 ORDER BY m.organization_id LIMIT $2";
    query("list organisations", sql).bind(account).bind(page_limit(limit)).all(db).await
}

#[derive(sqlx::FromRow)]
struct Role {
    #[sqlx(try_from = "String")]
    role: Action,
}

fn find(organization: AccountId, account: AccountId) -> Query {
    let sql = "SELECT role FROM members WHERE organization_id = $1 AND account_id = $2";
    query("find a member", sql).bind(organization).bind(account)
}

async fn check_admins(tx: &mut Tx, organization: AccountId) -> Result<(), Error> {
    // Two admins who leave at the same moment wait here for one another.
    let hold = query("hold an organisation", "SELECT id FROM accounts WHERE id = $1 {lock}");
    if hold.bind(organization).optional::<(i64,)>(&mut *tx).await?.is_none() {
        return Err(Error::not_found("organisation", organization));
    }
    let sql = "SELECT CAST(count(*) AS BIGINT) FROM members WHERE organization_id = $1 AND role = 'admin'";
    let (n_admins,) = query("count admins", sql).bind(organization).one::<(i64,)>(tx).await?;
    if n_admins == 0 { Err(Error::LastAdmin) } else { Ok(()) }
}
