//! Type hints: names with arguments, unions, literals.
//!
//! Knows their form and which names say the same. Invariant: a hint prints as it can be written again, shortened.

use std::fmt;

use super::tokens::{self, Token};

/// A type hint.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Hint {
    /// A dotted name, with what stands in brackets behind it.
    Named(String, Vec<Hint>),
    /// Texts of which one is meant.
    Literal(Vec<String>),
    Union(Vec<Hint>),
    /// What no hint looks like.
    Unread,
}

/// How deep hints are read in hints.
const DEPTH: usize = 8;

/// Reads a hint, whatever it is.
pub(super) fn read(tokens: &[Token]) -> Hint {
    read_within(tokens, DEPTH)
}

fn read_within(tokens: &[Token], depth: usize) -> Hint {
    if depth == 0 {
        return Hint::Unread;
    }
    let parts = split_at(tokens, "|");
    if parts.len() > 1 {
        return Hint::Union(parts.into_iter().map(|part| read_within(part, depth - 1)).collect());
    }
    match tokens {
        // A hint in quotes is one all the same.
        [Token::Text(text)] => match tokens::lines(text).as_slice() {
            [line] => read_within(&line.tokens, depth - 1),
            _ => Hint::Unread,
        },
        [Token::Name(first), rest @ ..] => {
            let mut name = first.clone();
            let mut rest = rest;
            while let [Token::Sign("."), Token::Name(next), after @ ..] = rest {
                name = format!("{name}.{next}");
                rest = after;
            }
            match rest {
                [] => Hint::Named(name, Vec::new()),
                [Token::Sign("["), inside @ .., Token::Sign("]")] => bracketed(name, inside, depth),
                _ => Hint::Unread,
            }
        }
        // `...`, and numbers in brackets.
        _ => Hint::Unread,
    }
}

fn bracketed(name: String, inside: &[Token], depth: usize) -> Hint {
    let parts = split(inside).into_iter().filter(|part| !part.is_empty());
    if last_part(&name) == "Literal" {
        let text = |part: &[Token]| match part {
            [Token::Text(text)] => Some(text.clone()),
            _ => None,
        };
        return parts.map(text).collect::<Option<Vec<_>>>().map_or(Hint::Unread, Hint::Literal);
    }
    let arguments: Vec<Hint> = parts.map(|part| read_within(part, depth - 1)).collect();
    match last_part(&name) {
        "Annotated" => arguments.into_iter().next().unwrap_or(Hint::Unread),
        "Union" => Hint::Union(arguments),
        "Optional" => {
            let none = Hint::Named("None".to_owned(), Vec::new());
            Hint::Union(arguments.into_iter().chain([none]).collect())
        }
        _ => Hint::Named(name, arguments),
    }
}

impl Hint {
    /// Without the `None` that may stand for it.
    pub(super) fn required(&self) -> &Self {
        let Self::Union(parts) = self else { return self };
        let mut others = parts.iter().filter(|part| !part.is("None"));
        match (others.next(), others.next()) {
            (Some(only), None) => only,
            _ => self,
        }
    }

    pub(super) fn is(&self, wanted: &str) -> bool {
        matches!(self, Self::Named(name, arguments) if arguments.is_empty() && name == wanted)
    }

    /// What a list is of.
    pub(super) fn items(&self) -> Option<&Self> {
        let Self::Named(name, arguments) = self else { return None };
        match (last_part(name), arguments.as_slice()) {
            ("list" | "List" | "Sequence" | "Iterable", [item]) => Some(item),
            ("tuple" | "Tuple", [item, Self::Unread]) => Some(item),
            _ => None,
        }
    }

    /// The parts of a tuple that has a fixed number of them.
    pub(super) fn fixed_tuple(&self) -> Option<&[Self]> {
        match self {
            Self::Named(name, parts)
                if matches!(last_part(name), "tuple" | "Tuple")
                    && !parts.is_empty()
                    && !parts.contains(&Self::Unread) =>
            {
                Some(parts)
            }
            _ => None,
        }
    }

    /// Whether texts come out of it one after the other.
    pub(super) fn is_stream_of_text(&self) -> bool {
        matches!(self, Self::Named(name, arguments)
            if matches!(last_part(name), "Iterator" | "Generator") && arguments.first().is_some_and(|of| of.is("str")))
    }

    /// Whether it is an object of names and values, or anything.
    pub(super) fn is_object(&self) -> bool {
        matches!(self, Self::Named(name, _) if matches!(last_part(name), "dict" | "Dict" | "Mapping" | "Any"))
    }
}

impl fmt::Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let joined = |parts: &[Self], between: &str| {
            parts.iter().map(ToString::to_string).collect::<Vec<_>>().join(between)
        };
        match self {
            Self::Named(name, arguments) if arguments.is_empty() => f.write_str(name),
            Self::Named(name, arguments) => write!(f, "{name}[{}]", joined(arguments, ", ")),
            Self::Literal(texts) => write!(f, "Literal[{} texts]", texts.len()),
            Self::Union(parts) => f.write_str(&joined(parts, " | ")),
            Self::Unread => f.write_str("…"),
        }
    }
}

fn last_part(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

/// The parts between commas that stand in no further brackets.
pub(super) fn split(tokens: &[Token]) -> Vec<&[Token]> {
    split_at(tokens, ",")
}

fn split_at<'t>(tokens: &'t [Token], sign: &'static str) -> Vec<&'t [Token]> {
    let mut parts = Vec::new();
    let mut rest = tokens;
    while let Some(end) = end_of(rest, &[sign]) {
        parts.push(&rest[..end]);
        rest = &rest[end + 1..];
    }
    parts.push(rest);
    parts
}

/// Where one of the signs stands in no further brackets.
pub(super) fn end_of(tokens: &[Token], signs: &[&'static str]) -> Option<usize> {
    let mut depth = 0_usize;
    tokens.iter().position(|token| {
        let Token::Sign(sign) = token else { return false };
        if depth == 0 && signs.contains(sign) {
            return true;
        }
        match *sign {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth = depth.saturating_sub(1),
            _ => {}
        }
        false
    })
}
