//! The rules: what may happen, and who may make it happen.
//!
//! Knows neither HTTP nor SQL. Every door comes through here, so one rule holds for all protocols. Invariant:
//! every operation that takes an actor asks [`access`] before it does or tells anything.

pub mod access;
pub mod access_requests;
pub mod accounts;
pub mod answers;
pub mod apps;
pub mod attestations;
pub mod cards;
pub mod chunk_lists;
pub mod chunked_files;
pub mod copies;
pub mod discussions;
pub mod endpoints;
pub mod entries;
pub mod environments;
pub mod events;
pub mod facts;
pub mod grants;
pub mod health;
pub mod identities;
pub mod invitations;
pub mod keys;
pub mod likes;
pub mod links;
pub mod organizations;
pub mod quotas;
pub mod receipts;
pub mod refs;
pub mod repositories;
pub mod revisions;
pub mod sessions;
pub mod storage;
pub mod tokens;
pub mod transfers;
pub mod uploads;
pub mod webhooks;
pub mod xorbs;
