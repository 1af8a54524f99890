//! Reads how many tests passed from what each runner prints at its end.
//!
//! It knows four summaries by their words. Invariant: a run that failed never counts as none failed, and a
//! run without a summary is an error, so that nothing is reported that was not seen.

use anyhow::bail;

use crate::shell::Ran;

/// How many tests did what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    pub n_passed: u64,
    pub n_failed: u64,
    pub n_skipped: u64,
}

impl Counts {
    /// One check that held.
    pub const PASSED: Self = Self { n_passed: 1, n_failed: 0, n_skipped: 0 };
    /// One check that did not.
    pub const FAILED: Self = Self { n_passed: 0, n_failed: 1, n_skipped: 0 };
    /// One check that could not be made here.
    pub const SKIPPED: Self = Self { n_passed: 0, n_failed: 0, n_skipped: 1 };

    pub fn plus(self, other: Self) -> Self {
        Self {
            n_passed: self.n_passed + other.n_passed,
            n_failed: self.n_failed + other.n_failed,
            n_skipped: self.n_skipped + other.n_skipped,
        }
    }
}

/// Which words a runner counts in.
#[derive(Debug, Clone, Copy)]
pub enum Runner {
    /// `test result: ok. 5 passed; 0 failed; 1 ignored; …`, once for each binary.
    CargoTest,
    /// `Summary [ 1.2s] 7 tests run: 6 passed, 1 failed, 2 skipped`.
    Nextest,
    /// `=== 1 failed, 5 passed, 2 skipped in 0.12s ===`.
    Pytest,
    /// `# pass 5`, `# fail 1`, …, a line each (TAP).
    Node,
}

/// The counts of a finished run.
pub fn read(runner: Runner, ran: &Ran) -> anyhow::Result<Counts> {
    let summaries: Vec<&str> = ran.output.lines().filter(|line| is_summary(runner, line)).collect();
    // A run prints one summary in the end; only cargo prints one for each binary.
    let summaries = match runner {
        Runner::Nextest | Runner::Pytest => &summaries[summaries.len().saturating_sub(1)..],
        Runner::CargoTest | Runner::Node => &summaries[..],
    };
    if summaries.is_empty() {
        bail!("the tests ended without a summary");
    }
    let mut counts = summaries.iter().map(|line| of_line(line)).fold(Counts::default(), Counts::plus);
    if !ran.succeeded {
        counts.n_failed = counts.n_failed.max(1);
    }
    Ok(counts)
}

fn is_summary(runner: Runner, line: &str) -> bool {
    match runner {
        Runner::CargoTest => line.starts_with("test result: "),
        Runner::Nextest => line.trim_start().starts_with("Summary [") && line.contains("run: "),
        Runner::Pytest => {
            line.contains(" in ") && line.trim_matches('=').trim().ends_with(['s', ')']) && {
                let first = line.trim_matches('=').split_whitespace().next();
                first.is_some_and(|word| word.parse::<u64>().is_ok()) || line.contains("no tests ran")
            }
        }
        Runner::Node => {
            line.starts_with("# ") && line.split_whitespace().count() == 3 && has_counting_word(line)
        }
    }
}

fn has_counting_word(line: &str) -> bool {
    line.split_whitespace().nth(1).is_some_and(|word| of_word(word, 1) != Counts::default())
}

/// Adds up all pairs of a number and a word, in either order, whose word is one that counts.
fn of_line(line: &str) -> Counts {
    let words: Vec<&str> = line.split_whitespace().map(|word| word.trim_matches([',', ';', '='])).collect();
    let pairs = words.windows(2).filter_map(|pair| match (pair[0].parse(), pair[1].parse()) {
        (Ok(number), Err(_)) => Some((pair[1], number)),
        (Err(_), Ok(number)) if words[0] == "#" => Some((pair[0], number)),
        _ => None,
    });
    pairs.map(|(word, number)| of_word(word, number)).fold(Counts::default(), Counts::plus)
}

fn of_word(word: &str, number: u64) -> Counts {
    match word {
        "passed" | "pass" | "xpassed" => Counts { n_passed: number, ..Counts::default() },
        "failed" | "fail" | "error" | "errors" | "cancelled" => {
            Counts { n_failed: number, ..Counts::default() }
        }
        "ignored" | "skipped" | "xfailed" | "todo" => Counts { n_skipped: number, ..Counts::default() },
        _ => Counts::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(runner: Runner, succeeded: bool, output: &str) -> Option<(u64, u64, u64)> {
        let counts = read(runner, &Ran { succeeded, output: output.to_owned() }).ok()?;
        Some((counts.n_passed, counts.n_failed, counts.n_skipped))
    }

    #[test]
    fn cargo_counts_each_binary() {
        let output = "running 2 tests\ntest result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; \
                      finished in 0.02s\ntest result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 3 filtered \
                      out; finished in 1.00s\n";
        assert_eq!(counted(Runner::CargoTest, false, output), Some((6, 2, 1)));
    }

    #[test]
    fn nextest_counts_once() {
        let output = "     Summary [   0.005s] 7/9 tests run: 6 passed (1 slow), 1 failed, 2 skipped\n";
        assert_eq!(counted(Runner::Nextest, false, output), Some((6, 1, 2)));
        let output = "────────────\n     Summary [   0.005s] 3 tests run: 3 passed, 0 skipped\n";
        assert_eq!(counted(Runner::Nextest, true, output), Some((3, 0, 0)));
    }

    #[test]
    fn pytest_counts_errors_as_failures() {
        let output = "1 of 3 in all\n==== 1 failed, 5 passed, 2 skipped, 1 warning, 1 error in 0.12s ====\n";
        assert_eq!(counted(Runner::Pytest, false, output), Some((5, 2, 2)));
        assert_eq!(counted(Runner::Pytest, true, "12 passed in 61.01s (0:01:01)\n"), Some((12, 0, 0)));
    }

    #[test]
    fn node_counts_by_line() {
        let output = "# Subtest: draws 3\n# tests 9\n# pass 5\n# fail 1\n# cancelled 1\n# skipped 2\n# todo 0\n# duration_ms 3.2\n";
        assert_eq!(counted(Runner::Node, false, output), Some((5, 2, 2)));
    }

    #[test]
    fn a_run_that_failed_never_counts_as_none_failed() {
        assert_eq!(counted(Runner::Pytest, false, "==== 5 passed in 0.12s ===="), Some((5, 1, 0)));
    }

    #[test]
    fn a_run_without_a_summary_is_an_error() {
        for runner in [Runner::CargoTest, Runner::Nextest, Runner::Pytest, Runner::Node] {
            assert_eq!(counted(runner, true, "could not compile `spec`\n"), None, "{runner:?}");
        }
    }
}
