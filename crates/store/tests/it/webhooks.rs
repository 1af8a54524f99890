//! Webhooks and what was sent to them, over both databases.

use store::Db;
use store::db::jobs::{self, NewJob};
use store::db::repositories;
use store::db::webhooks::{self, Attempt, Delivery, DeliveryState, NewDelivery, NewWebhook, Webhook};

use crate::world::{NOW_MS, account, repository};

on_both_databases!(
    a_repository_has_so_many_webhooks_and_no_more,
    webhooks_that_are_made_at_once_are_no_more_than_it_may_have,
    a_delivery_comes_with_its_job_and_outlives_its_repository,
    failures_in_a_row_disable_a_webhook,
);

async fn make(db: &Db, repository: &repositories::Repository) -> Result<Webhook, store::Error> {
    let new = NewWebhook {
        repository: repository.id,
        url: "https://ci.example/hook",
        events: "[\"repo\"]",
        created_by: "alice",
        now_ms: NOW_MS,
    };
    webhooks::create(db, &new, 2).await
}

async fn deliver(db: &Db, webhook: &Webhook) -> Delivery {
    let new = NewDelivery {
        webhook: webhook.id,
        url: &webhook.url,
        event: "repo.content",
        body: "{}",
        now_ms: NOW_MS,
    };
    let job = NewJob {
        kind: "deliver",
        dedup_key: None,
        payload: "",
        priority: 0,
        run_at_ms: NOW_MS,
        max_attempts: 1,
        created_ms: NOW_MS,
    };
    webhooks::deliver(db, &new, &job).await.unwrap()
}

async fn a_repository_has_so_many_webhooks_and_no_more(db: Db) {
    let alice = account(&db, "alice").await;
    let (iris, rose) = (repository(&db, &alice, "iris").await, repository(&db, &alice, "rose").await);
    let first = make(&db, &iris).await.unwrap();
    let second = make(&db, &iris).await.unwrap();
    assert!(matches!(make(&db, &iris).await, Err(store::Error::NotEmpty { .. })));
    let page = webhooks::list(&db, iris.id, None, 1).await.unwrap();
    let rest = webhooks::list(&db, iris.id, page.next.as_deref(), 1).await.unwrap();
    assert_eq!((page.items[0].id, rest.items[0].id, rest.next), (first.id, second.id, None));
    // Another repository's is not there.
    assert!(webhooks::get(&db, rose.id, first.id).await.unwrap().is_none());
    webhooks::delete(&db, first.id).await.unwrap();
    assert!(matches!(webhooks::delete(&db, first.id).await, Err(store::Error::NotFound { .. })));
    assert!(webhooks::change(&db, first.id, "https://x", "[]").await.is_err());
}

async fn webhooks_that_are_made_at_once_are_no_more_than_it_may_have(db: Db) {
    let alice = account(&db, "alice").await;
    let iris = repository(&db, &alice, "iris").await;
    let making = (0..8).map(|_| {
        let (db, iris) = (db.clone(), iris.clone());
        tokio::spawn(async move { make(&db, &iris).await.is_ok() })
    });
    let mut n_made = 0;
    for made in making.collect::<Vec<_>>() {
        n_made += usize::from(made.await.unwrap());
    }
    assert_eq!(n_made, 2);
    assert_eq!(webhooks::list(&db, iris.id, None, 10).await.unwrap().items.len(), 2);
}

async fn a_delivery_comes_with_its_job_and_outlives_its_repository(db: Db) {
    let alice = account(&db, "alice").await;
    let iris = repository(&db, &alice, "iris").await;
    let webhook = make(&db, &iris).await.unwrap();
    let delivery = deliver(&db, &webhook).await;
    let waiting = jobs::list(&db, jobs::Filter::default(), None, 10).await.unwrap().items;
    assert_eq!(waiting[0].payload, delivery.id.to_string());
    repositories::delete(&db, iris.id).await.unwrap();
    assert!(webhooks::get(&db, iris.id, webhook.id).await.unwrap().is_none());
    let kept = webhooks::delivery(&db, delivery.id).await.unwrap().unwrap();
    assert_eq!((kept.state, kept.event.as_str()), (DeliveryState::Waiting, "repo.content"));
    assert!(!webhooks::is_disabled(&db, webhook.id).await.unwrap());
    assert_eq!(webhooks::delete_before(&db, NOW_MS + 1).await.unwrap(), 1);
}

async fn failures_in_a_row_disable_a_webhook(db: Db) {
    let alice = account(&db, "alice").await;
    let iris = repository(&db, &alice, "iris").await;
    let webhook = make(&db, &iris).await.unwrap();
    let delivery = deliver(&db, &webhook).await;
    let note = async |state, status, reason: &'static str| {
        let attempt = Attempt { state, status, reason, now_ms: NOW_MS + 1 };
        webhooks::note(&db, &delivery, &attempt, 2).await.unwrap();
        webhooks::get(&db, iris.id, webhook.id).await.unwrap().unwrap()
    };
    assert_eq!(note(DeliveryState::Waiting, Some(500), "it answered 500").await.n_failures, 1);
    // One that arrives starts the count anew.
    assert_eq!(note(DeliveryState::Sent, Some(200), "").await.n_failures, 0);
    note(DeliveryState::Waiting, None, "nobody answered").await;
    let disabled = note(DeliveryState::Failed, None, "nobody answered").await;
    assert_eq!(disabled.disabled_reason.as_deref(), Some("nobody answered"));
    assert!(webhooks::is_disabled(&db, webhook.id).await.unwrap());
    // What was under way when it was disabled fails of that, which says nothing of why.
    let after = note(DeliveryState::Failed, None, "the webhook is disabled").await;
    assert_eq!(after.disabled_reason.as_deref(), Some("nobody answered"));
    webhooks::change(&db, webhook.id, "https://new.example", "[]").await.unwrap();
    assert!(!webhooks::is_disabled(&db, webhook.id).await.unwrap());
    let last = webhooks::deliveries(&db, webhook.id, None, 5).await.unwrap().items;
    assert_eq!((last[0].state, last[0].n_attempts), (DeliveryState::Failed, 5));
}
