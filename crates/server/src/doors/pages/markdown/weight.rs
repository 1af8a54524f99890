//! How hard Markdown and HTML are to parse, told before they are parsed.
//!
//! A parser of HTML takes time that grows with depth times length, and repeats formatting that was never closed
//! in every block that follows. Refuses to build a tree: it counts tags, once. Invariant: depth and unclosed
//! formatting are never thought smaller than a parser will find them.

use std::cell::{Cell, RefCell};

use html5ever::tokenizer::states::RawKind;
use html5ever::tokenizer::{
    BufferQueue, Tag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts,
};

/// Deepest nesting that is parsed.
const DEPTH: usize = 200;
/// Most repetitions of formatting that was not closed: unclosed tags times all tags.
const REPETITIONS: usize = 100_000;

/// Formatting that a parser opens again in the next block if it was not closed.
const FORMATTING: [&str; 14] =
    ["a", "b", "big", "code", "em", "font", "i", "nobr", "s", "small", "strike", "strong", "tt", "u"];
/// Tags that have no end, or whose end is implied by the next of their kind; what holds them counts.
const ENDLESS: [&str; 26] = [
    "area", "base", "br", "col", "colgroup", "dd", "dt", "embed", "hr", "img", "input", "li", "link", "meta",
    "option", "p", "param", "source", "tbody", "td", "tfoot", "th", "thead", "tr", "track", "wbr",
];
/// In these tags other rules hold than the ones counted by.
const STRANGE: [&str; 5] = ["svg", "math", "plaintext", "noscript", "template"];

/// Most quotes and lists that one line begins.
const CONTAINERS: usize = 50;

/// Whether no line of this Markdown begins so many quotes and lists that a parser spends its time on them.
pub(super) fn is_flat(markdown: &str) -> bool {
    markdown.lines().all(|line| {
        let is_mark = |c: char| {
            matches!(c, '>' | '-' | '*' | '+' | '.' | ')') || c.is_ascii_digit() || c.is_whitespace()
        };
        let start = &line[..line.find(|c| !is_mark(c)).unwrap_or(line.len())];
        let n_items = start.split_ascii_whitespace().filter(|mark| mark.len() <= 10).count();
        let n_quotes = start.matches('>').count();
        n_quotes.max(n_items) <= CONTAINERS
    })
}

/// Whether a parser gets through this HTML in good time.
pub(super) fn is_bearable(html: &str) -> bool {
    let input = BufferQueue::default();
    input.push_back(html.into());
    let tokenizer = Tokenizer::new(Scale::default(), TokenizerOpts::default());
    // A sink that runs no scripts never interrupts.
    let _ = tokenizer.feed(&input);
    tokenizer.end();
    let Scale { deepest, n_tags, most_formatting, is_strange, .. } = &tokenizer.sink;
    deepest.get() <= DEPTH
        && most_formatting.get().saturating_mul(n_tags.get()) <= REPETITIONS
        && !is_strange.get()
}

#[derive(Default)]
struct Scale {
    open: RefCell<Vec<String>>,
    n_formatting: Cell<usize>,
    most_formatting: Cell<usize>,
    deepest: Cell<usize>,
    n_tags: Cell<usize>,
    is_strange: Cell<bool>,
}

impl TokenSink for Scale {
    type Handle = ();

    fn process_token(&self, token: Token, _line: u64) -> TokenSinkResult<()> {
        match token {
            Token::TagToken(tag) if tag.kind == TagKind::StartTag => self.start(&tag),
            Token::TagToken(tag) => {
                self.end_of(&tag.name);
                TokenSinkResult::Continue
            }
            _ => TokenSinkResult::Continue,
        }
    }
}

impl Scale {
    fn start(&self, tag: &Tag) -> TokenSinkResult<()> {
        let name: &str = &tag.name;
        self.n_tags.set(self.n_tags.get() + 1);
        if STRANGE.contains(&name) {
            self.is_strange.set(true);
        }
        match name {
            "script" => return TokenSinkResult::RawData(RawKind::ScriptData),
            "style" | "xmp" | "iframe" | "noembed" | "noframes" => {
                return TokenSinkResult::RawData(RawKind::Rawtext);
            }
            "title" | "textarea" => return TokenSinkResult::RawData(RawKind::Rcdata),
            _ => {}
        }
        if !ENDLESS.contains(&name) && self.deepest.get() <= DEPTH {
            let mut open = self.open.borrow_mut();
            open.push(name.to_owned());
            self.deepest.set(self.deepest.get().max(open.len()));
            if FORMATTING.contains(&name) {
                self.n_formatting.set(self.n_formatting.get() + 1);
            }
        }
        TokenSinkResult::Continue
    }

    /// Only the innermost tag is taken as closed; a parser may do more with an end that fits nothing, never less.
    fn end_of(&self, name: &str) {
        let mut open = self.open.borrow_mut();
        if open.last().is_some_and(|last| last == name) {
            open.pop();
            if FORMATTING.contains(&name) {
                self.n_formatting.set(self.n_formatting.get().saturating_sub(1));
            }
        }
        // What stays open to the next block is what costs.
        if !FORMATTING.contains(&name) {
            self.most_formatting.set(self.most_formatting.get().max(self.n_formatting.get()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_only_nest_are_found() {
        assert!(is_flat(
            "# a\n\n> > quoted\n\n- a\n  - b\n\n----------------------------------------\n* * *\n"
        ));
        for line in
            [">".repeat(100), "> ".repeat(100), "- ".repeat(100), "1. ".repeat(100), "> - ".repeat(60)]
        {
            assert!(!is_flat(&format!("a\n\n{line}x")), "{line}");
        }
    }

    #[test]
    fn ordinary_html_is_bearable() {
        assert!(is_bearable(&"<p>a <b>b</b> <a href=\"x\">c</a></p>".repeat(10_000)));
        assert!(is_bearable(&format!("<table>{}</table>", "<tr><td>1<td>2".repeat(5_000))));
        assert!(is_bearable("<p><b>bold across</p><p>two</b></p>"));
    }

    #[test]
    fn depth_that_hides_is_found() {
        let hidden = [
            "<div>",
            "<div></p>",
            "<div title='</div>'>",
            "<div><!-- </div> -->",
            "<div><style></div></style>",
        ];
        for part in hidden {
            assert!(!is_bearable(&part.repeat(1000)), "`{part}`");
        }
        assert!(!is_bearable("<svg><![CDATA[></div>]]></svg>"));
    }

    #[test]
    fn formatting_that_is_never_closed_is_found() {
        let unclosed: String = (0..100).map(|i| format!("<b id={i}>")).collect();
        assert!(!is_bearable(&format!("{unclosed}{}", "<p>a</p>".repeat(10_000))));
    }
}
