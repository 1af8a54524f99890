//! How much runs of one command differ, for people: a table in the terminal, or a page.
//!
//! Knows nothing of how it was found out. Invariant: both say the same; colour never says anything alone.

use std::fmt::Write;

use spec::variance::{Metric, Variance};

use super::html::{STYLE, escaped};
use crate::table::Table;

/// A table of the metrics, and a line for each other thing.
pub fn text(found: &Variance) -> String {
    let mut text = String::new();
    if !found.metrics.is_empty() {
        let mut table = Table::new(header(found));
        found.metrics.iter().for_each(|metric| table.push(cells(found, metric)));
        text.push_str(&table.to_string());
    }
    sentences(found).iter().for_each(|line| text.push_str(&format!("{line}\n")));
    text
}

fn header(found: &Variance) -> Vec<&'static str> {
    let mut header = vec!["METRIC", "MEAN", "DEVIATION", "MIN", "MAX"];
    if found.against.is_some() {
        header.extend(["MEAN THERE", "DELTA", "EFFECT", "P"]);
    }
    header
}

fn cells(found: &Variance, metric: &Metric) -> Vec<String> {
    let spread = &metric.spread;
    let mut cells = vec![metric.name.clone(), number(spread.mean)];
    cells.push(spread.deviation.map_or_else(|| "-".to_owned(), number));
    cells.extend([number(spread.min), number(spread.max)]);
    if found.against.is_some() {
        cells.extend(match &metric.effect {
            Some(effect) => [
                number(effect.mean),
                format!("{:+.3}", effect.delta),
                effect.size.as_str().to_owned(),
                format!("{:.4}", effect.p),
            ],
            None => ["-"; 4].map(str::to_owned),
        });
    }
    cells
}

/// Six digits that count.
fn number(value: f64) -> String {
    match value.abs() {
        size if size == 0.0 || !size.is_finite() => value.to_string(),
        size if (1e-4..1e6).contains(&size) => {
            let n_before = size.log10().floor() as i32 + 1;
            format!("{value:.*}", usize::try_from(6 - n_before).unwrap_or(0))
        }
        _ => format!("{value:.5e}"),
    }
}

fn sentences(found: &Variance) -> Vec<String> {
    let n = found.runs.len();
    let mut lines = vec![match found.n_results {
        1 if n > 1 => format!("{n} runs, all with the same result, bit by bit"),
        n_results => format!("{n} runs, {n_results} different results"),
    }];
    if found.n_failed > 0 {
        lines.push(format!("{} more runs failed and are left out", found.n_failed));
    }
    if let Some(churn) = &found.churn {
        lines.push(format!(
            "{} predictions: {:.2} % differ between two runs on average, at most {:.2} %; {:.2} % are the same in all",
            churn.n_predictions,
            100.0 * churn.mean,
            100.0 * churn.max,
            100.0 * churn.stable
        ));
    }
    if let Some(against) = &found.against {
        lines.push(format!(
            "delta is Cliff's, against the runs in {against}; p is that of Wilcoxon's rank-sum test, two-sided"
        ));
    }
    lines
}

/// The whole page: it needs no script and asks nobody for anything.
pub fn html(found: &Variance) -> String {
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>Runs that nobody seeded</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n\
         <h1>Runs that nobody seeded</h1>\n<p><code>{}</code></p>\n",
        escaped(&found.command.join(" "))
    );
    let class = if found.n_results == 1 { "same" } else { "other" };
    for (n, line) in sentences(found).iter().enumerate() {
        let class = if n == 0 { format!(" class=\"verdict {class}\"") } else { String::new() };
        let _ = writeln!(page, "<p{class}>{}</p>", escaped(line));
    }
    if !found.metrics.is_empty() {
        page.push_str("<h2>Metrics, as they were at the end of each run</h2>\n<div class=\"wide\" tabindex=\"0\"><table>\n<thead><tr>");
        for name in header(found) {
            let name = name.to_lowercase();
            let _ = write!(page, "<th scope=\"col\">{}{}</th>", name[..1].to_uppercase(), &name[1..]);
        }
        page.push_str("</tr></thead>\n<tbody>\n");
        for metric in &found.metrics {
            let cells = cells(found, metric);
            let _ = write!(page, "<tr><th scope=\"row\">{}</th>", escaped(&metric.name));
            cells.iter().skip(1).for_each(|cell| page.push_str(&format!("<td>{}</td>", escaped(cell))));
            page.push_str("</tr>\n");
        }
        page.push_str("</tbody></table></div>\n");
        found.metrics.iter().for_each(|metric| page.push_str(&strip(metric)));
    }
    page.push_str("</main>\n</body>\n</html>\n");
    page
}

/// Each run as a dot on a line from the smallest value to the largest.
fn strip(metric: &Metric) -> String {
    const WIDTH: f64 = 640.0;
    let (low, high) = (metric.spread.min, metric.spread.max);
    let span = if high > low { high - low } else { 1.0 };
    let name = escaped(&metric.name);
    let mut text = format!(
        "<figure>\n<figcaption>{name}: one dot for each run, from {} to {}</figcaption>\n\
         <svg viewBox=\"0 0 {WIDTH} 40\" role=\"img\" aria-label=\"{name} of {} runs, from {} to {}\">\n",
        number(low),
        number(high),
        metric.values.len(),
        number(low),
        number(high)
    );
    for value in metric.values.iter().filter(|value| value.is_finite()) {
        let x = 12.0 + (WIDTH - 24.0) * (value - low) / span;
        let _ = writeln!(text, "<circle cx=\"{x:.1}\" cy=\"20\" r=\"7\"/>");
    }
    text + "</svg>\n</figure>\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_six_digits_that_count() {
        let shown = [0.0, 0.123_456_789, 93.333_333_3, 1234.5, -0.5, 1e-9, 2.5e9, f64::NAN].map(number);
        assert_eq!(
            shown,
            ["0", "0.123457", "93.3333", "1234.50", "-0.500000", "1.00000e-9", "2.50000e9", "NaN"]
        );
    }
}
