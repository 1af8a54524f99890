//! What one account said in discussions, wherever that was: for handing it out to whoever said it.
//!
//! Invariant: the account gets its own words and nothing of others', and no name of what it does not see any more.

use crate::Error;
use crate::db::ids::AccountId;
use crate::db::repositories::{Viewer, visible};
use crate::db::{Db, Page, id_cursor, page, page_limit, query};

/// One event of the account's own, with where it stands.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Said {
    pub id: i64,
    /// `owner/name`, as it is called now; none where the account does not see it any more.
    pub repository: Option<String>,
    pub number: i64,
    pub kind: String,
    /// A JSON object.
    pub data: String,
    pub created_ms: i64,
}

/// What an account said and did in discussions, oldest first.
pub async fn said(
    db: &Db,
    author: (AccountId, Viewer),
    after: Option<&str>,
    limit: u32,
) -> Result<Page<Said>, Error> {
    let limit = page_limit(limit);
    let sql = format!(
        "SELECT e.id, CASE WHEN $2 OR {} THEN a.name || '/' || r.name END AS repository, d.number, e.kind, e.data,
            e.created_ms
        FROM discussion_events e JOIN discussions d ON d.id = e.discussion_id
        JOIN repositories r ON r.id = d.repository_id JOIN accounts a ON a.id = r.owner_id
        WHERE e.author_id = $1 AND e.id > $3 ORDER BY e.id LIMIT $4",
        visible(1)
    );
    let (account, (sees_all, _)) = (author.0, author.1.values());
    let rows = query("list what was said", sql).bind(account).bind(sees_all);
    let rows = rows.bind(id_cursor(after, 0)?).bind(limit + 1).all::<Said>(db).await?;
    Ok(page(rows, limit, |said| said.id.to_string()))
}
