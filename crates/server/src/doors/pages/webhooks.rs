//! The page on which those who administer a repository look after its webhooks.
//!
//! Invariant: a key is in the one answer to the form that made its webhook, and that answer is never kept.

use std::sync::Arc;

use axum::Form;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use spec::api::webhooks::{Delivery, NewWebhook, Topic, Webhook};

use super::place::Place;
use super::repositories::open;
use super::views::front::When;
use super::views::webhooks::{DeliveryLine, WebhookBox, WebhooksPage};
use super::visitor::Visitor;
use super::{Answer, Html, Shown, go_to, refusal, show};
use crate::app::App;
use crate::error::Error;
use crate::ops::access::Action;
use crate::ops::webhooks;
use crate::text;

/// Webhooks on the page: as many as a repository may have.
const WEBHOOKS: u32 = 100;
/// Deliveries that are shown of each.
const DELIVERIES: u32 = 10;

/// Any form of the page.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct WebhookForm {
    csrf: String,
    action: String,
    webhook: i64,
    delivery: i64,
    url: String,
    content: String,
    discussions: String,
    endpoint: String,
    settings: String,
}

impl WebhookForm {
    fn wanted(&self) -> NewWebhook {
        let said = [&self.content, &self.discussions, &self.endpoint, &self.settings];
        let topics = Topic::ALL.into_iter().zip(said).filter(|(_, said)| !said.is_empty());
        NewWebhook { url: self.url.trim().to_owned(), topics: topics.map(|(topic, _)| topic).collect() }
    }
}

/// `/{owner}/{name}/settings/webhooks`
pub async fn page(State(app): State<Arc<App>>, place: Place, visitor: Visitor) -> Shown {
    show(&build(&app, &place, &visitor).await?)
}

/// `POST /{owner}/{name}/settings/webhooks`
pub async fn act(
    State(app): State<Arc<App>>,
    place: Place,
    visitor: Visitor,
    Form(form): Form<WebhookForm>,
) -> Answer<Response, Html> {
    visitor.check_form(&form.csrf)?;
    let (actor, of, id) = (&visitor.actor, (place.kind, &place.name), form.webhook);
    let done = match form.action.as_str() {
        "create" => match webhooks::create(&app, actor, of, &form.wanted()).await {
            Ok(made) => {
                let made = Some((made.webhook.url, made.secret));
                return show(&WebhooksPage { made, ..build(&app, &place, &visitor).await? });
            }
            Err(error) => Err(error),
        },
        "change" => webhooks::change(&app, actor, of, (id, &form.wanted())).await.map(|_| ()),
        "delete" => webhooks::delete(&app, actor, of, id).await,
        "test" => webhooks::test(&app, actor, of, id).await.map(|_| ()),
        "redeliver" => webhooks::redeliver(&app, actor, of, (id, form.delivery)).await.map(|_| ()),
        other => Err(Error::BadRequest(format!("`{other}` is no button of this page"))),
    };
    match done {
        Ok(()) => Ok(go_to(&format!("/{}{}/settings/webhooks", place.kind.web_prefix(), place.name))),
        Err(error @ Error::BadRequest(_)) => {
            let complaint = Some(refusal::sentence(&error.detail()));
            show(&WebhooksPage { complaint, url: form.url, ..build(&app, &place, &visitor).await? })
        }
        Err(error) => Err(error.into()),
    }
}

async fn build(app: &App, place: &Place, visitor: &Visitor) -> Result<WebhooksPage, Error> {
    let opened = open(app, visitor, place, Action::Administer).await?;
    let of = (place.kind, &place.name);
    let found = webhooks::list(app, &visitor.actor, of, (None, WEBHOOKS)).await?;
    let mut boxes = Vec::with_capacity(found.items.len());
    for webhook in found.items {
        let sent = webhooks::deliveries(app, &visitor.actor, of, webhook.id, (None, DELIVERIES)).await?;
        boxes.push(describe(webhook, sent.items));
    }
    Ok(WebhooksPage {
        frame: opened.frame(visitor, "Webhooks"),
        head: opened.head("Settings"),
        webhooks: boxes,
        made: None,
        url: String::new(),
        complaint: None,
    })
}

fn describe(webhook: Webhook, sent: Vec<Delivery>) -> WebhookBox {
    WebhookBox {
        id: webhook.id,
        url: webhook.url,
        topics: Topic::ALL.map(|topic| (topic.as_str(), webhook.topics.contains(&topic))).to_vec(),
        disabled: webhook.disabled,
        deliveries: sent.into_iter().map(line).collect(),
    }
}

fn line(delivery: Delivery) -> DeliveryLine {
    DeliveryLine {
        id: delivery.id,
        event: delivery.event,
        state: delivery.state,
        attempts: delivery.attempts,
        status: delivery.status.map(|status| status.to_string()).unwrap_or_default(),
        reason: delivery.reason,
        created: When { text: text::day_of(&delivery.created), exact: delivery.created },
    }
}
