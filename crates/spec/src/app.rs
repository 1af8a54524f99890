//! A web app that a repository keeps beside its model: what it is written with, and its file.
//!
//! Knows no process and no page. Invariant: what parses names a file inside its repository, and a toolkit whose apps can
//! be run.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::facts::EnvironmentFacts;
use crate::name::FilePath;

/// The app's file where nothing names another, as on Hugging Face Spaces.
pub const DEFAULT_FILE: &str = "app.py";

/// What an app is written with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Sdk {
    Gradio,
    Streamlit,
}

impl Sdk {
    /// Its name, which is also that of its package.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gradio => "gradio",
            Self::Streamlit => "streamlit",
        }
    }

    /// For people.
    pub fn title(self) -> &'static str {
        match self {
            Self::Gradio => "Gradio",
            Self::Streamlit => "Streamlit",
        }
    }

    /// The one of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Gradio, Self::Streamlit].into_iter().find(|sdk| sdk.as_str() == name)
    }
}

impl fmt::Display for Sdk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What the manifest says of the app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct App {
    pub sdk: Sdk,
    /// `app.py` where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<FilePath>,
}

/// What the front matter of a card says of the app, as Hugging Face Spaces write it. Nothing of it was looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Space {
    pub sdk: String,
    pub sdk_version: Option<String>,
    pub app_file: Option<String>,
    pub python_version: Option<String>,
}

/// The app of a revision, as its files show.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct AppFacts {
    pub sdk: Sdk,
    #[schema(value_type = String)]
    pub file: FilePath,
    /// The toolkit's own package, such as `gradio==6.1.0`, for lists of packages that do not name it.
    pub package: String,
    pub environment: EnvironmentFacts,
}
