//! Words: what the search index is made of and asked for.
//!
//! Refuses to know what is searched. Invariant: what a person typed becomes letters and digits with spaces
//! between them before it reaches a query language, so none of it can be an operator or an error.

use super::Dialect;

/// Words of a query beyond this many are not looked at.
const MAX_WORDS: usize = 16;
/// Bytes of a repository's texts beyond this many are not indexed.
const MAX_INDEXED_BYTES: usize = 16 * 1024;

/// The words of a text in lower case with one space between them. `alice/iris-v2_small` has five words.
pub(super) fn normalize(text: &str) -> String {
    let mut words = String::with_capacity(text.len());
    for word in split(text) {
        if words.len() + word.len() > MAX_INDEXED_BYTES {
            break;
        }
        if !words.is_empty() {
            words.push(' ');
        }
        words.extend(word.chars().flat_map(char::to_lowercase));
    }
    words
}

/// What a person looks for.
pub(super) struct Terms(Vec<String>);

impl Terms {
    /// `None` if the text has no word in it.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text: String = text.chars().take(MAX_INDEXED_BYTES).collect();
        let words: Vec<String> = normalize(&text)
            .split(' ')
            .filter(|word| !word.is_empty())
            .take(MAX_WORDS)
            .map(str::to_owned)
            .collect();
        if words.is_empty() { None } else { Some(Self(words)) }
    }

    /// A condition on the repository `r`: it has all words, the last one perhaps only begun. `$n` holds
    /// [`Terms::anywhere`] or [`Terms::in_name`].
    pub(super) fn condition(dialect: Dialect, n: usize) -> String {
        match dialect {
            // Not EXISTS: that would ask the index once for every repository.
            Dialect::Sqlite => {
                format!("r.id IN (SELECT rowid FROM repositories_words WHERE repositories_words MATCH ${n})")
            }
            Dialect::Postgres => format!("r.search_words @@ to_tsquery('simple', ${n})"),
        }
    }

    /// The value for words anywhere in the name or the texts.
    pub(super) fn anywhere(&self, dialect: Dialect) -> String {
        match dialect {
            Dialect::Sqlite => self.join(" AND ", |word| format!("\"{word}\""), "*"),
            Dialect::Postgres => self.join(" & ", |word| format!("'{word}'"), ":*"),
        }
    }

    /// The value for words in `owner/name` alone.
    pub(super) fn in_name(&self, dialect: Dialect) -> String {
        match dialect {
            Dialect::Sqlite => format!("search_name : ({})", self.anywhere(dialect)),
            Dialect::Postgres => self.join(" & ", |word| format!("'{word}':A"), "*"),
        }
    }

    fn join(&self, and: &str, quote: impl Fn(&str) -> String, begun: &str) -> String {
        let words: Vec<String> = self.0.iter().map(|word| quote(word)).collect();
        format!("{}{begun}", words.join(and))
    }
}

fn split(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_split_at_every_sign() {
        assert_eq!(normalize("Alice/iris-v2_small.onnx"), "alice iris v2 small onnx");
        assert_eq!(normalize("\"*'():&|!\0"), "");
    }

    #[test]
    fn what_was_typed_is_never_an_operator() {
        let terms = Terms::parse("NEAR(a' OR b*) \"").unwrap();
        assert_eq!(terms.anywhere(Dialect::Sqlite), "\"near\" AND \"a\" AND \"or\" AND \"b\"*");
        assert_eq!(terms.in_name(Dialect::Postgres), "'near':A & 'a':A & 'or':A & 'b':A*");
        assert!(Terms::parse("-- '' \u{0}").is_none());
    }
}
