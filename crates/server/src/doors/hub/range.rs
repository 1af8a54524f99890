//! The header `Range`: which part of a file somebody wants (RFC 9110, section 14).
//!
//! Invariant: what is no single range of bytes is not understood and so answered with the whole file.

use std::ops::Range;

/// What a header asks of a file of so many bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    Whole,
    Part(Range<u64>),
    /// No byte of it is in the file.
    Outside,
}

/// Reads the header's value.
pub fn parse(value: Option<&str>, n_bytes: u64) -> Wanted {
    let Some((first, last)) = value.and_then(bounds) else { return Wanted::Whole };
    let range = match (number(first), number(last)) {
        (Some(Some(start)), Some(Some(last))) if start <= last => start..last.saturating_add(1).min(n_bytes),
        (Some(Some(start)), Some(None)) => start..n_bytes,
        (Some(None), Some(Some(n_last))) => n_bytes.saturating_sub(n_last)..n_bytes,
        _ => return Wanted::Whole,
    };
    if range.is_empty() { Wanted::Outside } else { Wanted::Part(range) }
}

/// The texts before and after the `-` of a single range.
fn bounds(value: &str) -> Option<(&str, &str)> {
    let (unit, range) = value.trim().split_once('=')?;
    let (first, last) = range.split_once('-')?;
    (unit.trim().eq_ignore_ascii_case("bytes") && !range.contains(',')).then(|| (first.trim(), last.trim()))
}

/// `None` for what is no number, `Some(None)` for nothing at all.
fn number(text: &str) -> Option<Option<u64>> {
    match text {
        "" => Some(None),
        _ if text.bytes().all(|b| b.is_ascii_digit()) => Some(Some(text.parse().unwrap_or(u64::MAX))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_cut_to_the_file() {
        let check = |value, wanted| assert_eq!(parse(Some(value), 10), wanted, "{value}");
        check("bytes=0-0", Wanted::Part(0..1));
        check("bytes=4-", Wanted::Part(4..10));
        check("bytes=-3", Wanted::Part(7..10));
        check("bytes=-99", Wanted::Part(0..10));
        check("Bytes = 8-99999999999999999999999", Wanted::Part(8..10));
        check("bytes=10-", Wanted::Outside);
        check("bytes=-0", Wanted::Outside);
    }

    #[test]
    fn what_is_not_understood_is_the_whole() {
        for value in ["bytes=0-1,3-4", "bytes=5-4", "lines=0-1", "bytes=a-b", "bytes=-", "bytes", ""] {
            assert_eq!(parse(Some(value), 10), Wanted::Whole, "{value}");
        }
        assert_eq!(parse(None, 10), Wanted::Whole);
        assert_eq!(parse(Some("bytes=0-"), 0), Wanted::Outside);
    }
}
