//! Invitations: letting somebody in, to the server or to an organisation, by an address that works once.
//!
//! Invariants: the secret is told once, when it is made; who holds it may make one account, or join with the one
//! they have; an organisation's invitation to somebody new is also one to the server.

use spec::api::{CreatedInvitation, Invitation, NewInvitation, Page};
use spec::name::AccountName;
use spec::rights::Action;
use store::clock;
use store::db::accounts as rows;
use store::db::accounts::Account;
use store::db::ids::{AccountId, InvitationId};
use store::db::invitations;

use super::access::{self, Actor};
use super::events::{self, Done};
use super::sessions::Browser;
use super::{accounts, organizations, sessions};
use crate::app::App;
use crate::deadline;
use crate::error::{During, Error};
use crate::secrets::{self, Secret};
use crate::text;

/// How long an invitation lives where nobody says.
const LIFETIME: &str = "7d";

/// Invites to an organisation, or with none to the server, which only an admin may.
pub async fn create(
    app: &App,
    actor: &Actor,
    organization: Option<&str>,
    new: &NewInvitation,
) -> Result<(CreatedInvitation, Secret), Error> {
    let place = place(app, actor, organization).await?;
    let (made, secret) = store(app, place.as_ref(), &access::signed_in(actor)?.name, new).await?;
    let subject = place.as_ref().map_or("the server", |organization| organization.name.as_str());
    events::note(app, actor, Done { verb: "invitation.create", subject, detail: &made.email }).await;
    let invitation = describe(made, place.as_ref().map(|organization| organization.name.clone()));
    Ok((CreatedInvitation { invitation, url: String::new() }, secret))
}

/// Invites to the server without asking who asks: for the operator's own command.
pub async fn create_for(app: &App, by: &str, new: &NewInvitation) -> Result<Secret, Error> {
    let (_, secret) = store(app, None, by, new).await?;
    events::note(app, &Actor::Nobody, Done { verb: "invitation.create", subject: "the server", detail: by })
        .await;
    Ok(secret)
}

async fn store(
    app: &App,
    organization: Option<&Account>,
    by: &str,
    new: &NewInvitation,
) -> Result<(invitations::Invitation, Secret), Error> {
    if new.email.len() > spec::limits::NAME_BYTES || new.email.chars().any(char::is_control) {
        return Err(Error::BadRequest("an e-mail address has at most 96 characters".to_owned()));
    }
    let secret = secrets::generate("")?;
    let now_ms = clock::now_ms();
    let role = new.role.unwrap_or(Action::Read);
    let row = invitations::NewInvitation {
        hash: &secret.hash(),
        organization: organization.map(|organization| (organization.id, role)),
        email: new.email.trim(),
        invited_by: by,
        created_ms: now_ms,
        expires_ms: deadline::parse(new.expires.as_deref().unwrap_or(LIFETIME), now_ms)?,
    };
    let made = invitations::create(&app.store.db, &row).await.during("store an invitation")?;
    Ok((made, secret))
}

/// The invitations that nobody has taken yet.
pub async fn list(
    app: &App,
    actor: &Actor,
    organization: Option<&str>,
    after: Option<&str>,
    limit: u32,
) -> Result<Page<Invitation>, Error> {
    let place = place(app, actor, organization).await?;
    let page = invitations::list(&app.store.db, id(place.as_ref()), after, limit).await;
    let page = page.during("list invitations")?;
    let name = place.map(|organization| organization.name);
    Ok(Page {
        items: page.items.into_iter().map(|row| describe(row, name.clone())).collect(),
        next: page.next,
    })
}

/// Takes an invitation back.
pub async fn delete(
    app: &App,
    actor: &Actor,
    organization: Option<&str>,
    invitation: i64,
) -> Result<(), Error> {
    let place = place(app, actor, organization).await?;
    match invitations::delete(&app.store.db, id(place.as_ref()), InvitationId(invitation)).await {
        Err(store::Error::NotFound { .. }) => {
            Err(Error::NotFound { what: "invitation", name: invitation.to_string() })
        }
        result => result.during("delete an invitation"),
    }
}

/// What an invitation leads to, for whoever holds it.
pub async fn look(app: &App, secret: &Secret) -> Result<Invitation, Error> {
    let found = invitations::by_hash(&app.store.db, &secret.hash(), clock::now_ms()).await;
    let row = found.during("look up an invitation")?.ok_or(Error::BadInvitation)?;
    let name = match row.organization_id {
        Some(organization) => {
            let account = rows::by_id(&app.store.db, organization).await.during("look up an account")?;
            account.map(|account| account.name)
        }
        None => None,
    };
    Ok(describe(row, name))
}

/// Joins with the account that the actor has.
pub async fn accept(app: &App, actor: &Actor, secret: &Secret) -> Result<Invitation, Error> {
    let known = access::signed_in(actor)?;
    access::can_write(known)?;
    let invitation = look(app, secret).await?;
    take(app, secret, known.id).await?;
    let subject = invitation.organization.as_deref().unwrap_or("the server");
    events::note(app, actor, Done { verb: "invitation.accept", subject, detail: "" }).await;
    Ok(invitation)
}

/// Makes an account of that name and password for whoever holds the invitation; returns its session's secret.
pub async fn sign_up(
    app: &App,
    secret: &Secret,
    (name, password): (&str, String),
    browser: &Browser,
) -> Result<Secret, Error> {
    let name: AccountName = name.parse()?;
    look(app, secret).await?;
    let hash = sessions::hash_password(app, password).await?;
    let account = accounts::create(app, &name, Some(&hash), false).await?;
    // Somebody else may have taken it in this very moment: then the account goes again.
    if let Err(error) = take(app, secret, account.id).await {
        rows::delete(&app.store.db, account.id).await.during("undo an account")?;
        return Err(error);
    }
    let actor = Actor::Account(accounts::known(&account));
    events::note(app, &actor, Done { verb: "account.create", subject: &account.name, detail: "invited" })
        .await;
    sessions::start(app, &account, browser).await
}

async fn take(app: &App, secret: &Secret, account: AccountId) -> Result<(), Error> {
    let taken = invitations::accept(&app.store.db, &secret.hash(), account, clock::now_ms()).await;
    taken.during("take an invitation")?.ok_or(Error::BadInvitation)?;
    app.rights.forget_all();
    Ok(())
}

async fn place(app: &App, actor: &Actor, organization: Option<&str>) -> Result<Option<Account>, Error> {
    match organization {
        Some(name) => organizations::administered(app, actor, name).await.map(Some),
        None => access::check_admin(actor, "invite to", "the server").map(|()| None),
    }
}

fn id(organization: Option<&Account>) -> Option<AccountId> {
    organization.map(|organization| organization.id)
}

fn describe(row: invitations::Invitation, organization: Option<String>) -> Invitation {
    Invitation {
        id: row.id.0,
        organization,
        role: row.role.and_then(|role| role.parse().ok()),
        email: row.email,
        invited_by: row.invited_by,
        expires: text::rfc3339(row.expires_ms),
    }
}
