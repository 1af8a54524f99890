//! Secrets of the server itself, such as the key that signs addresses.
//!
//! Refuses to make them up. Invariant: whoever asks first sets a secret, and all get the same one ever after.

use super::{Db, query};
use crate::Error;

/// The secret of that name; if there is none yet, `value` becomes it.
pub async fn get_or_create(db: &Db, name: &str, value: &str) -> Result<String, Error> {
    if let Some(kept) = get(db, name).await? {
        return Ok(kept);
    }
    let sql = "INSERT INTO secrets (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING";
    query("keep a secret", sql).bind(name).bind(value).run(db.writer()).await?;
    get(db, name).await?.ok_or_else(|| Error::not_found("secret", name))
}

async fn get(db: &Db, name: &str) -> Result<Option<String>, Error> {
    let row = query("read a secret", "SELECT value FROM secrets WHERE name = $1").bind(name);
    Ok(row.optional::<(String,)>(db).await?.map(|(value,)| value))
}
