//! The OpenAPI document of the server's own API.

use server::doors::api::openapi::Document;
use utoipa::OpenApi;

pub(super) fn json() -> Result<String, serde_json::Error> {
    Ok(format!("{}\n", serde_json::to_string_pretty(&Document::openapi())?))
}
