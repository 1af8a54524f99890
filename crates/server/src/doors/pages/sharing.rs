//! The page on which a repository is shared: rights of people and organisations, and links.
//!
//! Invariants: a link's secret is in the one answer to the form that made it; a link without names is made only after
//! the places where the model tells whose it is were shown.

use std::sync::Arc;

use axum::Form;
use axum::extract::{Query, State};
use axum::response::Response;
use serde::Deserialize;
use spec::api::{Grant, Link, LinkChange, NewLink, Trace};
use spec::name::RepositoryKind;
use spec::rights::Action;

use super::place::{Place, with_query};
use super::repositories::{Opened, open};
use super::views::front::When;
use super::views::sharing::{GrantLine, LinkFields, LinkLine, SharingPage, TraceLine};
use super::visitor::Visitor;
use super::{Answer, Html, Shown, go_to, refusal, show};
use crate::app::App;
use crate::doors::address::Base;
use crate::error::Error;
use crate::ops::grants::{self, Of};
use crate::ops::links;
use crate::text;

/// Rights and links on one page.
const PAGE: u32 = 50;
/// Digits of a revision that are shown.
const SHORT: usize = 10;

/// Where the lists go on.
#[derive(Debug, Default, Deserialize)]
pub struct After {
    #[serde(default)]
    grants: String,
    #[serde(default)]
    links: String,
}

/// Any form of the page.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct SharingForm {
    csrf: String,
    action: String,
    who: String,
    right: String,
    id: String,
    anonymous: String,
    acknowledged: String,
    files: String,
    hide: String,
    expires: String,
    calls: String,
    rate: String,
    round: String,
    top_k: String,
    revision: String,
}

/// What a form came to.
enum Done {
    /// Nothing that has to be shown.
    Quiet,
    Made(String),
    Report(Vec<Trace>),
}

/// `/{owner}/{name}/settings/sharing`
pub async fn page(
    State(app): State<Arc<App>>,
    Query(after): Query<After>,
    place: Place,
    visitor: Visitor,
) -> Shown {
    let opened = open(&app, &visitor, &place, Action::Administer).await?;
    show(&blank(&app, (&visitor, &place), &opened, &after).await?)
}

/// `POST /{owner}/{name}/settings/sharing`
pub async fn act(
    State(app): State<Arc<App>>,
    place: Place,
    base: Base,
    visitor: Visitor,
    Form(form): Form<SharingForm>,
) -> Answer<Response, Html> {
    visitor.check_form(&form.csrf)?;
    let done = take(&app, (&visitor, &place), &base, &form).await;
    let opened = open(&app, &visitor, &place, Action::Administer).await?;
    let page = async || blank(&app, (&visitor, &place), &opened, &After::default()).await;
    match done {
        Ok(Done::Quiet) => Ok(go_to(&format!("{}/settings/sharing", opened.path))),
        Ok(Done::Made(url)) => show(&SharingPage { made: Some(url), ..page().await? }),
        Ok(Done::Report(traces)) => {
            let report = Some(traces.into_iter().map(trace_line).collect());
            show(&SharingPage { report, fields: fields(form), ..page().await? })
        }
        Err(error) if matches!(error.entry().status, 400 | 404 | 409 | 410) => {
            let complaint = Some(refusal::sentence(&error.detail()));
            show(&SharingPage { complaint, fields: fields(form), ..page().await? })
        }
        Err(error) => Err(error.into()),
    }
}

async fn take(
    app: &Arc<App>,
    (visitor, place): (&Visitor, &Place),
    base: &Base,
    form: &SharingForm,
) -> Result<Done, Error> {
    let actor = &visitor.actor;
    let of = Of { kind: place.kind, name: &place.name, who: form.who.trim() };
    match form.action.as_str() {
        "grant" => grants::put(app, actor, of, right(&form.right)?).await?,
        "ungrant" => grants::delete(app, actor, of).await?,
        "revoke" => links::revoke(app, actor, number("link", &form.id)?).await?,
        "extend" => {
            let change = LinkChange { expires: given(&form.expires), calls: count("calls", &form.calls)? };
            links::change(app, actor, number("link", &form.id)?, &change).await?;
        }
        "link" if place.kind == RepositoryKind::Model => {
            let (made, secret) = links::create(app, actor, &place.name, &new_link(form)?).await?;
            return Ok(
                secret.map_or(Done::Report(made.traces), |secret| Done::Made(base.link(secret.expose())))
            );
        }
        other => return Err(Error::BadRequest(format!("`{other}` is no button of this page"))),
    }
    Ok(Done::Quiet)
}

fn new_link(form: &SharingForm) -> Result<NewLink, Error> {
    let anonymous = !form.anonymous.is_empty();
    let hide = form.hide.lines().map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned);
    Ok(NewLink {
        revision: given(&form.revision),
        anonymous,
        hide: if anonymous { hide.collect() } else { Vec::new() },
        expires: given(&form.expires),
        calls: count("rows in all", &form.calls)?,
        calls_per_minute: count("rows a minute", &form.rate)?,
        round: count("digits after the point", &form.round)?,
        top_k: count("classes", &form.top_k)?,
        files: !form.files.is_empty(),
        dry_run: anonymous && form.acknowledged.is_empty(),
    })
}

/// The right of this name.
pub fn right(text: &str) -> Result<Action, Error> {
    let found = Action::ALL.into_iter().find(|action| action.as_str() == text);
    found.ok_or_else(|| Error::BadRequest(format!("`{text}` is no right")))
}

/// The number that a form names something by.
pub fn number(what: &'static str, text: &str) -> Result<i64, Error> {
    text.parse().map_err(|_| Error::NotFound { what, name: text.chars().take(40).collect() })
}

fn given(text: &str) -> Option<String> {
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

fn count(what: &str, text: &str) -> Result<Option<i64>, Error> {
    let refuse = |_| Error::BadRequest(format!("{what}: `{text}` is no number"));
    given(text).map(|text| text.parse().map_err(refuse)).transpose()
}

fn fields(form: SharingForm) -> LinkFields {
    LinkFields {
        is_anonymous: !form.anonymous.is_empty(),
        gives_files: !form.files.is_empty(),
        hide: form.hide,
        expires: form.expires,
        calls: form.calls,
        rate: form.rate,
        round: form.round,
        top_k: form.top_k,
        revision: form.revision,
    }
}

async fn blank(
    app: &App,
    (visitor, place): (&Visitor, &Place),
    opened: &Opened,
    after: &After,
) -> Result<SharingPage, Error> {
    let begin = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let of = (place.kind, &place.name);
    let granted = grants::list(app, &visitor.actor, of, begin(&after.grants).as_deref(), PAGE).await?;
    let (links, more) = match place.kind {
        RepositoryKind::Dataset => (Vec::new(), None),
        RepositoryKind::Model => {
            let begin = begin(&after.links);
            let page = links::list(app, &visitor.actor, &place.name, begin.as_deref(), PAGE).await?;
            (page.items, page.next)
        }
    };
    let here = format!("{}/settings/sharing", opened.path);
    Ok(SharingPage {
        frame: opened.frame(visitor, "Sharing"),
        head: opened.head("Settings"),
        grants: granted.items.into_iter().map(grant_line).collect(),
        more_grants: granted.next.map(|next| with_query(&here, &[("grants", &next)])),
        links: links.into_iter().map(link_line).collect(),
        more_links: more.map(|next| with_query(&here, &[("links", &next)])),
        fields: LinkFields::default(),
        report: None,
        made: None,
        complaint: None,
    })
}

fn grant_line(grant: Grant) -> GrantLine {
    GrantLine {
        who: grant.who,
        right: grant.action.as_str(),
        by: grant.granted_by,
        since: day(grant.created),
    }
}

fn link_line(link: Link) -> LinkLine {
    let n_calls = |n: i64| text::count(u64::try_from(n).unwrap_or(0));
    let calls = match link.max_calls {
        Some(most) => format!("{} of {}", n_calls(link.calls), n_calls(most)),
        None => n_calls(link.calls),
    };
    let limits = [
        link.round.map(|n| format!("rounded to {n} digits after the point")),
        link.top_k.map(|k| format!("the {k} most probable classes")),
        link.calls_per_minute.map(|n| format!("{} rows a minute", n_calls(n))),
    ];
    let asked = link.asked.as_ref().filter(|asked| asked.rows > 0).map(|asked| {
        let (rows, distinct) = (n_calls(asked.rows), n_calls(asked.distinct));
        format!(
            "{rows} rows, about {distinct} of them different, up to {} in an hour",
            n_calls(asked.busiest_hour)
        )
    });
    LinkLine {
        id: link.id,
        of_late: asked.unwrap_or_default(),
        is_anonymous: link.anonymous,
        gives_files: link.action >= Action::Read,
        revision: link.revision.chars().take(SHORT).collect(),
        created: day(link.created),
        expires: link.expires.map(day),
        ends_soon: link.ends_in_days.map(text::in_days).unwrap_or_default(),
        calls,
        limits: limits.into_iter().flatten().collect::<Vec<_>>().join(", "),
        warning: link.asked.and_then(|asked| asked.warning).unwrap_or_default(),
        state: link.state,
    }
}

fn trace_line(trace: Trace) -> TraceLine {
    let Trace { word, place, .. } = trace;
    let fate = match (trace.hidden, trace.shown) {
        (true, _) => "hidden",
        (_, true) => "shown",
        _ => "not given",
    };
    TraceLine { word, place, fate }
}

/// The day of an RFC 3339 time.
pub fn day(exact: String) -> When {
    When { text: text::day_of(&exact), exact }
}
