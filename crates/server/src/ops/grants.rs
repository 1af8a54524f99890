//! Grants: opening a repository to named people and organisations.
//!
//! Invariant: who gives rights may administer the repository, and whom they name is told no more than whether the
//! name is an account's.

use spec::api::{Grant, Page};
use spec::name::{RepositoryKind, RepositoryName};
use spec::rights::Action;
use store::clock;
use store::db::grants::{self, NewGrant};

use super::access::{self, Actor};
use super::events::{self, Done};
use super::{accounts, repositories};
use crate::app::App;
use crate::error::{During, Error};
use crate::text;

/// A repository, and whose right to it is meant.
#[derive(Debug, Clone, Copy)]
pub struct Of<'a> {
    pub kind: RepositoryKind,
    pub name: &'a RepositoryName,
    pub who: &'a str,
}

/// The grants on a repository.
pub async fn list(
    app: &App,
    actor: &Actor,
    (kind, name): (RepositoryKind, &RepositoryName),
    after: Option<&str>,
    limit: u32,
) -> Result<Page<Grant>, Error> {
    let repository = repositories::get(app, actor, kind, name, Action::Administer).await?;
    let page = grants::list(&app.store.db, repository.id, after, limit).await.during("list grants")?;
    Ok(Page { items: page.items.into_iter().map(describe).collect(), next: page.next })
}

/// Gives a right in the place of the one that was given before.
pub async fn put(app: &App, actor: &Actor, of: Of<'_>, action: Action) -> Result<(), Error> {
    let repository = repositories::get(app, actor, of.kind, of.name, Action::Administer).await?;
    let account = accounts::by_name(app, of.who).await?;
    if account.id == repository.owner_id {
        return Err(Error::BadRequest(format!("`{}` owns it and may do all with it", account.name)));
    }
    let new = NewGrant {
        repository_id: repository.id,
        account_id: account.id,
        action,
        granted_by: &access::signed_in(actor)?.name,
        now_ms: clock::now_ms(),
    };
    grants::put(&app.store.db, &new).await.during("store a grant")?;
    app.rights.forget_all();
    let detail = format!("{}: {action}", account.name);
    let subject = repositories::full_name(&repository);
    events::note(app, actor, Done { verb: "grant", subject: &subject, detail: &detail }).await;
    Ok(())
}

/// Takes a grant back.
pub async fn delete(app: &App, actor: &Actor, of: Of<'_>) -> Result<(), Error> {
    let repository = repositories::get(app, actor, of.kind, of.name, Action::Administer).await?;
    let account = accounts::by_name(app, of.who).await?;
    match grants::delete(&app.store.db, repository.id, account.id).await {
        Err(store::Error::NotFound { .. }) => {
            return Err(Error::NotFound { what: "grant to", name: account.name });
        }
        result => result.during("delete a grant")?,
    }
    app.rights.forget_all();
    let subject = repositories::full_name(&repository);
    events::note(app, actor, Done { verb: "grant.revoke", subject: &subject, detail: &account.name }).await;
    Ok(())
}

fn describe(grant: grants::Grant) -> Grant {
    Grant {
        who: grant.account_name,
        action: grant.action,
        granted_by: grant.granted_by,
        created: text::rfc3339(grant.created_ms),
    }
}
