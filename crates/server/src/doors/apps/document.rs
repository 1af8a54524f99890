//! The pages of an app: what their scripts miss in an origin of their own is put before them.
//!
//! Knows HTML only as far as where a head begins. Invariant: what is put in gives the page nothing but memory of its own.

use bytes::Bytes;

/// Longest page, in bytes.
pub const PAGE_BYTES: usize = 8 * 1024 * 1024;
/// Stores and cookies that last as long as the page; the browser's own throw errors there.
const MEMORY: &str = include_str!("../../../../../web/scripts/app_page.js");

/// The page with that in its head, before all other scripts.
pub fn complete(page: &[u8]) -> Bytes {
    let at = head(page).unwrap_or(0);
    let script = ["<script>", MEMORY, "</script>"].concat();
    [&page[..at], script.as_bytes(), &page[at..]].concat().into()
}

/// Where the head begins, after its own tag.
fn head(page: &[u8]) -> Option<usize> {
    const TAG: &[u8] = b"<head";
    let starts = page.windows(TAG.len() + 1).position(|part| {
        part[..TAG.len()].eq_ignore_ascii_case(TAG)
            && matches!(part[TAG.len()], b'>' | b' ' | b'\n' | b'\r' | b'\t')
    })?;
    let ends = page[starts..].iter().position(|byte| *byte == b'>')?;
    Some(starts + ends + 1)
}

/// An error as a page in the frame.
pub fn refusal(title: &str, detail: &str) -> String {
    let escape = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"color-scheme\" \
         content=\"light dark\"><title>{title}</title><style>body{{font:1rem/1.5 system-ui,sans-serif;margin:2rem}}\
         </style></head><body><h1>{title}</h1><p>{detail}</p></body></html>",
        title = escape(title),
        detail = escape(detail),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_comes_before_the_page_own_scripts() {
        let page =
            complete(b"<!doctype html><html><header></header><HEAD lang=x><script src=a></script></HEAD>");
        let text = String::from_utf8(page.to_vec()).unwrap();
        assert!(text.starts_with("<!doctype html><html><header></header><HEAD lang=x><script>"), "{text}");
        assert!(text.ends_with("</script><script src=a></script></HEAD>"), "{text}");
        assert!(complete(b"no head").starts_with(b"<script>"));
        assert!(!MEMORY.contains("</script"));
    }

    #[test]
    fn an_error_is_no_page_of_the_app() {
        assert!(refusal("It is <down>", "a & b").contains("It is &lt;down&gt;</h1><p>a &amp; b"));
    }
}
