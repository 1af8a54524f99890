//! `reenact webhook`: addresses that are told of what happens to a repository.

use std::time::{Duration, Instant};

use anyhow::bail;
use spec::api::webhooks::{Delivery, NewWebhook, Topic};
use spec::name::RepositoryKind;

use crate::args::webhook::{
    Of, Webhook, WebhookAction, WebhookAdd, WebhookList, WebhookRemove, WebhookTest, WebhookTopic,
};
use crate::commands::ExitStatus;
use crate::printer::Printer;
use crate::settings;
use crate::table::Table;

/// How long a test is waited for.
const TEST_TIME: Duration = Duration::from_secs(15);
/// How often it is looked after.
const LOOK_EVERY: Duration = Duration::from_millis(200);

pub async fn run(args: Webhook, printer: &Printer) -> anyhow::Result<ExitStatus> {
    match args.action {
        WebhookAction::Add(args) => add(args, printer).await,
        WebhookAction::List(args) => list(args, printer).await,
        WebhookAction::Remove(args) => remove(args, printer).await,
        WebhookAction::Test(args) => test(args, printer).await,
    }
}

async fn add(args: WebhookAdd, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let client = settings::connect(&args.of.server)?;
    let topics = args.topics.into_iter().map(|topic| match topic {
        WebhookTopic::Content => Topic::Content,
        WebhookTopic::Discussions => Topic::Discussions,
        WebhookTopic::Endpoint => Topic::Endpoint,
        WebhookTopic::Settings => Topic::Settings,
    });
    let new = NewWebhook { url: args.address, topics: topics.collect() };
    let made = client::webhooks::create(&client, of(&args.of), &new).await?;
    printer.answer(&made.secret)?;
    let id = made.webhook.id;
    printer
        .note(format_args!("webhook {id}: what is sent is signed with this key, which is shown this once"));
    Ok(ExitStatus::Success)
}

async fn list(args: WebhookList, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let client = settings::connect(&args.of.server)?;
    let webhooks = client::webhooks::list(&client, of(&args.of)).await?;
    if args.json {
        printer.answer_json(&webhooks)?;
        return Ok(ExitStatus::Success);
    }
    if webhooks.is_empty() {
        printer.note("it has no webhooks");
        return Ok(ExitStatus::Success);
    }
    let mut table = Table::new(["WEBHOOK", "ADDRESS", "TOLD OF", "DISABLED"]);
    for webhook in webhooks {
        let topics: Vec<&str> = webhook.topics.iter().map(|topic| topic.as_str()).collect();
        let disabled = webhook.disabled.unwrap_or_else(|| "no".to_owned());
        table.push(vec![webhook.id.to_string(), webhook.url, topics.join(", "), disabled]);
    }
    printer.answer_table(&table)?;
    Ok(ExitStatus::Success)
}

async fn remove(args: WebhookRemove, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let client = settings::connect(&args.of.server)?;
    client::webhooks::delete(&client, of(&args.of), args.id).await?;
    printer.note(format_args!("webhook {} is told nothing any more", args.id));
    Ok(ExitStatus::Success)
}

async fn test(args: WebhookTest, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let client = settings::connect(&args.of.server)?;
    let sent = client::webhooks::test(&client, of(&args.of), args.id).await?;
    let ends = Instant::now() + TEST_TIME;
    loop {
        let all = client::webhooks::deliveries(&client, of(&args.of), args.id).await?;
        let Some(now) = all.into_iter().find(|one| one.id == sent.id) else { bail!("the test is gone") };
        match outcome(&now) {
            Some(Ok(status)) => {
                printer.answer(format_args!("sent: the receiver answered {status}"))?;
                return Ok(ExitStatus::Success);
            }
            Some(Err(reason)) => {
                printer.answer(format_args!("not sent: {reason}"))?;
                return Ok(ExitStatus::Failure);
            }
            None if Instant::now() > ends => bail!("nobody answered within {} s", TEST_TIME.as_secs()),
            None => tokio::time::sleep(LOOK_EVERY).await,
        }
    }
}

/// How the first attempt ended, if it has.
fn outcome(sent: &Delivery) -> Option<Result<i64, &str>> {
    match (sent.state.as_str(), sent.attempts) {
        ("sent", _) => Some(Ok(sent.status.unwrap_or_default())),
        (_, 0) => None,
        _ => Some(Err(&sent.reason)),
    }
}

fn of(args: &Of) -> client::webhooks::Of<'_> {
    let kind = if args.dataset { RepositoryKind::Dataset } else { RepositoryKind::Model };
    (kind, &args.repository)
}
