//! Words that tell who made something: finding them in bytes, and hiding them in text.
//!
//! Pure. Finds words in any case of their letters where no letter continues them (so in `alice_2` and `AliceNet`, and
//! not in `malice`), and every e-mail address. Invariant: a text that was hidden holds none of the words that are found.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::Range;

use regex::{Captures, Regex, RegexBuilder, bytes};

/// What stands in the place of a word that tells.
pub const HIDDEN: &str = "[hidden]";
/// Shorter words stand in every text; whoever is called so is asked to look for themselves.
const SHORTEST: usize = 3;
/// Most words that one identity has.
const WORDS: usize = 500;
/// An address as people write it; the domain ends in letters, so that `a@1.2` is none.
const EMAIL: &str =
    r"[A-Za-z0-9._%+\-]{1,64}@[A-Za-z0-9\-]{1,63}(?:\.[A-Za-z0-9\-]{1,63}){0,8}\.[A-Za-z]{2,24}";

/// The words that tell who somebody is.
#[derive(Debug, Clone)]
pub struct Identity {
    words: Vec<String>,
    in_text: Regex,
    in_bytes: bytes::Regex,
}

/// A word that was found, and where it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub at: usize,
    pub word: String,
}

impl Identity {
    /// Of these words; those that are too short to look for are left out. None if they are too many or too long.
    pub fn new(words: impl IntoIterator<Item = String>) -> Option<Self> {
        let kept = words.into_iter().map(|word| word.trim().to_lowercase());
        let kept: BTreeSet<String> = kept.filter(|word| word.chars().count() >= SHORTEST).collect();
        if kept.len() > WORDS {
            return None;
        }
        // The longest first: where one word begins another, the whole is what tells.
        let mut words: Vec<String> = kept.into_iter().collect();
        words.sort_by_key(|word| std::cmp::Reverse(word.len()));
        let parts = words.iter().map(|word| regex::escape(word));
        // An address tells by its other half too, so it is looked for first.
        let pattern = std::iter::once(EMAIL.to_owned()).chain(parts).collect::<Vec<_>>().join("|");
        let in_text = RegexBuilder::new(&pattern).case_insensitive(true).build().ok()?;
        let in_bytes = bytes::RegexBuilder::new(&pattern).case_insensitive(true).build().ok()?;
        Some(Self { words, in_text, in_bytes })
    }

    /// The words, longest first.
    pub fn words(&self) -> &[String] {
        &self.words
    }

    /// The text with every word that tells taken out.
    pub fn hide<'t>(&self, text: &'t str) -> Cow<'t, str> {
        self.in_text.replace_all(text, |found: &Captures<'_>| {
            let range = found.get(0).map_or(0..0, |found| found.range());
            if is_whole(text.as_bytes(), range.clone()) { HIDDEN.to_owned() } else { text[range].to_owned() }
        })
    }

    /// Whether anything in the text tells.
    pub fn is_in(&self, text: &str) -> bool {
        !self.find(text.as_bytes(), 1).is_empty()
    }

    /// The first `limit` words in these bytes.
    pub fn find(&self, bytes: &[u8], limit: usize) -> Vec<Found> {
        let found = self.in_bytes.find_iter(bytes).filter(|found| is_whole(bytes, found.range()));
        let word = |found: bytes::Match<'_>| String::from_utf8_lossy(found.as_bytes()).into_owned();
        found.take(limit).map(|found| Found { at: found.start(), word: word(found) }).collect()
    }
}

/// Whether no letter continues what was found: a capital after a small letter begins a word of its own.
fn is_whole(bytes: &[u8], range: Range<usize>) -> bool {
    let before = bytes[..range.start].last().copied().unwrap_or(b' ');
    let after = bytes.get(range.end).copied().unwrap_or(b' ');
    let (Some(&first), Some(&last)) = (bytes.get(range.start), bytes[..range.end].last()) else {
        return false;
    };
    // Between letters of other scripts a word is rather found once too often.
    let is_letter = |byte: u8| byte.is_ascii_alphabetic();
    let begins = !is_letter(before) || (before.is_ascii_lowercase() && first.is_ascii_uppercase());
    let ends = !is_letter(after) || (last.is_ascii_lowercase() && after.is_ascii_uppercase());
    (begins || !is_letter(first)) && (ends || !is_letter(last))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alice() -> Identity {
        Identity::new(["Alice", "alice-lab", "Universität Köln", "al"].map(str::to_owned)).unwrap()
    }

    #[test]
    fn names_are_hidden_wherever_a_word_begins_and_ends_with_them() {
        let cases = [
            ("by Alice.", "by [hidden]."),
            ("ALICE/iris", "[hidden]/iris"),
            ("alice_v2 alice2 AliceNet myAlice", "[hidden]_v2 [hidden]2 [hidden]Net my[hidden]"),
            ("from alice-lab!", "from [hidden]!"),
            ("/data/alice/train.csv", "/data/[hidden]/train.csv"),
            ("UNIVERSITÄT köln", "[hidden]"),
            ("alice@lab.example.org", "[hidden]"),
            ("mail a.b+c@lab.example.org now", "mail [hidden] now"),
        ];
        for (text, hidden) in cases {
            assert_eq!(alice().hide(text), hidden, "{text}");
        }
    }

    #[test]
    fn other_words_stay() {
        for text in ["malice", "alices", "chalice", "al", "a@1.2", "x = y @ z"] {
            assert_eq!(alice().hide(text), text);
            assert!(!alice().is_in(text), "{text}");
        }
    }

    #[test]
    fn words_are_found_between_any_bytes() {
        let found = alice().find(b"\x80\x05/data/alice/x\x00\xffbob@x.org\x01", 10);
        let words: Vec<_> = found.iter().map(|found| (found.at, found.word.as_str())).collect();
        assert_eq!(words, [(8, "alice"), (17, "bob@x.org")]);
        assert_eq!(alice().find(b"alice alice alice", 2).len(), 2);
    }

    #[test]
    fn nothing_that_is_found_stays_hidden_in_plain_sight() {
        for text in ["Alice, alice-lab and aliceAlice", "alice@alice.com alice", "xAlice aliceX ALICEALICE"] {
            let hidden = alice().hide(text);
            assert!(!alice().is_in(&hidden), "{hidden}");
        }
    }

    #[test]
    fn too_many_words_are_refused() {
        assert!(Identity::new((0..=WORDS).map(|n| format!("word{n}"))).is_none());
    }
}
