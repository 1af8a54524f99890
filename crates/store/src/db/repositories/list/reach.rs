//! How many rows a condition lets through, which decides how SQLite is asked.
//!
//! A list walks along the index of its order and looks whether each row fits. That is quick where many fit, and
//! where few do it is quicker to fetch those and sort them. PostgreSQL knows which; SQLite cannot tell how much the
//! index of words will bring, so a count that soon gives up tells it. Refuses to change what is found.

use super::Tier;
use crate::Error;
use crate::db::query::Query;
use crate::db::search::{Field, Terms};
use crate::db::{Db, Dialect, query};

/// Fewer rows than this are fetched and sorted. On 100,000 repositories both ways then take a few milliseconds.
const N_NARROW: i64 = 2000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// Few rows: they are where to begin. Always so for PostgreSQL, which begins where it likes.
    Narrow,
    /// Many rows: each row that the walk meets is looked at by itself.
    Broad,
}

/// Tags in lower case.
pub(super) async fn of_tags(db: &Db, tags: &[&str]) -> Result<Vec<(String, Reach)>, Error> {
    let mut found = Vec::new();
    for tag in tags.iter().map(|tag| tag.to_lowercase()) {
        let sql = "SELECT count(*) FROM (SELECT 1 FROM repository_tags WHERE tag = $1 LIMIT $2)";
        let reach = measure(db, query("count tags", sql).bind(&tag)).await?;
        found.push((tag, reach));
    }
    Ok(found)
}

pub(super) async fn of_words(db: &Db, terms: &Terms, tier: Tier) -> Result<Reach, Error> {
    let field = match tier {
        // Those of one name are few, and have an index of their own.
        Tier::Exact => return Ok(if db.dialect() == Dialect::Sqlite { Reach::Broad } else { Reach::Narrow }),
        Tier::Name => Field::Name,
        // Counting what is elsewhere would have to look behind what is in the name.
        Tier::All | Tier::Rest => Field::Anywhere,
    };
    let sql = "SELECT count(*) FROM (
        SELECT 1 FROM repositories_words WHERE repositories_words MATCH $1 LIMIT $2
    )";
    // Words as they stand are counted row by row; a begun word gathers all its rows before the first is counted.
    let whole = terms.whole_words(field);
    match measure(db, query("count words", sql).bind(whole)).await? {
        Reach::Broad => Ok(Reach::Broad),
        Reach::Narrow => {
            measure(db, query("count words", sql).bind(terms.value(Dialect::Sqlite, field))).await
        }
    }
}

/// `count` takes the limit as its last value.
async fn measure(db: &Db, count: Query) -> Result<Reach, Error> {
    if db.dialect() == Dialect::Postgres {
        return Ok(Reach::Narrow);
    }
    let (n_rows,) = count.bind(N_NARROW).one::<(i64,)>(db).await?;
    Ok(if n_rows < N_NARROW { Reach::Narrow } else { Reach::Broad })
}
