//! Numbers and times as people and protocols read them.
//!
//! Pure. Invariant: times are UTC and end in `Z`, as Hub clients insist.

use time::OffsetDateTime;
use time::macros::format_description;

/// Milliseconds since 1970 as RFC 3339 with milliseconds, such as `2026-11-21T01:02:03.456Z`.
pub fn rfc3339(ms: i64) -> String {
    let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
    at(ms).format(&format).unwrap_or_default()
}

/// Milliseconds since 1970 as a day, such as `21 Nov 2026`.
pub fn day(ms: i64) -> String {
    at(ms).format(&format_description!("[day padding:none] [month repr:short] [year]")).unwrap_or_default()
}

/// The day of an RFC 3339 time, as [`day`] writes it; the text itself if it is none.
pub fn day_of(exact: &str) -> String {
    match OffsetDateTime::parse(exact, &time::format_description::well_known::Rfc3339) {
        Ok(at) => day(i64::try_from(at.unix_timestamp_nanos() / 1_000_000).unwrap_or(0)),
        Err(_) => exact.to_owned(),
    }
}

/// A number of bytes in the largest unit that leaves at least one, such as `1.4 MB` (decimal, as the Hub has it).
pub fn bytes(n: u64) -> String {
    let units = [("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)];
    match units.iter().find(|(_, size)| n as f64 >= *size) {
        Some((unit, size)) => format!("{:.1} {unit}", n as f64 / size),
        None => format!("{n} B"),
    }
}

/// A count in groups of three digits, such as `1,797,110`.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A number of days from now, such as `in 3 days`.
pub fn in_days(n: i64) -> String {
    match n {
        0 => "in less than a day".to_owned(),
        1 => "in 1 day".to_owned(),
        n => format!("in {n} days"),
    }
}

fn at(ms: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(ms) * 1_000_000)
        .unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_end_in_z_and_keep_milliseconds() {
        assert_eq!(rfc3339(1_795_222_923_456), "2026-11-21T01:02:03.456Z");
        assert_eq!(day(0), "1 Jan 1970");
    }

    #[test]
    fn counts_and_sizes_are_readable() {
        assert_eq!((count(1_797_110), count(7)), ("1,797,110".into(), "7".into()));
        assert_eq!((bytes(999), bytes(1_400_000)), ("999 B".into(), "1.4 MB".into()));
    }
}
