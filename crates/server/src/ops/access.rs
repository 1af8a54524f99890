//! Who may do what: every decision of the server is made on this page.
//!
//! Knows actors and owners, nothing of how an actor was recognised. Invariant: what an actor may not see
//! does not exist for them, in any answer by any door.

use spec::api::TokenScope;
use store::db::ids::{AccountId, TokenId};
use store::db::repositories::{Repository, Viewer};

use crate::error::Error;

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
    pub by: By,
}

/// How an account was recognised.
#[derive(Debug, Clone)]
pub enum By {
    Token(TokenId),
    /// The session's own secret against forged forms.
    Session {
        csrf: String,
    },
}

/// What is to be done to a repository or its endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// Know that it is there: its page, card, schema.
    See,
    /// Read its files, weights included.
    Read,
    /// Ask its endpoint.
    Predict,
    /// Change its files, deploy and stop it.
    Write,
    /// Delete it, change who may see it.
    Administer,
}

impl Action {
    fn verb(self) -> &'static str {
        match self {
            Self::See => "see",
            Self::Read => "read",
            Self::Predict => "query",
            Self::Write => "change",
            Self::Administer => "administer",
        }
    }
}

/// What of a repository decides who may do what.
#[derive(Debug, Clone)]
pub struct Subject<'a> {
    pub name: &'a str,
    pub owner: AccountId,
    pub is_private: bool,
}

/// Whether the actor may do this. The error tells no more than the actor may know.
pub fn check(actor: &Actor, action: Action, subject: &Subject<'_>) -> Result<(), Error> {
    let is_owner = matches!(actor, Actor::Account(known) if known.id == subject.owner || known.is_admin);
    if subject.is_private && !is_owner {
        return Err(Error::RepositoryNotFound(subject.name.to_owned()));
    }
    if action <= Action::Predict {
        return Ok(());
    }
    let known = signed_in(actor)?;
    if !is_owner {
        let (actor, what) = (known.name.clone(), subject.name.to_owned());
        return Err(Error::Forbidden { actor, action: action.verb(), what });
    }
    can_write(known)
}

/// Whether the actor is one of those who may change it, by whatever token they came.
pub fn is_writer(actor: &Actor, subject: &Subject<'_>) -> bool {
    matches!(check(actor, Action::Write, subject), Ok(()) | Err(Error::ReadOnlyToken))
}

/// Whether the actor may make repositories of this account.
pub fn check_create(actor: &Actor, owner: AccountId, name: &str) -> Result<(), Error> {
    let known = signed_in(actor)?;
    if known.id != owner && !known.is_admin {
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

/// Whether the account came with something that may change things.
pub fn can_write(known: &Known) -> Result<(), Error> {
    match known.scope {
        TokenScope::Write => Ok(()),
        TokenScope::Read => Err(Error::ReadOnlyToken),
    }
}

/// What the actor sees in lists.
pub fn viewer(actor: &Actor) -> Viewer {
    match actor {
        Actor::Nobody => Viewer::Nobody,
        Actor::Account(known) if known.is_admin => Viewer::Everything,
        Actor::Account(known) => Viewer::Account(known.id),
    }
}

/// What of this repository decides.
pub fn subject<'a>(repository: &Repository, name: &'a str) -> Subject<'a> {
    Subject { name, owner: repository.owner_id, is_private: repository.is_private }
}
