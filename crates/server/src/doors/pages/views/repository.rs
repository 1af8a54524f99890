//! The pages of a repository that are about it as a whole: card, facts, use, settings.

use askama::Template;

use super::access_requests::GateBox;
use super::apps::AppBox;
use super::frame::{Frame, Link};
use super::front::When;
use super::training::TrainingBox;

/// What stands at the top of every page of a repository.
#[derive(Debug, Clone, Default)]
pub struct Head {
    pub owner: String,
    pub name: String,
    /// `/owner/name` or `/datasets/owner/name`, without a slash at the end.
    pub path: String,
    pub is_dataset: bool,
    pub is_private: bool,
    pub task: Option<String>,
    pub library: Option<String>,
    pub license: Option<String>,
    pub downloads: String,
    pub likes: String,
    /// By whoever looks.
    pub is_liked: bool,
    pub updated: When,
    pub tabs: Vec<Tab>,
    /// Where the page is reached by a link: then nothing of the owner is shown.
    pub review: Option<Review>,
}

/// A link, as whoever holds it sees it.
#[derive(Debug, Clone, Default)]
pub struct Review {
    pub is_anonymous: bool,
    pub revision: String,
    /// Digest of the weights; empty where they are not known.
    pub weights: String,
    pub ends: String,
    /// Such as `20 of 1000`; empty without a limit.
    pub calls: String,
    /// How answers are made to tell less; empty where they are not.
    pub blunted: String,
}

/// A file that whoever holds a link may have.
#[derive(Debug, Clone, Default)]
pub struct ReviewFile {
    pub name: String,
    pub size: String,
    pub address: Option<String>,
    pub note: &'static str,
}

/// The files that whoever holds a link may have.
#[derive(Debug, Template)]
#[template(path = "review_files.html")]
pub struct ReviewFilesPage {
    pub frame: Frame,
    pub head: Head,
    pub files: Vec<ReviewFile>,
}

impl Head {
    /// `owner/name`
    pub fn full_name(&self) -> String {
        format!("{}/{}", self.owner, self.name)
    }

    /// Whether the page is the one whose tab has this label.
    pub fn is_at(&self, label: &str) -> bool {
        self.tabs.iter().any(|tab| tab.link.is_current && tab.link.label == label)
    }
}

/// A page of a repository.
#[derive(Debug, Clone, Default)]
pub struct Tab {
    pub link: Link,
    pub icon: &'static str,
    /// Set apart at the end of the line.
    pub is_last: bool,
}

/// The endpoint of a model as its pages show it.
#[derive(Debug, Clone, Default)]
pub struct EndpointBox {
    /// `pending`, `ready` and so on; empty where nothing was ever deployed.
    pub state: &'static str,
    pub reason: String,
    /// The address that programs use.
    pub url: String,
    /// The served revision, shortened.
    pub revision: String,
    pub is_newest: bool,
    /// Whether the reader may deploy and stop it.
    pub may_change: bool,
    /// Why the model cannot be put live, where it cannot.
    pub obstacle: Option<String>,
}

impl EndpointBox {
    pub fn is_deployed(&self) -> bool {
        !matches!(self.state, "" | "stopped")
    }

    /// Whether something is going on that ends by itself.
    pub fn is_busy(&self) -> bool {
        matches!(self.state, "pending" | "building" | "starting")
    }

    /// What the state means for whoever wants an answer.
    pub fn sentence(&self) -> &'static str {
        match self.state {
            "ready" => "Live and answering.",
            "idle" => "Asleep to save memory. The next request wakes it, which takes a moment.",
            "pending" => "About to start.",
            "building" => "Installing its Python packages.",
            "starting" => "Loading the model.",
            "crashed" => "It crashed again and again, and is started again after a pause.",
            "failed" => "It could not start.",
            "stopped" => "Stopped by its owner.",
            _ => "Not live yet.",
        }
    }
}

/// Something in the files that could harm whoever loads them.
#[derive(Debug, Clone, Default)]
pub struct DangerLine {
    pub what: String,
    pub place: String,
    pub reason: String,
    pub file: String,
}

/// All that was found, worst first.
#[derive(Debug, Clone, Default)]
pub struct Dangers {
    pub dangerous: Vec<DangerLine>,
    pub unknown: Vec<DangerLine>,
}

/// The first page of a repository: its card.
#[derive(Debug, Template)]
#[template(path = "card.html")]
pub struct CardPage {
    pub frame: Frame,
    pub head: Head,
    /// Sanitised HTML; none without a card.
    pub card: Option<String>,
    /// Whether the repository has no files at all.
    pub is_empty: bool,
    /// What keeps whoever looks from the files.
    pub gate: Option<GateBox>,
    pub may_write: bool,
    /// Where clients reach this server.
    pub base: String,
    pub dangers: Dangers,
    pub endpoint: Option<EndpointBox>,
    pub app: Option<AppBox>,
    /// None where no recording of its training lies beside it.
    pub training: Option<TrainingBox>,
    /// Short facts beside the card: name and value.
    pub facts: Vec<(String, String)>,
    pub conversion: Option<Conversion>,
    pub tags: Vec<Link>,
}

/// A conversion and its proof, in one sentence.
#[derive(Debug, Clone, Default)]
pub struct Conversion {
    pub is_proved: bool,
    pub sentence: String,
}

/// The server's own handler, where one is run.
#[derive(Debug, Clone, Default)]
pub struct StandardBox {
    /// Whose files it answers with.
    pub library: &'static str,
    /// What was taken to be so.
    pub assumed: Vec<String>,
}

/// What reading the files brought to light.
#[derive(Debug, Template)]
#[template(path = "about.html")]
pub struct AboutPage {
    pub frame: Frame,
    pub head: Head,
    /// Whether the files are still being read.
    pub is_pending: bool,
    pub dangers: Dangers,
    pub problems: Vec<String>,
    /// Why nothing is served, and what to add.
    pub unserved: Option<String>,
    pub standard: Option<StandardBox>,
    pub conversion: Option<Conversion>,
    pub inputs: Vec<InputLine>,
    pub input_title: String,
    pub outputs: Vec<OutputLine>,
    pub files: Vec<FileFactsBox>,
}

/// One input as people see it.
#[derive(Debug, Clone, Default)]
pub struct InputLine {
    pub name: String,
    pub datatype: String,
    /// Range, categories or shape.
    pub domain: String,
    pub description: String,
}

/// One output as people see it.
#[derive(Debug, Clone, Default)]
pub struct OutputLine {
    pub name: String,
    pub meaning: String,
    pub labels: Vec<String>,
}

/// What one model file says.
#[derive(Debug, Clone, Default)]
pub struct FileFactsBox {
    pub path: String,
    pub href: String,
    pub format: String,
    pub class: Option<String>,
    /// Framework, parameters and the like.
    pub pairs: Vec<(String, String)>,
    pub hyperparameters: Vec<(String, String)>,
    pub steps: Vec<StepLine>,
    pub operators: Vec<(String, String)>,
    pub tensors: Vec<TensorLine>,
    /// How many tensors there are beyond those listed.
    pub n_more_tensors: usize,
    pub metadata: Vec<(String, String)>,
    pub error: Option<String>,
}

#[derive(Debug, Clone, Default)]
pub struct StepLine {
    pub name: String,
    pub class: String,
    pub hyperparameters: String,
}

#[derive(Debug, Clone, Default)]
pub struct TensorLine {
    pub name: String,
    pub datatype: String,
    pub shape: String,
}

/// How to use the model from programs.
#[derive(Debug, Template)]
#[template(path = "use.html")]
pub struct UsePage {
    pub frame: Frame,
    pub head: Head,
    /// Where the endpoint's OpenAPI document is; none where there is no endpoint.
    pub openapi: Option<String>,
    /// What puts the web app into another page; none where that may not frame it.
    pub embed: Option<String>,
    pub endpoint: Option<EndpointBox>,
    pub ways: Vec<Way>,
}

/// One way to use it, with code to copy.
#[derive(Debug, Clone, Default)]
pub struct Way {
    pub id: &'static str,
    pub title: &'static str,
    pub steps: Vec<Snippet>,
}

/// Code to copy, with what it does.
#[derive(Debug, Clone, Default)]
pub struct Snippet {
    pub says: String,
    pub code: String,
}

/// What only the owner may do.
#[derive(Debug, Template)]
#[template(path = "repository_settings.html")]
pub struct SettingsPage {
    pub frame: Frame,
    pub head: Head,
    /// What went wrong with the form that was sent.
    pub complaint: Option<String>,
}
