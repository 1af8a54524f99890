//! Organisations, their members, and the invitations to them.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use serde::Deserialize;
use spec::api::{
    CreatedInvitation, Invitation, Member, NewInvitation, NewMember, NewOrganization, Organization, Page,
    Problem,
};

use super::{Api, PageQuery, read};
use crate::app::App;
use crate::doors::Answer;
use crate::doors::address::Base;
use crate::doors::identity::Asker;
use crate::error::Error;
use crate::ops::{invitations, organizations};

/// The address of an organisation, and of what belongs to it.
#[derive(Debug, Deserialize)]
pub struct Place {
    organization: String,
    #[serde(default)]
    member: String,
    #[serde(default)]
    id: String,
}

/// The organisations that whoever asks is a member of.
#[utoipa::path(get, path = "/api/v1/organizations", tag = "organizations",
    responses((status = 200, body = Page<Organization>), (status = 401, body = Problem)))]
pub async fn list(State(app): State<Arc<App>>, asker: Asker<Api>) -> Answer<Json<Page<Organization>>, Api> {
    Ok(Json(organizations::list(&app, &asker.actor).await?))
}

/// Makes an organisation, which whoever asks administers.
#[utoipa::path(post, path = "/api/v1/organizations", tag = "organizations", request_body = NewOrganization,
    responses((status = 201, body = Organization), (status = 409, body = Problem)))]
pub async fn create(
    State(app): State<Arc<App>>,
    asker: Asker<Api>,
    body: Bytes,
) -> Answer<(StatusCode, Json<Organization>), Api> {
    let new: NewOrganization = read(&body)?;
    let made = organizations::create(&app, &asker.actor, &new.name).await?;
    Ok((StatusCode::CREATED, Json(made)))
}

/// An organisation, for its members.
#[utoipa::path(get, path = "/api/v1/organizations/{organization}", tag = "organizations",
    params(("organization" = String, Path)),
    responses((status = 200, body = Organization), (status = 404, body = Problem)))]
pub async fn get(
    State(app): State<Arc<App>>,
    Path(place): Path<Place>,
    asker: Asker<Api>,
) -> Answer<Json<Organization>, Api> {
    Ok(Json(organizations::get(&app, &asker.actor, &place.organization).await?))
}

/// The members of an organisation, for its members.
#[utoipa::path(get, path = "/api/v1/organizations/{organization}/members", tag = "organizations",
    params(("organization" = String, Path), PageQuery),
    responses((status = 200, body = Page<Member>), (status = 404, body = Problem)))]
pub async fn members(
    State(app): State<Arc<App>>,
    Path(place): Path<Place>,
    Query(page): Query<PageQuery>,
    asker: Asker<Api>,
) -> Answer<Json<Page<Member>>, Api> {
    let (after, limit) = (page.after.as_deref(), page.limit());
    Ok(Json(organizations::members(&app, &asker.actor, &place.organization, after, limit).await?))
}

/// Gives a member a role, or makes an account a member with it.
#[utoipa::path(put, path = "/api/v1/organizations/{organization}/members/{member}", tag = "organizations",
    request_body = NewMember, params(("organization" = String, Path), ("member" = String, Path)),
    responses((status = 204), (status = 403, body = Problem), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub async fn put_member(
    State(app): State<Arc<App>>,
    Path(place): Path<Place>,
    asker: Asker<Api>,
    body: Bytes,
) -> Answer<StatusCode, Api> {
    let role = read::<NewMember>(&body)?.role;
    organizations::put_member(&app, &asker.actor, &place.organization, (&place.member, role)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ends a membership: anybody's own, or as an admin of the organisation.
#[utoipa::path(delete, path = "/api/v1/organizations/{organization}/members/{member}", tag = "organizations",
    params(("organization" = String, Path), ("member" = String, Path)),
    responses((status = 204), (status = 403, body = Problem), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub async fn delete_member(
    State(app): State<Arc<App>>,
    Path(place): Path<Place>,
    asker: Asker<Api>,
) -> Answer<StatusCode, Api> {
    organizations::delete_member(&app, &asker.actor, &place.organization, &place.member).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Invitations to an organisation that nobody has taken yet.
#[utoipa::path(get, path = "/api/v1/organizations/{organization}/invitations", tag = "organizations",
    params(("organization" = String, Path), PageQuery),
    responses((status = 200, body = Page<Invitation>), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub async fn invitations(
    State(app): State<Arc<App>>,
    Path(place): Path<Place>,
    Query(page): Query<PageQuery>,
    asker: Asker<Api>,
) -> Answer<Json<Page<Invitation>>, Api> {
    let (after, limit) = (page.after.as_deref(), page.limit());
    let organization = Some(place.organization.as_str());
    Ok(Json(invitations::list(&app, &asker.actor, organization, after, limit).await?))
}

/// Invites somebody to an organisation. The address in the answer works once, and is told nowhere else.
#[utoipa::path(post, path = "/api/v1/organizations/{organization}/invitations", tag = "organizations",
    request_body = NewInvitation, params(("organization" = String, Path)),
    responses((status = 201, body = CreatedInvitation), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub async fn invite(
    State(app): State<Arc<App>>,
    Path(place): Path<Place>,
    base: Base,
    asker: Asker<Api>,
    body: Bytes,
) -> Answer<(StatusCode, Json<CreatedInvitation>), Api> {
    let organization = Some(place.organization.as_str());
    let (made, secret) = invitations::create(&app, &asker.actor, organization, &read(&body)?).await?;
    let url = base.invitation(secret.expose());
    Ok((StatusCode::CREATED, Json(CreatedInvitation { url, ..made })))
}

/// Takes an invitation back.
#[utoipa::path(delete, path = "/api/v1/organizations/{organization}/invitations/{id}", tag = "organizations",
    params(("organization" = String, Path), ("id" = i64, Path)),
    responses((status = 204), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub async fn delete_invitation(
    State(app): State<Arc<App>>,
    Path(place): Path<Place>,
    asker: Asker<Api>,
) -> Answer<StatusCode, Api> {
    let id = place.id.parse().map_err(|_| Error::NotFound { what: "invitation", name: place.id.clone() })?;
    invitations::delete(&app, &asker.actor, Some(&place.organization), id).await?;
    Ok(StatusCode::NO_CONTENT)
}
