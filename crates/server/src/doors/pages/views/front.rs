//! The front page and every other list of repositories.

use askama::Template;

use super::frame::{Frame, Link};

/// A list of repositories, with search and filters.
#[derive(Debug, Template)]
#[template(path = "front.html")]
pub struct FrontPage {
    pub frame: Frame,
    /// What is listed, as a heading.
    pub heading: String,
    /// How many repositories this page lists.
    pub n_shown: usize,
    /// Whose repositories they are, where they are one account's.
    pub owner: Option<String>,
    /// Whether that is the reader's own account.
    pub is_own: bool,
    /// Where clients reach this server.
    pub base: String,
    /// Whether to say what this place is: on the front page, before anything is searched.
    pub has_welcome: bool,
    /// What was searched for.
    pub query: String,
    /// The path that the search form asks, such as `/models`.
    pub path: String,
    /// Filters that the search keeps: names and values of hidden fields.
    pub kept: Vec<(String, String)>,
    pub filters: Vec<Filter>,
    pub sorts: Vec<Link>,
    pub items: Vec<RepositoryCard>,
    /// The address without search and filters, where any is in force.
    pub reset: Option<String>,
    /// Links of the reader's that end soon: what they lead to, and when they end.
    pub ending: Vec<(String, String)>,
    pub next: Option<String>,
    /// Whether this is not the first page.
    pub is_continued: bool,
}

impl FrontPage {
    /// The account that a command to push would name.
    fn owner_name(&self) -> &str {
        self.frame.user.as_deref().unwrap_or("your-name")
    }
}

/// One group of filters.
#[derive(Debug, Clone)]
pub struct Filter {
    pub title: &'static str,
    pub links: Vec<Link>,
}

/// A repository in a list.
#[derive(Debug, Clone, Default)]
pub struct RepositoryCard {
    pub owner: String,
    pub name: String,
    pub href: String,
    pub is_dataset: bool,
    pub is_private: bool,
    pub description: String,
    pub task: Option<String>,
    pub library: Option<String>,
    /// As people read it, and as machines do.
    pub updated: When,
    pub downloads: String,
    pub likes: String,
    /// The state of its endpoint, if it has one.
    pub endpoint: Option<&'static str>,
}

/// A time: for people and as RFC 3339.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct When {
    pub text: String,
    pub exact: String,
}
