//! The app beside a model: its page, and its box on the model's page.

use askama::Template;

use super::frame::Frame;
use super::front::When;
use super::repository::Head;

/// The app as pages show it.
#[derive(Debug, Clone, Default)]
pub struct AppBox {
    /// `Gradio` or `Streamlit`; empty where its files were not read yet.
    pub kind: &'static str,
    /// `pending`, `ready` and so on; empty where it was never started.
    pub state: &'static str,
    pub reason: String,
    /// The revision that runs, shortened.
    pub revision: String,
    pub is_newest: bool,
    /// Whether the reader may start and stop it.
    pub may_change: bool,
    /// Whether the newest revision has one.
    pub can_start: bool,
}

impl AppBox {
    /// Whether visitors find it.
    pub fn is_there(&self) -> bool {
        matches!(self.state, "ready" | "idle")
    }

    pub fn is_started(&self) -> bool {
        !matches!(self.state, "" | "stopped")
    }

    /// Whether something is going on that ends by itself.
    pub fn is_busy(&self) -> bool {
        matches!(self.state, "pending" | "building" | "starting")
    }

    /// What the state means for whoever wants to use it.
    pub fn sentence(&self) -> &'static str {
        match self.state {
            "ready" => "Running.",
            "idle" => "Asleep to save memory. Opening it wakes it, which takes a moment.",
            "pending" => "About to start.",
            "building" => "Installing its Python packages.",
            "starting" => "Starting.",
            "crashed" => "It crashed again and again, and is started again after a pause.",
            "failed" => "It could not start.",
            "stopped" => "Stopped.",
            _ => "Not started.",
        }
    }
}

/// The app's own page.
#[derive(Debug, Template)]
#[template(path = "app.html")]
pub struct AppPage {
    pub frame: Frame,
    pub head: Head,
    pub app: AppBox,
    /// Where the app itself is; none where it cannot be visited.
    pub address: Option<String>,
    /// When its state changed last.
    pub updated: Option<When>,
    /// Its log, for who may write.
    pub lines: Vec<String>,
}
