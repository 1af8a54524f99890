//! What of a file's own words is kept in the facts: shortened, counted, in a fixed order.
//!
//! Knows no format. Invariant: nothing it returns is longer than `limits` says.

use std::collections::BTreeMap;

use crate::limits;

/// A text from a file, shortened for people.
pub(crate) fn short(text: &str) -> String {
    text.chars().take(limits::SHOWN_CHARS).collect()
}

/// Elements of a tensor of this shape; the largest number where there are more than can be counted.
pub(crate) fn n_elements(shape: &[u64]) -> u64 {
    shape.iter().fold(1, |n: u64, length| n.saturating_mul(*length))
}

/// Adds entries that a file carries about itself, as many and as long as are listed.
pub(crate) fn metadata(
    facts: &mut BTreeMap<String, String>,
    entries: impl IntoIterator<Item = (String, String)>,
) {
    for (key, value) in entries {
        if facts.len() >= limits::METADATA {
            break;
        }
        facts.insert(short(&key), value.chars().take(limits::METADATA_CHARS).collect());
    }
}
