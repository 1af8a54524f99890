//! What the pages of gated repositories show.

use askama::Template;

use super::frame::Frame;
use super::front::When;
use super::repository::Head;

/// The gate before somebody's eyes.
#[derive(Debug, Clone, Default)]
pub struct GateBox {
    /// Of their request; empty where they have not asked.
    pub state: &'static str,
    /// Why it was rejected.
    pub reason: String,
    /// Whether to ask is enough.
    pub is_automatic: bool,
}

/// One request.
#[derive(Debug, Clone, Default)]
pub struct RequestLine {
    pub name: String,
    pub message: String,
    pub reason: String,
    pub asked: When,
}

/// The page on which requests are decided.
#[derive(Debug, Template)]
#[template(path = "access_requests.html")]
pub struct AccessPage {
    pub frame: Frame,
    pub head: Head,
    pub gate: &'static str,
    pub pending: Vec<RequestLine>,
    pub accepted: Vec<RequestLine>,
    pub rejected: Vec<RequestLine>,
    pub complaint: Option<String>,
}
