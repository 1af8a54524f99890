//! The page of one endpoint: who answers, how much, within which limits, and what its runtimes wrote.

use askama::Template;

use super::frame::Frame;
use super::front::When;

/// One endpoint with the last lines of its log.
#[derive(Debug, Template)]
#[template(path = "endpoint.html")]
pub struct EndpointPage {
    pub frame: Frame,
    pub head: super::repository::Head,
    pub endpoint: Option<super::repository::EndpointBox>,
    /// None where nothing was ever deployed.
    pub updated: Option<When>,
    pub weights: Option<String>,
    /// Whether the same row gets the same bytes, while that is known.
    pub stability: Option<&'static str>,
    pub targets: Vec<TargetLine>,
    /// Whether there is a change of them to take back.
    pub has_former: bool,
    pub measures: Option<Measures>,
    pub options: Vec<OptionLine>,
    pub requests: Vec<RequestLine>,
    /// Why a form was not taken.
    pub complaint: Option<String>,
    /// Oldest first.
    pub lines: Vec<String>,
}

impl EndpointPage {
    /// Whether there is something that an endpoint could serve.
    fn can_be_live(&self) -> bool {
        self.endpoint.as_ref().is_none_or(|endpoint| endpoint.obstacle.is_none())
    }
}

/// A revision that answers.
#[derive(Debug, Clone, Default)]
pub struct TargetLine {
    /// Shortened.
    pub revision: String,
    pub oid: String,
    pub percent: u8,
    pub state: &'static str,
    pub replicas: usize,
    /// Whether it is what was deployed last.
    pub is_last: bool,
}

/// What was counted in the last hour.
#[derive(Debug, Clone, Default)]
pub struct Measures {
    /// Name and value, of the whole hour.
    pub totals: Vec<(&'static str, String)>,
    pub charts: Vec<Chart>,
    /// Newest first.
    pub minutes: Vec<MinuteLine>,
}

/// Sixty bars.
#[derive(Debug, Clone, Default)]
pub struct Chart {
    pub title: &'static str,
    /// What the highest bar means.
    pub most: String,
    /// What it shows, in a sentence.
    pub told: String,
    pub bars: Vec<Bar>,
}

/// One minute; lengths in the units of the drawing.
#[derive(Debug, Clone, Default)]
pub struct Bar {
    pub x: usize,
    pub height: String,
    pub y: String,
    /// Of the part that went wrong.
    pub bad_height: Option<String>,
    pub bad_y: String,
}

/// One minute in figures.
#[derive(Debug, Clone, Default)]
pub struct MinuteLine {
    pub at: String,
    pub requests: String,
    pub errors: String,
    pub half: String,
    pub most: String,
    pub cold_starts: String,
    pub cpu: String,
}

/// Something that its owner can set.
#[derive(Debug, Clone, Default)]
pub struct OptionLine {
    pub name: &'static str,
    pub title: &'static str,
    pub help: &'static str,
    /// Empty where it is the operator's choice.
    pub value: String,
    /// What holds.
    pub now: String,
}

/// A recorded request.
#[derive(Debug, Clone, Default)]
pub struct RequestLine {
    pub at: When,
    pub revision: String,
    pub took: String,
    pub outcome: String,
    pub request: String,
    pub response: String,
}
