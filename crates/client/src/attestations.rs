//! Our own API of attestations: sending one.
//!
//! Knows addresses; the types are `spec::api`'s, which the server writes.

use spec::api::attestations::{Attestation, NewAttestation};
use spec::name::RepositoryName;

use crate::error::Error;
use crate::http::Client;
use crate::sharing::post;

/// Sends a signed statement of a replay.
pub async fn create(
    client: &Client,
    repository: &RepositoryName,
    new: &NewAttestation,
) -> Result<Attestation, Error> {
    let operation = format!("attest a replay of `{repository}`");
    post(client, &operation, &address(repository), new).await
}

fn address(repository: &RepositoryName) -> String {
    format!("/api/v1/models/{repository}/attestations")
}
