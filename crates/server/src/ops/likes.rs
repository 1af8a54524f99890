//! Likes: who likes which repository.
//!
//! Invariant: a like is told of only where its repository may be seen.

use spec::name::{RepositoryKind, RepositoryName};
use store::clock;
use store::db::ids::RepositoryId;
use store::db::likes::{self, Liked, Liker};
use store::db::{Page, accounts};

use super::access::{self, Action, Actor};
use super::repositories;
use crate::app::App;
use crate::error::{During, Error};

/// Likes a repository, once.
pub async fn put(app: &App, actor: &Actor, kind: RepositoryKind, name: &RepositoryName) -> Result<(), Error> {
    let repository = repositories::get(app, actor, kind, name, Action::See).await?;
    let known = access::signed_in(actor)?;
    access::can_write(known)?;
    match likes::put(&app.store.db, repository.id, known.id, clock::now_ms()).await {
        Err(store::Error::NotFound { .. }) => Err(Error::RepositoryNotFound(name.to_string())),
        result => result.during("like a repository"),
    }
}

/// Takes a like back.
pub async fn delete(
    app: &App,
    actor: &Actor,
    kind: RepositoryKind,
    name: &RepositoryName,
) -> Result<(), Error> {
    let repository = repositories::get(app, actor, kind, name, Action::See).await?;
    let known = access::signed_in(actor)?;
    access::can_write(known)?;
    likes::delete(&app.store.db, repository.id, known.id).await.during("take a like back")
}

/// Whether the actor likes a repository that they were already found to be allowed to see.
pub async fn is_liked(app: &App, actor: &Actor, repository: RepositoryId) -> Result<bool, Error> {
    match actor {
        Actor::Account(known) => {
            likes::is_there(&app.store.db, repository, known.id).await.during("look up a like")
        }
        _ => Ok(false),
    }
}

/// Who likes a repository.
pub async fn of_repository(
    app: &App,
    actor: &Actor,
    (kind, name): (RepositoryKind, &RepositoryName),
    after: Option<&str>,
    limit: u32,
) -> Result<Page<Liker>, Error> {
    let repository = repositories::get(app, actor, kind, name, Action::See).await?;
    likes::of_repository(&app.store.db, repository.id, after, limit).await.during("list likes")
}

/// What somebody likes, as far as the actor may see it; a page may so have fewer lines than were asked for.
pub async fn of_account(
    app: &App,
    actor: &Actor,
    name: &str,
    after: Option<&str>,
    limit: u32,
) -> Result<Page<Liked>, Error> {
    let account = accounts::by_name(&app.store.db, name).await.during("look up an account")?;
    let account = account.ok_or_else(|| Error::NotFound { what: "account", name: name.to_owned() })?;
    let page = likes::of_account(&app.store.db, account.id, after, limit).await.during("list likes")?;
    let mut items = Vec::with_capacity(page.items.len());
    for liked in page.items {
        let name = repositories::full_name(&liked.repository);
        let subject = access::subject(app, actor, &liked.repository, &name).await?;
        if access::check(actor, Action::See, &subject).is_ok() {
            items.push(liked);
        }
    }
    Ok(Page { items, next: page.next })
}
