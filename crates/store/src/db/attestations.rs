//! Attestations: signed statements about replays, and whose keys signed them.
//!
//! Refuses to know what is stated: that was checked before it comes here. Invariants: a key is one account's for as
//! long as that account lives; one replay is attested once for a repository.

use super::ids::{AccountId, AttestationId, RepositoryId};
use super::{Db, Page, id_cursor, page, page_limit, query};
use crate::Error;

/// A statement, with the name of whoever made it.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Attestation {
    pub id: AttestationId,
    pub repository_id: RepositoryId,
    pub account_id: AccountId,
    pub account_name: String,
    /// The public key that signed it, as JSON.
    pub jwk: String,
    /// SHA-256 of the recording's record.
    pub capsule: String,
    /// Whether the replay came to the same.
    pub is_same: bool,
    /// Whether its maker could not change the repository then.
    pub is_independent: bool,
    /// JSON of what is shown of it.
    pub summary: String,
    /// The envelope; empty in lists.
    pub statement: String,
    pub created_ms: i64,
}

/// A statement to be kept.
#[derive(Debug, Clone)]
pub struct NewAttestation<'a> {
    pub repository: RepositoryId,
    pub account: AccountId,
    /// The key's thumbprint.
    pub key: &'a str,
    pub jwk: &'a str,
    pub capsule: &'a str,
    pub replay: &'a str,
    pub is_same: bool,
    pub is_independent: bool,
    pub summary: &'a str,
    pub statement: &'a str,
    pub now_ms: i64,
}

/// What was stated of one recording.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Count {
    pub capsule: String,
    pub n_attestations: i64,
    /// Accounts that came to the same and could not change the repository.
    pub n_reproduced: i64,
}

const LISTED: &str =
    "SELECT t.id, t.repository_id, t.account_id, a.name AS account_name, k.jwk, t.capsule, t.is_same,
    t.is_independent, t.summary, '' AS statement, t.created_ms
    FROM attestations t JOIN accounts a ON a.id = t.account_id JOIN signing_keys k ON k.id = t.key_id";

/// Keeps a statement, and with its first statement the key. [`Error::NotFound`] with `signing key` where the key is
/// another account's, [`Error::AlreadyExists`] where this replay was attested before, [`Error::NotEmpty`] where the
/// account has `most` of the repository already.
pub async fn create(db: &Db, new: &NewAttestation<'_>, most: i64) -> Result<Attestation, Error> {
    let mut tx = db.begin().await?;
    let sql =
        "SELECT CAST(count(*) AS BIGINT) FROM attestations WHERE account_id = $1 AND repository_id = $2";
    let counted = query("count attestations", sql).bind(new.account).bind(new.repository);
    let (n,) = counted.one::<(i64,)>(&mut tx).await?;
    if n >= most {
        return Err(Error::NotEmpty { what: "account", name: new.account.to_string() });
    }
    let sql = "INSERT INTO signing_keys (id, account_id, jwk, created_ms) VALUES ($1, $2, $3, $4)
        ON CONFLICT (id) DO NOTHING";
    let kept = query("keep a key", sql).bind(new.key).bind(new.account).bind(new.jwk).bind(new.now_ms);
    kept.run(&mut tx).await.map_err(|error| error.if_missing("account", new.account))?;
    let owner = query("find a key", "SELECT account_id FROM signing_keys WHERE id = $1").bind(new.key);
    let (owner,) = owner.one::<(AccountId,)>(&mut tx).await?;
    if owner != new.account {
        return Err(Error::not_found("signing key", new.key));
    }
    let sql = "INSERT INTO attestations (repository_id, account_id, key_id, capsule, replay, is_same, is_independent,
            summary, statement, created_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) RETURNING id";
    let (id,) = query("keep an attestation", sql)
        .bind(new.repository)
        .bind(new.account)
        .bind(new.key)
        .bind(new.capsule)
        .bind(new.replay)
        .bind(new.is_same)
        .bind(new.is_independent)
        .bind(new.summary)
        .bind(new.statement)
        .bind(new.now_ms)
        .one::<(AttestationId,)>(&mut tx)
        .await
        .map_err(|error| {
            error.if_taken("attestation", new.replay).if_missing("repository", new.repository)
        })?;
    tx.commit().await?;
    get(db, new.repository, id).await?.ok_or_else(|| Error::not_found("attestation", id))
}

/// The attestations of a repository, newest first.
pub async fn list(
    db: &Db,
    repository: RepositoryId,
    after: Option<&str>,
    limit: u32,
) -> Result<Page<Attestation>, Error> {
    let limit = page_limit(limit);
    let sql = format!("{LISTED} WHERE t.repository_id = $1 AND t.id < $2 ORDER BY t.id DESC LIMIT $3");
    let rows =
        query("list attestations", sql).bind(repository).bind(id_cursor(after, i64::MAX)?).bind(limit + 1);
    Ok(page(rows.all::<Attestation>(db).await?, limit, |row| row.id.to_string()))
}

/// Those of an account, newest first.
pub async fn of_account(
    db: &Db,
    account: AccountId,
    after: Option<&str>,
    limit: u32,
) -> Result<Page<Attestation>, Error> {
    let limit = page_limit(limit);
    let sql = format!("{LISTED} WHERE t.account_id = $1 AND t.id < $2 ORDER BY t.id DESC LIMIT $3");
    let rows =
        query("list attestations", sql).bind(account).bind(id_cursor(after, i64::MAX)?).bind(limit + 1);
    Ok(page(rows.all::<Attestation>(db).await?, limit, |row| row.id.to_string()))
}

/// What was stated of each recording.
pub async fn counts(db: &Db, repository: RepositoryId) -> Result<Vec<Count>, Error> {
    let sql = "SELECT capsule, CAST(count(*) AS BIGINT) AS n_attestations,
        CAST(count(DISTINCT CASE WHEN is_same AND is_independent THEN account_id END) AS BIGINT) AS n_reproduced
        FROM attestations WHERE repository_id = $1 GROUP BY capsule ORDER BY capsule";
    query("count attestations", sql).bind(repository).all(db).await
}

/// The attestation of that number, if the repository has it.
pub async fn get(db: &Db, repository: RepositoryId, id: AttestationId) -> Result<Option<Attestation>, Error> {
    let whole = LISTED.replacen("'' AS statement", "t.statement", 1);
    let sql = format!("{whole} WHERE t.repository_id = $1 AND t.id = $2");
    query("find an attestation", sql).bind(repository).bind(id).optional(db).await
}

/// Forgets an attestation; whether it was there.
pub async fn delete(db: &Db, id: AttestationId) -> Result<bool, Error> {
    let sql = "DELETE FROM attestations WHERE id = $1";
    Ok(query("delete an attestation", sql).bind(id).run(db.writer()).await? == 1)
}
