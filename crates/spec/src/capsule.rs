//! Capsules: the record of one run, as it is written to `capsule.json`, and the entropy logs beside it.
//!
//! Knows no folder and no process. Invariant: what a format wrote stays readable, so a field is only ever
//! added with a default, and [`FORMAT`] grows when the meaning of one changes. Lists are sorted by their
//! first field, so that the same run gives the same bytes.

pub mod facts;
pub mod layout;
pub mod log;
pub mod place;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::digest::Sha256;

/// The format that is written. One that is newer is refused.
pub const FORMAT: u32 = 1;
/// The longest `capsule.json` that is read, in bytes.
pub const LONGEST_BYTES: u64 = 256 * 1024 * 1024;
/// What stands in the place of an argument that looks like a secret.
pub const REDACTED: &str = "<redacted>";

/// The record of one run: of the first, or of a replay.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Capsule {
    pub format: u32,
    /// Twelve hex digits.
    pub id: String,
    pub name: String,
    pub kind: Kind,
    /// The id of the capsule that was replayed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replay_of: Option<String>,
    pub state: State,
    /// What was typed. An argument that looks like a secret is [`REDACTED`].
    pub command: Vec<String>,
    /// The program that was found for the first word.
    pub program: String,
    /// The folder that it was run in. Files below it are named from there.
    pub folder: String,
    /// Milliseconds since 1970-01-01 UTC.
    pub started_ms: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<Exit>,
    /// The variables of the environment that bear on numbers or on Python; no others are kept.
    pub variables: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub git: Option<Git>,
    pub code: Vec<File>,
    pub inputs: Vec<File>,
    pub outputs: Vec<File>,
    /// Inputs that nobody hashed, because they are longer than somebody wanted to wait for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unhashed: Vec<Unhashed>,
    pub environment: Environment,
    pub entropy: Entropy,
    /// What was asked for besides the command, which a replay asks for too.
    #[serde(default, skip_serializing_if = "Wanted::is_nothing")]
    pub wanted: Wanted,
    /// In a replay: files of the folder where the run was recorded that were opened, in place of the capsule's own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub strayed: Vec<String>,
    /// What was measured while it ran, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", with = "crate::floats::lists")]
    pub metrics: BTreeMap<String, Vec<f64>>,
    /// What a reader should know before relying on this capsule, as sentences.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// What is kept of a run beside what it read and wrote.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted {
    /// Patterns for the outputs; with none, those are all files that the run wrote in its folder.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outputs: Vec<String>,
    /// Finds metrics in the lines of the output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric_pattern: Option<String>,
}

impl Wanted {
    fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

/// Which run this is the record of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Recording,
    Replay,
}

/// Whether the record came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It is under way, or whoever recorded was killed: what there is, is the beginning.
    Incomplete,
    Complete,
}

/// How a command ended: by itself, or by a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Exit {
    Code(i32),
    Signal(i32),
}

/// The state of the git repository that the folder is in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Git {
    pub commit: String,
    /// Whether files differ from that commit. The capsule holds the files as they were.
    pub is_changed: bool,
}

/// A file that was read or written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// From the folder of the run, or from the root where it lies elsewhere.
    pub path: String,
    pub sha256: Sha256,
    pub n_bytes: u64,
    /// Whether the capsule holds its bytes.
    pub is_held: bool,
    /// Whether it was changed while the run was under way, so that this may not be what was read.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_changed: bool,
}

/// A file that was read, of which only the length is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unhashed {
    /// As that of a [`File`].
    pub path: String,
    pub n_bytes: u64,
}

/// What the run ran on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Environment {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub python: Option<String>,
    /// Versions of Python packages, by name.
    pub packages: BTreeMap<String, String>,
    /// Build ids of the libraries that were mapped at the end, by path; empty where one has none.
    pub libraries: BTreeMap<String, String>,
    /// Facts about the machine, by name: processor, cores, kernel, C library, GPU.
    pub machine: BTreeMap<String, String>,
}

/// What was drawn, over all processes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entropy {
    pub processes: Vec<Process>,
    pub n_draws: u64,
    pub n_bytes: u64,
    /// Draws of libraries of cryptography, which are never recorded.
    #[serde(default)]
    pub n_passed: u64,
    /// Draws of tasks that a pool gave to its workers, made from a key for each task.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub n_tasked: u64,
    /// Draws that programs made by system calls of their own, past the shim; none where nobody counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub n_bypassed: Option<u64>,
    /// In a replay: given again by length and place, because threads came in another order.
    #[serde(default)]
    pub n_weak: u64,
    /// In a replay: drawn and not in the recording.
    #[serde(default)]
    pub n_fresh: u64,
    /// In a replay: in the recording and not drawn.
    #[serde(default)]
    pub n_missing: u64,
    /// In a replay: where it first went another way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub divergence: Option<Divergence>,
}

fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// One program that ran in one process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Its path: `r`, then for each child a dot, the thread that made it, `-`, and which child of that it was;
    /// `+1` is the program that it became next. The log is called so.
    pub path: String,
    pub n_draws: u64,
    /// SHA-256 of its log.
    pub sha256: Sha256,
    /// Whether the log ends as it should.
    pub is_whole: bool,
}

/// Where a replay first drew what was not recorded, or did not draw what was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Divergence {
    pub process: String,
    pub thread: String,
    /// Number of the draw in its thread, from 0.
    pub sequence: u32,
    /// What was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<Place>,
    /// What the recording has there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recorded: Option<Place>,
}

/// How much was drawn, and from where in the program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    pub n_bytes: u32,
    pub module: String,
    pub offset: u64,
}

/// The beginnings of the variables that are kept.
const KEPT_VARIABLES: &[&str] = &[
    "ATEN_",
    "BLIS_",
    "CUBLAS_",
    "CUDA_",
    "CUDNN_",
    "FLAGS_",
    "GOMP_",
    "GOTO_",
    "JAX_",
    "KMP_",
    "LANG",
    "LC_",
    "LOKY_",
    "MKL_",
    "NCCL_",
    "NPY_",
    "NUMBA_",
    "NUMEXPR_",
    "NVIDIA_TF32",
    "NVTE_",
    "OMP_",
    "ONEDNN_",
    "OPENBLAS_",
    "PYTHON",
    "PYTORCH_",
    "TF_CPP_",
    "TF_CUDNN_",
    "TF_DETERMINISTIC",
    "TF_DISABLE_",
    "TF_ENABLE_",
    "TF_FORCE_",
    "TF_GPU_",
    "TF_NUM_",
    "TF_USE_",
    "TF_XLA_",
    "TORCH_",
    "TZ",
    "VECLIB_",
    "XLA_",
];

/// Whether a variable of the environment belongs in a capsule: it bears on numbers, and can be no secret.
pub fn is_kept_variable(name: &str) -> bool {
    KEPT_VARIABLES.iter().any(|beginning| name.starts_with(beginning)) && !is_secret_name(name)
}

/// Whether a name speaks of a secret.
fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase().replace('-', "_");
    SECRET_WORDS.iter().any(|word| name.contains(word))
}

/// Words by which secrets are called.
const SECRET_WORDS: &[&str] = &[
    "token",
    "secret",
    "password",
    "passwd",
    "passphrase",
    "api_key",
    "apikey",
    "access_key",
    "private_key",
    "credential",
    "authorization",
];

/// Whether a value is a secret whatever it is called: a key of a well-known service, or an address with a password.
pub fn is_secret_value(value: &str) -> bool {
    let has_password = || {
        let authority = value.split_once("://").and_then(|(_, rest)| rest.split(['/', '?', '#']).next());
        let user = authority.and_then(|authority| authority.rsplit_once('@')).map(|(user, _)| user);
        user.is_some_and(|user| user.split_once(':').is_some_and(|(_, password)| !password.is_empty()))
    };
    KEY_BEGINNINGS.iter().any(|beginning| value.starts_with(beginning)) || has_password()
}

/// The arguments with those that look like secrets taken out, and how many those were.
pub fn without_secrets(arguments: &[String]) -> (Vec<String>, usize) {
    let mut n_redacted = 0;
    let mut is_value = false;
    let redacted = arguments.iter().map(|argument| {
        let flag = argument.split_once('=').filter(|(name, _)| name.starts_with('-') || !name.contains('/'));
        let kept = match (is_value, flag) {
            (true, _) => REDACTED.to_owned(),
            (false, Some((name, _))) if is_secret_name(name) => format!("{name}={REDACTED}"),
            (false, Some((name, value))) if is_secret_value(value) => format!("{name}={REDACTED}"),
            _ if is_secret_value(argument) || is_header(argument) => REDACTED.to_owned(),
            _ => argument.clone(),
        };
        n_redacted += usize::from(kept != *argument);
        is_value = argument.starts_with("--") && !argument.contains('=') && is_secret_name(argument);
        kept
    });
    (redacted.collect(), n_redacted)
}

/// Whether an argument is a header of HTTP that carries a secret.
fn is_header(argument: &str) -> bool {
    argument.split_once(": ").is_some_and(|(name, _)| !name.contains(' ') && is_secret_name(name))
}

/// How keys of well-known services begin.
const KEY_BEGINNINGS: &[&str] = &["hf_", "ghp_", "github_pat_", "glpat-", "sk-", "AKIA", "xoxb-", "rn_"];

/// A text with a folder, and what is named below it, called otherwise; `is_moved` is asked with the path from that
/// folder. A path begins where the text does or behind `=`, `:` or `,`, and ends before `:`, `,`, a space or with it.
pub fn moved(text: &str, from: &str, to: &str, is_moved: impl Fn(&str) -> bool) -> String {
    let from = from.trim_end_matches('/');
    if from.is_empty() {
        return text.to_owned();
    }
    let (mut moved, mut done) = (String::new(), 0);
    for (at, _) in text.match_indices(from) {
        let (before, behind) =
            (text.get(..at).unwrap_or_default(), text.get(at + from.len()..).unwrap_or_default());
        let begins = before.is_empty() || before.ends_with(['=', ':', ',']) || before.ends_with("://");
        let path = behind.split([':', ',', ' ']).next().unwrap_or_default();
        if begins && (path.is_empty() || path.starts_with('/')) && is_moved(path.trim_start_matches('/')) {
            moved.push_str(text.get(done..at).unwrap_or_default());
            moved.push_str(to);
            done = at + from.len();
        }
    }
    moved.push_str(text.get(done..).unwrap_or_default());
    moved
}

/// Whether a path from a folder stays in it: no root, no `..`, no empty part, nothing that is not text.
pub fn stays_inside(path: &str) -> bool {
    !path.is_empty()
        && !path.contains(['\0', '\\'])
        && path.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_that_bear_on_numbers_are_kept_and_secrets_are_not() {
        assert!(is_kept_variable("OMP_NUM_THREADS") && is_kept_variable("PYTHONHASHSEED"));
        assert!(
            !is_kept_variable("HF_TOKEN")
                && !is_kept_variable("PATH")
                && !is_kept_variable("TF_VAR_db")
                && !is_kept_variable("TORCH_API_KEY")
        );
    }

    #[test]
    fn secrets_are_taken_out_of_a_command() {
        let typed = ["python", "t.py", "--token", "abc", "--api-key=xyz", "hf_abcdef", "--lr=0.1", "a=b"];
        let (kept, n) = without_secrets(&typed.map(str::to_owned));
        assert_eq!(n, 3);
        assert_eq!(kept[3..], [REDACTED, "--api-key=<redacted>", REDACTED, "--lr=0.1", "a=b"]);
        let typed =
            ["--db=postgres://me:pw@host/db", "https://a@b/c", "Authorization: Bearer x", "k=sk-1", "a: b"];
        let (kept, n) = without_secrets(&typed.map(str::to_owned));
        assert_eq!(n, 3);
        assert_eq!(kept, ["--db=<redacted>", "https://a@b/c", REDACTED, "k=<redacted>", "a: b"]);
    }

    /// Files of every version that was ever written; they are added to and never edited.
    #[test]
    fn what_the_first_version_wrote_is_read_and_written_the_same() {
        let text = include_str!("capsule/golden/v1.json");
        let capsule: Capsule = serde_json::from_str(text).unwrap();
        assert_eq!(format!("{}\n", serde_json::to_string_pretty(&capsule).unwrap()), text);
        let bytes = include_bytes!("capsule/golden/v1.log");
        assert_eq!(Sha256::of(bytes), capsule.entropy.processes[0].sha256);
        let log = log::read(bytes).unwrap();
        let draws: Vec<_> = log.draws().map(|draw| (draw.stream, draw.payload.len(), draw.offset)).collect();
        assert_eq!((log.process.as_str(), log.records.len(), log.is_whole), ("r.0-1", 6, true));
        assert_eq!(draws, [(0, 24, 0x2f_2a3b), (1, 8, 0x10)]);
        assert_eq!(log.module(1), "/usr/bin/python3.11");
    }

    #[test]
    fn a_folder_is_called_otherwise_where_a_path_begins_with_it() {
        let moved = |text: &str| moved(text, "/srv/a/proj", "/w", |path| path != "bin/tool");
        for (text, expected) in [
            ("/srv/a/proj", "/w"),
            ("/srv/a/proj/t.py", "/w/t.py"),
            ("--out=/srv/a/proj/x", "--out=/w/x"),
            ("/srv/a/proj/lib:/usr/lib:/srv/a/proj", "/w/lib:/usr/lib:/w"),
            ("file:///srv/a/proj/x", "file:///w/x"),
            ("/srv/a/proj/t.sh < /dev/null", "/w/t.sh < /dev/null"),
            ("/srv/a/proj/bin/tool", "/srv/a/proj/bin/tool"),
            ("/srv/a/project", "/srv/a/project"),
            ("/mnt/srv/a/proj/x", "/mnt/srv/a/proj/x"),
            ("", ""),
        ] {
            assert_eq!(moved(text), expected);
        }
        assert_eq!(super::moved("/x/y", "/", "/w", |_| true), "/x/y");
    }

    #[test]
    fn a_path_that_climbs_out_is_seen() {
        assert!(stays_inside("data/train.csv") && stays_inside(".hidden"));
        for path in ["/etc/passwd", "../x", "a/../../x", "", "a//b", "a/./b", "a\\..\\b", "a\0"] {
            assert!(!stays_inside(path), "{path:?}");
        }
    }
}
