//! Large files in chunks, by the Xet protocol: of a file only those chunks travel that are not there yet.
//!
//! Knows nothing of folders and commits. Invariants: a pass is sent to the store that it was given for and nowhere else;
//! what a store says of chunks is believed only where their hashes say the same; memory stays flat for any file.

pub(crate) mod cut;
pub(crate) mod fetch;
pub(crate) mod plan;
pub(crate) mod session;
pub(crate) mod upload;
