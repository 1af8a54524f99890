//! The pages of a repository that are about its files: trees, one file, history.

use askama::Template;

use super::frame::{Frame, Link};
use super::front::When;
use super::repository::Head;

/// A folder of a revision.
#[derive(Debug, Template)]
#[template(path = "tree.html")]
pub struct TreePage {
    pub frame: Frame,
    pub head: Head,
    pub revisions: Revisions,
    /// From the root down; the last one is this folder.
    pub crumbs: Vec<Link>,
    pub entries: Vec<EntryLine>,
    /// Where the list goes on.
    pub next: Option<String>,
}

/// The branches and tags that a page can be seen at.
#[derive(Debug, Clone, Default)]
pub struct Revisions {
    /// What is shown now, as it stands in the address.
    pub current: String,
    pub links: Vec<Link>,
}

/// A file or folder.
#[derive(Debug, Clone, Default)]
pub struct EntryLine {
    pub name: String,
    pub href: String,
    pub is_folder: bool,
    pub size: String,
    /// Where the bytes are; none for a folder.
    pub download: Option<String>,
    pub title: String,
    pub title_href: String,
    pub when: When,
}

/// One file.
#[derive(Debug, Template)]
#[template(path = "blob.html")]
pub struct BlobPage {
    pub frame: Frame,
    pub head: Head,
    pub revisions: Revisions,
    pub crumbs: Vec<Link>,
    pub size: String,
    pub digest: String,
    pub download: String,
    pub content: Content,
}

/// What of a file is shown.
#[derive(Debug)]
pub enum Content {
    /// Text, line by line.
    Lines(Vec<String>),
    Image,
    /// Neither; why.
    Hidden(&'static str),
}

/// The revisions before one.
#[derive(Debug, Template)]
#[template(path = "history.html")]
pub struct HistoryPage {
    pub frame: Frame,
    pub head: Head,
    pub revisions: Revisions,
    pub commits: Vec<CommitLine>,
    pub next: Option<String>,
}

/// One revision.
#[derive(Debug, Clone, Default)]
pub struct CommitLine {
    pub title: String,
    pub description: String,
    pub author: String,
    pub oid: String,
    pub href: String,
    pub when: When,
}

impl CommitLine {
    /// The first digits, enough to tell one from another.
    pub fn short_oid(&self) -> &str {
        self.oid.get(..8).unwrap_or(&self.oid)
    }
}
