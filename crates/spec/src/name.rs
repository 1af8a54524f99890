//! Names of accounts, repositories, refs and files, parsed once at the edge.
//!
//! The inside takes a [`RepositoryName`], never a `&str`. Invariant: a value of these types is always well
//! formed, so nobody behind the edge checks again, and no file path ever leaves its repository.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::limits;

/// Why a name was refused. Its message quotes the value and says the rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    #[error("`{value}` is not a valid {what}: {rule}")]
    Invalid { what: &'static str, value: String, rule: &'static str },
    #[error("`{0}` is reserved for the server's own pages")]
    Reserved(String),
}

/// First path segments that belong to the server; no account can be called so.
pub const RESERVED: &[&str] = &[
    "a",
    "api",
    "app-of",
    "assets",
    "collections",
    "datasets",
    "docs",
    "endpoints",
    "explore",
    "favicon.ico",
    "healthz",
    "join",
    "login",
    "logout",
    "metrics",
    "models",
    "new",
    "oauth",
    "organizations",
    "r",
    "robots.txt",
    "search",
    "settings",
    "sign-in",
    "sign-out",
    "sign-up",
    "spaces",
    "static",
    "tokens",
    "v1",
    "v2",
    "ajax-api",
    "version",
    "health",
];

/// What kind of thing a repository holds.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum RepositoryKind {
    Model,
    Dataset,
}

impl RepositoryKind {
    /// `model` or `dataset`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Dataset => "dataset",
        }
    }

    /// What stands before `owner/name` in the address of a page or a download: nothing, or `datasets/`.
    pub fn web_prefix(self) -> &'static str {
        match self {
            Self::Model => "",
            Self::Dataset => "datasets/",
        }
    }
}

impl fmt::Display for RepositoryKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for RepositoryKind {
    type Err = NameError;

    /// Reads `model`, `models`, `dataset` or `datasets`.
    fn from_str(value: &str) -> Result<Self, NameError> {
        match value {
            "model" | "models" => Ok(Self::Model),
            "dataset" | "datasets" => Ok(Self::Dataset),
            _ => Err(invalid("kind of repository", value, "it is `model` or `dataset`")),
        }
    }
}

impl TryFrom<String> for RepositoryKind {
    type Error = NameError;
    fn try_from(value: String) -> Result<Self, NameError> {
        value.parse()
    }
}

macro_rules! text_name {
    ($(#[$doc:meta])* $name:ident, $check:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NameError;
            fn from_str(value: &str) -> Result<Self, NameError> {
                let check: fn(&str) -> Result<(), NameError> = $check;
                check(value).map(|()| Self(value.to_owned()))
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;
            fn try_from(value: String) -> Result<Self, NameError> {
                value.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_name!(
    /// The name of a user or an organisation: letters, digits, `-`, `_` and `.`, not a reserved word.
    AccountName,
    |value| {
        check_segment("account name", value)?;
        match RESERVED.contains(&value.to_ascii_lowercase().as_str()) {
            true => Err(NameError::Reserved(value.to_owned())),
            false => Ok(()),
        }
    }
);

text_name!(
    /// The path of a file in its repository: relative, `/` between segments, no `.`, `..`, empty segment,
    /// backslash or control character.
    FilePath,
    check_path
);

text_name!(
    /// The name of a branch or tag, by the rules of git that matter to addresses.
    RefName,
    check_ref
);

/// `owner/name`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RepositoryName {
    owner: AccountName,
    name: String,
}

impl RepositoryName {
    /// Joins an owner and the name of a repository of theirs.
    pub fn new(owner: &str, name: &str) -> Result<Self, NameError> {
        check_segment("repository name", name)?;
        if name.ends_with(".git") {
            return Err(invalid("repository name", name, "it cannot end in `.git`"));
        }
        Ok(Self { owner: owner.parse()?, name: name.to_owned() })
    }

    pub fn owner(&self) -> &AccountName {
        &self.owner
    }

    pub fn name(&self) -> &str {
        &self.name
    }
}

impl FromStr for RepositoryName {
    type Err = NameError;

    fn from_str(value: &str) -> Result<Self, NameError> {
        match value.split_once('/') {
            Some((owner, name)) => Self::new(owner, name),
            None => Err(invalid("repository", value, "write it as `owner/name`")),
        }
    }
}

impl TryFrom<String> for RepositoryName {
    type Error = NameError;
    fn try_from(value: String) -> Result<Self, NameError> {
        value.parse()
    }
}

impl From<RepositoryName> for String {
    fn from(name: RepositoryName) -> String {
        name.to_string()
    }
}

impl fmt::Display for RepositoryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.owner, self.name)
    }
}

/// `owner/name` with an optional `@revision`, as a person types it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepositoryAt {
    pub repository: RepositoryName,
    /// A branch, a tag or a commit; none means the branch `main`.
    pub revision: Option<String>,
}

impl FromStr for RepositoryAt {
    type Err = NameError;

    fn from_str(value: &str) -> Result<Self, NameError> {
        let (name, revision) = match value.split_once('@') {
            Some((_, "")) => return Err(invalid("revision", value, "a revision follows the `@`")),
            Some((name, revision)) => (name, Some(revision.to_owned())),
            None => (value, None),
        };
        Ok(Self { repository: name.parse()?, revision })
    }
}

fn invalid(what: &'static str, value: &str, rule: &'static str) -> NameError {
    let value = value.chars().take(limits::NAME_BYTES).collect();
    NameError::Invalid { what, value, rule }
}

fn check_segment(what: &'static str, value: &str) -> Result<(), NameError> {
    let rule = if value.is_empty() {
        "it is empty"
    } else if value.len() > limits::NAME_BYTES {
        "it is longer than 96 characters"
    } else if !value.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)) {
        "use letters, digits, `-`, `_` and `.` only"
    } else if value.starts_with(['-', '.']) || value.ends_with(['-', '.']) {
        "it cannot begin or end with `-` or `.`"
    } else if value.contains("--") || value.contains("..") {
        "it cannot contain `--` or `..`"
    } else {
        return Ok(());
    };
    Err(invalid(what, value, rule))
}

fn check_path(value: &str) -> Result<(), NameError> {
    let rule = if value.is_empty() {
        "it is empty"
    } else if value.len() > limits::PATH_BYTES {
        "it is longer than 1,024 bytes"
    } else if value.chars().any(|c| c.is_control() || c == '\\') {
        "it cannot contain control characters or backslashes"
    } else if value.split('/').any(|part| matches!(part, "" | "." | ".." | ".git")) {
        "each part between `/` must be a name; `.`, `..`, `.git` and empty parts are not"
    } else {
        return Ok(());
    };
    Err(invalid("file path", value, rule))
}

fn check_ref(value: &str) -> Result<(), NameError> {
    let forbidden = |c: char| c.is_control() || " ~^:?*[\\".contains(c);
    let rule = if value.is_empty() {
        "it is empty"
    } else if value.len() > limits::REF_BYTES {
        "it is longer than 255 bytes"
    } else if value.chars().any(forbidden) {
        "it cannot contain spaces, control characters or any of ~ ^ : ? * [ \\"
    } else if value.contains("..") || value.contains("@{") || value.starts_with("refs/") {
        "it cannot contain `..` or `@{`, or begin with `refs/`"
    } else if value.split('/').any(|part| part.is_empty() || part.starts_with('.') || part.ends_with(".lock"))
    {
        "no part between `/` may be empty, begin with `.` or end in `.lock`"
    } else if value.len() == 40 && value.bytes().all(|b| b.is_ascii_hexdigit()) {
        "40 hex digits name a commit"
    } else {
        return Ok(());
    };
    Err(invalid("branch or tag name", value, rule))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused<T: FromStr<Err = NameError> + fmt::Debug>(values: &[&str]) {
        for value in values {
            assert!(value.parse::<T>().is_err(), "`{value}` was taken");
        }
    }

    #[test]
    fn a_path_that_leaves_its_repository_is_refused() {
        refused::<FilePath>(&[
            "",
            "/etc/passwd",
            "../x",
            "a/../../x",
            "a//b",
            "a\\b",
            "a/.git/config",
            "a\0b",
            "./a",
        ]);
        assert!("weights/model v2.onnx".parse::<FilePath>().is_ok());
    }

    #[test]
    fn a_reserved_word_is_no_account() {
        refused::<AccountName>(&["api", "Datasets", "r", "-a", "a--b", "a/b", "é", ""]);
        assert!("alice".parse::<AccountName>().is_ok());
    }

    #[test]
    fn owner_and_name_are_split_once() {
        let name: RepositoryName = "alice/iris.v2".parse().unwrap();
        assert_eq!((name.owner().as_str(), name.name()), ("alice", "iris.v2"));
        refused::<RepositoryName>(&["alice", "alice/", "/iris", "alice/a/b", "alice/iris.git"]);
    }

    #[test]
    fn a_revision_follows_the_at_sign() {
        let at: RepositoryAt = "alice/iris@v1".parse().unwrap();
        assert_eq!(at.revision.as_deref(), Some("v1"));
        assert!("alice/iris@".parse::<RepositoryAt>().is_err());
    }

    #[test]
    fn refs_follow_the_rules_of_git() {
        refused::<RefName>(&["", "a b", "a..b", "refs/heads/x", ".a", "a/.b", "a.lock", &"a".repeat(40)]);
        assert!("feat/x".parse::<RefName>().is_ok());
    }
}
