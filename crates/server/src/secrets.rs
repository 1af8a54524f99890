//! The place where randomness enters, and how secrets are made, hashed and compared.
//!
//! Knows nobody's rights. Invariants: a secret leaves this process only once, to whom it belongs; what is
//! stored is a hash; a [`Secret`] never shows itself in a log.

use std::fmt;

use argon2::Argon2;
use argon2::password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash};
use spec::digest::Sha256;

use crate::error::Error;

/// A text that nobody should read in a log.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The text itself. Every call of this is a place to look at twice.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What is stored of a secret that has enough randomness of its own: its SHA-256.
    pub fn hash(&self) -> String {
        Sha256::of(self.0.as_bytes()).to_string()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// A new secret with 240 random bits, after a prefix that says what it is.
pub fn generate(prefix: &str) -> Result<Secret, Error> {
    const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let mut random = [0_u8; 48];
    getrandom::fill(&mut random).map_err(|_| Error::Internal("get randomness from the operating system"))?;
    let text: String = random.iter().map(|byte| char::from(ALPHABET[usize::from(byte & 31)])).collect();
    Ok(Secret(format!("{prefix}{text}")))
}

/// The seed of a new key: 256 random bits, in hex.
pub fn seed() -> Result<Secret, Error> {
    let mut random = [0_u8; 32];
    getrandom::fill(&mut random).map_err(|_| Error::Internal("get randomness from the operating system"))?;
    Ok(Secret(Sha256::from_bytes(random).to_string()))
}

/// Bytes that nobody drew before.
pub fn stamp() -> Result<[u8; 16], Error> {
    let mut random = [0_u8; 16];
    getrandom::fill(&mut random).map_err(|_| Error::Internal("get randomness from the operating system"))?;
    Ok(random)
}

/// Hashes a password with argon2id, slow on purpose: never call it on a reactor.
pub fn hash_password(password: &str) -> Result<String, Error> {
    let hash = Argon2::default().hash_password(password.as_bytes());
    hash.map(|hash| hash.to_string()).map_err(|_| Error::Internal("hash a password"))
}

/// Whether the password is the one that was hashed; as slow as [`hash_password`].
pub fn verify_password(password: &str, hash: &str) -> bool {
    let Ok(hash) = PasswordHash::new(hash) else { return false };
    Argon2::default().verify_password(password.as_bytes(), &hash).is_ok()
}

/// A keyed digest of a text (HMAC-SHA256), in hex: only who has the key can make it.
pub fn sign(key: &Secret, text: &str) -> String {
    Sha256::from_bytes(sign_bytes(key.0.as_bytes(), text.as_bytes())).to_string()
}

/// The same of bytes and a key of any length, as bytes.
pub fn sign_bytes(key: &[u8], bytes: &[u8]) -> [u8; 32] {
    use hmac::{Hmac, KeyInit, Mac};
    // A key of any length is one; the error is for other uses of the trait.
    let Ok(mac) = Hmac::<sha2::Sha256>::new_from_slice(key) else { return [0; 32] };
    mac.chain_update(bytes).finalize().into_bytes().into()
}

/// Whether two texts are equal, in a time that does not tell where they differ.
pub fn equal(a: &str, b: &str) -> bool {
    use subtle::ConstantTimeEq;
    a.as_bytes().ct_eq(b.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_does_not_show_itself() {
        let secret = generate("rn_").unwrap();
        assert_eq!(format!("{secret:?}"), "***");
        assert!(secret.expose().starts_with("rn_") && secret.expose().len() == 51);
        assert_ne!(generate("rn_").unwrap(), secret);
    }

    #[test]
    fn a_signature_is_the_one_of_rfc_4231() {
        let key = Secret::new("Jefe".to_owned());
        let signature = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(sign(&key, "what do ya want for nothing?"), signature);
    }

    #[test]
    fn only_the_right_password_verifies() {
        let hash = hash_password("correct horse").unwrap();
        assert!(verify_password("correct horse", &hash));
        assert!(!verify_password("correct house", &hash) && !verify_password("", "not a hash"));
    }
}
