//! Receipts: what a model answered to what, as the server that asked it saw it.
//!
//! Pure; `docs/receipts.md` has the same words for people. Invariants: the digest of tensors depends on what they
//! mean alone, not on the protocol or the order in which they came; a receipt that holds its output holds one with
//! the digest that it names.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use sha2::Digest as _;

use crate::digest::{Oid, Sha256};
use crate::dsse::{Digests, Predicate, Subject};
use crate::frame::{IndexedTensor, Stability};
use crate::limits;
use crate::tensor::{Datatype, TensorSpec};

/// What every canonical form begins with.
const MAGIC: &[u8] = b"reenact tensors 1\n";

/// What a server states of one answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    pub model: Answerer,
    pub input: Tensors,
    pub output: Tensors,
    pub runtime: Runtime,
    pub stability: Stated,
    /// How the output was made to tell less, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blunted: Option<Blunted>,
    /// RFC 3339, UTC.
    pub time: String,
}

/// Which model answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answerer {
    /// `owner/name`; left out where whoever asked may not know it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    pub revision: Oid,
    pub weights: Sha256,
    /// Digest of the Python packages, for a model in Python.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
}

/// Tensors by the digest of their canonical form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tensors {
    pub sha256: Sha256,
    pub tensors: Vec<Shown>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shown {
    pub name: String,
    pub datatype: Datatype,
    pub shape: Vec<usize>,
    /// Its bytes in base64; left out of inputs, and of outputs that are too large.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
}

/// What computed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Runtime {
    pub backend: String,
    pub version: String,
}

/// Whether the same row gets the same bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stated {
    pub is_stable: bool,
    pub statement: String,
}

/// How an output was made to tell less.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Blunted {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub round: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top_k: Option<usize>,
}

impl Predicate for Receipt {
    const TYPE: &'static str = "urn:reenact:receipt:v1";

    fn subject(&self) -> Vec<Subject> {
        vec![Subject { name: "output".to_owned(), digest: Digests { sha256: self.output.sha256 } }]
    }
}

impl From<Stability> for Stated {
    fn from(stability: Stability) -> Self {
        Self { is_stable: stability.is_stable(), statement: stability.statement().to_owned() }
    }
}

/// Which tensors' bytes a receipt holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// Up to [`limits::RECEIPT_OUTPUT_BYTES`] in all.
    Bytes,
    DigestAlone,
}

impl Tensors {
    /// Of these tensors, whose names are those of the schema.
    pub fn of(specs: &[TensorSpec], tensors: &[IndexedTensor], hold: Hold) -> Self {
        let mut ordered: Vec<(&str, &IndexedTensor)> = tensors
            .iter()
            .map(|tensor| {
                (specs.get(usize::from(tensor.index)).map_or("", |spec| spec.name.as_str()), tensor)
            })
            .collect();
        ordered.sort_by_key(|(_, tensor)| tensor.index);
        let n_bytes: usize = ordered.iter().map(|(_, tensor)| tensor.data.len()).sum();
        let holds = hold == Hold::Bytes && n_bytes <= limits::RECEIPT_OUTPUT_BYTES;
        let mut canonical = Canonical::new();
        let mut shown = Vec::with_capacity(ordered.len());
        for (name, tensor) in ordered {
            canonical.add(name, tensor.datatype, &tensor.shape, &tensor.data);
            shown.push(Shown {
                name: name.to_owned(),
                datatype: tensor.datatype,
                shape: tensor.shape.clone(),
                data: holds.then(|| STANDARD.encode(&tensor.data)),
            });
        }
        Self { sha256: canonical.digest(), tensors: shown }
    }

    /// Whether the bytes that are here have the digest that is named; none where they are not here.
    pub fn is_whole(&self) -> Option<bool> {
        let mut canonical = Canonical::new();
        for tensor in &self.tensors {
            let data = STANDARD.decode(tensor.data.as_ref()?).unwrap_or_default();
            canonical.add(&tensor.name, tensor.datatype, &tensor.shape, &data);
        }
        Some(canonical.digest() == self.sha256)
    }
}

/// The canonical form, digested as it is written.
struct Canonical(sha2::Sha256);

impl Canonical {
    fn new() -> Self {
        Self(sha2::Sha256::new_with_prefix(MAGIC))
    }

    fn add(&mut self, name: &str, datatype: Datatype, shape: &[usize], data: &[u8]) {
        self.bytes(name.as_bytes());
        self.bytes(datatype.as_str().as_bytes());
        self.number(shape.len());
        shape.iter().for_each(|length| self.number(*length));
        self.bytes(data);
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len());
        self.0.update(bytes);
    }

    fn number(&mut self, number: usize) {
        self.0.update((number as u64).to_le_bytes());
    }

    fn digest(self) -> Sha256 {
        Sha256::from_bytes(self.0.finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(name: &str) -> TensorSpec {
        TensorSpec { name: name.to_owned(), datatype: Datatype::Fp32, shape: vec![-1] }
    }

    fn tensor(index: u16, values: &[f32]) -> IndexedTensor {
        let data: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        IndexedTensor { index, datatype: Datatype::Fp32, shape: vec![values.len()], data: data.into() }
    }

    #[test]
    fn the_order_in_which_tensors_came_does_not_matter() {
        let specs = [spec("a"), spec("b")];
        let (a, b) = (tensor(0, &[1.0]), tensor(1, &[2.0]));
        let one = Tensors::of(&specs, &[a.clone(), b.clone()], Hold::Bytes);
        assert_eq!(one, Tensors::of(&specs, &[b, a], Hold::Bytes));
        assert_eq!(one.is_whole(), Some(true));
    }

    #[test]
    fn the_canonical_form_is_the_documented_one() {
        let mut form = b"reenact tensors 1\n".to_vec();
        let number = |form: &mut Vec<u8>, n: u64| form.extend_from_slice(&n.to_le_bytes());
        number(&mut form, 1);
        form.extend_from_slice(b"a");
        number(&mut form, 4);
        form.extend_from_slice(b"FP32");
        number(&mut form, 1);
        number(&mut form, 2);
        number(&mut form, 8);
        form.extend_from_slice(&[0, 0, 0x80, 0x3f, 0, 0, 0, 0x40]);
        let tensors = Tensors::of(&[spec("a")], &[tensor(0, &[1.0, 2.0])], Hold::DigestAlone);
        assert_eq!(tensors.sha256, Sha256::of(&form));
    }

    #[test]
    fn other_bytes_shapes_or_names_are_another_digest() {
        let digest = |name, tensor| Tensors::of(&[spec(name)], &[tensor], Hold::Bytes).sha256;
        let first = digest("a", tensor(0, &[1.0, 2.0]));
        let reshaped = IndexedTensor { shape: vec![1, 2], ..tensor(0, &[1.0, 2.0]) };
        let others = [
            digest("b", tensor(0, &[1.0, 2.0])),
            digest("a", tensor(0, &[1.0, -2.0])),
            digest("a", reshaped),
        ];
        assert!(others.iter().all(|other| *other != first));
    }

    #[test]
    fn bytes_that_do_not_fit_their_digest_are_found_and_large_ones_left_out() {
        let mut tensors = Tensors::of(&[spec("a")], &[tensor(0, &[1.0])], Hold::Bytes);
        tensors.tensors[0].data = Some("AAAAAA==".to_owned());
        assert_eq!(tensors.is_whole(), Some(false));
        let large = Tensors::of(&[spec("a")], &[tensor(0, &vec![1.0; 20_000])], Hold::Bytes);
        assert_eq!(large.is_whole(), None);
    }
}
