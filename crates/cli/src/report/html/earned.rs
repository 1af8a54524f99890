//! Badges: which results the second run gives again, each with what it stands on.
//!
//! Invariant: a badge is earned by criteria that were compared and hold; what was not compared earns nothing.

use spec::criteria::{Comparison, Criterion, Finding, Standing, Verdict};

/// A result that can be given again.
struct Badge {
    name: &'static str,
    meaning: &'static str,
    asks: &'static [Criterion],
}

const BADGES: [Badge; 3] = [
    Badge { name: "Same outcome", meaning: "every prediction is the same", asks: &[Criterion::Outcome] },
    Badge {
        name: "Same process",
        meaning: "so is every metric at every step",
        asks: &[Criterion::Outcome, Criterion::Process],
    },
    Badge { name: "Bitwise", meaning: "the result is the same, bit by bit", asks: &[] },
];

/// The badges, earned or not.
pub(super) fn badges(comparison: &Comparison) -> String {
    let mut text = "<h2>Badges</h2>\n<ul class=\"badges\">\n".to_owned();
    for Badge { name, meaning, asks } in BADGES {
        let missing: Vec<String> =
            asks.iter().filter_map(|criterion| missing(&comparison.findings, *criterion)).collect();
        // What it takes to be bitwise the same depends on what there is; the verdict knows.
        let is_earned =
            if asks.is_empty() { comparison.verdict == Verdict::Bitwise } else { missing.is_empty() };
        let (class, mark, why) = match (is_earned, missing.is_empty()) {
            (true, _) => ("earned", "✓", meaning.to_owned()),
            (false, true) => {
                ("open", "–", format!("not earned: the verdict is {}", comparison.verdict.as_str()))
            }
            (false, false) => ("open", "–", format!("not earned: {}", missing.join(", "))),
        };
        text.push_str(&format!("<li class=\"{class}\"><strong>{mark} {name}</strong> {why}</li>\n"));
    }
    text + "</ul>\n"
}

/// Why a criterion does not hold.
fn missing(findings: &[Finding], criterion: Criterion) -> Option<String> {
    let standing = findings.iter().find(|finding| finding.criterion == criterion)?.standing;
    let told = || format!("{} {} is {}", criterion.code(), criterion.as_str(), standing.as_str());
    (standing != Standing::Equal).then(told)
}
