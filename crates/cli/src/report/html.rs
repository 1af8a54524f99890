//! The page of a comparison: everything in one file, which needs no script and asks nobody for anything.
//!
//! Invariant: whatever came from a run is escaped; the page reads the same without its colours.

mod earned;

use std::fmt::Write;

use spec::criteria::{Comparison, Difference, Finding, Series, TensorFinding, Verdict};

pub(super) const STYLE: &str = include_str!("style.css");

/// The whole page.
pub fn html(comparison: &Comparison) -> String {
    let (a, b) = (escaped(&comparison.a.name), escaped(&comparison.b.name));
    let verdict = comparison.verdict.as_str();
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>Two runs compared: {verdict}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n\
         <h1>Two runs compared</h1>\n\
         <p class=\"verdict {class}\"><strong>{verdict}</strong> {sentence}</p>\n\
         <dl><dt>A</dt><dd>{a}{id_a}</dd><dt>B</dt><dd>{b}{id_b}</dd></dl>\n",
        class = if comparison.verdict == Verdict::Bitwise { "same" } else { "other" },
        sentence = sentence(comparison.verdict),
        id_a = id(comparison.a.id.as_deref()),
        id_b = id(comparison.b.id.as_deref()),
    );
    page.push_str(&earned::badges(comparison));
    page.push_str(&criteria(&comparison.findings));
    if !comparison.causes.is_empty() {
        page.push_str("<h2>Likely causes</h2>\n<ol>\n");
        for cause in &comparison.causes {
            page.push_str(&format!("<li>{}</li>\n", escaped(cause)));
        }
        page.push_str("</ol>\n");
    }
    if !comparison.series.is_empty() {
        page.push_str("<h2>Metrics</h2>\n");
        comparison.series.iter().for_each(|series| page.push_str(&chart(series)));
    }
    page.push_str(&tensors(&comparison.tensors));
    comparison.findings.iter().for_each(|finding| page.push_str(&differences(finding)));
    page.push_str(&environments(&comparison.environments));
    page.push_str("</main>\n</body>\n</html>\n");
    page
}

fn id(id: Option<&str>) -> String {
    id.map_or_else(String::new, |id| format!(" <code>{}</code>", escaped(id)))
}

fn sentence(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Bitwise => "The result is the same, bit by bit.",
        Verdict::Process => "Every prediction and every step are the same; the weights are not.",
        Verdict::Outcome => "Every prediction is the same; how it came to them is not.",
        Verdict::Close => "The result is not the same; its numbers lie close together.",
        Verdict::Different => "The result is not the same.",
        Verdict::NotComparable => "There is nothing in both that could be compared.",
    }
}

fn criteria(findings: &[Finding]) -> String {
    let mut text = "<h2>Criteria</h2>\n<div class=\"wide\" tabindex=\"0\"><table>\n<thead><tr><th scope=\"col\">Criterion</th>\
                    <th scope=\"col\">Standing</th><th scope=\"col\">What was found</th></tr></thead>\n<tbody>\n"
        .to_owned();
    for Finding { criterion, standing, summary, .. } in findings {
        let class = standing.as_str().replace(' ', "-");
        text.push_str(&format!(
            "<tr><th scope=\"row\">{} {}</th><td class=\"{class}\">{}</td><td>{}</td></tr>\n",
            criterion.code(),
            criterion.as_str(),
            standing.as_str(),
            escaped(summary)
        ));
    }
    text + "</tbody></table></div>\n"
}

/// Both runs' values of one metric, laid over each other.
fn chart(series: &Series) -> String {
    const WIDTH: f64 = 640.0;
    const HEIGHT: f64 = 200.0;
    let all = || series.a.iter().chain(&series.b).copied().filter(|value| value.is_finite());
    let (low, high) = (all().fold(f64::INFINITY, f64::min), all().fold(f64::NEG_INFINITY, f64::max));
    let span = if high > low { high - low } else { 1.0 };
    let n_steps = series.a.len().max(series.b.len()).max(2) - 1;
    let line = |values: &[f64]| {
        let finite = values.iter().enumerate().filter(|(_, value)| value.is_finite());
        let points = finite.map(|(step, value)| {
            let x = 4.0 + (WIDTH - 8.0) * step as f64 / n_steps as f64;
            format!("{x:.1},{:.1}", HEIGHT - 4.0 - (HEIGHT - 8.0) * (value - low) / span)
        });
        points.collect::<Vec<_>>().join(" ")
    };
    let first = series.a.iter().zip(&series.b).position(|(a, b)| a.to_bits() != b.to_bits());
    let first = first.or((series.a.len() != series.b.len()).then(|| series.a.len().min(series.b.len())));
    let told = match first {
        Some(step) => format!("first different at step {step}"),
        None => "equal at every step".to_owned(),
    };
    let name = escaped(&series.name);
    format!(
        "<figure>\n<figcaption>{name}: {told}; from {low} to {high}. A is the solid line, B the dashed one.</figcaption>\n\
         <svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{name} of both runs, {told}\">\n\
         <polyline class=\"a\" points=\"{}\"/>\n<polyline class=\"b\" points=\"{}\"/>\n</svg>\n</figure>\n",
        line(&series.a),
        line(&series.b)
    )
}

/// The tensors that differ, shaded by how far they are apart.
fn tensors(tensors: &[TensorFinding]) -> String {
    if tensors.is_empty() {
        return String::new();
    }
    let mut text = "<h2>Tensors that differ</h2>\n<div class=\"wide\" tabindex=\"0\"><table>\n<thead><tr><th scope=\"col\">Tensor</th>\
                    <th scope=\"col\">Where, first to last</th><th scope=\"col\">Type</th><th scope=\"col\">Elements</th><th scope=\"col\">Largest difference</th>\
                    <th scope=\"col\">of the larger</th><th scope=\"col\">ULP</th></tr></thead>\n<tbody>\n"
        .to_owned();
    for tensor in tensors.iter().take(LISTED) {
        let shape: Vec<String> = tensor.shape.iter().map(u64::to_string).collect();
        let heat = 60.0 * warmth(tensor.max_of_largest);
        let _ = writeln!(
            text,
            "<tr><th scope=\"row\">{}</th><td>{}</td><td>{} ({})</td><td>{}</td>\
             <td style=\"background: color-mix(in srgb, var(--heat) {heat:.0}%, transparent)\">{:.3e}</td>\
             <td>{:.3e}</td><td>{}</td></tr>",
            escaped(&tensor.name),
            strip(&tensor.heat),
            escaped(&tensor.datatype),
            shape.join(", "),
            tensor.n_different,
            tensor.max_absolute,
            tensor.max_relative,
            tensor.max_ulp
        );
    }
    text.push_str("</tbody></table></div>\n");
    if tensors.len() > LISTED {
        let _ = writeln!(text, "<p>And {} more.</p>", tensors.len() - LISTED);
    }
    text
}

/// How warm a difference is, from 0 for one part in ten million of the largest number, which is nothing, to 1 for all of it.
fn warmth(share: f64) -> f64 {
    ((share.max(1e-7).log10() + 7.0) / 7.0).clamp(0.0, 1.0)
}

/// Where a tensor differs: one field for each stretch of it, empty where all is equal.
fn strip(heat: &[f64]) -> String {
    let fields: String = heat
        .iter()
        .enumerate()
        .filter(|(_, share)| **share > 0.0)
        .map(|(at, share)| {
            // What differs at all can be seen.
            let opacity = 0.15 + 0.85 * warmth(*share);
            format!("<rect x=\"{at}\" width=\"1\" height=\"1\" fill-opacity=\"{opacity:.2}\"/>")
        })
        .collect();
    let n_warm = heat.iter().filter(|share| **share > 0.0).count();
    let n = heat.len();
    format!(
        "<svg class=\"strip\" viewBox=\"0 0 {} 1\" preserveAspectRatio=\"none\" role=\"img\" \
         aria-label=\"differs in {n_warm} of {n} stretches\">{fields}</svg>",
        n.max(1)
    )
}

/// What both ran on, side by side.
fn environments(facts: &[Difference]) -> String {
    if facts.is_empty() {
        return String::new();
    }
    let n_different = facts.iter().filter(|fact| fact.a != fact.b).count();
    let mut text = format!(
        "<h2>Environments</h2>\n<details{open}>\n<summary>{n} facts side by side, {n_different} of them different</summary>\n\
         <div class=\"wide\" tabindex=\"0\"><table>\n<thead><tr><th scope=\"col\">What</th><th scope=\"col\">A</th>\
         <th scope=\"col\">B</th></tr></thead>\n<tbody>\n",
        open = if n_different > 0 { " open" } else { "" },
        n = facts.len()
    );
    for Difference { what, a, b } in facts {
        let cells = [what, a, b].map(|cell| escaped(cell));
        let (class, mark) = if a == b { ("", "") } else { (" class=\"differs\"", " ≠") };
        let _ = writeln!(
            text,
            "<tr{class}><th scope=\"row\">{}{mark}</th><td>{}</td><td>{}</td></tr>",
            cells[0], cells[1], cells[2]
        );
    }
    text + "</tbody></table></div>\n</details>\n"
}

/// The most tensors that are listed on a page.
const LISTED: usize = 1000;

fn differences(finding: &Finding) -> String {
    if finding.differences.is_empty() {
        return String::new();
    }
    let mut text = format!(
        "<h2>{} {}: the first differences</h2>\n<div class=\"wide\" tabindex=\"0\"><table>\n<thead><tr><th scope=\"col\">What</th>\
         <th scope=\"col\">A</th><th scope=\"col\">B</th></tr></thead>\n<tbody>\n",
        finding.criterion.code(),
        finding.criterion.as_str()
    );
    for difference in &finding.differences {
        let cells = [&difference.what, &difference.a, &difference.b].map(|cell| escaped(cell));
        let _ = writeln!(
            text,
            "<tr><th scope=\"row\">{}</th><td>{}</td><td>{}</td></tr>",
            cells[0], cells[1], cells[2]
        );
    }
    text + "</tbody></table></div>\n"
}

pub(super) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            letter => safe.push(letter),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_from_a_run_is_no_markup() {
        assert_eq!(escaped("<b a=\"1\">&"), "&lt;b a=&quot;1&quot;&gt;&amp;");
        let series = Series { name: "<script>".into(), a: vec![1.0, f64::NAN], b: vec![1.0] };
        let drawn = chart(&series);
        assert!(!drawn.contains("<script>") && drawn.contains("first different at step 1"), "{drawn}");
    }
}
