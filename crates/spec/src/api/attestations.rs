//! Wire types of attestations: what is sent, and what is shown.
//!
//! Knows no HTTP. Invariant: what is shown beside a signed statement is read from it, and the statement itself can be had,
//! so that nobody needs to believe the server.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::dsse::Jwk;

/// A signed statement of somebody who ran a recording again, and the key that it was signed with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAttestation {
    /// A DSSE envelope with an in-toto statement; at most 1 MiB.
    pub statement: String,
    /// The public key. The first statement that it signs here ties it to the account.
    pub key: Jwk,
}

/// What a statement says, in short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Stated {
    /// Id of the recording, 12 hex digits.
    pub capsule: String,
    /// SHA-256 of its `capsule.json`.
    pub sha256: String,
    /// The commit that it was taken from.
    pub revision: String,
    /// `bitwise`, `process`, `outcome` or `different`.
    pub verdict: String,
    /// Each criterion, such as `weights`: `equal`, `different` or `not comparable`.
    pub criteria: BTreeMap<String, String>,
    /// Facts about the machine that it ran on.
    pub machine: BTreeMap<String, String>,
    /// When it was stated, as whoever stated it says.
    pub stated: String,
}

/// What somebody stated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Attestation {
    pub id: i64,
    /// The account.
    pub by: String,
    /// Whether the account could not change the model when it stated this.
    pub independent: bool,
    #[serde(flatten)]
    pub said: Stated,
    /// When the server took it.
    pub created: String,
    /// The signed statement; in lists it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statement: Option<String>,
    /// The key that signed it; in lists it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Jwk>,
}
