//! Proofs of links: what a review link has led to since it was made.
//!
//! Pure. Tells nothing of whose the model is. Invariant: all that is stated was settled when the link was made, so
//! that a proof says the same whenever it is asked for.

use serde::{Deserialize, Serialize};

use crate::digest::{Oid, Sha256};
use crate::dsse::{Digests, Predicate, Subject};

/// What a server states of a link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkProof {
    /// SHA-256 of the link's secret: whoever has the link can tell that it is meant.
    pub link: Sha256,
    /// The commit that it leads to.
    pub revision: Oid,
    /// When that commit was made; RFC 3339, UTC.
    pub revision_time: String,
    /// SHA-256 of the list of all files, one `digest  path` a line in the order of the paths' bytes.
    pub files: Sha256,
    /// SHA-256 of the file that is served.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights: Option<Sha256>,
    /// When the link was made; RFC 3339, UTC.
    pub time: String,
}

impl Predicate for LinkProof {
    const TYPE: &'static str = "urn:reenact:link:v1";

    fn subject(&self) -> Vec<Subject> {
        vec![Subject { name: "files".to_owned(), digest: Digests { sha256: self.files } }]
    }
}
