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

/// Where words are looked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Field {
    Anywhere,
    /// In `owner/name` alone.
    Name,
    /// Anywhere, but not all of them in `owner/name`.
    Elsewhere,
}

/// What a person looks for: words that must all be there, the last one perhaps only begun. There is at least one.
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

    /// A condition on the repository `r` that asks the index. `$n` holds the value for a [`Field`].
    pub(super) fn in_index(dialect: Dialect, n: usize) -> String {
        match dialect {
            // Not EXISTS: that would ask the index once for every repository.
            Dialect::Sqlite => {
                format!("r.id IN (SELECT rowid FROM repositories_words WHERE repositories_words MATCH ${n})")
            }
            Dialect::Postgres => format!("r.search_words @@ to_tsquery('simple', ${n})"),
        }
    }

    /// What the index is asked.
    pub(super) fn value(&self, dialect: Dialect, field: Field) -> String {
        let anywhere = || match dialect {
            Dialect::Sqlite => self.join(" AND ", |word| format!("\"{word}\""), "*"),
            Dialect::Postgres => self.join(" & ", |word| format!("'{word}'"), ":*"),
        };
        let in_name = || match dialect {
            Dialect::Sqlite => format!("search_name : ({})", anywhere()),
            Dialect::Postgres => self.join(" & ", |word| format!("'{word}':A"), "*"),
        };
        match (field, dialect) {
            (Field::Anywhere, _) => anywhere(),
            (Field::Name, _) => in_name(),
            (Field::Elsewhere, Dialect::Sqlite) => format!("({}) NOT ({})", anywhere(), in_name()),
            (Field::Elsewhere, Dialect::Postgres) => format!("({}) & !({})", anywhere(), in_name()),
        }
    }

    /// What SQLite's index is asked when no word may be only begun.
    pub(super) fn whole_words(&self, field: Field) -> String {
        let words = self.join(" AND ", |word| format!("\"{word}\""), "");
        if field == Field::Name { format!("search_name : ({words})") } else { words }
    }

    /// The same condition without the index, with patterns of LIKE as values: it looks at each row it is asked
    /// about, which is less work where almost every row fits. `$first` and those behind it hold
    /// [`Terms::patterns`].
    pub(super) fn in_row(&self, field: Field, first: usize) -> String {
        let all = |text: &str| {
            let each = (first..first + self.0.len()).map(|n| format!("{text} LIKE ${n}"));
            each.collect::<Vec<_>>().join(" AND ")
        };
        let (name, anywhere) =
            ("(' ' || r.search_name || ' ')", "(' ' || r.search_name || ' ' || r.search_text || ' ')");
        match field {
            Field::Anywhere => all(anywhere),
            Field::Name => all(name),
            Field::Elsewhere => format!("{} AND NOT ({})", all(anywhere), all(name)),
        }
    }

    /// Each word between spaces; the last may go on. Words have no sign that means something to LIKE.
    pub(super) fn patterns(&self) -> Vec<String> {
        let last = self.0.len() - 1;
        let pattern = |(i, word): (usize, &String)| format!("% {word}{}%", if i == last { "" } else { " " });
        self.0.iter().enumerate().map(pattern).collect()
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
        assert_eq!(terms.value(Dialect::Sqlite, Field::Anywhere), "\"near\" AND \"a\" AND \"or\" AND \"b\"*");
        assert_eq!(terms.value(Dialect::Postgres, Field::Name), "'near':A & 'a':A & 'or':A & 'b':A*");
        assert_eq!(terms.patterns(), ["% near %", "% a %", "% or %", "% b%"]);
        assert!(Terms::parse("-- '' \u{0}").is_none());
    }
}
