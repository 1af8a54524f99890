//! Signatures over folders: what is in one, each file by its digest, signed so that OpenSSF's `model-signing` checks it too.
//!
//! An in-toto statement in a DSSE envelope in a Sigstore bundle, signed by ECDSA on P-256. Source: `model-signing` 1.1
//! (predicate `signature/v1.0`), Sigstore bundle 0.3, DSSE 1.0. Refuses to know where files and keys are kept.
//! Invariant: what [`open`] gives was signed with that key, byte by byte; it believes nothing beside the payload.

use std::path::{Component, Path};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use p256::ecdsa::signature::{Signer, Verifier};
use p256::ecdsa::{DerSignature, SigningKey, VerifyingKey};
use p256::pkcs8::{DecodePublicKey, EncodePublicKey, LineEnding};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::digest::Sha256;
use crate::dsse::{PAYLOAD_TYPE, STATEMENT_TYPE, pre_authentication};
use crate::limits;

/// What a signature is called in the folder that it is over.
pub const FILE: &str = "model.sig";
/// What belongs to a copy of a folder and not to the folder: no signature is over these.
pub const LEFT_OUT: [&str; 4] = [".git", ".gitattributes", ".github", ".gitignore"];

const BUNDLE_TYPE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
const PREDICATE_TYPE: &str = "https://model_signing/signature/v1.0";
/// Keeps this key apart from the one that statements are signed with, which is made of the same seed.
const PURPOSE: &[u8] = b"reenact signature over a folder\0";

/// Why a text is no signature over a folder, or not by this key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    #[error("it is longer than {} bytes", limits::FOLDER_SIGNATURE_BYTES)]
    TooLong,
    #[error("it is no signature over files in a Sigstore bundle: {0}")]
    Form(String),
    #[error("it was made with another key")]
    OtherKey,
    #[error("the signature does not match: it was changed after it was signed")]
    Changed,
    #[error("it is over `{0}`, which is no path in a folder")]
    Path(String),
    #[error("this is no public key for ECDSA on P-256 in PEM")]
    Key,
}

/// A folder that is signed: its files by their digests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
    /// What it was called.
    pub name: String,
    /// Paths with `/`, in the order in which names of folders and files sort.
    pub files: Vec<(String, Sha256)>,
    /// Paths that the signature is not over; of a folder all that is in it.
    pub ignored: Vec<String>,
}

/// A key to sign folders with.
pub struct Key(SigningKey);

/// A key to check them with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

impl Key {
    /// The key that follows from 32 random bytes.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        let mut bytes = Sha256::of(&[PURPOSE, seed].concat());
        loop {
            // Of all numbers of 32 bytes hardly any is no key.
            match SigningKey::from_slice(bytes.as_bytes()) {
                Ok(key) => return Self(key),
                Err(_) => bytes = Sha256::of(bytes.as_bytes()),
            }
        }
    }

    pub fn public(&self) -> PublicKey {
        PublicKey(*self.0.verifying_key())
    }

    /// The signature over a folder: a Sigstore bundle as JSON.
    pub fn seal(&self, folder: &Folder) -> Result<String, SignatureError> {
        let mut files: Vec<&(String, Sha256)> = folder.files.iter().collect();
        files.sort_by_key(|(path, _)| path.split('/').collect::<Vec<_>>());
        let resource = |(path, sha256): &&(String, Sha256)| json!({"name": path, "digest": sha256, "algorithm": "sha256"});
        let digests: Vec<u8> = files.iter().flat_map(|(_, sha256)| *sha256.as_bytes()).collect();
        let statement = json!({
            "_type": STATEMENT_TYPE,
            "subject": [{"name": folder.name, "digest": {"sha256": Sha256::of(&digests)}}],
            "predicateType": PREDICATE_TYPE,
            "predicate": {
                "serialization": {
                    "method": "files",
                    "hash_type": "sha256",
                    "allow_symlinks": false,
                    "ignore_paths": folder.ignored,
                },
                "resources": files.iter().map(resource).collect::<Vec<_>>(),
            },
        });
        let payload = statement.to_string();
        let signature: DerSignature = self.0.sign(&pre_authentication(PAYLOAD_TYPE, payload.as_bytes()));
        let bundle = json!({
            "mediaType": BUNDLE_TYPE,
            "verificationMaterial": {"publicKey": {"hint": self.public().hint()?}, "tlogEntries": []},
            "dsseEnvelope": {
                "payload": STANDARD.encode(payload),
                "payloadType": PAYLOAD_TYPE,
                "signatures": [{"sig": STANDARD.encode(signature.as_bytes()), "keyid": ""}],
            },
        });
        Ok(bundle.to_string())
    }
}

impl PublicKey {
    /// As programs of OpenSSL and their like read it.
    pub fn pem(&self) -> Result<String, SignatureError> {
        self.0.to_public_key_pem(LineEnding::LF).map_err(|_| SignatureError::Key)
    }

    pub fn from_pem(text: &str) -> Result<Self, SignatureError> {
        VerifyingKey::from_public_key_pem(text).map(Self).map_err(|_| SignatureError::Key)
    }

    /// What a bundle names the key by.
    fn hint(&self) -> Result<String, SignatureError> {
        Ok(Sha256::of(self.pem()?.as_bytes()).to_string())
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Bundle {
    media_type: String,
    verification_material: Material,
    dsse_envelope: Envelope,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Material {
    public_key: Named,
}

#[derive(Deserialize)]
struct Named {
    hint: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    payload: String,
    payload_type: String,
    signatures: [Signed; 1],
}

#[derive(Deserialize)]
struct Signed {
    sig: String,
}

#[derive(Deserialize)]
struct Statement {
    #[serde(rename = "_type")]
    kind: String,
    subject: [Subject; 1],
    #[serde(rename = "predicateType")]
    predicate_type: String,
    predicate: Predicate,
}

#[derive(Deserialize)]
struct Subject {
    name: String,
    digest: Digest,
}

#[derive(Deserialize)]
struct Digest {
    sha256: Sha256,
}

#[derive(Deserialize)]
struct Predicate {
    serialization: Serialization,
    resources: Vec<Resource>,
}

#[derive(Deserialize)]
struct Serialization {
    method: String,
    hash_type: String,
    #[serde(default)]
    ignore_paths: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct Resource {
    name: String,
    digest: Sha256,
    algorithm: String,
}

/// Opens a signature with the key that it must be by: what the folder held.
pub fn open(text: &str, key: &PublicKey) -> Result<Folder, SignatureError> {
    if text.len() > limits::FOLDER_SIGNATURE_BYTES {
        return Err(SignatureError::TooLong);
    }
    let form = |error: &dyn std::fmt::Display| SignatureError::Form(error.to_string());
    let bundle: Bundle = serde_json::from_str(text).map_err(|error| form(&error))?;
    let envelope = &bundle.dsse_envelope;
    if bundle.media_type != BUNDLE_TYPE || envelope.payload_type != PAYLOAD_TYPE {
        return Err(form(&"it is of another version"));
    }
    if bundle.verification_material.public_key.hint.is_some_and(|hint| Ok(hint) != key.hint()) {
        return Err(SignatureError::OtherKey);
    }
    let payload = STANDARD.decode(&envelope.payload).map_err(|error| form(&error))?;
    let [signed] = &envelope.signatures;
    let bytes = STANDARD.decode(&signed.sig).map_err(|error| form(&error))?;
    let signature = DerSignature::from_bytes(&bytes).map_err(|_| SignatureError::Changed)?;
    let bytes = pre_authentication(PAYLOAD_TYPE, &payload);
    key.0.verify(&bytes, &signature).map_err(|_| SignatureError::Changed)?;
    read(serde_json::from_slice(&payload).map_err(|error| form(&error))?)
}

fn read(statement: Statement) -> Result<Folder, SignatureError> {
    let Statement { kind, subject: [subject], predicate_type, predicate } = statement;
    let Serialization { method, hash_type, ignore_paths } = predicate.serialization;
    let is_known = kind == STATEMENT_TYPE
        && predicate_type == PREDICATE_TYPE
        && method == "files"
        && hash_type == "sha256"
        && predicate.resources.iter().all(|resource| resource.algorithm == "sha256");
    if !is_known {
        return Err(SignatureError::Form("it is over something else than SHA-256 of whole files".to_owned()));
    }
    let digests: Vec<u8> = predicate.resources.iter().flat_map(|it| *it.digest.as_bytes()).collect();
    if Sha256::of(&digests) != subject.digest.sha256 {
        return Err(SignatureError::Form("its digest is not that of its files".to_owned()));
    }
    let files: Vec<(String, Sha256)> =
        predicate.resources.into_iter().map(|resource| (resource.name, resource.digest)).collect();
    match files.iter().find(|(path, _)| !is_plain(path)) {
        Some((path, _)) => Err(SignatureError::Path(path.clone())),
        None => Ok(Folder { name: subject.name, files, ignored: ignore_paths }),
    }
}

/// Whether a path stays in the folder that it is of.
fn is_plain(path: &str) -> bool {
    !path.is_empty() && Path::new(path).components().all(|part| matches!(part, Component::Normal(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> Folder {
        let file = |path: &str| (path.to_owned(), Sha256::of(path.as_bytes()));
        Folder {
            name: "iris".to_owned(),
            files: ["a/b.txt", "a-b.txt"].map(file).to_vec(),
            ignored: vec![FILE.to_owned()],
        }
    }

    #[test]
    fn what_was_sealed_opens_with_its_key_alone() {
        let key = Key::from_seed(&[7; 32]);
        let text = key.seal(&folder()).unwrap();
        let pem = key.public().pem().unwrap();
        assert_eq!(open(&text, &PublicKey::from_pem(&pem).unwrap()), Ok(folder()));
        let other = Key::from_seed(&[8; 32]).public();
        assert_eq!(open(&text, &other), Err(SignatureError::OtherKey));
        let unnamed = text.replace(&key.public().hint().unwrap(), &other.hint().unwrap());
        assert_eq!(open(&unnamed, &other), Err(SignatureError::Changed));
    }

    #[test]
    fn a_signature_that_is_cut_or_changed_never_gives_another_folder() {
        let key = Key::from_seed(&[7; 32]);
        let text = key.seal(&folder()).unwrap();
        for place in 0..text.len() {
            assert!(open(&text[..place], &key.public()).is_err());
            let mut bytes = text.clone().into_bytes();
            bytes[place] ^= 2;
            let Ok(changed) = String::from_utf8(bytes) else { continue };
            // White space and names that nobody reads may change; what is signed may not.
            assert!(
                open(&changed, &key.public()).is_ok_and(|found| found == folder())
                    || open(&changed, &key.public()).is_err()
            );
        }
    }

    #[test]
    fn a_path_that_climbs_out_is_refused_though_it_was_signed() {
        for path in ["../up", "/etc/passwd", "a/../../b", "", "./a"] {
            let key = Key::from_seed(&[7; 32]);
            let files = vec![(path.to_owned(), Sha256::of(b""))];
            let text = key.seal(&Folder { files, ..folder() }).unwrap();
            assert_eq!(open(&text, &key.public()), Err(SignatureError::Path(path.to_owned())));
        }
        assert_eq!(PublicKey::from_pem("-----BEGIN PUBLIC KEY-----"), Err(SignatureError::Key));
    }
}
