//! The frame of every page: title, who is signed in, and the addresses of styles and scripts.
//!
//! Knows nothing of what the page is about. Invariant: a form on a page carries the frame's `csrf`.

use askama::filters::Safe;

use crate::doors::pages::assets;

/// The frame around a page.
#[derive(Debug, Clone, Default)]
pub struct Frame {
    /// The page's own title.
    pub title: String,
    /// One sentence for search engines and previews; may be empty.
    pub description: String,
    /// Who is signed in.
    pub user: Option<String>,
    /// The session's secret that forms send back; empty for nobody.
    pub csrf: String,
    /// What was searched for, shown again in the search field.
    pub search: String,
    /// Which entry of the main navigation is the current one.
    pub section: &'static str,
    /// Where to come back to after signing in: path and query of this page.
    pub here: String,
    /// Whether it stands in a frame of another page, without what is around it.
    pub is_embedded: bool,
}

impl Frame {
    /// Where an asset is.
    pub fn asset(&self, name: &str) -> String {
        assets::address(name)
    }

    /// An icon, hidden from those who hear the page: the text beside it says the same.
    pub fn icon(&self, name: &str) -> Safe<String> {
        let address = assets::address("icons.svg");
        Safe(format!("<svg class=\"icon\" aria-hidden=\"true\"><use href=\"{address}#{name}\"></use></svg>"))
    }

    /// A sentence in which what stands between backticks is shown as code.
    pub fn sentence(&self, text: &str) -> Safe<String> {
        let mut out = String::with_capacity(text.len() + 16);
        for (i, part) in text.split('`').enumerate() {
            let (open, close) = if i % 2 == 1 { ("<code>", "</code>") } else { ("", "") };
            out.push_str(open);
            out.push_str(&escape(part));
            out.push_str(close);
        }
        Safe(out)
    }

    /// Whether this is the current section.
    pub fn is_in(&self, section: &str) -> bool {
        self.section == section
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}

/// A link, one of several of which one may be where the reader is.
#[derive(Debug, Clone, Default)]
pub struct Link {
    pub label: String,
    pub href: String,
    pub is_current: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_shows_code_and_nothing_else() {
        let shown = Frame::default().sentence("run `a < b` & <b>");
        assert_eq!(shown.0, "run <code>a &lt; b</code> &amp; &lt;b&gt;");
    }
}
