//! A Python that the operator of a server keeps, with packages that no index has as wheels.
//!
//! Knows names and paths as texts, and looks at neither. Invariant: a name that parses fits into a manifest, a
//! setting and a log without quotes.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Longest name, in bytes.
const NAME_BYTES: usize = 40;

/// What an operator calls one, such as `debian`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct InterpreterName(String);

/// A text that is no name of an interpreter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no name of an interpreter; `debian` is one")]
pub struct InterpreterNameError(String);

/// One of them: its name and the program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interpreter {
    pub name: InterpreterName,
    /// Path of the program.
    pub program: String,
    /// The packages that it has, one to a line with its version; known only where it was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub packages: Option<String>,
}

impl InterpreterName {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for InterpreterName {
    type Error = InterpreterNameError;

    fn try_from(text: String) -> Result<Self, InterpreterNameError> {
        let is_part = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.');
        let is_name = text.len() <= NAME_BYTES
            && text.starts_with(|c: char| c.is_ascii_lowercase())
            && text.chars().all(is_part);
        if is_name { Ok(Self(text)) } else { Err(InterpreterNameError(text.chars().take(40).collect())) }
    }
}

impl From<InterpreterName> for String {
    fn from(name: InterpreterName) -> Self {
        name.0
    }
}

impl FromStr for InterpreterName {
    type Err = InterpreterNameError;

    fn from_str(text: &str) -> Result<Self, InterpreterNameError> {
        text.to_owned().try_into()
    }
}

impl fmt::Display for InterpreterName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_needs_no_quotes() {
        assert!(
            "debian".parse::<InterpreterName>().is_ok() && "torch-2.4".parse::<InterpreterName>().is_ok()
        );
        for text in ["", "Debian", "/usr/bin/python3", "a b", "a=b", "a,b", &"a".repeat(41)] {
            assert!(text.parse::<InterpreterName>().is_err(), "{text}");
        }
    }
}
