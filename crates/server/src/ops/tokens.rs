//! Tokens: secrets with a scope that act for an account and can be taken back.
//!
//! Invariants: the secret is told once, when it is made; only its hash is kept; a token makes only such as may do
//! less than itself, and they go with it.

use spec::api::{CreatedToken, NewToken, Page, Token, TokenScope};
use spec::name::RepositoryKind;
use store::clock;
use store::db::ids::{RepositoryId, TokenId};
use store::db::tokens;

use super::access::{self, Action, Actor, By, Known};
use super::repositories::{self, full_name};
use crate::app::App;
use crate::deadline;
use crate::error::{During, Error};
use crate::secrets::{self, Secret};
use crate::text;

/// What every token begins with, so that scanners can find one that leaked.
pub const PREFIX: &str = "rn_";

/// Makes a token for whoever is signed in.
pub async fn create(app: &App, actor: &Actor, new: &NewToken) -> Result<CreatedToken, Error> {
    let known = access::signed_in(actor)?;
    access::can_write(known)?;
    let is_narrower = new.scope < TokenScope::Write || new.repository.is_some();
    if matches!(known.by, By::Token(_)) && !is_narrower {
        let (actor, what) = (known.name.clone(), new.name.clone());
        return Err(Error::Forbidden {
            actor,
            action: "make with a token that may do no more the token",
            what,
        });
    }
    create_for(app, known, new).await
}

/// Makes a token for this account without asking who asks: for the operator's own command.
pub async fn create_for(app: &App, known: &Known, new: &NewToken) -> Result<CreatedToken, Error> {
    app.rates.makings.take(&known.name)?;
    let name = new.name.trim();
    if name.is_empty() || name.len() > spec::limits::NAME_BYTES || name.chars().any(char::is_control) {
        return Err(Error::BadRequest("a token's name has 1 to 96 characters".to_owned()));
    }
    let now_ms = clock::now_ms();
    let expires_ms = new.expires.as_deref().map(|end| deadline::parse(end, now_ms)).transpose()?;
    let secret = secrets::generate(PREFIX)?;
    let row = tokens::NewToken {
        account_id: known.id,
        name,
        hash: &secret.hash(),
        scope: scope_row(new.scope),
        created_ms: now_ms,
        expires_ms,
        repository_id: match &new.repository {
            Some(name) => Some(meant(app, known, name).await?),
            None => None,
        },
        parent_id: match known.by {
            By::Token(id) => Some(id),
            By::Session { .. } => None,
        },
    };
    let token = tokens::create(&app.store.db, &row).await.during("store a token")?;
    Ok(CreatedToken { token: describe(app, &token).await?, secret: secret.expose().to_owned() })
}

/// The tokens of whoever asks, newest first; those that were taken back are gone.
pub async fn list(app: &App, actor: &Actor, after: Option<&str>, limit: u32) -> Result<Page<Token>, Error> {
    let known = access::signed_in(actor)?;
    if !access::can_read(known) {
        return Ok(Page { items: Vec::new(), next: None });
    }
    let page = tokens::list(&app.store.db, known.id, after, limit).await.during("list tokens")?;
    let mut items = Vec::new();
    for token in page.items.iter().filter(|token| !token.is_revoked) {
        items.push(describe(app, token).await?);
    }
    Ok(Page { items, next: page.next })
}

/// Takes a token of the asker's own back.
pub async fn revoke(app: &App, actor: &Actor, id: i64) -> Result<(), Error> {
    let known = access::signed_in(actor)?;
    access::can_write(known)?;
    match tokens::revoke(&app.store.db, known.id, TokenId(id)).await {
        Err(store::Error::NotFound { .. }) => Err(Error::NotFound { what: "token", name: id.to_string() }),
        result => result.during("revoke a token"),
    }?;
    app.actors.forget_all();
    Ok(())
}

/// Whom a token acts for.
pub async fn actor(app: &App, secret: &Secret) -> Result<Actor, Error> {
    let hash = secret.hash();
    if let Some(actor) = app.actors.get(&hash) {
        return Ok(actor);
    }
    let now_ms = clock::now_ms();
    let found = tokens::by_hash(&app.store.db, &hash, now_ms).await.during("look up a token")?;
    let (token, account) = found.ok_or(Error::BadToken)?;
    tokens::touch(&app.store.db, token.id, now_ms).await.during("note a token's use")?;
    let actor = Actor::Account(Known {
        id: account.id,
        name: account.name,
        is_admin: account.is_admin,
        scope: scope(token.scope),
        only: token.repository_id,
        by: By::Token(token.id),
    });
    app.actors.keep(hash, &actor);
    Ok(actor)
}

async fn describe(app: &App, token: &tokens::Token) -> Result<Token, Error> {
    let repository = match token.repository_id {
        Some(id) => {
            let row =
                store::db::repositories::by_id(&app.store.db, id).await.during("look up a repository")?;
            row.map(|row| format!("{}{}", row.kind.web_prefix(), full_name(&row)))
        }
        None => None,
    };
    Ok(Token {
        id: token.id.0,
        name: token.name.clone(),
        scope: scope(token.scope),
        created: text::rfc3339(token.created_ms),
        last_used: token.last_used_ms.map(text::rfc3339),
        expires: token.expires_ms.map(text::rfc3339),
        repository,
    })
}

/// The repository that a token is to be for, which its account may see.
async fn meant(app: &App, known: &Known, name: &str) -> Result<RepositoryId, Error> {
    let actor = Actor::Account(known.clone());
    let (kind, name) = match name.strip_prefix(RepositoryKind::Dataset.web_prefix()) {
        Some(name) => (RepositoryKind::Dataset, name),
        None => (RepositoryKind::Model, name),
    };
    let repository = repositories::get(app, &actor, kind, &name.parse()?, Action::See).await?;
    Ok(repository.id)
}

fn scope(scope: tokens::Scope) -> TokenScope {
    match scope {
        tokens::Scope::Predict => TokenScope::Predict,
        tokens::Scope::Read => TokenScope::Read,
        tokens::Scope::Write => TokenScope::Write,
    }
}

fn scope_row(scope: TokenScope) -> tokens::Scope {
    match scope {
        TokenScope::Predict => tokens::Scope::Predict,
        TokenScope::Read => tokens::Scope::Read,
        TokenScope::Write => tokens::Scope::Write,
    }
}
