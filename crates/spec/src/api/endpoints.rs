//! Wire types of endpoints beyond what each is: targets, limits, what was counted and recorded.
//!
//! Knows no HTTP. Invariant: shares are whole percents that add up to a hundred.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::EndpointState;

/// A revision that answers for an endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Target {
    /// The commit, 40 hex digits.
    pub revision: String,
    /// How many requests of a hundred it answers.
    pub percent: u8,
    pub state: EndpointState,
    /// Runtimes that hold it now.
    pub replicas: usize,
}

/// What an endpoint may take, as its owner set it or else as the operator did.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct EndpointOptions {
    /// Runtimes that never go to sleep, for each target.
    pub min_replicas: usize,
    /// Most runtimes for each target.
    pub max_replicas: usize,
    /// Requests to one target that may be under way at a time.
    pub concurrency: usize,
    /// Such as `60s`.
    pub request_timeout: String,
    pub load_timeout: String,
    pub idle_after: String,
    /// Such as `4 GiB`.
    pub memory: String,
    /// Which part of the requests is recorded, 0 to 1.
    pub log_sample: f64,
}

/// Changes options by name. `default` stands for the operator's choice.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(transparent)]
pub struct EndpointChange(
    /// Each a number or a text.
    pub BTreeMap<String, serde_json::Value>,
);

/// Deals the requests out anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTargets {
    /// Their percents add up to 100.
    pub targets: Vec<NewTarget>,
}

/// A revision that was deployed before, and its share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTarget {
    /// A branch, a tag or a commit.
    pub revision: String,
    /// 1 to 100.
    pub percent: u8,
}

/// What was counted of an endpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct EndpointMetrics {
    /// `owner/name`
    pub repository: String,
    /// The last hour by the minute, oldest first; minutes in which nothing happened are left out. As the server counted
    /// that answers.
    pub minutes: Vec<Usage>,
    /// The last month by the hour, oldest first, of all servers, up to what was stored last.
    pub hours: Vec<Usage>,
}

/// What was counted in some time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Usage {
    /// When that time began.
    pub from: String,
    pub requests: u64,
    pub errors: u64,
    /// Runtimes that were started because a request waited for one.
    pub cold_starts: u64,
    /// Time that its processes computed, in seconds.
    pub cpu_s: f64,
    /// Half of the requests took at most so many seconds; left out where there were none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p50_s: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p95_s: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p99_s: Option<f64>,
    /// Requests by how long they took: up to 0.1 ms, then each bound four times the last; the last has the rest.
    pub latency: Vec<u64>,
}

/// A request that was recorded because the endpoint's owner asked for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct RecordedRequest {
    pub at: String,
    /// The commit that answered, 40 hex digits.
    pub revision: String,
    /// In seconds.
    pub took_s: f64,
    /// `answered`, or the code of the error.
    pub outcome: String,
    /// The input tensors as JSON, cut off where they are long.
    pub request: String,
    /// The output tensors as JSON, or what went wrong.
    pub response: String,
}
