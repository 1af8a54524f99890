//! The server: doors that speak protocols, ops that hold the rules, jobs that work in the background.
//!
//! Knows `spec`, `store` and `inspect`; a model never runs in this process. Invariant: a request passes
//! `router` (which) -> `doors` (translate) -> `ops` (decide) -> `store` (remember), and nothing skips a room.

pub mod admin;
mod anonymity;
pub mod app;
mod deadline;
pub mod doors;
pub mod error;
pub mod gateway;
pub mod jobs;
pub mod oidc;
pub mod ops;
pub mod outbound;
pub mod predict;
pub mod provider;
pub mod rates;
mod reactor;
pub mod router;
pub mod secrets;
pub mod serve;
pub mod settings;
mod sketch;
mod standard_webhooks;
pub mod text;
