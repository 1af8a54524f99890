//! Who may do what: every decision of the server is made on this page.
//!
//! Knows actors and owners, nothing of how an actor was recognised. Invariant: what an actor may not see
//! does not exist for them, in any answer by any door.

use std::time::Duration;

use spec::api::TokenScope;
pub use spec::rights::Action;
use store::db::ids::{AccountId, RepositoryId, TokenId};
use store::db::repositories::{Repository, Viewer};
use store::db::{grants, members};

use crate::app::App;
use crate::error::{During, Error};

/// Who asks.
#[derive(Debug, Clone)]
pub enum Actor {
    Nobody,
    Account(Known),
}

/// An account that was recognised.
#[derive(Debug, Clone)]
pub struct Known {
    pub id: AccountId,
    pub name: String,
    pub is_admin: bool,
    pub scope: TokenScope,
    /// The one repository that it came for.
    pub only: Option<RepositoryId>,
    pub by: By,
}

/// How an account was recognised.
#[derive(Debug, Clone)]
pub enum By {
    Token(TokenId),
    Session {
        /// The session's own secret against forged forms.
        csrf: String,
        /// By which the session is known in the database; empty for none.
        hash: String,
    },
}

/// What of a repository decides who may do what.
#[derive(Debug, Clone)]
pub struct Subject<'a> {
    pub name: &'a str,
    pub id: RepositoryId,
    pub owner: AccountId,
    pub is_private: bool,
    /// The most that this actor was given, by grants and organisations.
    pub granted: Option<Action>,
}

/// Rights that were looked up a moment ago, for so long as a change by another process may stay unseen.
#[derive(Debug)]
pub struct Rights(moka::sync::Cache<(AccountId, RepositoryId), Option<Action>>);

impl Default for Rights {
    fn default() -> Self {
        Self(moka::sync::Cache::builder().max_capacity(10_000).time_to_live(Duration::from_secs(2)).build())
    }
}

impl Rights {
    /// Forgets all, since somebody's rights have changed.
    pub fn forget_all(&self) {
        self.0.invalidate_all();
    }
}

/// Whether the actor may do this. The error tells no more than the actor may know.
pub fn check(actor: &Actor, action: Action, subject: &Subject<'_>) -> Result<(), Error> {
    let public = (!subject.is_private).then_some(Action::Read);
    let own = match actor {
        Actor::Account(known) if known.is_admin || known.id == subject.owner => Some(Action::Administer),
        Actor::Account(_) => subject.granted,
        Actor::Nobody => None,
    };
    let bound = match actor {
        Actor::Account(known) => known.bound(subject.id),
        Actor::Nobody => None,
    };
    // What a token is not for, its account may do all the same: it is told so, if it may know at all.
    let held = own.min(bound).max(public);
    match (held, actor) {
        (Some(held), _) if held >= action => Ok(()),
        (None, _) => Err(Error::RepositoryNotFound(subject.name.to_owned())),
        (_, Actor::Nobody) => Err(Error::NotSignedIn),
        (_, Actor::Account(known)) if own >= Some(action) && known.scope != TokenScope::Write => {
            Err(Error::ReadOnlyToken)
        }
        (_, Actor::Account(known)) => {
            let (actor, what) = (known.name.clone(), subject.name.to_owned());
            Err(Error::Forbidden { actor, action: action.verb(), what })
        }
    }
}

impl Known {
    /// The most that it may do with this repository, whatever its rights are.
    fn bound(&self, repository: RepositoryId) -> Option<Action> {
        let is_meant = self.only.is_none_or(|only| only == repository);
        is_meant.then_some(match self.scope {
            TokenScope::Predict => Action::Predict,
            TokenScope::Read => Action::Read,
            TokenScope::Write => Action::Administer,
        })
    }
}

/// What of this repository decides what the actor may do.
pub async fn subject<'a>(
    app: &App,
    actor: &Actor,
    repository: &Repository,
    name: &'a str,
) -> Result<Subject<'a>, Error> {
    let granted = granted(app, actor, repository.id, repository.owner_id).await?;
    let (id, owner, is_private) = (repository.id, repository.owner_id, repository.is_private);
    Ok(Subject { name, id, owner, is_private, granted })
}

/// The most that the actor was given on a repository of somebody else's.
pub async fn granted(
    app: &App,
    actor: &Actor,
    repository: RepositoryId,
    owner: AccountId,
) -> Result<Option<Action>, Error> {
    let account = match actor {
        Actor::Account(known) if !known.is_admin && known.id != owner => known.id,
        _ => return Ok(None),
    };
    let key = (account, repository);
    if let Some(granted) = app.rights.0.get(&key) {
        return Ok(granted);
    }
    let granted = grants::strongest(&app.store.db, repository, account).await.during("look up rights")?;
    app.rights.0.insert(key, granted);
    Ok(granted)
}

/// What the actor may do with all that an account owns: everything with its own, its role in an organisation.
pub async fn role(app: &App, known: &Known, owner: AccountId) -> Result<Option<Action>, Error> {
    if known.is_admin || known.id == owner {
        return Ok(Some(Action::Administer));
    }
    members::role(&app.store.db, owner, known.id).await.during("look up a role")
}

/// Whether the actor is one of those who may change it, by whatever token they came.
pub fn is_writer(actor: &Actor, subject: &Subject<'_>) -> bool {
    matches!(check(actor, Action::Write, subject), Ok(()) | Err(Error::ReadOnlyToken))
}

/// Whether the actor may make repositories of this account.
pub async fn check_create(app: &App, actor: &Actor, owner: AccountId, name: &str) -> Result<(), Error> {
    let known = signed_in(actor)?;
    if role(app, known, owner).await? < Some(Action::Write) {
        let (actor, what) = (known.name.clone(), name.to_owned());
        return Err(Error::Forbidden { actor, action: "create", what });
    }
    can_write(known)
}

/// The account that asks, if anybody does.
pub fn signed_in(actor: &Actor) -> Result<&Known, Error> {
    match actor {
        Actor::Account(known) => Ok(known),
        Actor::Nobody => Err(Error::NotSignedIn),
    }
}

/// Whether the account came with something that is told of the account's own.
pub fn can_read(known: &Known) -> bool {
    known.scope >= TokenScope::Read && known.only.is_none()
}

/// Whether the account came with something that may change things of the account's own.
pub fn can_write(known: &Known) -> Result<(), Error> {
    match known.scope {
        TokenScope::Write if known.only.is_none() => Ok(()),
        _ => Err(Error::ReadOnlyToken),
    }
}

/// Whether the actor is an admin of the server, and came with something that may change things.
pub fn check_admin(actor: &Actor, action: &'static str, what: &str) -> Result<(), Error> {
    let known = signed_in(actor)?;
    if !known.is_admin {
        let (actor, what) = (known.name.clone(), what.to_owned());
        return Err(Error::Forbidden { actor, action, what });
    }
    can_write(known)
}

/// What the actor sees in lists.
pub fn viewer(actor: &Actor) -> Viewer {
    match actor {
        Actor::Nobody => Viewer::Nobody,
        // A token for one repository is no key to the others, not even to their names.
        Actor::Account(known) if known.only.is_some() => Viewer::Nobody,
        Actor::Account(known) if known.is_admin => Viewer::Everything,
        Actor::Account(known) => Viewer::Account(known.id),
    }
}
