//! Digests: what names bytes.
//!
//! [`Sha256`] names the bytes of a file; [`Oid`] is a git object id, which names a revision and is the `oid`
//! that Hub clients compare. Invariant: the text form is always lower-case hex of full length.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A text that is not a digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{value}` is not {length} hex digits")]
pub struct DigestError {
    value: String,
    length: usize,
}

macro_rules! digest {
    ($(#[$doc:meta])* $name:ident, $bytes:expr) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name([u8; $bytes]);

        impl $name {
            pub const fn from_bytes(bytes: [u8; $bytes]) -> Self {
                Self(bytes)
            }

            pub const fn as_bytes(&self) -> &[u8; $bytes] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                // Each prediction names a digest, and formatting bytes one by one was a tenth of its cost.
                let mut text = [0; 2 * $bytes];
                for (pair, byte) in text.chunks_exact_mut(2).zip(self.0) {
                    pair.copy_from_slice(&hex(byte));
                }
                f.write_str(str::from_utf8(&text).map_err(|_| fmt::Error)?)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = DigestError;

            fn from_str(value: &str) -> Result<Self, DigestError> {
                parse_hex(value).map(Self).ok_or_else(|| DigestError {
                    value: value.chars().take(80).collect(),
                    length: 2 * $bytes,
                })
            }
        }

        impl TryFrom<String> for $name {
            type Error = DigestError;
            fn try_from(value: String) -> Result<Self, DigestError> {
                value.parse()
            }
        }

        impl From<$name> for String {
            fn from(digest: $name) -> String {
                digest.to_string()
            }
        }
    };
}

digest!(
    /// SHA-256 of some bytes (FIPS 180-4).
    Sha256,
    32
);

digest!(
    /// A git object id: SHA-1 over `<type> <length>\0` and the content.
    Oid,
    20
);

impl Sha256 {
    /// The digest of bytes that are all here.
    pub fn of(bytes: &[u8]) -> Self {
        use sha2::Digest;
        Self(sha2::Sha256::digest(bytes).into())
    }
}

const fn hex(byte: u8) -> [u8; 2] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    [DIGITS[(byte >> 4) as usize], DIGITS[(byte & 15) as usize]]
}

fn parse_hex<const N: usize>(value: &str) -> Option<[u8; N]> {
    let text = value.as_bytes();
    if text.len() != 2 * N {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        let high = char::from(pair[0]).to_digit(16)?;
        let low = char::from(pair[1]).to_digit(16)?;
        *byte = u8::try_from(high * 16 + low).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_bytes_are_the_same_digest() {
        let text = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(Sha256::of(b"abc").to_string(), text);
        assert_eq!(text.parse::<Sha256>(), Ok(Sha256::of(b"abc")));
    }

    #[test]
    fn a_digest_of_the_wrong_length_is_refused() {
        assert!("ab".parse::<Oid>().is_err());
        assert!("zz".repeat(20).parse::<Oid>().is_err());
    }
}
