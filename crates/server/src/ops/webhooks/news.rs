//! What a repository's webhooks are told, and who of them.
//!
//! Knows what happened, not how it is sent. Invariants: something is told after it has happened; what cannot be told
//! goes to the log and undoes nothing; a private repository is named to nobody but the addresses its admins gave.

use spec::api::webhooks::{
    Payload, PayloadComment, PayloadDiscussion, PayloadEndpoint, PayloadEvent, PayloadId, PayloadMovedTo,
    PayloadRepository, PayloadUrl, PayloadWebhook, Topic, UpdatedRef,
};
use store::clock;
use store::db::discussions::{Discussion, Event};
use store::db::ids::{RepositoryId, WebhookId};
use store::db::repositories::{self as repository_rows, Repository};
use store::db::revisions::{self, Revision};
use store::db::webhooks::{self as rows, Delivery, NewDelivery, Webhook};

use crate::app::App;
use crate::error::{During, Error};
use crate::jobs::deliver_webhook;
use crate::ops::repositories::full_name;

/// Of the form that is sent.
const VERSION: u8 = 3;

/// Something that happened to a repository.
#[derive(Debug, Clone)]
pub enum News<'a> {
    /// A branch, tag or pull request names another commit: its name, what it named and what it names.
    Ref {
        name: String,
        old: Option<String>,
        new: Option<String>,
    },
    /// A discussion began.
    Opened(&'a Discussion),
    /// A discussion was closed, opened again, renamed or merged; as it is now.
    Changed(&'a Discussion),
    /// Somebody said something.
    Said(&'a Discussion, &'a Event),
    Endpoint(&'static str),
    Visibility,
    /// It is called otherwise now.
    Moved(&'a Repository),
    Deleted,
    /// Nothing: somebody tries the webhook.
    Test,
}

impl News<'_> {
    fn topic(&self) -> Option<Topic> {
        match self {
            Self::Ref { .. } => Some(Topic::Content),
            Self::Opened(_) | Self::Changed(_) | Self::Said(..) => Some(Topic::Discussions),
            Self::Endpoint(_) => Some(Topic::Endpoint),
            Self::Visibility | Self::Moved(_) | Self::Deleted => Some(Topic::Settings),
            Self::Test => None,
        }
    }

    fn action_and_scope(&self) -> (&'static str, &'static str) {
        match self {
            Self::Ref { .. } => ("update", "repo.content"),
            Self::Opened(_) => ("create", "discussion"),
            Self::Changed(_) => ("update", "discussion"),
            Self::Said(..) => ("create", "discussion.comment"),
            Self::Endpoint(_) => ("update", "endpoint"),
            Self::Visibility => ("update", "repo.config"),
            Self::Moved(_) => ("move", "repo"),
            Self::Deleted => ("delete", "repo"),
            Self::Test => ("update", "test"),
        }
    }
}

/// A repository's webhooks, as they were before something happened that ends them.
#[derive(Debug)]
pub struct Receivers(Vec<Webhook>);

impl Receivers {
    pub async fn of(app: &App, repository: RepositoryId) -> Self {
        let most = u32::try_from(spec::limits::WEBHOOKS).unwrap_or(u32::MAX);
        match rows::list(&app.store.db, repository, None, most).await {
            Ok(page) => Self(page.items),
            Err(error) => {
                tracing::error!(%error, "webhooks could not be looked up");
                Self(Vec::new())
            }
        }
    }

    /// Tells those that want to know, of the repository as it was or is.
    pub async fn tell(&self, app: &App, repository: &Repository, news: &News<'_>) {
        for webhook in self.0.iter().filter(|webhook| webhook.disabled_reason.is_none()) {
            if news.topic().is_some_and(|topic| !super::topics(webhook).contains(&topic)) {
                continue;
            }
            if let Err(error) = deliver(app, repository, webhook, news).await {
                tracing::error!(webhook = webhook.id.0, %error, "a webhook was not told");
            }
        }
    }
}

/// Tells a repository's webhooks what happened to it.
pub async fn tell(app: &App, repository: RepositoryId, news: &News<'_>) {
    let receivers = Receivers::of(app, repository).await;
    if receivers.0.is_empty() {
        return;
    }
    match repository_rows::by_id(&app.store.db, repository).await {
        Ok(Some(row)) => receivers.tell(app, &row, news).await,
        // Deleted in this very moment, which is told by who did it.
        Ok(None) => {}
        Err(error) => tracing::error!(%error, "a repository's webhooks were not told"),
    }
}

/// Tells a repository's webhooks that a branch or pull request has a new commit.
pub async fn tell_commit(app: &App, repository: RepositoryId, name: &str, revision: &Revision) {
    let receivers = Receivers::of(app, repository).await;
    if receivers.0.is_empty() {
        return;
    }
    let old = match revision.parent_id {
        Some(parent) => revisions::by_id(&app.store.db, parent).await,
        None => Ok(None),
    };
    let old = old.unwrap_or_else(|error| {
        tracing::error!(%error, "what a commit came after was not found");
        None
    });
    let (old, new) = (old.map(|old| old.oid.to_string()), Some(revision.oid.to_string()));
    tell(app, repository, &News::Ref { name: name.to_owned(), old, new }).await;
}

pub(super) async fn deliver(
    app: &App,
    repository: &Repository,
    webhook: &Webhook,
    news: &News<'_>,
) -> Result<Delivery, Error> {
    let payload = payload(app, repository, webhook.id, news);
    let body =
        serde_json::to_string(&payload).map_err(|_| Error::Internal("write what a webhook is told"))?;
    put(app, webhook, (&payload.event.scope, &body)).await
}

pub(super) async fn put(
    app: &App,
    webhook: &Webhook,
    (event, body): (&str, &str),
) -> Result<Delivery, Error> {
    let now_ms = clock::now_ms();
    let new = NewDelivery { webhook: webhook.id, url: &webhook.url, event, body, now_ms };
    let job = deliver_webhook::due("", now_ms, now_ms);
    let made = rows::deliver(&app.store.db, &new, &job).await.during("keep a delivery")?;
    app.delivery_added.notify_one();
    Ok(made)
}

fn payload(app: &App, repository: &Repository, webhook: WebhookId, news: &News<'_>) -> Payload {
    let (action, scope) = news.action_and_scope();
    let page = address(app, repository);
    let mut payload = Payload {
        event: PayloadEvent { action: action.to_owned(), scope: scope.to_owned() },
        repo: PayloadRepository {
            kind: repository.kind,
            name: full_name(repository),
            id: repository.id.to_string(),
            private: repository.is_private,
            url: page.clone(),
            owner: id(repository.owner_id),
        },
        webhook: PayloadWebhook { id: webhook.to_string(), version: VERSION },
        updated_refs: Vec::new(),
        discussion: None,
        comment: None,
        endpoint: None,
        moved_to: None,
    };
    match news {
        News::Ref { name, old, new } => {
            let (old_sha, new_sha) = (old.clone(), new.clone());
            payload.updated_refs = vec![UpdatedRef { name: name.clone(), old_sha, new_sha }];
        }
        News::Opened(discussion) | News::Changed(discussion) => {
            payload.discussion = Some(describe(discussion, &page));
        }
        News::Said(discussion, event) => {
            let discussion = describe(discussion, &page);
            let said: serde_json::Value = serde_json::from_str(&event.data).unwrap_or_default();
            payload.comment = Some(PayloadComment {
                id: event.id.to_string(),
                author: PayloadId { id: event.author_name.clone().unwrap_or_default() },
                content: said["text"].as_str().unwrap_or_default().to_owned(),
                hidden: false,
                url: discussion.url.clone(),
            });
            payload.discussion = Some(discussion);
        }
        News::Endpoint(state) => payload.endpoint = Some(PayloadEndpoint { state: (*state).to_owned() }),
        News::Moved(to) => {
            payload.moved_to = Some(PayloadMovedTo { name: full_name(to), owner: id(to.owner_id) });
        }
        News::Visibility | News::Deleted | News::Test => {}
    }
    payload
}

fn describe(discussion: &Discussion, page: &PayloadUrl) -> PayloadDiscussion {
    let below = |base: &str| format!("{base}/discussions/{}", discussion.number);
    PayloadDiscussion {
        id: discussion.id.to_string(),
        title: discussion.title.clone(),
        num: discussion.number,
        status: discussion.status.as_str().to_owned(),
        is_pull_request: discussion.is_pull_request,
        url: PayloadUrl { web: below(&page.web), api: below(&page.api) },
        author: PayloadId { id: discussion.author_id.map(|id| id.to_string()).unwrap_or_default() },
    }
}

fn address(app: &App, repository: &Repository) -> PayloadUrl {
    let base = match app.settings.public_url.trim_end_matches('/') {
        "" => format!("http://{}", app.settings.listen),
        url => url.to_owned(),
    };
    let (kind, name) = (repository.kind, full_name(repository));
    PayloadUrl {
        web: format!("{base}/{}{name}", kind.web_prefix()),
        api: format!("{base}/api/{}s/{name}", kind.as_str()),
    }
}

fn id(id: impl std::fmt::Display) -> PayloadId {
    PayloadId { id: id.to_string() }
}
