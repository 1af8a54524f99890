//! What was counted of an endpoint, as charts of the last hour and as a table of the same.
//!
//! Pure. Invariant: a minute in which nothing happened is drawn as such; the table says all that the charts show.

use crate::doors::pages::views::endpoint::{Bar, Chart, Measures, MinuteLine};
use crate::gateway::usage::{Counted, MINUTE_MS, MINUTES};
use crate::ops::endpoints::usage::Measured;
use crate::text;

/// Height of a drawing, in its own units; each minute is four wide.
const HEIGHT: f64 = 48.0;
const WIDTH_OF_MINUTE: usize = 4;

pub fn draw(measured: &Measured) -> Measures {
    let minutes = filled(measured);
    let mut whole = Counted::default();
    minutes.iter().for_each(|(_, counted)| whole.add(counted));
    let requests = |counted: &Counted| counted.n_requests as f64;
    let errors = |counted: &Counted| counted.n_errors as f64;
    let slow = |counted: &Counted| counted.quantile_s(0.95).unwrap_or(0.0);
    let cpu = |counted: &Counted| counted.cpu_us as f64 / 1e6;
    let none = |_: &Counted| 0.0;
    let charts = vec![
        chart("Requests a minute", &minutes, (&requests, &errors), &|n| text::count(n as u64)),
        chart("95 % answered within", &minutes, (&slow, &none), &seconds),
        chart("Processor time a minute", &minutes, (&cpu, &none), &seconds),
    ];
    let shown = minutes.iter().rev().filter(|(_, counted)| *counted != Counted::default());
    Measures {
        totals: totals(&whole),
        charts,
        minutes: shown.map(|(at, counted)| line(*at, counted)).collect(),
    }
}

/// All minutes of the hour, oldest first.
fn filled(measured: &Measured) -> Vec<(i64, Counted)> {
    let last_ms = measured.now_ms - measured.now_ms.rem_euclid(MINUTE_MS);
    let count = i64::try_from(MINUTES).unwrap_or(i64::MAX);
    (0..count)
        .map(|i| last_ms - (count - 1 - i) * MINUTE_MS)
        .map(|at| {
            let known = measured.minutes.iter().find(|(known, _)| *known == at);
            (at, known.map(|(_, counted)| *counted).unwrap_or_default())
        })
        .collect()
}

fn totals(whole: &Counted) -> Vec<(&'static str, String)> {
    let within = |part| whole.quantile_s(part).map_or_else(|| "–".to_owned(), seconds);
    vec![
        ("Requests", text::count(whole.n_requests)),
        ("Errors", text::count(whole.n_errors)),
        ("Half within", within(0.5)),
        ("99 % within", within(0.99)),
        ("Cold starts", text::count(whole.n_cold_starts)),
        ("Processor time", seconds(whole.cpu_us as f64 / 1e6)),
    ]
}

type Value<'a> = &'a dyn Fn(&Counted) -> f64;

fn chart(
    title: &'static str,
    minutes: &[(i64, Counted)],
    (value, bad): (Value<'_>, Value<'_>),
    show: &dyn Fn(f64) -> String,
) -> Chart {
    let most = minutes.iter().map(|(_, counted)| value(counted)).fold(0.0, f64::max);
    let scale = if most > 0.0 { HEIGHT / most } else { 0.0 };
    let bar = |(i, (_, counted)): (usize, &(i64, Counted))| {
        let (height, bad_height) = (value(counted) * scale, bad(counted) * scale);
        Bar {
            x: i * WIDTH_OF_MINUTE,
            height: format!("{height:.1}"),
            y: format!("{:.1}", HEIGHT - height),
            bad_height: (bad_height > 0.0).then(|| format!("{bad_height:.1}")),
            bad_y: format!("{:.1}", HEIGHT - bad_height),
        }
    };
    let bars = minutes.iter().enumerate().filter(|(_, (_, counted))| value(counted) > 0.0).map(bar).collect();
    let told = match most > 0.0 {
        true => format!("{title} over the last hour, at most {}", show(most)),
        false => format!("{title} over the last hour: nothing"),
    };
    Chart { title, most: show(most), told, bars }
}

fn line(at_ms: i64, counted: &Counted) -> MinuteLine {
    let within = |part| counted.quantile_s(part).map_or_else(|| "–".to_owned(), seconds);
    MinuteLine {
        // Hours and minutes of an RFC 3339 time.
        at: text::rfc3339(at_ms).get(11..16).unwrap_or_default().to_owned(),
        requests: text::count(counted.n_requests),
        errors: text::count(counted.n_errors),
        half: within(0.5),
        most: within(0.95),
        cold_starts: text::count(counted.n_cold_starts),
        cpu: seconds(counted.cpu_us as f64 / 1e6),
    }
}

fn seconds(s: f64) -> String {
    match s {
        0.0 => "0 s".to_owned(),
        s if s < 0.001 => format!("{:.2} ms", s * 1e3),
        s if s < 1.0 => format!("{:.1} ms", s * 1e3),
        s => format!("{s:.1} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_is_drawn_with_what_went_wrong() {
        let counted = Counted { n_requests: 10, n_errors: 5, ..Counted::default() };
        let now_ms = 100 * MINUTE_MS + 5;
        let minutes = vec![(99 * MINUTE_MS, counted), (100 * MINUTE_MS, Counted::default())];
        let drawn = draw(&Measured { repository: "a/b".to_owned(), now_ms, minutes, hours: Vec::new() });
        assert_eq!(drawn.totals[0], ("Requests", "10".to_owned()));
        let [bar] = drawn.charts[0].bars.as_slice() else { panic!("one minute has requests") };
        assert_eq!((bar.x, bar.height.as_str(), bar.bad_height.as_deref()), (232, "48.0", Some("24.0")));
        assert_eq!((drawn.minutes.len(), drawn.minutes[0].at.as_str()), (1, "01:39"));
        assert!(drawn.charts[1].bars.is_empty());
    }
}
