//! The pages of a repository's files: folders, one file, history.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::response::Response;
use serde::Deserialize;
use spec::name::RepositoryKind;
use store::db::entries::{Entry, Listing};
use store::db::refs::RefKind;
use store::db::revisions::Revision;

use super::place::{Place, encode, encode_path, with_query};
use super::repositories::{Opened, open};
use super::views::files::{BlobPage, CommitLine, Content, EntryLine, HistoryPage, Revisions, TreePage};
use super::views::frame::Link;
use super::visitor::Visitor;
use super::{Answer, Html, Shown, go_to, show, when};
use crate::app::App;
use crate::error::Error;
use crate::ops::access::Action;
use crate::ops::{entries, refs, revisions};
use crate::text;

/// Files, or commits, on one page.
const PAGE: u32 = 200;
/// Longest file that is shown as text.
const TEXT_BYTES: usize = 512 * 1024;
/// Branches and tags that a page offers.
const REVISIONS: usize = 100;
/// Pictures that browsers show.
const PICTURES: [&str; 6] = ["png", "jpg", "jpeg", "gif", "webp", "avif"];

/// Where a list goes on.
#[derive(Debug, Default, Deserialize)]
pub struct After {
    #[serde(default)]
    after: String,
}

impl After {
    pub(super) fn get(&self) -> Option<&str> {
        (!self.after.is_empty()).then_some(self.after.as_str())
    }
}

/// `/{owner}/{name}/tree/{revision}/{path}`
pub async fn tree(
    State(app): State<Arc<App>>,
    place: Place,
    Query(after): Query<After>,
    visitor: Visitor,
) -> Shown {
    let opened = open(&app, &visitor, &place, Action::Read).await?;
    let listing = Listing { folder: &place.path, is_recursive: false, after: after.get(), limit: PAGE };
    let page = entries::list(&app, &visitor.actor, &place.at(), &listing).await?;
    // Folders first, as people look for them; each kind by name.
    let (folders, files): (Vec<_>, Vec<_>) = page.items.iter().partition(|entry| entry.is_folder());
    let here = address(&opened, "tree", &place.revision, &place.path);
    let title = if place.path.is_empty() { "Files" } else { &place.path };
    let page = TreePage {
        frame: opened.frame(&visitor, title),
        head: opened.head("Files"),
        revisions: choice(&app, &visitor, &place, &opened, "tree").await?,
        crumbs: crumbs(&opened, &place),
        entries: folders
            .into_iter()
            .chain(files)
            .map(|entry| line(&opened, &place.revision, entry))
            .collect(),
        next: page.next.map(|after| with_query(&here, &[("after", &after)])),
    };
    show(&page)
}

/// `/{owner}/{name}/blob/{revision}/{path}`
pub async fn blob(State(app): State<Arc<App>>, place: Place, visitor: Visitor) -> Answer<Response, Html> {
    let opened = open(&app, &visitor, &place, Action::Read).await?;
    let found = entries::find(&app, &visitor.actor, &place.at(), &place.path).await?;
    let Some(file) = found.file else {
        // A card may link to a folder; the tree says if there is none.
        return Ok(go_to(&address(&opened, "tree", &place.revision, &place.path)));
    };
    let content = content(&app, &opened, &place).await?;
    let page = BlobPage {
        frame: opened.frame(&visitor, &place.path),
        head: opened.head("Files"),
        revisions: choice(&app, &visitor, &place, &opened, "blob").await?,
        crumbs: crumbs(&opened, &place),
        size: text::bytes(file.n_bytes),
        digest: file.sha256.to_string(),
        download: address(&opened, "resolve", &place.revision, &place.path),
        content,
    };
    show(&page)
}

/// `/{owner}/{name}/commits/{revision}`
pub async fn history(
    State(app): State<Arc<App>>,
    place: Place,
    Query(after): Query<After>,
    visitor: Visitor,
) -> Shown {
    let opened = open(&app, &visitor, &place, Action::Read).await?;
    let page = revisions::history(&app, &visitor.actor, &place.at(), after.get(), PAGE).await?;
    let here = format!("{}/commits/{}", opened.path, encode(&place.revision));
    let commits = page.items.into_iter().map(|revision| commit_line(&opened, revision));
    let page = HistoryPage {
        frame: opened.frame(&visitor, "History"),
        head: opened.head("History"),
        revisions: choice(&app, &visitor, &place, &opened, "commits").await?,
        commits: commits.collect(),
        next: page.next.map(|after| with_query(&here, &[("after", &after)])),
    };
    show(&page)
}

/// What is told of a commit wherever one is listed.
pub(super) fn commit_line(opened: &Opened, revision: Revision) -> CommitLine {
    CommitLine {
        href: format!("{}/commit/{}", opened.path, revision.oid),
        title: revision.title,
        description: revision.description,
        author: revision.author,
        oid: revision.oid.to_string(),
        when: when(revision.created_ms),
    }
}

async fn content(app: &App, opened: &Opened, place: &Place) -> Result<Content, Error> {
    let extension = place.path.rsplit_once('.').map_or("", |(_, extension)| extension).to_ascii_lowercase();
    if PICTURES.contains(&extension.as_str()) {
        return Ok(Content::Image);
    }
    let bytes = entries::read_small(app, opened.revision.tree_id, &place.path, TEXT_BYTES).await?;
    let Some(bytes) = bytes else { return Ok(Content::Hidden("The file is too large to be shown here.")) };
    match String::from_utf8(bytes) {
        Ok(text) if !text.contains('\0') => Ok(Content::Lines(text.lines().map(str::to_owned).collect())),
        _ => Ok(Content::Hidden("The file is not text.")),
    }
}

/// `/owner/name/{page}/{revision}/{path}`
pub(super) fn address(opened: &Opened, page: &str, revision: &str, path: &str) -> String {
    let slash = if path.is_empty() { "" } else { "/" };
    format!("{}/{page}/{}{slash}{}", opened.path, encode(revision), encode_path(path))
}

fn crumbs(opened: &Opened, place: &Place) -> Vec<Link> {
    let root = Link {
        label: opened.repository.name.clone(),
        href: address(opened, "tree", &place.revision, ""),
        is_current: place.path.is_empty(),
    };
    let parts: Vec<&str> = place.path.split('/').filter(|part| !part.is_empty()).collect();
    let rest = parts.iter().enumerate().map(|(i, part)| Link {
        label: (*part).to_owned(),
        href: address(opened, "tree", &place.revision, &parts[..=i].join("/")),
        is_current: i + 1 == parts.len(),
    });
    std::iter::once(root).chain(rest).collect()
}

fn line(opened: &Opened, revision: &str, entry: &Entry) -> EntryLine {
    let is_folder = entry.is_folder();
    EntryLine {
        name: entry.path.rsplit('/').next().unwrap_or(&entry.path).to_owned(),
        href: address(opened, if is_folder { "tree" } else { "blob" }, revision, &entry.path),
        is_folder,
        size: text::bytes(u64::try_from(entry.n_bytes).unwrap_or(0)),
        download: (!is_folder).then(|| address(opened, "resolve", revision, &entry.path)),
        title: entry.last_revision.title.clone(),
        title_href: format!("{}/commit/{}", opened.path, entry.last_revision.oid),
        when: when(entry.last_revision.created_ms),
    }
}

/// The branches and tags at which the same can be seen.
async fn choice(
    app: &App,
    visitor: &Visitor,
    place: &Place,
    opened: &Opened,
    page: &str,
) -> Result<Revisions, Error> {
    let kind: RepositoryKind = place.kind;
    let all = refs::list(app, &visitor.actor, kind, &place.name).await?;
    let path = if page == "commits" { "" } else { place.path.as_str() };
    // Pull requests are looked at from their own pages.
    let links = all.iter().filter(|found| found.kind != RefKind::Pull).take(REVISIONS).map(|found| Link {
        label: if found.kind == RefKind::Tag { format!("{} (tag)", found.name) } else { found.name.clone() },
        href: address(opened, page, &found.name, path),
        is_current: found.name == place.revision,
    });
    let is_oid = place.revision.len() == 40;
    let current = if is_oid { place.revision[..8].to_owned() } else { place.revision.clone() };
    Ok(Revisions { current, links: links.collect() })
}
