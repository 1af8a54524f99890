//! What the pages of discussions and pull requests show.

use askama::Template;

use super::frame::Frame;
use super::front::When;
use super::repository::Head;

/// One discussion in a list.
#[derive(Debug, Clone, Default)]
pub struct DiscussionLine {
    pub number: i64,
    pub title: String,
    pub href: String,
    pub author: String,
    pub status: &'static str,
    pub is_pull_request: bool,
    pub opened: When,
}

/// The list.
#[derive(Debug, Template)]
#[template(path = "discussions.html")]
pub struct DiscussionsPage {
    pub frame: Frame,
    pub head: Head,
    /// Whether the open ones are shown.
    pub is_open: bool,
    pub discussions: Vec<DiscussionLine>,
    pub next: Option<String>,
}

/// The form for a new one.
#[derive(Debug, Template)]
#[template(path = "new_discussion.html")]
pub struct NewDiscussionPage {
    pub frame: Frame,
    pub head: Head,
    pub title: String,
    pub text: String,
    pub complaint: Option<String>,
}

/// One discussion.
#[derive(Debug, Template)]
#[template(path = "discussion.html")]
pub struct DiscussionPage {
    pub frame: Frame,
    pub head: Head,
    pub line: DiscussionLine,
    pub events: Vec<EventLine>,
    pub is_pull_request: bool,
    /// What merging would do.
    pub changes: Vec<ChangeLine>,
    pub conflicts: Vec<String>,
    pub is_open: bool,
    pub may_change: bool,
    pub may_merge: bool,
    pub complaint: Option<String>,
}

/// What somebody said or did.
#[derive(Debug)]
pub struct EventLine {
    pub author: String,
    pub when: When,
    pub deed: Deed,
}

#[derive(Debug)]
pub enum Deed {
    /// Sanitised HTML.
    Comment(String),
    Status(String),
    Title {
        from: String,
        to: String,
    },
    Commit {
        subject: String,
        oid: String,
        href: String,
    },
}

/// A file that a pull request changes.
#[derive(Debug, Clone, Default)]
pub struct ChangeLine {
    pub path: String,
    /// None where the file goes.
    pub href: Option<String>,
}
