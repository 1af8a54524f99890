//! A text that must not be shown: a token.
//!
//! Invariant: neither `Debug` nor an error message ever carries it; [`Secret::reveal`] is the only way out.

use std::fmt;

/// A token. Its `Debug` form is `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes a secret as it was typed or read, without the white space around it.
    pub fn new(text: &str) -> Self {
        Self(text.trim().to_owned())
    }

    /// The secret itself, for a header or the credentials file.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_debug_form_hides_the_text() {
        assert_eq!(format!("{:?}", Some(Secret::new("rn_abc"))), "Some(***)");
        assert_eq!(Secret::new(" rn_abc\n").reveal(), "rn_abc");
    }
}
