//! The signature of a function, or of a class's `predict`.
//!
//! Knows where definitions stand, nothing of what hints mean. Invariant: what is nested in something else than the
//! class asked for is not found.

use super::hints::{self, Hint};
use super::tokens::{self, Line, Token};

/// What a function takes and gives, as far as it says so.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Signature {
    pub(super) parameters: Vec<(String, Option<Hint>)>,
    pub(super) returns: Option<Hint>,
}

/// The method that stands for a class.
const METHOD: &str = "predict";

/// What explains a prediction: a method beside it, or a function beside a function.
const EXPLAIN: &str = "explain";

/// Whether what is called `name` at the top of the text has something beside it that explains it.
pub(super) fn explains(text: &str, name: &str) -> bool {
    let lines = tokens::lines(text);
    let place =
        lines.iter().rposition(|line| line.indent == 0 && defined(line).is_some_and(|(_, n)| n == name));
    let Some(place) = place else { return false };
    if let Some(("def", _)) = defined(&lines[place]) {
        return lines.iter().any(|line| line.indent == 0 && defined(line) == Some(("def", EXPLAIN)));
    }
    let body = || lines[place + 1..].iter().take_while(|line| line.indent > 0);
    let indent = body().next().map_or(0, |line| line.indent);
    body().any(|line| line.indent == indent && defined(line) == Some(("def", EXPLAIN)))
}

/// Finds what is called `name` at the top of the text. The last definition counts, as it does for Python.
pub(super) fn find(text: &str, name: &str) -> Result<Signature, String> {
    let lines = tokens::lines(text);
    let place =
        lines.iter().rposition(|line| line.indent == 0 && defined(line).is_some_and(|(_, n)| n == name));
    let Some(place) = place else {
        return Err(format!(
            "it defines no `{name}`; a name that is assigned or imported needs a schema in `reenact.toml`"
        ));
    };
    if let Some(("def", _)) = defined(&lines[place]) {
        return read(&lines[place]);
    }
    let body = lines[place + 1..].iter().take_while(|line| line.indent > 0).collect::<Vec<_>>();
    let indent = body.first().map_or(0, |line| line.indent);
    let methods = body.iter().filter(|line| line.indent == indent);
    let method = methods.rev().find(|line| defined(line) == Some(("def", METHOD)));
    let method = method.ok_or_else(|| format!("the class `{name}` has no method `{METHOD}`"))?;
    let mut signature = read(method)?;
    // An instance is asked, which is its own first argument.
    if !signature.parameters.is_empty() {
        signature.parameters.remove(0);
    }
    Ok(signature)
}

/// What a line defines: `def` or `class`, and its name.
fn defined(line: &Line) -> Option<(&str, &str)> {
    match line.tokens.as_slice() {
        [Token::Name(word), Token::Name(name), ..] if word == "def" || word == "class" => Some((word, name)),
        _ => None,
    }
}

fn read(line: &Line) -> Result<Signature, String> {
    let broken = || "a definition ends in the middle".to_owned();
    let start = line.tokens.iter().position(|token| *token == Token::Sign("(")).ok_or_else(broken)?;
    let inside = &line.tokens[start + 1..];
    let end = hints::end_of(inside, &[")"]).ok_or_else(broken)?;
    let mut signature = Signature::default();
    for part in hints::split(&inside[..end]) {
        match part {
            [] | [Token::Sign("*" | "/")] => {}
            [Token::Name(name), rest @ ..] => {
                let hint = match rest {
                    [Token::Sign(":"), hint @ ..] => {
                        let end = hints::end_of(hint, &["="]).unwrap_or(hint.len());
                        Some(hints::read(&hint[..end]))
                    }
                    _ => None,
                };
                signature.parameters.push((name.clone(), hint));
            }
            [Token::Sign("*"), Token::Sign("*"), Token::Name(name), ..] => {
                return Err(format!("`**{name}` stands for any number of inputs; name each"));
            }
            [Token::Sign("*"), Token::Name(name), ..] => {
                return Err(format!("`*{name}` stands for any number of inputs; name each"));
            }
            _ => return Err("a parameter is not understood".to_owned()),
        }
    }
    if let [Token::Sign("->"), rest @ ..] = &inside[end + 1..] {
        let end = hints::end_of(rest, &[":"]).ok_or_else(broken)?;
        signature.returns = Some(hints::read(&rest[..end]));
    }
    Ok(signature)
}
