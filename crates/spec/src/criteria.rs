//! What is asked of two runs, and what the answers come to.
//!
//! Pure: it knows neither files nor tensors, only what was found about them. Invariant: no criterion is ever
//! inferred from another; a verdict says no more than the criteria that it names.

use serde::{Deserialize, Serialize};

/// One question asked of two runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Criterion {
    /// C0: the same end; everything recorded was drawn again, and nothing else.
    Complete,
    /// C1: the same tensors, bit by bit.
    Weights,
    /// C2: the same predictions.
    Outcome,
    /// C3: the same value of every metric at every step.
    Process,
    /// C4: the same bytes in all other outputs.
    Outputs,
    /// C5: the same environment and the same inputs.
    Environment,
}

impl Criterion {
    /// Its short name, such as `C1`.
    pub fn code(self) -> &'static str {
        ["C0", "C1", "C2", "C3", "C4", "C5"][self as usize]
    }

    pub fn as_str(self) -> &'static str {
        ["complete", "weights", "outcome", "process", "outputs", "environment"][self as usize]
    }
}

/// The answer to one question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    Equal,
    Different,
    /// One of the runs, or both, have nothing to compare, or nothing that can be read.
    NotComparable,
}

impl Standing {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "equal",
            Self::Different => "different",
            Self::NotComparable => "not comparable",
        }
    }
}

/// One question, its answer, and what it rests on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    pub criterion: Criterion,
    pub standing: Standing,
    /// One sentence, which says where the first difference is.
    pub summary: String,
    /// The first differences, each with what either run has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub differences: Vec<Difference>,
}

/// Something that both runs have or should have, and what each has.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    pub what: String,
    pub a: String,
    pub b: String,
}

/// How one tensor of the first run compares with that of the second.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TensorFinding {
    /// The file, a colon and the tensor's name.
    pub name: String,
    pub datatype: String,
    pub shape: Vec<u64>,
    pub n_different: u64,
    /// Index of the first element that differs, row by row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_different: Option<u64>,
    pub max_absolute: f64,
    /// The largest difference as a share of the larger of the two numbers.
    pub max_relative: f64,
    /// The most numbers of its type that lie between two elements, counting the second.
    pub max_ulp: u64,
    /// The largest difference as a share of the largest number in the tensor.
    pub max_of_largest: f64,
    /// The same in each of up to [`STRETCHES`] stretches of one length, in the order of the elements.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub heat: Vec<f64>,
}

/// Into how many stretches a tensor is cut to say where it differs.
pub const STRETCHES: usize = 32;

/// What two runs are to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// C0 to C3 hold as far as the runs have them, the weights among them.
    Bitwise,
    /// The same outcome, by the same steps.
    Process,
    /// The same outcome.
    Outcome,
    /// Not the same, but the tensors are, and their numbers lie within [`CLOSE`]. Never called reproduced.
    Close,
    Different,
    /// Nothing that bears on a verdict could be compared.
    NotComparable,
}

/// Tensors whose numbers differ by no more than this share of their largest one are close.
pub const CLOSE: f64 = 1e-3;

impl Verdict {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bitwise => "bitwise",
            Self::Process => "process",
            Self::Outcome => "outcome",
            Self::Close => "close",
            Self::Different => "different",
            Self::NotComparable => "not comparable",
        }
    }
}

/// One of the two runs, as a report names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Side {
    pub name: String,
    /// The id of its capsule; a plain folder has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

/// All that was asked of two runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// The version of this report's form.
    pub format: u32,
    pub verdict: Verdict,
    pub a: Side,
    pub b: Side,
    /// In the order of the criteria.
    pub findings: Vec<Finding>,
    /// The tensors that differ, in the order of their files and names.
    pub tensors: Vec<TensorFinding>,
    /// Why they may differ, the likeliest first.
    pub causes: Vec<String>,
    /// What was measured while they ran, by name and run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub series: Vec<Series>,
    /// What both ran on, equal or not, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub environments: Vec<Difference>,
}

/// One metric of both runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Series {
    pub name: String,
    #[serde(with = "crate::floats::list")]
    pub a: Vec<f64>,
    #[serde(with = "crate::floats::list")]
    pub b: Vec<f64>,
}

/// What the answers come to. `are_close` says whether all tensors lie within [`CLOSE`].
pub fn verdict(findings: &[Finding], are_close: bool) -> Verdict {
    use Criterion::{Complete, Outcome, Outputs, Process, Weights};
    use Standing::{Different, Equal, NotComparable};
    let of = |criterion| {
        findings
            .iter()
            .find(|finding| finding.criterion == criterion)
            .map_or(NotComparable, |found| found.standing)
    };
    let holds = |criteria: &[Criterion]| criteria.iter().all(|criterion| of(*criterion) != Different);
    // Where there are no tensors, the bytes of what came out take their place.
    let result = if of(Weights) == NotComparable { of(Outputs) } else { of(Weights) };
    let is_asked =
        [Weights, Outcome, Process, Outputs].iter().any(|criterion| of(*criterion) != NotComparable);
    match () {
        () if !is_asked => Verdict::NotComparable,
        () if result == Equal && holds(&[Complete, Outcome, Process]) => Verdict::Bitwise,
        () if of(Outcome) == Equal && of(Process) == Equal => Verdict::Process,
        () if of(Outcome) == Equal => Verdict::Outcome,
        () if of(Weights) == Different && are_close => Verdict::Close,
        () => Verdict::Different,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Criterion::{Complete, Environment, Outcome, Outputs, Process, Weights};
    use Standing::{Different, Equal, NotComparable};

    fn given(standings: &[(Criterion, Standing)]) -> Verdict {
        let finding = |(criterion, standing): &(Criterion, Standing)| Finding {
            criterion: *criterion,
            standing: *standing,
            summary: String::new(),
            differences: Vec::new(),
        };
        verdict(&standings.iter().map(finding).collect::<Vec<_>>(), false)
    }

    #[test]
    fn bitwise_needs_the_weights_and_nothing_that_differs() {
        assert_eq!(given(&[(Complete, Equal), (Weights, Equal), (Process, Equal)]), Verdict::Bitwise);
        assert_eq!(given(&[(Complete, Equal), (Weights, Equal), (Process, Different)]), Verdict::Different);
        assert_eq!(given(&[(Complete, Different), (Weights, Equal)]), Verdict::Different);
    }

    #[test]
    fn neither_environment_nor_other_outputs_decide_where_there_are_weights() {
        let others = [(Outputs, Different), (Environment, Different)];
        assert_eq!(given(&[&others[..], &[(Complete, Equal), (Weights, Equal)]].concat()), Verdict::Bitwise);
    }

    #[test]
    fn outputs_stand_for_weights_where_there_are_none() {
        assert_eq!(given(&[(Complete, Equal), (Outputs, Equal)]), Verdict::Bitwise);
        assert_eq!(given(&[(Complete, Equal), (Outputs, Different)]), Verdict::Different);
    }

    #[test]
    fn a_weaker_verdict_needs_its_own_criteria() {
        assert_eq!(given(&[(Weights, Different), (Outcome, Equal), (Process, Equal)]), Verdict::Process);
        assert_eq!(given(&[(Weights, Different), (Outcome, Equal), (Process, Different)]), Verdict::Outcome);
        assert_eq!(given(&[(Weights, Different), (Process, Equal)]), Verdict::Different);
    }

    #[test]
    fn runs_with_nothing_to_compare_are_not_comparable() {
        assert_eq!(given(&[(Complete, Equal), (Environment, Equal)]), Verdict::NotComparable);
        assert_eq!(given(&[(Weights, NotComparable), (Outputs, NotComparable)]), Verdict::NotComparable);
    }
}
