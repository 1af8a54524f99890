//! What pages show: one struct with a template for each page, and the small parts they share.
//!
//! Pure: they know no request, no rights and no storage, and hold texts that are ready to be read. Invariant:
//! all text is escaped by the templates; the one field that is not, a rendered card, was sanitised before.

pub mod account;
pub mod files;
pub mod frame;
pub mod front;
pub mod message;
pub mod repository;
pub mod web_app;
