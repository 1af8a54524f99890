//! The pages of one commit: which files it changed, and which tensors of a file.

use askama::Template;

use super::files::CommitLine;
use super::frame::{Frame, Link};
use super::repository::Head;
use crate::ops::revisions::lines::{Hunk, Line};

/// A commit.
#[derive(Debug, Template)]
#[template(path = "commit.html")]
pub struct CommitPage {
    pub frame: Frame,
    pub head: Head,
    pub commit: CommitLine,
    /// All files as the commit left them.
    pub tree_href: String,
    pub parent: Option<Link>,
    pub files: Vec<FileChange>,
    /// Where the list goes on.
    pub next: Option<String>,
}

/// A file that a commit changed.
#[derive(Debug)]
pub struct FileChange {
    pub path: String,
    /// `added`, `changed` or `deleted`.
    pub what: &'static str,
    /// Its size, before and after where both are known.
    pub size: String,
    /// The file as the commit left it; none where it was deleted.
    pub href: Option<String>,
    /// Where the tensors of both contents are compared.
    pub weights_href: Option<String>,
    pub hunks: Vec<Hunk>,
    /// Why no lines are shown.
    pub why_not: Option<&'static str>,
}

impl Line {
    /// How it is marked: `+`, `-` or nothing.
    pub fn mark(&self) -> &'static str {
        match (self.old, self.new) {
            (None, _) => "+",
            (_, None) => "-",
            _ => " ",
        }
    }

    pub fn class(&self) -> &'static str {
        match self.mark() {
            "+" => "added",
            "-" => "removed",
            _ => "same",
        }
    }

    pub fn number(at: &Option<usize>) -> String {
        at.map_or_else(String::new, |at| at.to_string())
    }
}

/// What a commit changed in the tensors of one file.
#[derive(Debug, Template)]
#[template(path = "weights.html")]
pub struct WeightsPage {
    pub frame: Frame,
    pub head: Head,
    pub commit: CommitLine,
    pub path: String,
    /// How many differ, of how many; or why none were compared.
    pub summary: String,
    pub tensors: Vec<TensorLine>,
}

/// A tensor that differs.
#[derive(Debug)]
pub struct TensorLine {
    pub name: String,
    pub form: String,
    pub what: String,
    pub absolute: String,
    pub relative: String,
}
