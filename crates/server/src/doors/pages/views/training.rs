//! How a model was trained, as its page shows it.

use askama::Template;

use super::frame::Frame;
use super::front::When;
use super::repository::Head;

/// What stands beside a model's card.
#[derive(Debug, Clone, Default)]
pub struct TrainingBox {
    pub n_reproduced: i64,
    /// The page with more; none for whoever holds a link.
    pub href: Option<String>,
}

/// The recordings of a model, their replays and the badges.
#[derive(Debug, Template)]
#[template(path = "training.html")]
pub struct TrainingPage {
    pub frame: Frame,
    pub head: Head,
    /// Whether whoever looks may have the files.
    pub may_read: bool,
    pub may_write: bool,
    pub n_capsules: usize,
    pub recordings: Vec<RecordingBox>,
    pub badges: Vec<BadgeBox>,
}

/// One recording.
#[derive(Debug, Clone, Default)]
pub struct RecordingBox {
    pub id: String,
    pub sha256: String,
    /// Where its record can be read.
    pub href: String,
    pub name: String,
    /// Empty where the record cannot be read.
    pub command: String,
    pub pairs: Vec<(&'static str, String)>,
    /// Files of the model that it wrote.
    pub files: Vec<String>,
    pub n_reproduced: i64,
    pub attestations: Vec<AttestationLine>,
}

/// What somebody stated.
#[derive(Debug, Clone, Default)]
pub struct AttestationLine {
    pub id: i64,
    pub by: String,
    pub is_independent: bool,
    pub is_same: bool,
    pub verdict: String,
    /// The criteria that held, and those that did not.
    pub held: String,
    pub not_held: String,
    pub machine: String,
    pub at: When,
    pub may_delete: bool,
}

/// A badge with its conditions: whether each is met, and what was found.
#[derive(Debug, Clone, Default)]
pub struct BadgeBox {
    pub is_met: bool,
    pub name: &'static str,
    pub meaning: &'static str,
    pub conditions: Vec<(bool, String)>,
}
