//! The OpenAPI document of our API, made from the handlers and types that it describes.
//!
//! Invariant: what is served here is what the snapshot test holds against the docs.

use axum::Json;
use utoipa::OpenApi;

use super::endpoints::{traffic, watch};
use super::{
    accounts, apps, attestations, endpoints, events, files, grants, invitations, links, organizations,
    repositories, sessions, tokens, webhooks,
};
use crate::doors::keys;

/// The document.
#[derive(Debug, OpenApi)]
#[openapi(
    info(
        title = "Reenact",
        description = "Share machine-learning models so that others can find them, try them and check them. \
            Predictions are asked of `/endpoints/OWNER/NAME/` by the Open Inference Protocol, KServe V1 or MLflow \
            scoring; files move by the Hugging Face Hub protocol."
    ),
    paths(
        accounts::me, accounts::change, accounts::leave, accounts::export, events::list,
        sessions::list, sessions::revoke_others, sessions::revoke,
        tokens::list, tokens::create, tokens::revoke,
        repositories::model, repositories::dataset, files::fetch,
        webhooks::list, webhooks::create, webhooks::get, webhooks::change, webhooks::delete, webhooks::test,
        webhooks::deliveries, webhooks::redeliver,
        attestations::list, attestations::create, attestations::get, attestations::delete,
        grants::list, grants::put, grants::delete,
        links::list, links::create, links::mine, links::get, links::change, links::revoke, links::proof,
        organizations::list, organizations::create, organizations::get, organizations::members,
        organizations::put_member, organizations::delete_member, organizations::invitations,
        organizations::invite, organizations::delete_invitation,
        invitations::list, invitations::create, invitations::delete, invitations::accept,
        endpoints::list, endpoints::deploy, endpoints::get, endpoints::stop,
        traffic::change, traffic::set_targets, traffic::promote, traffic::roll_back,
        watch::logs, watch::metrics, watch::requests,
        apps::get, apps::start, apps::stop, apps::logs,
        keys::list,
    ),
    tags(
        (name = "accounts", description = "Who asks"),
        (name = "tokens", description = "Secrets that act for an account"),
        (name = "repositories", description = "Models and data sets"),
        (name = "sharing", description = "Who may do what"),
        (name = "webhooks", description = "Addresses that are told of what happens"),
        (name = "organizations", description = "Accounts with members"),
        (name = "endpoints", description = "Where models answer"),
        (name = "apps", description = "Gradio and Streamlit apps beside models"),
        (name = "attestations", description = "Signed statements of who ran a recorded training again"),
        (name = "receipts", description = "Signed statements of what was answered"),
    )
)]
pub struct Document;

/// The document as JSON.
pub async fn document() -> Json<utoipa::openapi::OpenApi> {
    Json(Document::openapi())
}
