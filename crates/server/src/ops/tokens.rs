//! Tokens: secrets with a scope that act for an account and can be taken back.
//!
//! Invariants: the secret is told once, when it is made; only its hash is kept; a token never makes another.

use spec::api::{CreatedToken, NewToken, Page, Token, TokenScope};
use store::clock;
use store::db::ids::TokenId;
use store::db::tokens;

use super::access::{self, Actor, By, Known};
use crate::app::App;
use crate::error::{During, Error};
use crate::secrets::{self, Secret};
use crate::text;

/// What every token begins with, so that scanners can find one that leaked.
pub const PREFIX: &str = "rn_";

/// Makes a token for whoever is signed in.
pub async fn create(app: &App, actor: &Actor, new: &NewToken) -> Result<CreatedToken, Error> {
    let known = access::signed_in(actor)?;
    access::can_write(known)?;
    if let By::Token(_) = known.by {
        let (actor, what) = (known.name.clone(), new.name.clone());
        return Err(Error::Forbidden { actor, action: "make with a token the token", what });
    }
    create_for(app, known, new).await
}

/// Makes a token for this account without asking who asks: for the operator's own command.
pub async fn create_for(app: &App, known: &Known, new: &NewToken) -> Result<CreatedToken, Error> {
    let name = new.name.trim();
    if name.is_empty() || name.len() > spec::limits::NAME_BYTES || name.chars().any(char::is_control) {
        return Err(Error::BadRequest("a token's name has 1 to 96 characters".to_owned()));
    }
    let secret = secrets::generate(PREFIX)?;
    let row = tokens::NewToken {
        account_id: known.id,
        name,
        hash: &secret.hash(),
        scope: scope_row(new.scope),
        created_ms: clock::now_ms(),
    };
    let token = tokens::create(&app.store.db, &row).await.during("store a token")?;
    Ok(CreatedToken { token: describe(&token), secret: secret.expose().to_owned() })
}

/// The tokens of whoever asks, newest first; those that were taken back are gone.
pub async fn list(app: &App, actor: &Actor, after: Option<&str>, limit: u32) -> Result<Page<Token>, Error> {
    let known = access::signed_in(actor)?;
    let page = tokens::list(&app.store.db, known.id, after, limit).await.during("list tokens")?;
    let valid = page.items.iter().filter(|token| !token.is_revoked);
    Ok(Page { items: valid.map(describe).collect(), next: page.next })
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
    let found = tokens::by_hash(&app.store.db, &hash).await.during("look up a token")?;
    let (token, account) = found.ok_or(Error::BadToken)?;
    tokens::touch(&app.store.db, token.id, clock::now_ms()).await.during("note a token's use")?;
    let actor = Actor::Account(Known {
        id: account.id,
        name: account.name,
        is_admin: account.is_admin,
        scope: scope(token.scope),
        by: By::Token(token.id),
    });
    app.actors.keep(hash, &actor);
    Ok(actor)
}

fn describe(token: &tokens::Token) -> Token {
    Token {
        id: token.id.0,
        name: token.name.clone(),
        scope: scope(token.scope),
        created: text::rfc3339(token.created_ms),
        last_used: token.last_used_ms.map(text::rfc3339),
    }
}

fn scope(scope: tokens::Scope) -> TokenScope {
    match scope {
        tokens::Scope::Read => TokenScope::Read,
        tokens::Scope::Write => TokenScope::Write,
    }
}

fn scope_row(scope: TokenScope) -> tokens::Scope {
    match scope {
        TokenScope::Read => tokens::Scope::Read,
        TokenScope::Write => tokens::Scope::Write,
    }
}
