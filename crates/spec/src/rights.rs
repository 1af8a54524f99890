//! What can be done with a repository and its endpoint, from least to most.
//!
//! Knows nobody who may. Invariant: whoever may do one of these may do all before it; so asking a model never
//! needs the right to its files, and whoever may ask gets no weights.

use serde::{Deserialize, Serialize};

/// What is to be done with a repository or its endpoint; as a right, the most that somebody may do.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Know that it is there: its page, card, schema.
    See,
    /// Ask its endpoint.
    Predict,
    /// Read its files, weights included.
    Read,
    /// Change its files, deploy and stop it.
    Write,
    /// Delete it, change who may do what.
    #[serde(rename = "admin")]
    Administer,
}

/// A word that names no action.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is none of see, predict, read, write and admin")]
pub struct UnknownAction(pub String);

impl Action {
    pub const ALL: [Self; 5] = [Self::See, Self::Predict, Self::Read, Self::Write, Self::Administer];

    /// The word for it as a right.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::See => "see",
            Self::Predict => "predict",
            Self::Read => "read",
            Self::Write => "write",
            Self::Administer => "admin",
        }
    }

    /// The verb for it, after "may not".
    pub fn verb(self) -> &'static str {
        match self {
            Self::See => "see",
            Self::Predict => "query",
            Self::Read => "read",
            Self::Write => "change",
            Self::Administer => "administer",
        }
    }
}

impl std::fmt::Display for Action {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for Action {
    type Err = UnknownAction;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|action| action.as_str() == word);
        found.ok_or_else(|| UnknownAction(word.to_owned()))
    }
}

impl TryFrom<String> for Action {
    type Error = UnknownAction;

    fn try_from(word: String) -> Result<Self, Self::Error> {
        word.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_right_has_one_word_in_text_and_json() {
        for action in Action::ALL {
            assert_eq!(action.as_str().parse(), Ok(action));
            assert_eq!(serde_json::to_string(&action).unwrap(), format!("\"{action}\""));
        }
        assert!("administer".parse::<Action>().is_err());
    }

    #[test]
    fn asking_a_model_is_less_than_reading_its_weights() {
        assert!(Action::Predict < Action::Read && Action::See < Action::Predict);
    }
}
