//! Writes the first inputs of every target, from the real files that the tests read.
//!
//! It knows where those lie and what each target makes of its bytes. Invariant: the same files give the same seeds,
//! named by their digest, as the fuzzer names its own.
//!
//!     cargo run --manifest-path fuzz/Cargo.toml --example seeds

use std::fs;
use std::io::{Cursor, Read as _};
use std::path::{Path, PathBuf};

use spec::digest::Sha256;
use spec::folder_signature::{self, Folder};
use spec::frame::{self, Decoder, FailureCode, Id, Stability};
use spec::tensor::{Datatype, TensorSpec};
use zip::ZipArchive;

/// Longer files teach the fuzzer little and slow it down.
const LONGEST: usize = 64 * 1024;

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let fixtures = root.join("../crates/inspect/tests/fixtures");
    let mut paths: Vec<PathBuf> = fs::read_dir(fixtures)
        .expect("the fixtures lie there")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    paths.sort();
    let corpus = Corpus { folder: root.join("corpus") };
    for path in paths {
        let bytes = fs::read(&path).expect("a fixture is read");
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        model(&corpus, extension, &bytes);
    }
    texts(&corpus);
    capsules(&corpus, &root.join("../crates/spec/src/capsule/golden"));
    frames(&corpus);
}

struct Corpus {
    folder: PathBuf,
}

impl Corpus {
    fn add(&self, target: &str, bytes: &[u8]) {
        if bytes.len() > LONGEST {
            return;
        }
        let folder = self.folder.join(target);
        fs::create_dir_all(&folder).expect("a folder is made");
        fs::write(folder.join(Sha256::of(bytes).to_string()), bytes).expect("a seed is written");
    }
}

/// A model file is a seed of the target for its format, and of the one for all.
fn model(corpus: &Corpus, extension: &str, bytes: &[u8]) {
    corpus.add("any", &[b"\0", bytes].concat());
    match extension {
        "onnx" => corpus.add("onnx", bytes),
        "pkl" | "pth" => corpus.add("pickle", bytes),
        "joblib" => (0..3).for_each(|packing| corpus.add("joblib", &[&[packing], bytes].concat())),
        "safetensors" => {
            let (length, rest) = bytes.split_first_chunk::<8>().expect("it begins with a length");
            corpus.add("safetensors", &rest[..u64::from_le_bytes(*length) as usize]);
        }
        "pt" => {
            corpus.add("zip", bytes);
            corpus.add("torch", &entry(bytes, "data.pkl"));
        }
        "keras" => {
            corpus.add("zip", bytes);
            corpus.add("keras", &entry(bytes, "config.json"));
        }
        _ => {}
    }
}

/// The bytes of the entry of this name, in whatever folder.
fn entry(archive: &[u8], name: &str) -> Vec<u8> {
    let mut archive = ZipArchive::new(Cursor::new(archive)).expect("it is an archive");
    let mut bytes = Vec::new();
    for i in 0..archive.len() {
        let mut entry = archive.by_index(i).expect("it is an entry");
        if Path::new(&entry.name().expect("it has a name").into_owned()).ends_with(name) {
            entry.read_to_end(&mut bytes).expect("it is read");
        }
    }
    bytes
}

fn texts(corpus: &Corpus) {
    let names = ["alice/iris@main", "alice/iris", "alice", "models/a b.onnx", "refs/pr/1", "v1.0", "model"];
    let card = "---\nlicense: mit\ntags: [iris]\n---\n# Iris\n";
    for text in names.into_iter().chain([card, "da39a3ee5e6b4b0d3255bfef95601890afd80709"]) {
        corpus.add("names", text.as_bytes());
    }
    let manifest = "name = \"iris\"\ntask = \"tabular-classification\"\nmodel = \"model.onnx\"\noriginal = \"model.pkl\"\n";
    let schema = "[schema]\n[[schema.inputs]]\nname = \"X\"\ndatatype = \"FP32\"\nshape = [-1, 4]\n";
    corpus.add("manifest", manifest.as_bytes());
    corpus.add("manifest", [manifest, schema].concat().as_bytes());
}

/// A record, a log, and a signature that the target's own key made.
fn capsules(corpus: &Corpus, golden: &Path) {
    corpus.add("capsules", &fs::read(golden.join("v1.json")).expect("the record lies there"));
    corpus.add("logs", &fs::read(golden.join("v1.log")).expect("the log lies there"));
    let folder = Folder {
        name: "iris".to_owned(),
        files: vec![("deep/model.onnx".to_owned(), Sha256::of(b"weights"))],
        ignored: vec![folder_signature::FILE.to_owned()],
    };
    let key = folder_signature::Key::from_seed(&[7; 32]);
    corpus.add("statements", key.seal(&folder).expect("it is signed").as_bytes());
    corpus.add("statements", key.public().pem().expect("it has a key").as_bytes());
}

fn frames(corpus: &Corpus) {
    let id = Id { slot: 1, generation: 2 };
    let tensor =
        |name: &str| TensorSpec { name: name.to_owned(), datatype: Datatype::Fp32, shape: vec![-1, 4] };
    let stability =
        Stability { alone: true, padded: true, batched: true, reordered: true, min_rows: 1, max_rows: 64 };
    let hello = frame::Hello {
        protocol: frame::PROTOCOL,
        name: "iris".to_owned(),
        inputs: vec![tensor("X")],
        outputs: vec![tensor("probabilities")],
        weights_sha256: None,
        stability,
        backend: "onnxruntime".to_owned(),
        version: "1".to_owned(),
    };
    let mut bytes = Vec::new();
    frame::write_hello(&mut bytes, &hello).expect("a hello is written");
    let mut writer = frame::Writer::infer(&mut bytes, id, Some(50));
    writer.tensor(0, Datatype::Fp32, &[1, 4], &[0; 16]).expect("a tensor is written");
    writer.finish().expect("a request is written");
    frame::write_failure(&mut bytes, id, FailureCode::Overloaded, "later");
    frame::write_cancel(&mut bytes, id);
    let mut decoder = Decoder::new();
    decoder.push(&bytes);
    assert!(decoder.next_frame().is_ok_and(|frame| frame.is_some()), "a seed is what it should be");
    corpus.add("frames", &bytes);
}
