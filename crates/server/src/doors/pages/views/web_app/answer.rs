//! A shared answer: what went in and what came out, as the web app shows it.
//!
//! Holds what the template prints. Invariant: all that a script needs stands in `data`, safe within HTML.

use askama::Template;

use super::{Shown, ShownPart};
use crate::doors::pages::views::frame::Frame;
use crate::doors::pages::views::front::When;

/// A shared answer.
#[derive(Debug, Template)]
#[template(path = "answer.html")]
pub struct AnswerPage {
    pub frame: Frame,
    /// What the model is called here.
    pub title: String,
    /// The address of its page.
    pub model: String,
    /// The address of this page, and its path.
    pub address: String,
    pub path: String,
    pub revision: String,
    pub created: When,
    /// Schema, input and output as JSON in which no `<` occurs.
    pub data: String,
    /// What went in, by name.
    pub given: Vec<(String, ShownPart)>,
    /// What came out; none where only a script can show it.
    pub shown: Option<Shown>,
    pub may_delete: bool,
}
