//! Invitations: secrets that let somebody in, to the server or to an organisation.
//!
//! Refuses to know the secrets: only SHA-256 in hex comes here. Invariant: an invitation is taken once, however
//! many ask at the same moment, and never after it has expired.

use spec::rights::Action;

use super::ids::{AccountId, InvitationId};
use super::{Db, Page, Tx, id_cursor, members, page, page_limit, query};
use crate::Error;

/// An invitation, without its hash.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Invitation {
    pub id: InvitationId,
    /// Of the organisation, with the role it brings; an invitation to the server alone has neither.
    pub organization_id: Option<AccountId>,
    pub role: Option<String>,
    /// For whom it is meant, if that was said.
    pub email: String,
    pub invited_by: String,
    pub created_ms: i64,
    pub expires_ms: i64,
}

/// An invitation to be.
#[derive(Clone)]
pub struct NewInvitation<'a> {
    pub hash: &'a str,
    pub organization: Option<(AccountId, Action)>,
    pub email: &'a str,
    pub invited_by: &'a str,
    pub created_ms: i64,
    pub expires_ms: i64,
}

const COLUMNS: &str = "id, organization_id, role, email, invited_by, created_ms, expires_ms";

pub async fn create(db: &Db, new: &NewInvitation<'_>) -> Result<Invitation, Error> {
    let sql = format!(
        "INSERT INTO invitations (hash, organization_id, role, email, invited_by, created_ms, expires_ms)
         VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING {COLUMNS}"
    );
    query("store an invitation", sql)
        .bind(new.hash)
        .bind(new.organization.map(|(organization, _)| organization.0))
        .bind(new.organization.map(|(_, role)| role.as_str()))
        .bind(new.email)
        .bind(new.invited_by)
        .bind(new.created_ms)
        .bind(new.expires_ms)
        .one(db.writer())
        .await
}

/// The invitation of that hash, unless it was taken or has expired.
pub async fn by_hash(db: &Db, hash: &str, now_ms: i64) -> Result<Option<Invitation>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM invitations WHERE hash = $1 AND expires_ms > $2");
    query("find an invitation", sql).bind(hash).bind(now_ms).optional(db).await
}

/// Takes an invitation for an account and makes it a member where it says so. A member keeps a stronger role.
/// `None` if it is unknown, taken or expired.
pub async fn accept(
    db: &Db,
    hash: &str,
    account: AccountId,
    now_ms: i64,
) -> Result<Option<Invitation>, Error> {
    let mut tx = db.begin().await?;
    let Some(taken) = take_in(&mut tx, hash, now_ms).await? else { return Ok(None) };
    if let (Some(organization), Some(role)) = (taken.organization_id, &taken.role) {
        let role: Action = role.parse().map_err(|_| Error::not_found("role", role))?;
        let held = members::role_in(&mut tx, organization, account).await?;
        let role = held.map_or(role, |held| held.max(role));
        members::put_in(&mut tx, organization, account, role, now_ms).await?;
    }
    tx.commit().await?;
    Ok(Some(taken))
}

/// The invitations to an organisation, or with `None` to the server alone, newest first.
pub async fn list(
    db: &Db,
    organization: Option<AccountId>,
    after: Option<&str>,
    limit: u32,
) -> Result<Page<Invitation>, Error> {
    let limit = page_limit(limit);
    let sql = format!(
        "SELECT {COLUMNS} FROM invitations WHERE id < $1 AND coalesce(organization_id, 0) = $2
         ORDER BY id DESC LIMIT $3"
    );
    let list = query("list invitations", sql)
        .bind(id_cursor(after, i64::MAX)?)
        .bind(organization.map_or(0, |organization| organization.0))
        .bind(limit + 1);
    Ok(page(list.all::<Invitation>(db).await?, limit, |invitation| invitation.id.to_string()))
}

/// Takes an invitation back. [`Error::NotFound`] if there is none of that organisation.
pub async fn delete(db: &Db, organization: Option<AccountId>, id: InvitationId) -> Result<(), Error> {
    let sql = "DELETE FROM invitations WHERE id = $1 AND coalesce(organization_id, 0) = $2";
    let organization = organization.map_or(0, |organization| organization.0);
    let n_rows = query("delete an invitation", sql).bind(id).bind(organization).run(db.writer()).await?;
    if n_rows == 0 { Err(Error::not_found("invitation", id)) } else { Ok(()) }
}

/// Forgets invitations that have expired.
pub async fn delete_expired(db: &Db, now_ms: i64) -> Result<u64, Error> {
    let sql = "DELETE FROM invitations WHERE expires_ms <= $1";
    query("forget invitations", sql).bind(now_ms).run(db.writer()).await
}

async fn take_in(tx: &mut Tx, hash: &str, now_ms: i64) -> Result<Option<Invitation>, Error> {
    let sql = format!("DELETE FROM invitations WHERE hash = $1 AND expires_ms > $2 RETURNING {COLUMNS}");
    query("take an invitation", sql).bind(hash).bind(now_ms).optional(tx).await
}
