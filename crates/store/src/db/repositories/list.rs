//! Lists of repositories: filtered, searched, sorted, in pages.
//!
//! Refuses offsets: a page begins behind the last row of the one before, so that no page costs more than the
//! first. Invariant: the order is total, because rows that are equal are told apart by their id.

use spec::name::RepositoryKind;

use super::{Repository, SELECT, Viewer};
use crate::Error;
use crate::db::ids::AccountId;
use crate::db::query::{Query, Value};
use crate::db::search::Terms;
use crate::db::words::words;
use crate::db::{Db, Page, accounts, page, page_limit, query};

words!(
    /// What a list is sorted by.
    Sort, "order of repositories", {
        LastModified = "last-modified",
        Created = "created",
        Downloads = "downloads",
        Likes = "likes",
        /// Those called so, then those with all words in their name, then the rest; each by downloads. The same as
        /// `Downloads` where nothing is searched. Always descending.
        Relevance = "relevance",
    }
);

/// Which repositories, in which order.
#[derive(Debug, Clone)]
pub struct ListQuery<'a> {
    pub viewer: Viewer,
    pub kind: Option<RepositoryKind>,
    pub owner: Option<AccountId>,
    /// What a person typed; all its words are looked for, the last one may be only begun.
    pub search: Option<&'a str>,
    /// Tags that all must be there, in any case of letters; task, library and `license:…` are tags too.
    pub tags: &'a [&'a str],
    pub sort: Sort,
    pub is_descending: bool,
    pub after: Option<&'a str>,
    pub limit: u32,
}

impl Default for ListQuery<'_> {
    fn default() -> Self {
        Self {
            viewer: Viewer::Nobody,
            kind: None,
            owner: None,
            search: None,
            tags: &[],
            sort: Sort::LastModified,
            is_descending: true,
            after: None,
            limit: 30,
        }
    }
}

/// A page of the repositories that the viewer may see.
pub async fn list(db: &Db, wanted: &ListQuery<'_>) -> Result<Page<Repository>, Error> {
    let limit = page_limit(wanted.limit);
    let terms = match wanted.search.map(str::trim).filter(|text| !text.is_empty()) {
        None => None,
        Some(text) => match Terms::parse(text) {
            Some(terms) => Some(terms),
            None => return Ok(Page { items: Vec::new(), next: None }),
        },
    };
    let cursor = wanted.after.map(Cursor::parse).transpose()?;
    let tiers: &[Tier] = match (&terms, wanted.sort) {
        (Some(_), Sort::Relevance) => &[Tier::Exact, Tier::Name, Tier::Rest],
        _ => &[Tier::Exact],
    };
    let mut found: Vec<(Tier, Repository)> = Vec::new();
    for tier in tiers.iter().copied() {
        let cursor = match &cursor {
            Some(cursor) if (tier as i64) < cursor.tier => continue,
            Some(cursor) if tier as i64 == cursor.tier => Some(cursor),
            _ => None,
        };
        let n_wanted = limit + 1 - i64::try_from(found.len()).unwrap_or(limit);
        if n_wanted > 0 {
            let tier_of = if tiers.len() > 1 { Some(tier) } else { None };
            let rows =
                select(db, wanted, &Part { terms: terms.as_ref(), tier: tier_of, cursor, limit: n_wanted });
            found.extend(rows.all::<Repository>(db).await?.into_iter().map(|row| (tier, row)));
        }
    }
    let found =
        page(found, limit, |(tier, row)| format!("{}.{}.{}", *tier as i64, key(wanted.sort, row), row.id));
    Ok(Page { items: found.items.into_iter().map(|(_, row)| row).collect(), next: found.next })
}

/// How well a repository fits what was searched; each fits one only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tier {
    /// It is called so.
    Exact = 0,
    /// All words are in `owner/name`.
    Name = 1,
    Rest = 2,
}

/// The place of the last row of a page.
struct Cursor {
    tier: i64,
    key: i64,
    id: i64,
}

impl Cursor {
    fn parse(text: &str) -> Result<Self, Error> {
        let numbers: Option<Vec<i64>> = text.split('.').map(|number| number.parse().ok()).collect();
        match numbers.as_deref() {
            Some(&[tier, key, id]) => Ok(Self { tier, key, id }),
            _ => Err(Error::Cursor(text.to_owned())),
        }
    }
}

struct Part<'a> {
    terms: Option<&'a Terms>,
    tier: Option<Tier>,
    cursor: Option<&'a Cursor>,
    limit: i64,
}

/// A statement that grows: conditions joined by AND, with the values they hold.
struct Conditions {
    sql: Vec<String>,
    values: Vec<Value>,
}

impl Conditions {
    /// Adds a condition made from the numbers of its values' places.
    fn add<const N: usize>(&mut self, values: [Value; N], sql: impl FnOnce([usize; N]) -> String) {
        let first = self.values.len() + 1;
        self.values.extend(values);
        self.sql.push(sql(std::array::from_fn(|i| first + i)));
    }
}

fn select(db: &Db, wanted: &ListQuery<'_>, part: &Part<'_>) -> Query {
    let mut conditions = Conditions { sql: Vec::new(), values: Vec::new() };
    filter(&mut conditions, wanted);
    if let Some(terms) = part.terms {
        search(&mut conditions, db, terms, (part.tier, wanted.search.unwrap_or_default()));
    }
    let column = column(wanted.sort);
    let is_descending = wanted.is_descending || wanted.sort == Sort::Relevance;
    let (direction, beyond) = if is_descending { ("DESC", "<") } else { ("ASC", ">") };
    if let Some(cursor) = part.cursor {
        conditions.add([cursor.key.into(), cursor.id.into()], |[key, id]| {
            format!("(r.{column}, r.id) {beyond} (${key}, ${id})")
        });
    }
    let conditions_sql = match conditions.sql.is_empty() {
        true => "TRUE".to_owned(),
        false => conditions.sql.join(" AND "),
    };
    let limit = conditions.values.len() + 1;
    let sql = format!(
        "{SELECT} WHERE {conditions_sql} ORDER BY r.{column} {direction}, r.id {direction} LIMIT ${limit}"
    );
    query("list repositories", sql).bind_all(conditions.values).bind(part.limit)
}

fn filter(conditions: &mut Conditions, wanted: &ListQuery<'_>) {
    match wanted.viewer {
        Viewer::Everything => {}
        viewer => {
            let (_, account) = viewer.values();
            conditions.add([account.into()], |[n]| format!("(NOT r.is_private OR r.owner_id = ${n})"));
        }
    }
    if let Some(kind) = wanted.kind {
        conditions.add([kind.as_str().into()], |[n]| format!("r.kind = ${n}"));
    }
    if let Some(owner) = wanted.owner {
        conditions.add([owner.into()], |[n]| format!("r.owner_id = ${n}"));
    }
    for tag in wanted.tags {
        conditions.add([tag.to_lowercase().into()], |[n]| {
            format!("r.id IN (SELECT repository_id FROM repository_tags WHERE tag = ${n})")
        });
    }
}

/// What was searched, and of that the part that one tier shows.
fn search(conditions: &mut Conditions, db: &Db, terms: &Terms, part: (Option<Tier>, &str)) {
    let dialect = db.dialect();
    let (tier, typed) = part;
    let called = accounts::key(typed.trim());
    let called = called.rsplit('/').next().unwrap_or_default();
    let has = |n: usize| Terms::condition(dialect, n);
    let anywhere = || Value::from(terms.anywhere(dialect));
    let in_name = || Value::from(terms.in_name(dialect));
    match tier {
        None => conditions.add([anywhere()], |[n]| has(n)),
        Some(Tier::Exact) => {
            conditions
                .add([called.into(), in_name()], |[key, n]| format!("r.name_key = ${key} AND {}", has(n)));
        }
        Some(Tier::Name) => {
            conditions
                .add([in_name(), called.into()], |[n, key]| format!("{} AND r.name_key <> ${key}", has(n)));
        }
        Some(Tier::Rest) => {
            let rest = |[n, name]: [usize; 2]| format!("{} AND NOT ({})", has(n), has(name));
            conditions.add([anywhere(), in_name()], rest);
        }
    }
}

fn column(sort: Sort) -> &'static str {
    match sort {
        Sort::LastModified => "updated_ms",
        Sort::Created => "created_ms",
        Sort::Downloads | Sort::Relevance => "n_downloads",
        Sort::Likes => "n_likes",
    }
}

fn key(sort: Sort, row: &Repository) -> i64 {
    match sort {
        Sort::LastModified => row.updated_ms,
        Sort::Created => row.created_ms,
        Sort::Downloads | Sort::Relevance => row.n_downloads,
        Sort::Likes => row.n_likes,
    }
}
