//! The front page and the other lists of repositories: all models, all data sets, those of one account.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Path, Query, State};
use serde::Deserialize;
use spec::name::RepositoryKind;
use store::db::repositories::{Repository, Sort};

use super::place::{encode, with_query};
use super::views::frame::Link;
use super::views::front::{Filter, FrontPage, RepositoryCard};
use super::visitor::Visitor;
use super::{Shown, show, when};
use crate::app::App;
use crate::doors::address::Base;
use crate::error::Error;
use crate::ops::{accounts, endpoints, links, repositories};
use crate::text;

/// Repositories on one page.
const PAGE: u32 = 24;
/// Endpoints whose state is shown in lists; those beyond are listed without it.
const ENDPOINTS: u32 = 1000;

/// Tasks and libraries offered as filters: the Hub's word, and what people call it.
const TASKS: &[(&str, &str)] = &[
    ("tabular-classification", "Tabular classification"),
    ("tabular-regression", "Tabular regression"),
    ("image-classification", "Image classification"),
    ("text-classification", "Text classification"),
    ("feature-extraction", "Feature extraction"),
];
const LIBRARIES: &[(&str, &str)] = &[
    ("sklearn", "scikit-learn"),
    ("xgboost", "XGBoost"),
    ("lightgbm", "LightGBM"),
    ("onnx", "ONNX"),
    ("pytorch", "PyTorch"),
    ("keras", "Keras"),
];
const SORTS: &[(&str, &str)] = &[
    ("", "Recently updated"),
    ("downloads", "Most downloaded"),
    ("likes", "Most liked"),
    ("created", "Newest"),
];

/// What an address asks of a list.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Wanted {
    q: String,
    task: String,
    library: String,
    tag: String,
    sort: String,
    after: String,
}

/// What is listed, before anybody searches.
struct List {
    path: String,
    heading: String,
    section: &'static str,
    kind: Option<RepositoryKind>,
    author: Option<String>,
    is_front: bool,
}

/// `/`
pub async fn front(
    State(app): State<Arc<App>>,
    Query(wanted): Query<Wanted>,
    base: Base,
    visitor: Visitor,
) -> Shown {
    let list = List {
        path: "/".to_owned(),
        heading: "Models".to_owned(),
        section: "",
        kind: Some(RepositoryKind::Model),
        author: None,
        is_front: true,
    };
    page(&app, (&visitor, &base), &wanted, list).await
}

/// `/models`
pub async fn models(
    State(app): State<Arc<App>>,
    Query(wanted): Query<Wanted>,
    base: Base,
    visitor: Visitor,
) -> Shown {
    page(&app, (&visitor, &base), &wanted, of_kind(RepositoryKind::Model, "models", "Models")).await
}

/// `/datasets`
pub async fn datasets(
    State(app): State<Arc<App>>,
    Query(wanted): Query<Wanted>,
    base: Base,
    visitor: Visitor,
) -> Shown {
    page(&app, (&visitor, &base), &wanted, of_kind(RepositoryKind::Dataset, "datasets", "Data sets")).await
}

/// `/{owner}`
pub async fn account(
    State(app): State<Arc<App>>,
    Path(owner): Path<String>,
    Query(wanted): Query<Wanted>,
    base: Base,
    visitor: Visitor,
) -> Shown {
    let account = match accounts::by_name(&app, &owner).await {
        Err(Error::NotFound { .. }) => return Err(Error::PageNotFound(format!("/{owner}")).into()),
        account => account?,
    };
    let list = List {
        path: format!("/{}", account.name),
        heading: account.name.clone(),
        section: "",
        kind: None,
        author: Some(account.name),
        is_front: false,
    };
    page(&app, (&visitor, &base), &wanted, list).await
}

fn of_kind(kind: RepositoryKind, section: &'static str, heading: &str) -> List {
    let heading = heading.to_owned();
    List { path: format!("/{section}"), heading, section, kind: Some(kind), author: None, is_front: false }
}

async fn page(app: &App, (visitor, base): (&Visitor, &Base), wanted: &Wanted, list: List) -> Shown {
    let found = repositories::list(app, &visitor.actor, &query(wanted, &list)).await?;
    let states = if found.items.is_empty() { BTreeMap::new() } else { states(app, visitor).await? };
    let is_asked = wanted.is_narrowed();
    let path = list.path.as_str();
    let title = match wanted.q.trim() {
        "" if list.is_front => "Models you can try".to_owned(),
        "" => list.heading.clone(),
        q => format!("{q} in {}", list.heading.to_lowercase()),
    };
    let kept =
        [("task", &wanted.task), ("library", &wanted.library), ("tag", &wanted.tag), ("sort", &wanted.sort)];
    let mut frame = visitor.frame(&title);
    frame.section = list.section;
    if list.is_front {
        "Machine-learning models with a page, a live endpoint and a web app."
            .clone_into(&mut frame.description);
    }
    let page = FrontPage {
        frame,
        heading: match wanted.q.trim() {
            "" => list.heading.clone(),
            q => format!("{}: “{q}”", list.heading),
        },
        n_shown: found.items.len(),
        owner: list.author.clone(),
        is_own: list.author.as_deref().is_some_and(|owner| visitor.name() == Some(owner)),
        base: base.as_str().to_owned(),
        has_welcome: list.is_front && !is_asked && wanted.after.is_empty(),
        query: wanted.q.clone(),
        path: path.to_owned(),
        kept: kept
            .iter()
            .filter(|(_, v)| !v.is_empty())
            .map(|(k, v)| ((*k).to_owned(), (*v).clone()))
            .collect(),
        filters: filters(wanted, &list),
        sorts: sorts(wanted, path),
        items: found.items.iter().map(|row| card(row, &states)).collect(),
        ending: ending(app, visitor, list.is_front).await?,
        reset: is_asked.then(|| path.to_owned()),
        next: found.next.map(|after| Wanted { after, ..wanted.clone() }.address(path)),
        is_continued: !wanted.after.is_empty(),
    };
    show(&page)
}

/// The reader's links that end soon, for the front page.
async fn ending(app: &App, visitor: &Visitor, is_front: bool) -> Result<Vec<(String, String)>, Error> {
    if !is_front || visitor.name().is_none() {
        return Ok(Vec::new());
    }
    let found = links::ending(app, &visitor.actor).await?;
    Ok(found
        .into_iter()
        .filter_map(|link| Some((link.repository, text::in_days(link.ends_in_days?))))
        .collect())
}

impl Wanted {
    fn is_narrowed(&self) -> bool {
        [&self.q, &self.task, &self.library, &self.tag].iter().any(|value| !value.trim().is_empty())
    }

    fn address(&self, path: &str) -> String {
        let Self { q, task, library, tag, sort, after } = self;
        let pairs =
            [("q", q), ("task", task), ("library", library), ("tag", tag), ("sort", sort), ("after", after)];
        with_query(path, &pairs.map(|(name, value)| (name, value.as_str())))
    }
}

fn query(wanted: &Wanted, list: &List) -> repositories::Query {
    let search = Some(wanted.q.trim().to_owned()).filter(|q| !q.is_empty());
    let tags = [&wanted.task, &wanted.library, &wanted.tag];
    let sort = match wanted.sort.as_str() {
        "downloads" => Sort::Downloads,
        "likes" => Sort::Likes,
        "created" => Sort::Created,
        "modified" => Sort::LastModified,
        _ if search.is_some() => Sort::Relevance,
        _ => Sort::LastModified,
    };
    repositories::Query {
        kind: list.kind,
        author: list.author.clone(),
        search,
        tags: tags.iter().filter(|tag| !tag.is_empty()).map(|tag| (*tag).clone()).collect(),
        sort,
        is_descending: true,
        after: Some(wanted.after.clone()).filter(|after| !after.is_empty()),
        limit: PAGE,
    }
}

/// The state of every endpoint that is deployed, by `owner/name`.
async fn states(app: &App, visitor: &Visitor) -> Result<BTreeMap<String, &'static str>, Error> {
    let deployed = endpoints::list(app, &visitor.actor, None, ENDPOINTS).await?;
    let states = deployed.items.into_iter().map(|endpoint| (endpoint.repository, endpoint.state.as_str()));
    Ok(states.filter(|(_, state)| *state != "stopped").collect())
}

fn filters(wanted: &Wanted, list: &List) -> Vec<Filter> {
    let link = |label: &str, to: Wanted, is_current| Link {
        label: label.to_owned(),
        href: Wanted { after: String::new(), ..to }.address(&list.path),
        is_current,
    };
    // What is in force is offered too, so that it can be taken back.
    let offered = |known: &[(&str, &str)], value: &str| {
        let mut all: Vec<(String, String)> =
            known.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        if !value.is_empty() && !known.iter().any(|(name, _)| *name == value) {
            all.insert(0, (value.to_owned(), value.to_owned()));
        }
        all
    };
    let toggled = |now: &str, name: &str| if now == name { String::new() } else { name.to_owned() };
    let tasks = offered(TASKS, &wanted.task).into_iter().map(|(name, label)| {
        link(&label, Wanted { task: toggled(&wanted.task, &name), ..wanted.clone() }, wanted.task == name)
    });
    let mut filters = vec![Filter { title: "Task", links: tasks.collect() }];
    if list.kind != Some(RepositoryKind::Dataset) {
        let libraries = offered(LIBRARIES, &wanted.library).into_iter().map(|(name, label)| {
            link(
                &label,
                Wanted { library: toggled(&wanted.library, &name), ..wanted.clone() },
                wanted.library == name,
            )
        });
        filters.push(Filter { title: "Library", links: libraries.collect() });
    }
    if !wanted.tag.is_empty() {
        let without = Wanted { tag: String::new(), ..wanted.clone() };
        filters.push(Filter { title: "Tag", links: vec![link(&wanted.tag, without, true)] });
    }
    filters
}

fn sorts(wanted: &Wanted, path: &str) -> Vec<Link> {
    let best = (!wanted.q.trim().is_empty()).then_some(("", "Best match"));
    let newest = best.is_some().then_some(("modified", "Recently updated"));
    let rest = SORTS.iter().copied().filter(|(name, _)| best.is_none() || !name.is_empty());
    (best.into_iter().chain(newest).chain(rest))
        .map(|(name, label)| Link {
            label: label.to_owned(),
            href: Wanted { sort: name.to_owned(), after: String::new(), ..wanted.clone() }.address(path),
            is_current: wanted.sort == name,
        })
        .collect()
}

fn card(row: &Repository, states: &BTreeMap<String, &'static str>) -> RepositoryCard {
    let name = repositories::full_name(row);
    RepositoryCard {
        owner: row.owner_name.clone(),
        name: row.name.clone(),
        href: format!("/{}{}/{}", row.kind.web_prefix(), encode(&row.owner_name), encode(&row.name)),
        is_dataset: row.kind == RepositoryKind::Dataset,
        is_private: row.is_private,
        description: row.description.clone(),
        task: row.task.clone(),
        library: row.library.clone(),
        updated: when(row.updated_ms),
        downloads: text::count(u64::try_from(row.n_downloads).unwrap_or(0)),
        likes: text::count(u64::try_from(row.n_likes).unwrap_or(0)),
        endpoint: states.get(&name).copied().filter(|_| row.kind == RepositoryKind::Model),
    }
}
