//! Wire types of web apps that repositories keep beside their models.
//!
//! Knows no HTTP. Invariant: a state means the same as that of an endpoint.

use serde::{Deserialize, Serialize};

use super::EndpointState;
use crate::app::Sdk;

/// A web app that was started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct App {
    /// `owner/name`
    pub repository: String,
    /// The commit that runs, 40 hex digits.
    pub revision: String,
    /// What it is written with; absent where its files were not read yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sdk: Option<Sdk>,
    /// Its file; absent where its files were not read yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    pub state: EndpointState,
    /// Why it is in this state, with the last lines of its log where it failed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// Address of its page.
    pub url: String,
    pub created: String,
    pub updated: String,
}

/// Asks for a web app to be started.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StartApp {
    /// A branch, a tag or a commit; `main` where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
}
