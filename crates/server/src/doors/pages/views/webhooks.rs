//! The page of a repository's webhooks.

use askama::Template;

use super::frame::Frame;
use super::front::When;
use super::repository::Head;

#[derive(Debug, Template)]
#[template(path = "webhooks.html")]
pub struct WebhooksPage {
    pub frame: Frame,
    pub head: Head,
    pub webhooks: Vec<WebhookBox>,
    /// A webhook that was just made: address and key, shown this once.
    pub made: Option<(String, String)>,
    /// What was typed as address, shown again.
    pub url: String,
    pub complaint: Option<String>,
}

#[derive(Debug, Clone, Default)]
pub struct WebhookBox {
    pub id: i64,
    pub url: String,
    /// All topics, and whether it is told of them.
    pub topics: Vec<(&'static str, bool)>,
    /// Why nothing is sent any more.
    pub disabled: Option<String>,
    /// Newest first.
    pub deliveries: Vec<DeliveryLine>,
}

#[derive(Debug, Clone, Default)]
pub struct DeliveryLine {
    pub id: i64,
    pub event: String,
    pub state: String,
    pub attempts: i64,
    /// Empty where nobody answered.
    pub status: String,
    pub reason: String,
    pub created: When,
}
