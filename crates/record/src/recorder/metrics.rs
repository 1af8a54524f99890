//! Metrics of a run, as series of numbers: those that the hooks took from its frameworks, and those that it printed.
//!
//! The latter by a pattern of the user's, or the words by which trainings call their metrics. Invariants: a number
//! is taken as it was printed, and a line that has none adds nothing; of processes that measured the same, the
//! first by its path is taken, since they wrote as they came, and a tool that was told it after those.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use regex::Regex;
use spec::diagnosis::Fact;

use crate::error::{Error, at};

/// Words such as `loss=0.25`, `val_accuracy: 0.9`, `MAE 3.1e-2`.
const USUAL: &str = r"(?i)\b((?:(?:train|training|val|valid|validation|test|eval)[_\- ]?)?(?:loss|acc|accuracy|mae|mse|rmse|r2|f1|auc|perplexity|error))\s*[=: ]\s*([-+]?(?:\d+\.?\d*(?:e[-+]?\d+)?|nan|inf))";

/// The longest output that is searched, in bytes.
const SEARCHED_BYTES: usize = 64 * 1024 * 1024;

/// What the hooks in Python had to say.
#[derive(Debug, Default)]
pub(crate) struct Hooked {
    pub series: BTreeMap<String, Vec<f64>>,
    pub warnings: Vec<String>,
    /// What a run did that another might do otherwise, where somebody wants to know.
    pub facts: Vec<Fact>,
}

/// One line of theirs.
#[derive(serde::Deserialize)]
struct Line {
    process: String,
    /// The tool that was told the number, where that is not who measured it.
    told: Option<String>,
    metric: Option<String>,
    /// As text, because JSON has neither infinity nor NaN.
    value: Option<String>,
    warning: Option<String>,
}

/// Reads what the hooks wrote; nothing where none did.
pub(crate) fn hooked(lines: &Path) -> Hooked {
    let bytes = fs::read(lines).unwrap_or_default();
    let text = String::from_utf8_lossy(bytes.get(..SEARCHED_BYTES).unwrap_or(&bytes));
    // Whoever measured a number comes before whoever was told it, maybe late and by another thread.
    let mut by_source: BTreeMap<(Option<String>, String, String), Vec<f64>> = BTreeMap::new();
    let mut warnings = std::collections::BTreeSet::new();
    for line in text.lines().filter_map(|line| serde_json::from_str::<Line>(line).ok()) {
        warnings.extend(line.warning);
        let value = line.value.and_then(|value| value.parse().ok());
        if let (Some(metric), Some(value)) = (line.metric, value) {
            by_source.entry((line.told, line.process, metric)).or_default().push(value);
        }
    }
    let mut facts: Vec<Fact> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    facts.sort_by(|a, b| (&a.fact, &a.what, &a.place).cmp(&(&b.fact, &b.what, &b.place)));
    let mut series = BTreeMap::new();
    for ((_, _, metric), values) in by_source {
        series.entry(metric).or_insert(values);
    }
    Hooked { series, warnings: warnings.into_iter().collect(), facts }
}

/// Series by name, each in the order in which it was printed.
pub(crate) fn read(output: &Path, pattern: Option<&Regex>) -> Result<BTreeMap<String, Vec<f64>>, Error> {
    let bytes = fs::read(output).map_err(at("read", output))?;
    let text = String::from_utf8_lossy(bytes.get(..SEARCHED_BYTES).unwrap_or(&bytes));
    Ok(match (pattern, Regex::new(USUAL)) {
        (Some(pattern), _) => by_groups(pattern, &text),
        (None, Ok(usual)) => by_words(&usual, &text),
        (None, Err(_)) => BTreeMap::new(),
    })
}

fn by_groups(pattern: &Regex, text: &str) -> BTreeMap<String, Vec<f64>> {
    let mut series: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    let has_names = pattern.capture_names().flatten().next().is_some();
    for found in text.lines().flat_map(|line| pattern.captures_iter(line)) {
        for (number, name) in pattern.capture_names().enumerate() {
            let name = name.or((!has_names && number == 1).then_some("metric"));
            let value = found.get(number).and_then(|group| group.as_str().trim().parse().ok());
            if let (Some(name), Some(value)) = (name, value) {
                series.entry(name.to_owned()).or_default().push(value);
            }
        }
    }
    series
}

fn by_words(usual: &Regex, text: &str) -> BTreeMap<String, Vec<f64>> {
    let mut series: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for found in text.lines().flat_map(|line| usual.captures_iter(line)) {
        let group = |number: usize| found.get(number).map_or("", |group| group.as_str());
        if let Ok(value) = group(2).parse() {
            series.entry(group(1).to_lowercase().replace([' ', '-'], "_")).or_default().push(value);
        }
    }
    series
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_words_are_found() {
        let text = "epoch 1 loss=0.5 val_loss: 0.25\nepoch 2 loss=4e-1 val loss: nan\nTest accuracy: 0.9\nglossary 3\n";
        let found = by_words(&Regex::new(USUAL).unwrap(), text);
        assert_eq!(found["loss"], [0.5, 0.4]);
        assert_eq!(found["test_accuracy"], [0.9]);
        assert!(found["val_loss"][0] == 0.25 && found["val_loss"][1].is_nan() && found.len() == 3);
    }

    #[test]
    fn a_pattern_names_its_series() {
        let pattern = Regex::new(r"step (?P<step>\d+) -> (?P<score>\S+)").unwrap();
        let found = by_groups(&pattern, "step 1 -> 0.5\nstep 2 -> x\n");
        assert_eq!((found["step"].as_slice(), found["score"].as_slice()), (&[1.0, 2.0][..], &[0.5][..]));
    }
}
