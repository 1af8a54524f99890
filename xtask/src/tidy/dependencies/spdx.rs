//! Whether a licence expression (SPDX) can be met with a list of licences.
//!
//! It knows the grammar (`AND`, `OR`, `WITH`, brackets, and `/`, which old packages write for `OR`), not
//! what a licence says. What it cannot read is not met.

/// Whether some choice among the `OR`s leaves allowed licences only.
pub fn is_satisfied(expression: &str, allowed: &[&str]) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut reader = Reader { words: &words, at: 0, allowed };
    reader.any().is_some_and(|met| met && reader.at == words.len())
}

struct Reader<'text> {
    words: &'text [&'text str],
    at: usize,
    allowed: &'text [&'text str],
}

impl Reader<'_> {
    /// `a OR b OR …`; none when it cannot be read.
    fn any(&mut self) -> Option<bool> {
        let mut met = self.all()?;
        while self.take("OR") {
            met |= self.all()?;
        }
        Some(met)
    }

    /// `a AND b AND …`
    fn all(&mut self) -> Option<bool> {
        let mut met = self.one()?;
        while self.take("AND") {
            met &= self.one()?;
        }
        Some(met)
    }

    /// A licence, one with an exception, or an expression in brackets.
    fn one(&mut self) -> Option<bool> {
        if self.take("(") {
            let met = self.any()?;
            return self.take(")").then_some(met);
        }
        let licence = *self.words.get(self.at)?;
        self.at += 1;
        if !self.take("WITH") {
            return Some(self.allowed.contains(&licence));
        }
        let exception = *self.words.get(self.at)?;
        self.at += 1;
        let whole = format!("{licence} WITH {exception}");
        Some(self.allowed.iter().any(|allowed| *allowed == whole || *allowed == licence))
    }

    fn take(&mut self, word: &str) -> bool {
        let is_next = self.words.get(self.at) == Some(&word);
        self.at += usize::from(is_next);
        is_next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_met_as_they_read() {
        let met =
            |expression: &str| is_satisfied(expression, &["MIT", "ISC", "Apache-2.0 WITH LLVM-exception"]);
        assert!(met("MIT") && met("GPL-3.0/MIT") && met("MIT AND ISC") && met("(GPL-3.0 AND ISC) OR MIT"));
        assert!(met("Apache-2.0 WITH LLVM-exception"));
        assert!(!met("MIT AND GPL-3.0") && !met("Apache-2.0") && !met("(MIT OR GPL-3.0) AND GPL-3.0"));
    }

    #[test]
    fn what_cannot_be_read_is_not_met() {
        for expression in ["", "MIT MIT", "(MIT", "MIT OR", "MIT WITH"] {
            assert!(!is_satisfied(expression, &["MIT"]), "`{expression}` was met");
        }
    }
}
