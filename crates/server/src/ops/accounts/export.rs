//! Export: all that is kept about an account, handed to whoever it is about.
//!
//! Invariants: no secret and no hash of one is part of it; it is read page by page while it is sent, so that its length
//! costs no memory; each line says what it is of.

use std::sync::Arc;

use futures_util::Stream;
use serde_json::{Value, json};
use store::clock;
use store::db::likes::Liked;
use store::db::repositories::Repository;
use store::db::{
    Page, accounts as rows, attestations, discussions, events, identities, members, sessions, tokens,
};

use crate::app::App;
use crate::error::{During, Error};
use crate::ops::access::{self, Actor, Known};
use crate::ops::likes;
use crate::ops::repositories::{self, full_name};
use crate::ops::sessions as own_sessions;
use crate::text;

/// Rows that are read at a time.
const ROWS: u32 = 500;
/// Sessions and organisations of one account that are read.
const MOST: u32 = 1000;

/// What an export is made of, in its order.
#[derive(Debug, Clone, Copy)]
enum Part {
    Account,
    Identities,
    Tokens,
    Sessions,
    Organizations,
    Repositories,
    Likes,
    Attestations,
    Discussions,
    Events,
    End,
}

impl Part {
    fn next(self) -> Self {
        match self {
            Self::Account => Self::Identities,
            Self::Identities => Self::Tokens,
            Self::Tokens => Self::Sessions,
            Self::Sessions => Self::Organizations,
            Self::Organizations => Self::Repositories,
            Self::Repositories => Self::Likes,
            Self::Likes => Self::Attestations,
            Self::Attestations => Self::Discussions,
            Self::Discussions => Self::Events,
            Self::Events | Self::End => Self::End,
        }
    }
}

/// All that is kept about whoever asks: JSON objects, one on each line, some lines at a time.
pub fn export(
    app: Arc<App>,
    actor: &Actor,
) -> Result<impl Stream<Item = Result<String, Error>> + Send + use<>, Error> {
    let known = access::signed_in(actor)?.clone();
    own_sessions::refuse_token(&known, "export with a token the", "account")?;
    let actor = actor.clone();
    let begin = (Part::Account, None::<String>);
    Ok(futures_util::stream::try_unfold(begin, move |(part, after)| {
        let (app, known, actor) = (Arc::clone(&app), known.clone(), actor.clone());
        async move {
            if matches!(part, Part::End) {
                return Ok(None);
            }
            let page = read(&app, (&known, &actor), part, after.as_deref()).await?;
            let lines: String = page.items.iter().map(|line| format!("{line}\n")).collect();
            let next = match page.next {
                Some(after) => (part, Some(after)),
                None => (part.next(), None),
            };
            Ok(Some((lines, next)))
        }
    }))
}

async fn read(
    app: &App,
    (known, actor): (&Known, &Actor),
    part: Part,
    after: Option<&str>,
) -> Result<Page<Value>, Error> {
    let (db, id) = (&app.store.db, known.id);
    match part {
        Part::Account => Ok(whole(vec![account(app, known).await?])),
        Part::Identities => {
            let found = identities::list(db, id).await.during("read identities")?;
            Ok(whole(found.iter().map(identity).collect()))
        }
        Part::Tokens => {
            let page = tokens::list(db, id, after, ROWS).await.during("read tokens")?;
            Ok(each(page, token))
        }
        Part::Sessions => {
            let found = sessions::list(db, id, clock::now_ms(), MOST).await.during("read sessions")?;
            Ok(whole(found.iter().map(session).collect()))
        }
        Part::Organizations => {
            let found = members::organizations(db, id, MOST).await.during("read organisations")?;
            let line = |m: &members::Member| json!({ "is": "organization", "name": m.name, "role": m.role, "since": text::rfc3339(m.created_ms) });
            Ok(whole(found.iter().map(line).collect()))
        }
        Part::Repositories => {
            let query = repositories::Query {
                author: Some(known.name.clone()),
                after: after.map(str::to_owned),
                limit: ROWS,
                ..Default::default()
            };
            Ok(each(repositories::list(app, actor, &query).await?, repository))
        }
        Part::Likes => {
            // Only of what may still be seen: the others' names are no business of this account's any more.
            Ok(each(likes::of_account(app, actor, &known.name, after, ROWS).await?, like))
        }
        Part::Attestations => {
            let page = attestations::of_account(db, id, after, ROWS).await.during("read attestations")?;
            Ok(each(page, attestation))
        }
        Part::Discussions => {
            let page = discussions::said(db, (id, access::viewer(actor)), after, ROWS).await;
            let page = page.during("read what was said")?;
            Ok(each(page, said))
        }
        Part::Events => {
            let account = rows::by_id(db, id).await.during("read an account")?;
            let since_ms = account.map_or(i64::MAX, |account| account.created_ms);
            let filter = events::Filter { actor: Some(&known.name), subject: None, since_ms };
            let page = events::list(db, filter, after, ROWS).await.during("read events")?;
            Ok(each(page, event))
        }
        Part::End => Ok(whole(Vec::new())),
    }
}

async fn account(app: &App, known: &Known) -> Result<Value, Error> {
    let account = rows::by_id(&app.store.db, known.id).await.during("read an account")?;
    let account = account.ok_or(Error::NotSignedIn)?;
    let profile = super::profile(app, known).await?;
    Ok(json!({
        "is": "account", "name": account.name, "is_admin": account.is_admin,
        "created": text::rfc3339(account.created_ms), "full_name": profile.full_name, "email": profile.email,
        "email_is_verified": profile.email_is_verified,
    }))
}

fn identity(row: &identities::Identity) -> Value {
    let since = text::rfc3339(row.created_ms);
    json!({ "is": "identity", "issuer": row.issuer, "subject": row.subject, "since": since })
}

fn token(row: &tokens::Token) -> Value {
    json!({
        "is": "token", "name": row.name, "scope": row.scope, "is_revoked": row.is_revoked,
        "created": text::rfc3339(row.created_ms), "last_used": row.last_used_ms.map(text::rfc3339),
        "expires": row.expires_ms.map(text::rfc3339),
    })
}

fn session(row: &sessions::Session) -> Value {
    json!({
        "is": "session", "label": row.label, "created": text::rfc3339(row.created_ms),
        "last_used": row.last_used_ms.map(text::rfc3339), "expires": text::rfc3339(row.expires_ms),
    })
}

fn repository(row: &Repository) -> Value {
    json!({
        "is": "repository", "kind": row.kind, "name": full_name(row), "is_private": row.is_private,
        "created": text::rfc3339(row.created_ms), "updated": text::rfc3339(row.updated_ms),
    })
}

fn like(row: &Liked) -> Value {
    let (kind, name) = (row.repository.kind, full_name(&row.repository));
    json!({ "is": "like", "kind": kind, "repository": name, "since": text::rfc3339(row.liked_ms) })
}

fn attestation(row: &attestations::Attestation) -> Value {
    let said: Value = serde_json::from_str(&row.summary).unwrap_or_default();
    json!({ "is": "attestation", "said": said, "key": row.jwk, "at": text::rfc3339(row.created_ms) })
}

fn said(row: &discussions::Said) -> Value {
    let content: Value = serde_json::from_str(&row.data).unwrap_or_else(|_| Value::String(row.data.clone()));
    json!({
        "is": "discussion", "repository": row.repository, "number": row.number, "did": row.kind,
        "content": content, "at": text::rfc3339(row.created_ms),
    })
}

fn event(row: &events::Event) -> Value {
    let at = text::rfc3339(row.at_ms);
    json!({ "is": "event", "at": at, "did": row.verb, "to": row.subject, "detail": row.detail })
}

fn whole(items: Vec<Value>) -> Page<Value> {
    Page { items, next: None }
}

fn each<T>(page: Page<T>, line: impl FnMut(&T) -> Value) -> Page<Value> {
    Page { items: page.items.iter().map(line).collect(), next: page.next }
}
