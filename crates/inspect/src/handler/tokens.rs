//! Python's text as logical lines of tokens: names, texts and signs.
//!
//! Knows no grammar. Invariant: it never fails; what is not Python gives tokens that nobody looks for.

/// A piece of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    Name(String),
    /// The content of a string, its escapes as they are written.
    Text(String),
    /// One character, or `->`.
    Sign(&'static str),
    /// A number, or a sign that no signature has.
    Other,
}

/// What stands between two line ends that are not inside brackets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Line {
    /// Characters before the first token.
    pub(super) indent: usize,
    pub(super) tokens: Vec<Token>,
}

const SIGNS: [&str; 15] = ["->", "(", ")", "[", "]", "{", "}", ",", ":", "=", "|", ".", "*", "/", "@"];

/// The lines that hold something.
pub(super) fn lines(text: &str) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut line = Line::default();
    let (mut rest, mut depth) = (text, 0_usize);
    let mut is_at_start = true;
    while let Some(first) = rest.chars().next() {
        if is_at_start {
            let n = rest.find(|c| c != ' ' && c != '\t').unwrap_or(rest.len());
            line.indent = n;
            rest = &rest[n..];
            is_at_start = false;
            continue;
        }
        match first {
            '\n' if depth == 0 => {
                rest = &rest[1..];
                end(&mut lines, &mut line);
                is_at_start = true;
            }
            '\\' if rest[1..].starts_with('\n') => rest = &rest[2..],
            '#' => rest = &rest[rest.find('\n').unwrap_or(rest.len())..],
            _ if first.is_whitespace() => rest = &rest[first.len_utf8()..],
            _ => {
                let (token, after) = next(rest, first);
                match token {
                    Token::Sign("(" | "[" | "{") => depth += 1,
                    Token::Sign(")" | "]" | "}") => depth = depth.saturating_sub(1),
                    _ => {}
                }
                line.tokens.push(token);
                rest = after;
            }
        }
    }
    end(&mut lines, &mut line);
    lines
}

fn end(lines: &mut Vec<Line>, line: &mut Line) {
    let done = std::mem::take(line);
    if !done.tokens.is_empty() {
        lines.push(done);
    }
}

fn next(rest: &str, first: char) -> (Token, &str) {
    if first == '"' || first == '\'' {
        return text(rest);
    }
    if first.is_alphabetic() || first == '_' {
        let n = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        let (name, after) = rest.split_at(n);
        let is_prefix = name.len() <= 2 && name.chars().all(|c| "rRbBuUfFtT".contains(c));
        return match after.starts_with(['"', '\'']) && is_prefix {
            true => text(after),
            false => (Token::Name(name.to_owned()), after),
        };
    }
    if first.is_ascii_digit() {
        let n = rest.find(|c: char| !c.is_alphanumeric() && c != '_' && c != '.').unwrap_or(rest.len());
        return (Token::Other, &rest[n..]);
    }
    match SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
        Some(sign) => (Token::Sign(sign), &rest[sign.len()..]),
        None => (Token::Other, &rest[first.len_utf8()..]),
    }
}

/// A string from its first quote on; one that does not end goes on to the end of the text.
fn text(rest: &str) -> (Token, &str) {
    let quote = &rest[..1];
    let triple = quote.repeat(3);
    let mark = if rest.starts_with(&triple) { triple.as_str() } else { quote };
    let body = &rest[mark.len()..];
    let mut at = 0;
    while let Some(found) = body[at..].find(|c: char| c == '\\' || quote.contains(c)) {
        at += found;
        if body[at..].starts_with('\\') {
            at += 1 + body[at + 1..].chars().next().map_or(0, char::len_utf8);
        } else if body[at..].starts_with(mark) {
            return (Token::Text(body[..at].to_owned()), &body[at + mark.len()..]);
        } else {
            at += 1;
        }
    }
    (Token::Text(body.to_owned()), "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_comments_and_brackets_hide_line_ends() {
        let text = "a = '''x\n\\'y' def''' # def no\nb(\n 'it\\'s', \"\"\"q\"\"\") \\\n  c\n\n  d";
        let lines = lines(text);
        let name = |name: &str| Token::Name(name.into());
        assert_eq!(lines.len(), 3, "{lines:?}");
        assert_eq!(lines[0].tokens[2], Token::Text("x\n\\'y' def".into()));
        assert_eq!(lines[1].tokens[2], Token::Text("it\\'s".into()));
        assert_eq!(lines[1].tokens.last(), Some(&name("c")));
        assert_eq!((lines[2].indent, &lines[2].tokens[0]), (2, &name("d")));
    }

    #[test]
    fn no_text_makes_it_fail() {
        for text in
            ["'", "'''", "\\", "(((", "\u{e9}\u{feff}'\u{1f600}\\", "rb'x", "f\"{a!r}\"", "\t\n \r\n)"]
        {
            lines(text);
        }
    }
}
