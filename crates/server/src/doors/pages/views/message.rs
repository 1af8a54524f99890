//! Pages that only say something: errors, how to push, the API.

use askama::Template;

use super::frame::Frame;

/// What went wrong, and where to go from here.
#[derive(Debug, Template)]
#[template(path = "error.html")]
pub struct ErrorPage {
    pub frame: Frame,
    pub status: u16,
    pub title: String,
    pub detail: String,
    pub hint: String,
    /// By which the log finds it.
    pub request_id: Option<String>,
    /// Whether signing in may help.
    pub can_sign_in: bool,
}

/// How to share a model.
#[derive(Debug, Template)]
#[template(path = "new.html")]
pub struct NewPage {
    pub frame: Frame,
    pub base: String,
    /// The account in the examples.
    pub owner: String,
}

/// The API, made readable from its OpenAPI document.
#[derive(Debug, Template)]
#[template(path = "api.html")]
pub struct ApiPage {
    pub frame: Frame,
    pub title: String,
    pub description: String,
    pub base: String,
    pub groups: Vec<ApiGroup>,
    pub types: Vec<ApiType>,
    pub errors: Vec<ApiError>,
}

#[derive(Debug, Clone, Default)]
pub struct ApiGroup {
    pub name: String,
    pub description: String,
    pub operations: Vec<ApiOperation>,
}

#[derive(Debug, Clone, Default)]
pub struct ApiOperation {
    pub method: String,
    pub path: String,
    pub says: String,
    /// Name, where it stands, what it is.
    pub parameters: Vec<(String, String, String)>,
    /// The type that is sent.
    pub body: Option<String>,
    /// Status and type of each answer.
    pub answers: Vec<(String, Option<String>)>,
}

#[derive(Debug, Clone, Default)]
pub struct ApiType {
    pub name: String,
    pub says: String,
    pub values: Vec<String>,
    /// Name, type, what it is.
    pub fields: Vec<(String, String, String)>,
}

#[derive(Debug, Clone, Default)]
pub struct ApiError {
    pub name: &'static str,
    pub status: u16,
    pub title: &'static str,
    pub hint: &'static str,
}
