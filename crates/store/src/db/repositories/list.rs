//! Lists of repositories: filtered, searched, sorted, in pages.
//!
//! Refuses offsets: a page begins behind the last row of the one before, so that no page costs more than the
//! first. Invariant: the order is total, because rows that are equal are told apart by their id.

use spec::name::RepositoryKind;

use super::{Repository, Viewer};
use crate::Error;
use crate::db::ids::AccountId;
use crate::db::search::{Field, Terms};
use crate::db::words::words;
use crate::db::{Db, Page, page, page_limit};

mod reach;
mod select;

use reach::Reach;

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
    let cursor = wanted.after.map(Cursor::parse).transpose()?;
    let terms = match wanted.search.map(str::trim).filter(|text| !text.is_empty()) {
        None => None,
        Some(text) => match Terms::parse(text) {
            Some(terms) => Some(terms),
            None => return Ok(Page { items: Vec::new(), next: None }),
        },
    };
    let tags = reach::of_tags(db, wanted.tags).await?;
    let tiers: &[Tier] = match (&terms, wanted.sort) {
        (Some(_), Sort::Relevance) => &[Tier::Exact, Tier::Name, Tier::Rest],
        _ => &[Tier::All],
    };
    let mut found: Vec<(i64, Repository)> = Vec::new();
    for tier in tiers.iter().copied() {
        let place = tier as i64;
        let n_wanted = limit + 1 - i64::try_from(found.len()).unwrap_or(limit);
        // The tiers before the cursor's were shown whole.
        if n_wanted <= 0 || cursor.as_ref().is_some_and(|cursor| place < cursor.tier) {
            continue;
        }
        let cursor = cursor.as_ref().filter(|cursor| place == cursor.tier);
        let words = match &terms {
            Some(terms) => Some((terms, reach::of_words(db, terms, tier).await?)),
            None => None,
        };
        let part = Part { tier, words, tags: &tags, cursor, limit: n_wanted };
        found.extend(read(db, wanted, &part).await?.into_iter().map(|row| (place, row)));
    }
    let found = page(found, limit, |(tier, row)| format!("{tier}.{}.{}", key(wanted.sort, row), row.id));
    Ok(Page { items: found.items.into_iter().map(|(_, row)| row).collect(), next: found.next })
}

/// How well a repository fits what was searched; each fits one of the last three.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tier {
    /// Nothing is told apart.
    All = 0,
    /// It is called so.
    Exact = 1,
    /// All words are in `owner/name`.
    Name = 2,
    Rest = 3,
}

impl Tier {
    fn field(self) -> Field {
        match self {
            Self::All => Field::Anywhere,
            Self::Exact | Self::Name => Field::Name,
            Self::Rest => Field::Elsewhere,
        }
    }
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

/// One tier of a list, from the cursor on.
struct Part<'a> {
    tier: Tier,
    words: Option<(&'a Terms, Reach)>,
    tags: &'a [(String, Reach)],
    cursor: Option<&'a Cursor>,
    limit: i64,
}

/// Reads one part. Every index is of one kind; of both kinds each is read and the two are merged.
async fn read(db: &Db, wanted: &ListQuery<'_>, part: &Part<'_>) -> Result<Vec<Repository>, Error> {
    if let Some(kind) = wanted.kind {
        return select::select(db, wanted, part, kind).all(db).await;
    }
    let mut rows: Vec<Repository> = Vec::new();
    for kind in [RepositoryKind::Dataset, RepositoryKind::Model] {
        rows.extend(select::select(db, wanted, part, kind).all::<Repository>(db).await?);
    }
    rows.sort_unstable_by_key(|row| (key(wanted.sort, row), row.id));
    if is_descending(wanted) {
        rows.reverse();
    }
    rows.truncate(usize::try_from(part.limit).unwrap_or(usize::MAX));
    Ok(rows)
}

fn is_descending(wanted: &ListQuery<'_>) -> bool {
    wanted.is_descending || wanted.sort == Sort::Relevance
}

/// What a list is ordered by, before the id. [`select`] has the column's name.
fn key(sort: Sort, row: &Repository) -> i64 {
    match sort {
        Sort::LastModified => row.updated_ms,
        Sort::Created => row.created_ms,
        Sort::Downloads | Sort::Relevance => row.n_downloads,
        Sort::Likes => row.n_likes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Settings;
    use crate::db::accounts::{self, AccountKind, NewAccount};
    use crate::db::repositories::{self, NewRepository, Summary};

    const NAMES: &[&str] = &["iris", "iris-small", "other.iris_2", "guide", "x50", "Ab"];
    const TEXTS: &[&str] = &["", "all about iris", "Äpfel und Birnen", "small iris", "iris_small", "a b"];

    /// Every way to ask SQLite must find the same: few rows by the index of words, many by looking at each row.
    #[tokio::test]
    async fn rows_looked_up_and_rows_met_on_a_walk_are_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::open(&Settings::embedded(folder.path())).await.unwrap();
        fill(&db).await;
        let mut n_found = 0;
        let searches = [
            "iris",
            "iri",
            "iris small",
            "small iris",
            "alice/iris",
            "al",
            "äp",
            "birnen",
            "x",
            "50",
            "a",
            "a b",
            "b a",
            "2",
            "zebra",
            "_",
            "%",
            "iris_",
            "i%s",
        ];
        for search in searches {
            let Some(terms) = Terms::parse(search) else { continue };
            for tier in [Tier::All, Tier::Exact, Tier::Name, Tier::Rest] {
                for tag in ["odd", "even", "none"] {
                    let wanted = ListQuery { search: Some(search), ..ListQuery::default() };
                    let mut ways = Vec::new();
                    for (words, tags) in [
                        (Reach::Narrow, Reach::Narrow),
                        (Reach::Narrow, Reach::Broad),
                        (Reach::Broad, Reach::Narrow),
                        (Reach::Broad, Reach::Broad),
                    ] {
                        let tags = [(tag.to_owned(), tags)];
                        let part = Part {
                            tier,
                            words: Some((&terms, words)),
                            tags: &tags,
                            cursor: None,
                            limit: 100,
                        };
                        let rows = read(&db, &wanted, &part).await.unwrap();
                        ways.push(rows.into_iter().map(|row| row.name).collect::<Vec<_>>());
                    }
                    assert!(ways.iter().all(|way| *way == ways[0]), "{search} {tier:?} {tag}: {ways:?}");
                    n_found += ways[0].len();
                }
            }
        }
        assert!(n_found > 100, "{n_found}");
    }

    async fn fill(db: &Db) {
        let name = "alice".parse().unwrap();
        let kind = AccountKind::User;
        let new = NewAccount { name: &name, kind, password_hash: None, is_admin: false, created_ms: 0 };
        let owner_id = accounts::create(db, &new).await.unwrap().id;
        for (i, name) in NAMES.iter().enumerate() {
            for (j, text) in TEXTS.iter().enumerate() {
                let kind = if (i + j) % 3 == 0 { RepositoryKind::Dataset } else { RepositoryKind::Model };
                let name = if j == 0 { (*name).to_owned() } else { format!("{name}-{j}") };
                let name = format!("alice/{name}").parse().unwrap();
                let new =
                    NewRepository { owner_id, kind, name: &name, is_private: false, created_ms: j as i64 };
                let id = repositories::create(db, &new).await.unwrap().id;
                let tags = [if j % 2 == 0 { "even".to_owned() } else { "odd".to_owned() }];
                let summary = Summary { description: text, tags: &tags, ..Summary::default() };
                repositories::set_summary(db, id, &summary).await.unwrap();
            }
        }
    }
}
