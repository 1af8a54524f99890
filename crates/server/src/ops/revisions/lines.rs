//! Two texts, line by line.
//!
//! Pure. Invariant: the lines that are told, put together with those between them that are the same, are both texts.

use similar::{ChangeTag, TextDiff};

/// Lines that are the same, told before and after those that differ.
const AROUND: usize = 3;
/// Longest text that is compared, in lines: the work may grow with the square.
const LINES: usize = 5_000;

/// A stretch in which two texts differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hunk(pub Vec<Line>);

/// A line of one text, or of both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Its number in the old text, if it is there; the first is 1.
    pub old: Option<usize>,
    pub new: Option<usize>,
    pub text: String,
}

/// Where two texts differ; none where they are too long to be compared.
pub fn compare(old: &str, new: &str) -> Option<Vec<Hunk>> {
    if old.lines().count().max(new.lines().count()) > LINES {
        return None;
    }
    let diff = TextDiff::from_lines(old, new);
    let line = |change: similar::Change<&str>| Line {
        old: change.old_index().filter(|_| change.tag() != ChangeTag::Insert).map(|at| at + 1),
        new: change.new_index().filter(|_| change.tag() != ChangeTag::Delete).map(|at| at + 1),
        text: change.value().trim_end_matches(['\n', '\r']).to_owned(),
    };
    let hunk =
        |ops: Vec<similar::DiffOp>| Hunk(ops.iter().flat_map(|op| diff.iter_changes(op)).map(line).collect());
    Some(diff.grouped_ops(AROUND).into_iter().map(hunk).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_added_and_taken_away_stands_between_what_stayed() {
        let old = (1..=20).map(|n| format!("{n}\n")).collect::<String>();
        let new = old.replace("\n10\n", "\nten\n") + "21\n";
        let hunks = compare(&old, &new).unwrap();
        let told = |hunk: &Hunk| {
            let line = |line: &Line| match (line.old, line.new) {
                (Some(_), None) => format!("-{}", line.text),
                (None, Some(_)) => format!("+{}", line.text),
                _ => line.text.clone(),
            };
            hunk.0.iter().map(line).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(hunks.iter().map(told).collect::<Vec<_>>(), ["7 8 9 -10 +ten 11 12 13", "18 19 20 +21"]);
        assert_eq!((hunks[1].0[0].old, hunks[1].0[0].new), (Some(18), Some(18)));
        assert_eq!(compare(&old, &old), Some(Vec::new()));
        assert_eq!(compare("", &"x\n".repeat(LINES + 1)), None);
    }
}
