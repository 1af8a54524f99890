//! Refs: the branches and tags of a repository.
//!
//! Invariants: the branch `main` is always there; a ref names a revision of its own repository.

use spec::name::{RefName, RepositoryKind, RepositoryName};
use store::clock;
use store::db::refs::{self, NewRef, Ref, RefKind};

use super::access::{Action, Actor};
use super::repositories::{self, MAIN};
use super::revisions::{self, At};
use super::webhooks::{self, News};
use crate::app::App;
use crate::error::{During, Error};

/// A ref to be.
#[derive(Debug, Clone)]
pub struct New<'a> {
    pub kind: RefKind,
    pub name: &'a RefName,
    /// Of a tag; empty for a branch.
    pub message: &'a str,
}

/// All branches, then all tags, each by name.
pub async fn list(
    app: &App,
    actor: &Actor,
    kind: RepositoryKind,
    name: &RepositoryName,
) -> Result<Vec<Ref>, Error> {
    let repository = repositories::get(app, actor, kind, name, Action::Read).await?;
    let mut all = Vec::new();
    let mut after = None;
    loop {
        let limit = u32::try_from(spec::limits::PAGE_ENTRIES).unwrap_or(u32::MAX);
        let page = refs::list(&app.store.db, repository.id, after.as_deref(), limit).await;
        let page = page.during("list refs")?;
        all.extend(page.items);
        match page.next {
            None => return Ok(all),
            next => after = next,
        }
    }
}

/// Makes a branch or tag that names the revision at `target`.
pub async fn create(app: &App, actor: &Actor, target: &At<'_>, new: &New<'_>) -> Result<(), Error> {
    let (repository, revision) = revisions::resolve(app, actor, target, Action::Write).await?;
    let row = NewRef {
        repository_id: repository.id,
        kind: new.kind,
        name: new.name,
        revision_id: revision.id,
        message: new.message,
        created_ms: clock::now_ms(),
    };
    match refs::create(&app.store.db, &row).await {
        Err(store::Error::AlreadyExists { .. }) => {
            return Err(Error::AlreadyExists { what: title(new.kind), name: new.name.to_string() });
        }
        Err(store::Error::NotFound { .. }) => {
            return Err(Error::RepositoryNotFound(target.name.to_string()));
        }
        result => result.during("make a ref")?,
    }
    let (name, oid) = (path(new.kind, new.name.as_str()), Some(revision.oid.to_string()));
    webhooks::tell(app, repository.id, &News::Ref { name, old: None, new: oid }).await;
    Ok(())
}

/// Deletes a branch or tag; the revisions it named stay. The revision of `target` is the ref's name.
pub async fn delete(app: &App, actor: &Actor, target: &At<'_>, kind: RefKind) -> Result<(), Error> {
    let repository = repositories::get(app, actor, target.kind, target.name, Action::Write).await?;
    if kind == RefKind::Branch && target.revision == MAIN {
        let actor = super::access::signed_in(actor)?.name.clone();
        return Err(Error::Forbidden { actor, action: "delete the branch", what: MAIN.to_owned() });
    }
    let named = refs::by_name(&app.store.db, repository.id, kind, target.revision).await;
    let named = named.during("find a ref")?.ok_or_else(|| target.revision_not_found())?;
    match refs::delete(&app.store.db, repository.id, kind, target.revision).await {
        Err(store::Error::NotFound { .. }) => return Err(target.revision_not_found()),
        result => result.during("delete a ref")?,
    }
    let (name, old) = (path(kind, target.revision), Some(named.oid.to_string()));
    webhooks::tell(app, repository.id, &News::Ref { name, old, new: None }).await;
    Ok(())
}

/// A ref's whole name, as git writes it.
fn path(kind: RefKind, name: &str) -> String {
    match kind {
        RefKind::Branch => format!("refs/heads/{name}"),
        RefKind::Tag => format!("refs/tags/{name}"),
        RefKind::Pull => format!("refs/pr/{name}"),
    }
}

fn title(kind: RefKind) -> &'static str {
    match kind {
        RefKind::Branch => "a branch",
        RefKind::Tag => "a tag",
        RefKind::Pull => "a pull request",
    }
}
