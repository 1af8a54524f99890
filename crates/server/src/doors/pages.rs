//! The door for people: pages rendered by the server.

use axum::http::StatusCode;

pub mod assets;
pub mod views;

/// What every address without a page is answered.
pub async fn not_found() -> StatusCode {
    StatusCode::NOT_FOUND
}
