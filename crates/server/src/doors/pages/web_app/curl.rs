//! The command that repeats what a form just asked, in the words of the Open Inference Protocol.
//!
//! Pure. Invariant: the command sends the same values that the endpoint was sent.

/// Longest body that stands in a command itself; a shell takes no word of any length.
const BODY_BYTES: usize = 64 * 1024;

/// Where the command goes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Target<'a> {
    /// The whole address of the endpoint's `infer`.
    pub url: &'a str,
    pub is_private: bool,
}

/// The command that sends this body.
pub(super) fn command(target: Target<'_>, body: &str) -> String {
    let mut lines = vec![format!("curl -sS {}", quoted(target.url))];
    if target.is_private {
        lines.push("-H \"authorization: Bearer $REENACT_TOKEN\"".to_owned());
    }
    lines.push("-H 'content-type: application/json'".to_owned());
    match body.len() <= BODY_BYTES {
        true => lines.push(format!("-d {}", quoted(body))),
        false => lines.push("--data-binary @request.json".to_owned()),
    }
    lines.join(" \\\n  ")
}

/// A text as one word of a POSIX shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quote_cannot_end_the_word_it_stands_in() {
        let target = Target { url: "http://a/infer", is_private: true };
        let command = command(target, r#"{"x":"it's; rm -rf ~"}"#);
        assert!(command.ends_with(r#"-d '{"x":"it'\''s; rm -rf ~"}'"#), "{command}");
        assert!(command.contains("$REENACT_TOKEN"));
    }
}
