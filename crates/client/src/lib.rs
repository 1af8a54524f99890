//! Talks to a Reenact server: the Hub protocol for files, our own API for the rest.
//!
//! Knows nothing of terminals and prints nothing: whoever calls is told by values, by errors with hints, and
//! by a [`progress::Progress`]. Invariants: a secret is sent to the server it belongs to and nowhere else, and
//! no file is written outside the folder that the caller named.

pub mod api;
pub mod apps;
pub mod attestations;
pub mod cache;
pub mod credentials;
pub mod error;
pub mod http;
pub mod hub;
pub mod progress;
pub mod pull;
pub mod push;
pub mod receipts;
pub mod secret;
pub mod sharing;
pub mod webhooks;
mod xet;
