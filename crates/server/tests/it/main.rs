//! The server, driven over HTTP as its clients drive it.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that fails says so by a panic"
)]

mod access_matrix;
mod attestations;
// What the store's tests start from, too.
#[path = "../../../store/tests/it/bucket.rs"]
#[expect(dead_code, reason = "a bucket that fails is for the store's tests")]
mod bucket;
mod collecting;
mod copies;
mod hub_access_requests;
mod hub_commits;
mod hub_discussions;
mod hub_files;
mod hub_lists;
mod hub_repositories;
mod hub_uploads;
mod people;
#[path = "../../../store/tests/it/postgres.rs"]
mod postgres;
mod server;
mod snapshots;
mod webhooks;
mod xet;
mod xet_faults;
