//! Organisations: accounts that own repositories and have members.
//!
//! Invariants: an organisation cannot sign in; who is not a member learns of it no more than its name; its members
//! are changed by those who administer it, but anybody may leave.

use spec::api::{Member, Organization, Page};
use spec::name::AccountName;
use spec::rights::Action;
use store::clock;
use store::db::accounts::{Account, AccountKind};
use store::db::{accounts as rows, members};

use super::access::{self, Actor, Known};
use super::accounts;
use super::events::{self, Done};
use crate::app::App;
use crate::error::{During, Error};
use crate::text;

/// Organisations that one account's list shows.
const ORGANIZATIONS: u32 = 200;

/// Makes an organisation that the actor administers.
pub async fn create(app: &App, actor: &Actor, name: &str) -> Result<Organization, Error> {
    let known = access::signed_in(actor)?;
    access::can_write(known)?;
    let name: AccountName = name.parse()?;
    let now_ms = clock::now_ms();
    let new = rows::NewAccount {
        name: &name,
        kind: AccountKind::Organization,
        password_hash: None,
        is_admin: false,
        created_ms: now_ms,
    };
    let made = match rows::create_organization(&app.store.db, &new, known.id).await {
        Err(store::Error::AlreadyExists { .. }) => {
            return Err(Error::AlreadyExists { what: "an account", name: name.to_string() });
        }
        result => result.during("store an organisation")?,
    };
    events::note(app, actor, Done { verb: "organization.create", subject: &made.name, detail: "" }).await;
    Ok(describe(&made, Action::Administer))
}

/// An organisation, for its members.
pub async fn get(app: &App, actor: &Actor, name: &str) -> Result<Organization, Error> {
    let (organization, role) = of_member(app, actor, name).await?;
    Ok(describe(&organization, role))
}

/// The organisations that whoever asks is a member of.
pub async fn list(app: &App, actor: &Actor) -> Result<Page<Organization>, Error> {
    let known = access::signed_in(actor)?;
    let found = members::organizations(&app.store.db, known.id, ORGANIZATIONS).await;
    let items = found.during("list organisations")?.into_iter().map(|membership| Organization {
        name: membership.name,
        role: membership.role,
        created: text::rfc3339(membership.created_ms),
    });
    Ok(Page { items: items.collect(), next: None })
}

/// The members of an organisation, for its members.
pub async fn members(
    app: &App,
    actor: &Actor,
    name: &str,
    after: Option<&str>,
    limit: u32,
) -> Result<Page<Member>, Error> {
    let (organization, _) = of_member(app, actor, name).await?;
    let page = members::list(&app.store.db, organization.id, after, limit).await.during("list members")?;
    let items = page.items.into_iter().map(|member| Member {
        name: member.name,
        role: member.role,
        since: text::rfc3339(member.created_ms),
    });
    Ok(Page { items: items.collect(), next: page.next })
}

/// Gives a member a role, or makes an account a member with it.
pub async fn put_member(
    app: &App,
    actor: &Actor,
    name: &str,
    (member, role): (&str, Action),
) -> Result<(), Error> {
    let organization = administered(app, actor, name).await?;
    let account = accounts::by_name(app, member).await?;
    if account.kind == AccountKind::Organization {
        return Err(Error::BadRequest("an organisation cannot be a member of another".to_owned()));
    }
    refuse_last(members::put(&app.store.db, organization.id, account.id, role, clock::now_ms()).await)?;
    app.rights.forget_all();
    let detail = format!("{}: {role}", account.name);
    events::note(app, actor, Done { verb: "member.put", subject: &organization.name, detail: &detail }).await;
    Ok(())
}

/// Ends a membership: one's own, or as somebody who administers the organisation.
pub async fn delete_member(app: &App, actor: &Actor, name: &str, member: &str) -> Result<(), Error> {
    let known = access::signed_in(actor)?;
    let organization = match known.name.eq_ignore_ascii_case(member) {
        true => {
            access::can_write(known)?;
            of_member(app, actor, name).await?.0
        }
        false => administered(app, actor, name).await?,
    };
    let account = accounts::by_name(app, member).await?;
    match members::delete(&app.store.db, organization.id, account.id).await {
        Err(store::Error::NotFound { .. }) => {
            return Err(Error::NotFound { what: "member", name: account.name });
        }
        result => refuse_last(result)?,
    }
    app.rights.forget_all();
    let done = Done { verb: "member.delete", subject: &organization.name, detail: &account.name };
    events::note(app, actor, done).await;
    Ok(())
}

/// The organisation, if the actor administers it.
pub async fn administered(app: &App, actor: &Actor, name: &str) -> Result<Account, Error> {
    let (organization, role) = of_member(app, actor, name).await?;
    let known = access::signed_in(actor)?;
    if role < Action::Administer {
        let (actor, what) = (known.name.clone(), organization.name);
        return Err(Error::Forbidden { actor, action: Action::Administer.verb(), what });
    }
    access::can_write(known)?;
    Ok(organization)
}

/// The organisation and what the actor may do as its member. Who is none is told that there is none.
async fn of_member(app: &App, actor: &Actor, name: &str) -> Result<(Account, Action), Error> {
    let known: &Known = access::signed_in(actor)?;
    let missing = || Error::NotFound { what: "organisation", name: name.to_owned() };
    let found = rows::by_name(&app.store.db, name).await.during("look up an account")?;
    let organization = found.filter(|account| account.kind == AccountKind::Organization);
    let organization = organization.ok_or_else(missing)?;
    let role = access::role(app, known, organization.id).await?.ok_or_else(missing)?;
    Ok((organization, role))
}

fn refuse_last(result: Result<(), store::Error>) -> Result<(), Error> {
    match result {
        Err(store::Error::LastAdmin) => Err(Error::LastAdmin),
        result => result.during("change a member"),
    }
}

fn describe(organization: &Account, role: Action) -> Organization {
    let (name, created) = (organization.name.clone(), text::rfc3339(organization.created_ms));
    Organization { name, role, created }
}
