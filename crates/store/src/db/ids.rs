//! Ids of rows, one type for each table, so that none is taken for another's.
//!
//! Refuses to be made up: ids come from rows. They count up and never come back after a deletion.

use serde::{Deserialize, Serialize};

use super::query::Value;

macro_rules! id {
    ($($name:ident),+) => {$(
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, sqlx::Type)]
        #[serde(transparent)]
        #[sqlx(transparent)]
        pub struct $name(pub i64);

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = std::num::ParseIntError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }

        impl From<$name> for Value {
            fn from(id: $name) -> Self {
                Self::Integer(Some(id.0))
            }
        }
    )+};
}

id!(
    AccountId,
    TokenId,
    InvitationId,
    LinkId,
    EventId,
    RepositoryId,
    RevisionId,
    TreeId,
    EndpointId,
    JobId,
    AccessRequestId,
    DiscussionId,
    RecordedRequestId,
    WebhookId,
    DeliveryId,
    AnswerId,
    AttestationId,
    XorbId,
    ChunkedFileId
);
