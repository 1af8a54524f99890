//! The end of a run: a table of steps with their seconds, and the count alone on the last line.
//!
//! It judges nothing. The form of the last line is fixed: machines read it.

use super::counts::Counts;
use crate::printer;

/// What became of one step.
pub struct Line {
    pub step: &'static str,
    pub seconds: f64,
    pub counts: Counts,
    pub note: Option<String>,
}

/// Prints table and count; whether nothing failed.
pub fn print(lines: &[Line]) -> bool {
    printer::line("\nstep                      seconds   passed   failed  skipped");
    for line in lines {
        let Counts { n_passed, n_failed, n_skipped } = line.counts;
        let note = line.note.as_deref().and_then(|note| note.lines().next()).unwrap_or_default();
        let numbers = format!("{:>9.1}{n_passed:>9}{n_failed:>9}{n_skipped:>9}", line.seconds);
        printer::line(format!("{:<24}{numbers}  {note}", line.step).trim_end());
    }
    printer::line("");
    printer::line(closing(lines));
    failures(lines) == 0
}

/// How many tests and checks failed in all.
pub fn failures(lines: &[Line]) -> u64 {
    total(lines).n_failed
}

fn closing(lines: &[Line]) -> String {
    let Counts { n_passed, n_failed, n_skipped } = total(lines);
    format!("{n_passed} passed, {n_failed} failed, {n_skipped} skipped")
}

fn total(lines: &[Line]) -> Counts {
    lines.iter().map(|line| line.counts).fold(Counts::default(), Counts::plus)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_adds_up_all_steps() {
        let line = |counts| Line { step: "s", seconds: 0.5, counts, note: None };
        let lines = [line(Counts::PASSED), line(Counts::FAILED), line(Counts::SKIPPED), line(Counts::PASSED)];
        assert_eq!(closing(&lines), "2 passed, 1 failed, 1 skipped");
        assert!(!print(&lines) && print(&lines[..1]));
    }
}
