//! The pages of organisations: making one, its members, inviting and leaving.
//!
//! Invariant: an invitation's secret is in the one answer to the form that made it.

use std::sync::Arc;

use axum::Form;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use serde::Deserialize;
use spec::api::{Invitation, Member, NewInvitation, Page};
use spec::rights::Action;

use super::place::{encode, with_query};
use super::sharing::{day, number, right};
use super::views::sharing::{
    InvitationLine, MemberLine, NewOrganizationPage, OrganizationPage, OrganizationsPage,
};
use super::visitor::Visitor;
use super::{Answer, Html, Shown, go_to, refusal, show};
use crate::app::App;
use crate::doors::address::Base;
use crate::error::Error;
use crate::ops::{invitations, organizations};

/// Members and invitations on one page.
const PAGE: u32 = 100;

/// Where the lists go on.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct After {
    /// Of members.
    after: String,
    /// Of invitations.
    invited: String,
}

/// Any form of these pages.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct OrganizationForm {
    csrf: String,
    action: String,
    name: String,
    who: String,
    right: String,
    email: String,
    id: String,
}

/// `/settings/organizations`
pub async fn list(State(app): State<Arc<App>>, visitor: Visitor) -> Shown {
    let found = organizations::list(&app, &visitor.actor).await?;
    let mut frame = visitor.frame("Organisations");
    frame.section = "organizations";
    let organizations = found.items.into_iter().map(|one| (one.name, one.role.as_str())).collect();
    show(&OrganizationsPage { frame, organizations })
}

/// `/organizations/new`
pub async fn new(visitor: Visitor) -> Shown {
    let frame = visitor.frame("New organisation");
    show(&NewOrganizationPage { frame, name: String::new(), complaint: None })
}

/// `POST /organizations/new`
pub async fn create(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    Form(form): Form<OrganizationForm>,
) -> Answer<Response, Html> {
    visitor.check_form(&form.csrf)?;
    match organizations::create(&app, &visitor.actor, form.name.trim()).await {
        Ok(made) => Ok(go_to(&format!("/organizations/{}", encode(&made.name)))),
        Err(error @ (Error::Name(_) | Error::AlreadyExists { .. })) => {
            let complaint = Some(refusal::sentence(&error.detail()));
            let frame = visitor.frame("New organisation");
            show(&NewOrganizationPage { frame, name: form.name, complaint })
        }
        Err(error) => Err(error.into()),
    }
}

/// `/organizations/{organization}`
pub async fn page(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    Query(after): Query<After>,
    visitor: Visitor,
) -> Shown {
    show(&blank(&app, &visitor, &name, &after).await?)
}

/// `POST /organizations/{organization}`
pub async fn act(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    base: Base,
    visitor: Visitor,
    Form(form): Form<OrganizationForm>,
) -> Answer<Response, Html> {
    visitor.check_form(&form.csrf)?;
    match take(&app, (&visitor, &base), &name, &form).await {
        Ok(Done::Left) => Ok(go_to("/settings/organizations")),
        Ok(Done::Quiet) => Ok(go_to(&format!("/organizations/{}", encode(&name)))),
        Ok(Done::Made(url)) => show(&OrganizationPage {
            made: Some(url),
            ..blank(&app, &visitor, &name, &After::default()).await?
        }),
        Err(error) if matches!(error.entry().status, 400 | 404 | 409) => {
            // Who is no member is told that there is nothing, by the page itself.
            let page = blank(&app, &visitor, &name, &After::default()).await?;
            show(&OrganizationPage { complaint: Some(refusal::sentence(&error.detail())), ..page })
        }
        Err(error) => Err(error.into()),
    }
}

/// What a form came to.
enum Done {
    Quiet,
    /// Whoever sent it is no member any more.
    Left,
    Made(String),
}

async fn take(
    app: &App,
    (visitor, base): (&Visitor, &Base),
    name: &str,
    form: &OrganizationForm,
) -> Result<Done, Error> {
    let (actor, who) = (&visitor.actor, form.who.trim());
    match form.action.as_str() {
        "put" => organizations::put_member(app, actor, name, (who, right(&form.right)?)).await?,
        "remove" => {
            organizations::delete_member(app, actor, name, who).await?;
            let is_self = visitor.name().is_some_and(|own| own.eq_ignore_ascii_case(who));
            return Ok(if is_self { Done::Left } else { Done::Quiet });
        }
        "uninvite" => {
            invitations::delete(app, actor, Some(name), number("invitation", &form.id)?).await?;
        }
        "invite" => {
            let email = form.email.trim().to_owned();
            let new = NewInvitation { role: Some(right(&form.right)?), email, expires: None };
            let (_, secret) = invitations::create(app, actor, Some(name), &new).await?;
            return Ok(Done::Made(base.invitation(secret.expose())));
        }
        other => return Err(Error::BadRequest(format!("`{other}` is no button of this page"))),
    }
    Ok(Done::Quiet)
}

async fn blank(app: &App, visitor: &Visitor, name: &str, from: &After) -> Result<OrganizationPage, Error> {
    let organization = organizations::get(app, &visitor.actor, name).await?;
    let after = Some(from.after.as_str()).filter(|after| !after.is_empty());
    let invited = Some(from.invited.as_str()).filter(|after| !after.is_empty());
    let members = organizations::members(app, &visitor.actor, name, after, PAGE).await?;
    let may_administer = organization.role >= Action::Administer;
    let invitations = match may_administer {
        true => invitations::list(app, &visitor.actor, Some(name), invited, PAGE).await?,
        false => Page { items: Vec::new(), next: None },
    };
    let here = format!("/organizations/{}", encode(&organization.name));
    Ok(OrganizationPage {
        frame: visitor.frame(&organization.name),
        members: members.items.into_iter().map(|member| member_line(visitor, member)).collect(),
        more_members: members.next.map(|next| with_query(&here, &[("after", &next)])),
        more_invitations: invitations.next.map(|next| with_query(&here, &[("invited", &next)])),
        invitations: invitations.items.into_iter().map(invitation_line).collect(),
        may_administer,
        made: None,
        complaint: None,
        name: organization.name,
    })
}

fn member_line(visitor: &Visitor, member: Member) -> MemberLine {
    let is_self = visitor.name() == Some(member.name.as_str());
    MemberLine { name: member.name, role: member.role.as_str(), is_self, since: day(member.since) }
}

fn invitation_line(invitation: Invitation) -> InvitationLine {
    InvitationLine {
        id: invitation.id,
        email: invitation.email,
        role: invitation.role.map(Action::as_str).unwrap_or_default(),
        by: invitation.invited_by,
        expires: day(invitation.expires),
    }
}
