//! The statement that reads one part of a list.
//!
//! Pure: makes a text of constants, and values. Invariant: what a person typed is among the values only.

use spec::name::RepositoryKind;

use super::reach::Reach;
use super::{ListQuery, Part, Sort, Tier, is_descending};
use crate::db::query::{Query, Value};
use crate::db::repositories::{SELECT, Viewer, visible};
use crate::db::search::Terms;
use crate::db::{Db, Dialect, accounts, query};

pub(super) fn select(db: &Db, wanted: &ListQuery<'_>, part: &Part<'_>, kind: RepositoryKind) -> Query {
    let dialect = db.dialect();
    let mut conditions = Conditions::default();
    let reaches = part.tags.iter().map(|(_, reach)| *reach).chain(part.words.map(|(_, reach)| reach));
    let is_narrow = dialect == Dialect::Sqlite && reaches.into_iter().any(|reach| reach == Reach::Narrow);
    // SQLite uses no index for what has a `+` before it, and so begins with what is narrow.
    let plus = if is_narrow { "+" } else { "" };
    conditions.add(kind.as_str(), |n| format!("{plus}r.kind = ${n}"));
    filter(&mut conditions, wanted, part.tags);
    if let Some((terms, reach)) = part.words {
        if part.tier == Tier::Exact || part.tier == Tier::Name {
            let equals = if part.tier == Tier::Exact { "=" } else { "<>" };
            conditions
                .add(called(wanted.search.unwrap_or_default()), |n| format!("r.name_key {equals} ${n}"));
        }
        match reach {
            Reach::Narrow => {
                let value = terms.value(dialect, part.tier.field());
                conditions.add(value, |n| Terms::in_index(dialect, n));
            }
            Reach::Broad => {
                conditions.add_all(terms.patterns(), |first| terms.in_row(part.tier.field(), first));
            }
        }
    }
    let column = column(wanted.sort);
    let (direction, beyond) = if is_descending(wanted) { ("DESC", "<") } else { ("ASC", ">") };
    if let Some(cursor) = part.cursor {
        let beyond = |key| format!("(r.{column}, r.id) {beyond} (${key}, ${})", key + 1);
        conditions.add_all([cursor.key, cursor.id], beyond);
    }
    let (conditions, values) = (conditions.sql.join(" AND "), conditions.values);
    let limit = values.len() + 1;
    let order = format!("ORDER BY r.{column} {direction}, r.id {direction} LIMIT ${limit}");
    query("list repositories", format!("{SELECT} WHERE {conditions} {order}"))
        .bind_all(values)
        .bind(part.limit)
}

/// Conditions that all must hold, with the values they name by their places.
#[derive(Default)]
struct Conditions {
    sql: Vec<String>,
    values: Vec<Value>,
}

impl Conditions {
    fn add(&mut self, value: impl Into<Value>, sql: impl FnOnce(usize) -> String) {
        self.add_all([value], sql);
    }

    /// `sql` is given the place of the first value; the others follow it.
    fn add_all<V: Into<Value>>(
        &mut self,
        values: impl IntoIterator<Item = V>,
        sql: impl FnOnce(usize) -> String,
    ) {
        self.sql.push(sql(self.values.len() + 1));
        self.values.extend(values.into_iter().map(Into::into));
    }
}

fn filter(conditions: &mut Conditions, wanted: &ListQuery<'_>, tags: &[(String, Reach)]) {
    if wanted.viewer != Viewer::Everything {
        let (_, account) = wanted.viewer.values();
        conditions.add(account, visible);
    }
    if let Some(owner) = wanted.owner {
        conditions.add(owner, |n| format!("r.owner_id = ${n}"));
    }
    for (tag, reach) in tags {
        conditions.add(tag, |n| match reach {
            Reach::Narrow => format!("r.id IN (SELECT repository_id FROM repository_tags WHERE tag = ${n})"),
            Reach::Broad => {
                format!(
                    "EXISTS (SELECT 1 FROM repository_tags t WHERE t.tag = ${n} AND t.repository_id = r.id)"
                )
            }
        });
    }
}

/// The name that a search may spell out: what follows the `/`, if there is one.
fn called(search: &str) -> String {
    let name = accounts::key(search.trim());
    name.rsplit('/').next().unwrap_or_default().to_owned()
}

fn column(sort: Sort) -> &'static str {
    match sort {
        Sort::LastModified => "updated_ms",
        Sort::Created => "created_ms",
        Sort::Downloads | Sort::Relevance => "n_downloads",
        Sort::Likes => "n_likes",
    }
}
