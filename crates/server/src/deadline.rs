//! Ends that people set: a day, a time, or a time from now.
//!
//! Pure. Invariant: a deadline lies ahead of the moment it was set.

use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{Date, OffsetDateTime, Time};

use crate::error::Error;

const DAY_MS: i64 = 24 * 3600 * 1000;

/// Milliseconds since 1970 that `2027-03-01` (to the last moment of that day in UTC), `2027-03-01T12:00:00Z` or `90d` (also
/// `h`, `w` and `min`) mean.
pub fn parse(text: &str, now_ms: i64) -> Result<i64, Error> {
    let text = text.trim();
    let found = from_now(text, now_ms).or_else(|| end_of_day(text)).or_else(|| moment(text));
    match found {
        Some(ms) if ms > now_ms => Ok(ms),
        Some(_) => Err(Error::BadRequest(format!("`{text}` is over already"))),
        None => Err(Error::BadRequest(format!(
            "`{text}` is no end: write a day such as `2027-03-01`, or a time from now such as `90d`"
        ))),
    }
}

fn from_now(text: &str, now_ms: i64) -> Option<i64> {
    let n_digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(n_digits);
    let unit_ms = match unit.trim() {
        "min" => 60_000,
        "h" => 3_600_000,
        "d" => DAY_MS,
        "w" => 7 * DAY_MS,
        _ => return None,
    };
    now_ms.checked_add(number.parse::<i64>().ok()?.checked_mul(unit_ms)?)
}

fn end_of_day(text: &str) -> Option<i64> {
    let day = Date::parse(text, &format_description!("[year]-[month]-[day]")).ok()?;
    ms(OffsetDateTime::new_utc(day, Time::MIDNIGHT))?.checked_add(DAY_MS - 1)
}

fn moment(text: &str) -> Option<i64> {
    ms(OffsetDateTime::parse(text, &Rfc3339).ok()?)
}

fn ms(moment: OffsetDateTime) -> Option<i64> {
    i64::try_from(moment.unix_timestamp_nanos() / 1_000_000).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_times_and_times_from_now_are_ends() {
        assert_eq!(parse("90d", 5).unwrap(), 5 + 90 * DAY_MS);
        assert_eq!(parse(" 12h ", 0).unwrap(), DAY_MS / 2);
        assert_eq!(parse("1970-01-02", 0).unwrap(), 2 * DAY_MS - 1);
        assert_eq!(parse("1970-01-01T00:00:01+00:00", 0).unwrap(), 1000);
    }

    #[test]
    fn what_is_over_or_means_nothing_is_refused() {
        for text in ["", "d", "soon", "0d", "-5d", "1969-12-31", "99999999999999999d", "2026-13-01"] {
            assert!(parse(text, 0).is_err(), "{text}");
        }
    }
}
