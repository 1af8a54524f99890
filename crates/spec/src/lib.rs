//! What things mean: names, digests, tensors, schemas, manifests, facts and wire types.
//!
//! Pure. It knows no I/O, no clock and no randomness, so every function here gives the same answer to the
//! same question on every machine. Everybody may know `spec`; `spec` knows nobody.

pub mod api;
pub mod app;
pub mod attestation;
pub mod capsule;
pub mod card;
pub mod criteria;
pub mod diagnosis;
pub mod digest;
pub mod dsse;
pub mod facts;
pub mod floats;
pub mod folder_signature;
pub mod frame;
pub mod git;
pub mod handler;
pub mod limits;
pub mod manifest;
pub mod media;
pub mod name;
pub mod proof;
pub mod receipt;
pub mod rights;
pub mod schema;
pub mod tensor;
pub mod variance;
pub mod xet;
