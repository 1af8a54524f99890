//! The card, `README.md` in a repository: YAML front matter as on the Hugging Face Hub, then Markdown.
//!
//! Splits the two and knows the handful of keys that search and pages need; YAML itself is read by the
//! server, which owns that dependency. Invariant: front matter and body together are the text that came in.

/// The card's path in its repository.
pub const PATH: &str = "README.md";

/// A card in its two parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Card<'a> {
    /// What stands between the two lines of `---`, if anything does.
    pub front_matter: Option<&'a str>,
    /// The Markdown.
    pub body: &'a str,
}

/// Splits a card. A first line of `---` without a second one is Markdown: a horizontal rule.
pub fn split(text: &str) -> Card<'_> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let none = Card { front_matter: None, body: text };
    let Some(rest) =
        text.strip_prefix("---").and_then(|rest| rest.trim_start_matches(' ').strip_prefix_line_end())
    else {
        return none;
    };
    let mut at = 0;
    for line in rest.split_inclusive('\n') {
        if line.trim_end() == "---" {
            return Card { front_matter: Some(&rest[..at]), body: &rest[at + line.len()..] };
        }
        at += line.len();
    }
    none
}

trait StripLineEnd {
    fn strip_prefix_line_end(&self) -> Option<&str>;
}

impl StripLineEnd for str {
    fn strip_prefix_line_end(&self) -> Option<&str> {
        self.strip_prefix("\r\n").or_else(|| self.strip_prefix('\n'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn front_matter_is_what_stands_between_the_lines() {
        let card = split("---\nlicense: mit\n---\n# Iris\n");
        assert_eq!(card, Card { front_matter: Some("license: mit\n"), body: "# Iris\n" });
        assert_eq!(split("---\r\na: 1\r\n---\r\nx").front_matter, Some("a: 1\r\n"));
    }

    #[test]
    fn a_rule_alone_is_markdown() {
        assert_eq!(split("---\nno end").front_matter, None);
        assert_eq!(split("# Iris").body, "# Iris");
        assert_eq!(split("").body, "");
    }
}
