//! What a comparison of two runs comes to, for people: a table in the terminal, or a page.
//!
//! Knows nothing of how runs are compared. Invariant: both say the same; colour never says anything alone.

pub mod diagnosis;
mod html;
pub mod variance;

use spec::criteria::Comparison;

use crate::table::Table;

pub use html::html;

/// A table of the criteria, the verdict, and why.
pub fn text(comparison: &Comparison) -> String {
    let mut table = Table::new(["", "CRITERION", "STANDING", "WHAT WAS FOUND"]);
    for finding in &comparison.findings {
        table.push(vec![
            finding.criterion.code().to_owned(),
            finding.criterion.as_str().to_owned(),
            finding.standing.as_str().to_owned(),
            finding.summary.clone(),
        ]);
    }
    let mut text = format!("{table}verdict: {}\n", comparison.verdict.as_str());
    for tensor in comparison.tensors.iter().take(TENSORS) {
        text.push_str(&format!(
            "  {}: {} elements differ, by up to {:e} ({:e} of the larger, {} ULP)\n",
            tensor.name, tensor.n_different, tensor.max_absolute, tensor.max_relative, tensor.max_ulp
        ));
    }
    if comparison.tensors.len() > TENSORS {
        text.push_str(&format!("  and {} more tensors\n", comparison.tensors.len() - TENSORS));
    }
    for cause in &comparison.causes {
        text.push_str(&format!("likely because {cause}\n"));
    }
    text
}

/// The most tensors that are listed in the terminal.
const TENSORS: usize = 5;
