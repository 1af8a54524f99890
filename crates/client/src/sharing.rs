//! Our own API of sharing: grants, organisations, invitations, links, tokens.
//!
//! Knows addresses; the types are `spec::api`'s, which the server writes.

use reqwest::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;
use spec::api::{
    CreatedInvitation, CreatedLink, CreatedToken, Grant, Link, LinkChange, Member, NewGrant, NewInvitation,
    NewLink, NewMember, NewOrganization, NewToken, Organization, Page, Token,
};
use spec::name::{RepositoryKind, RepositoryName};
use spec::rights::Action;

use crate::error::Error;
use crate::http::{self, Client};

/// Gives somebody a right to a repository.
pub async fn grant(
    client: &Client,
    (kind, repository): (RepositoryKind, &RepositoryName),
    who: &str,
    action: Action,
) -> Result<(), Error> {
    let operation = format!("give `{who}` a right to `{repository}`");
    let path = format!("/api/v1/{kind}s/{repository}/grants/{who}");
    http::send_safe(&operation, client.request(Method::PUT, &path).json(&NewGrant { action })).await.map(drop)
}

/// Takes a right back.
pub async fn revoke_grant(
    client: &Client,
    (kind, repository): (RepositoryKind, &RepositoryName),
    who: &str,
) -> Result<(), Error> {
    let operation = format!("take back what `{who}` may do with `{repository}`");
    let path = format!("/api/v1/{kind}s/{repository}/grants/{who}");
    http::send_safe(&operation, client.request(Method::DELETE, &path)).await.map(drop)
}

/// The rights that were given to a repository.
pub async fn grants(
    client: &Client,
    (kind, repository): (RepositoryKind, &RepositoryName),
) -> Result<Vec<Grant>, Error> {
    let operation = format!("list who may do what with `{repository}`");
    all(client, &operation, &format!("/api/v1/{kind}s/{repository}/grants")).await
}

/// Makes an organisation.
pub async fn create_organization(client: &Client, name: &str) -> Result<Organization, Error> {
    let new = NewOrganization { name: name.to_owned() };
    post(client, &format!("make the organisation `{name}`"), "/api/v1/organizations", &new).await
}

/// The organisations that one is a member of.
pub async fn organizations(client: &Client) -> Result<Vec<Organization>, Error> {
    all(client, "list organisations", "/api/v1/organizations").await
}

/// The members of an organisation.
pub async fn members(client: &Client, organization: &str) -> Result<Vec<Member>, Error> {
    let operation = format!("list the members of `{organization}`");
    all(client, &operation, &format!("/api/v1/organizations/{organization}/members")).await
}

/// Gives a member a role, or makes an account a member.
pub async fn put_member(
    client: &Client,
    organization: &str,
    (member, role): (&str, Action),
) -> Result<(), Error> {
    let operation = format!("make `{member}` a member of `{organization}`");
    let path = format!("/api/v1/organizations/{organization}/members/{member}");
    http::send_safe(&operation, client.request(Method::PUT, &path).json(&NewMember { role })).await.map(drop)
}

/// Ends a membership.
pub async fn delete_member(client: &Client, organization: &str, member: &str) -> Result<(), Error> {
    let operation = format!("end the membership of `{member}` in `{organization}`");
    let path = format!("/api/v1/organizations/{organization}/members/{member}");
    http::send_safe(&operation, client.request(Method::DELETE, &path)).await.map(drop)
}

/// Invites somebody to an organisation, or to the server where none is named.
pub async fn invite(
    client: &Client,
    organization: Option<&str>,
    new: &NewInvitation,
) -> Result<CreatedInvitation, Error> {
    let path = match organization {
        Some(organization) => format!("/api/v1/organizations/{organization}/invitations"),
        None => "/api/v1/invitations".to_owned(),
    };
    post(client, "make an invitation", &path, new).await
}

/// Makes a link to a model, or for a dry run only tells what it would give away.
pub async fn create_link(
    client: &Client,
    repository: &RepositoryName,
    new: &NewLink,
) -> Result<CreatedLink, Error> {
    let operation = format!("make a link to `{repository}`");
    post(client, &operation, &format!("/api/v1/models/{repository}/links"), new).await
}

/// The links to a model, or with none named those that one made.
pub async fn links(client: &Client, repository: Option<&RepositoryName>) -> Result<Vec<Link>, Error> {
    let path = match repository {
        Some(repository) => format!("/api/v1/models/{repository}/links"),
        None => "/api/v1/links".to_owned(),
    };
    all(client, "list links", &path).await
}

/// One link.
pub async fn link(client: &Client, id: i64) -> Result<Link, Error> {
    let operation = format!("look up link {id}");
    let response = http::send_safe(&operation, client.request(Method::GET, &link_path(id))).await?;
    http::read_json(&operation, response).await
}

/// Lets a link live longer or be asked more often.
pub async fn change_link(client: &Client, id: i64, change: &LinkChange) -> Result<Link, Error> {
    let operation = format!("extend link {id}");
    let response =
        http::send_safe(&operation, client.request(Method::PUT, &link_path(id)).json(change)).await?;
    http::read_json(&operation, response).await
}

/// Ends a link for good.
pub async fn revoke_link(client: &Client, id: i64) -> Result<(), Error> {
    let operation = format!("revoke link {id}");
    http::send_safe(&operation, client.request(Method::DELETE, &link_path(id))).await.map(drop)
}

/// Makes a token.
pub async fn create_token(client: &Client, new: &NewToken) -> Result<CreatedToken, Error> {
    post(client, "make a token", "/api/v1/tokens", new).await
}

/// One's own tokens.
pub async fn tokens(client: &Client) -> Result<Vec<Token>, Error> {
    all(client, "list tokens", "/api/v1/tokens").await
}

/// Takes a token back.
pub async fn revoke_token(client: &Client, id: i64) -> Result<(), Error> {
    let operation = format!("revoke token {id}");
    let path = format!("/api/v1/tokens/{id}");
    http::send_safe(&operation, client.request(Method::DELETE, &path)).await.map(drop)
}

fn link_path(id: i64) -> String {
    format!("/api/v1/links/{id}")
}

pub(crate) async fn post<T: DeserializeOwned>(
    client: &Client,
    operation: &str,
    path: &str,
    body: &impl Serialize,
) -> Result<T, Error> {
    // Sent once: a second time would make a second one.
    let response = http::send_when_asked(operation, client.request(Method::POST, path).json(body)).await?;
    http::read_json(operation, response).await
}

/// All pages of a list.
pub(crate) async fn all<T: DeserializeOwned>(
    client: &Client,
    operation: &str,
    path: &str,
) -> Result<Vec<T>, Error> {
    let mut items = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let request = client.request(Method::GET, path);
        let request = match &after {
            Some(after) => request.query(&[("after", after)]),
            None => request,
        };
        let response = http::send_safe(operation, request).await?;
        let page: Page<T> = http::read_json(operation, response).await?;
        items.extend(page.items);
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(items),
        }
    }
}
