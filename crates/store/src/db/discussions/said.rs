//! What one account said in discussions, wherever that was: for handing it out to whoever said it.
//!
//! Refuses to know whether the account may still read there; it gets its own words and nothing of others'.

use crate::Error;
use crate::db::ids::AccountId;
use crate::db::{Db, Page, id_cursor, page, page_limit, query};

/// One event of the account's own, with where it stands.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Said {
    pub id: i64,
    /// `owner/name`, as it is called now.
    pub repository: String,
    pub number: i64,
    pub kind: String,
    /// A JSON object.
    pub data: String,
    pub created_ms: i64,
}

/// What an account said and did in discussions, oldest first.
pub async fn said(db: &Db, author: AccountId, after: Option<&str>, limit: u32) -> Result<Page<Said>, Error> {
    let limit = page_limit(limit);
    let sql = "SELECT e.id, a.name || '/' || r.name AS repository, d.number, e.kind, e.data, e.created_ms
        FROM discussion_events e JOIN discussions d ON d.id = e.discussion_id
        JOIN repositories r ON r.id = d.repository_id JOIN accounts a ON a.id = r.owner_id
        WHERE e.author_id = $1 AND e.id > $2 ORDER BY e.id LIMIT $3";
    let rows = query("list what was said", sql).bind(author).bind(id_cursor(after, 0)?).bind(limit + 1);
    Ok(page(rows.all::<Said>(db).await?, limit, |said| said.id.to_string()))
}
