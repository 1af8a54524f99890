//! Signed statements: in-toto statements in DSSE envelopes, signed with Ed25519.
//!
//! Source: DSSE 1.0 (protocol and JSON envelope), in-toto Statement v1, RFC 8032, RFC 8037 and RFC 7638 for keys.
//! Refuses to know what is stated and where keys are kept. Invariant: a text opens only if each of its bytes is as
//! it was signed: nothing beside the payload is there that the signature does not cover or the form does not fix.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::digest::Sha256;
use crate::limits;

/// The payload is an in-toto statement.
pub const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";
/// in-toto Statement v1.
pub const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";

/// Why a text is no signed statement, or not by one of these keys.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DsseError {
    #[error("it is longer than {} bytes", limits::STATEMENT_BYTES)]
    TooLong,
    #[error("it is no envelope with one signature: {0}")]
    Form(String),
    #[error("it was signed with the key `{0}`, which is not the server's")]
    UnknownKey(String),
    #[error("the signature does not match: it was changed after it was signed")]
    Signature,
    #[error("what was signed is not `{0}`")]
    Statement(&'static str),
    #[error("`{0}` is no Ed25519 key")]
    Key(String),
}

/// What is stated of which things.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement<P> {
    #[serde(rename = "_type")]
    pub kind: String,
    pub subject: Vec<Subject>,
    #[serde(rename = "predicateType")]
    pub predicate_type: String,
    pub predicate: P,
}

/// A thing that something is stated of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    pub name: String,
    pub digest: Digests,
}

/// The digest that names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Digests {
    pub sha256: Sha256,
}

/// What can be stated and signed.
pub trait Predicate: Serialize + DeserializeOwned {
    /// Its `predicateType`.
    const TYPE: &'static str;

    /// The things that it is about.
    fn subject(&self) -> Vec<Subject>;
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope {
    #[serde(rename = "payloadType")]
    payload_type: String,
    payload: String,
    signatures: [EnvelopeSignature; 1],
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EnvelopeSignature {
    keyid: String,
    sig: String,
}

/// A key to sign with.
pub struct Key(SigningKey);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.public().id())
    }
}

impl Key {
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    /// The statement in its envelope: JSON on one line.
    pub fn seal<P: Predicate>(&self, predicate: P) -> Result<String, DsseError> {
        let statement = Statement {
            kind: STATEMENT_TYPE.to_owned(),
            subject: predicate.subject(),
            predicate_type: P::TYPE.to_owned(),
            predicate,
        };
        let form = |error: serde_json::Error| DsseError::Form(error.to_string());
        let payload = serde_json::to_vec(&statement).map_err(form)?;
        let signature = self.0.sign(&pre_authentication(PAYLOAD_TYPE, &payload));
        let envelope = Envelope {
            payload_type: PAYLOAD_TYPE.to_owned(),
            payload: STANDARD.encode(&payload),
            signatures: [EnvelopeSignature {
                keyid: self.public().id(),
                sig: STANDARD.encode(signature.to_bytes()),
            }],
        };
        serde_json::to_string(&envelope).map_err(form)
    }
}

/// A key to check signatures with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

/// Keys as RFC 7517 lists them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Keys {
    pub keys: Vec<Jwk>,
}

/// An Ed25519 key as RFC 8037 writes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Jwk {
    pub kty: String,
    pub crv: String,
    /// The key, base64url.
    pub x: String,
    /// Its RFC 7638 thumbprint, which signatures name it by.
    #[serde(default)]
    pub kid: String,
}

impl PublicKey {
    /// Its RFC 7638 thumbprint.
    pub fn id(&self) -> String {
        let x = URL_SAFE_NO_PAD.encode(self.0.as_bytes());
        let canonical = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#);
        URL_SAFE_NO_PAD.encode(Sha256::of(canonical.as_bytes()).as_bytes())
    }

    pub fn jwk(&self) -> Jwk {
        let x = URL_SAFE_NO_PAD.encode(self.0.as_bytes());
        Jwk { kty: "OKP".to_owned(), crv: "Ed25519".to_owned(), x, kid: self.id() }
    }

    pub fn from_jwk(jwk: &Jwk) -> Result<Self, DsseError> {
        let refuse = || DsseError::Key(jwk.x.chars().take(80).collect());
        if (jwk.kty.as_str(), jwk.crv.as_str()) != ("OKP", "Ed25519") {
            return Err(refuse());
        }
        let bytes = URL_SAFE_NO_PAD.decode(&jwk.x).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
        let key = VerifyingKey::from_bytes(&bytes.ok_or_else(refuse)?).map_err(|_| refuse())?;
        Ok(Self(key))
    }
}

/// Opens an envelope that one of these keys signed: the statement's bytes, for [`read`].
pub fn open(text: &str, keys: &[PublicKey]) -> Result<Vec<u8>, DsseError> {
    if text.len() > limits::STATEMENT_BYTES {
        return Err(DsseError::TooLong);
    }
    // The file's last line may end; nothing else may stand around the envelope.
    let text = text.strip_suffix('\n').unwrap_or(text);
    let form = |error: &dyn fmt::Display| DsseError::Form(error.to_string());
    let envelope: Envelope = serde_json::from_str(text).map_err(|error| form(&error))?;
    if serde_json::to_string(&envelope).ok().as_deref() != Some(text) {
        return Err(DsseError::Form("it is not written as it was signed".to_owned()));
    }
    if envelope.payload_type != PAYLOAD_TYPE {
        return Err(DsseError::Form(format!("its payload is not `{PAYLOAD_TYPE}`")));
    }
    let payload = STANDARD.decode(&envelope.payload).map_err(|error| form(&error))?;
    let [signature] = &envelope.signatures;
    let bytes = STANDARD.decode(&signature.sig).map_err(|error| form(&error))?;
    let parsed = Signature::from_slice(&bytes).map_err(|_| DsseError::Signature)?;
    let key = keys.iter().find(|key| key.id() == signature.keyid);
    let key = key.ok_or_else(|| DsseError::UnknownKey(signature.keyid.clone()))?;
    let signed = pre_authentication(&envelope.payload_type, &payload);
    // Strictly: of the signatures that a lax check would take for the same, one alone is the one that was made.
    key.0.verify_strict(&signed, &parsed).map_err(|_| DsseError::Signature)?;
    Ok(payload)
}

/// The `predicateType` of an opened statement.
pub fn predicate_type(payload: &[u8]) -> Option<String> {
    let statement: Statement<serde_json::Value> = serde_json::from_slice(payload).ok()?;
    (statement.kind == STATEMENT_TYPE).then_some(statement.predicate_type)
}

/// What an opened statement states, if it states this.
pub fn read<P: Predicate>(payload: &[u8]) -> Result<P, DsseError> {
    let refuse = || DsseError::Statement(P::TYPE);
    let statement: Statement<P> = serde_json::from_slice(payload).map_err(|_| refuse())?;
    let is_whole = statement.kind == STATEMENT_TYPE
        && statement.predicate_type == P::TYPE
        && statement.subject == statement.predicate.subject();
    if is_whole { Ok(statement.predicate) } else { Err(refuse()) }
}

/// DSSE's pre-authentication encoding: what is signed.
pub(crate) fn pre_authentication(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut out = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len()).into_bytes();
    out.extend_from_slice(payload);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Said {
        text: String,
    }

    impl Predicate for Said {
        const TYPE: &'static str = "urn:test:said";

        fn subject(&self) -> Vec<Subject> {
            let digest = Digests { sha256: Sha256::of(self.text.as_bytes()) };
            vec![Subject { name: "text".to_owned(), digest }]
        }
    }

    fn sealed() -> (String, PublicKey) {
        let key = Key::from_seed(&[7; 32]);
        (key.seal(Said { text: "hello".to_owned() }).unwrap(), key.public())
    }

    #[test]
    fn what_was_sealed_opens_with_its_key_alone() {
        let (text, key) = sealed();
        let payload = open(&text, std::slice::from_ref(&key)).unwrap();
        assert_eq!(read::<Said>(&payload).unwrap().text, "hello");
        let other = Key::from_seed(&[8; 32]).public();
        assert_eq!(open(&text, &[other]), Err(DsseError::UnknownKey(key.id())));
    }

    #[test]
    fn a_change_of_any_byte_is_found() {
        let (text, key) = sealed();
        let keys = [key];
        for place in 0..text.len() {
            for other in [1_u8, 2, 32, 95] {
                let mut bytes = text.clone().into_bytes();
                bytes[place] ^= other;
                let Ok(changed) = String::from_utf8(bytes) else { continue };
                assert!(open(&changed, &keys).is_err(), "byte {place} of {text} as {changed}");
            }
            assert!(open(&text[..place], &keys).is_err());
        }
    }

    #[test]
    fn nothing_can_be_added_around_a_statement() {
        let (text, key) = sealed();
        let keys = [key];
        for changed in [
            text.replacen('{', "{\"more\":1,", 1),
            text.replacen(':', ": ", 1),
            format!(" {text}"),
            format!("{text}\n\n"),
            text.replacen("\"sig\"", "\"sig\":\"\",\"sig\"", 1),
            text.replacen("application/", "application\\/", 1),
        ] {
            assert!(open(&changed, &keys).is_err(), "{changed}");
        }
        assert!(open(&format!("{text}\n"), &keys).is_ok());
    }

    #[test]
    fn a_thumbprint_is_the_one_of_rfc_8037() {
        let jwk = Jwk {
            kty: "OKP".to_owned(),
            crv: "Ed25519".to_owned(),
            x: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo".to_owned(),
            kid: String::new(),
        };
        let key = PublicKey::from_jwk(&jwk).unwrap();
        assert_eq!(key.id(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
        assert_eq!(key.jwk().x, jwk.x);
        assert!(PublicKey::from_jwk(&Jwk { x: "AA".to_owned(), ..jwk }).is_err());
    }

    #[test]
    fn what_is_signed_is_encoded_as_dsse_says() {
        assert_eq!(
            pre_authentication("http://example.com/HelloWorld", b"hello world"),
            b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
        );
    }
}
