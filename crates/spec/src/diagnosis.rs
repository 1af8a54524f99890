//! What in a run could come out otherwise the next time, why, and what helps.
//!
//! Pure: what a profiled run was seen to do comes in as facts, and goes out as causes. Invariant: a cause rests on
//! a fact; what a run did not do is not spoken of.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// Something that a run was seen to do.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Fact {
    /// Its kind, such as `unseeded`.
    pub fact: String,
    /// Of what: a generator, a library, an operation.
    pub what: String,
    /// File and line of the program, where one is known.
    #[serde(default)]
    pub place: String,
    /// How often.
    #[serde(default)]
    pub n: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threads: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub architecture: Option<String>,
    /// When an operation is meant, in its framework's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// What helps: `switch`, `replace`, `cublas` or `tensorflow`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
    #[serde(default)]
    pub is_on_gpu: bool,
}

/// All that was found out about one command.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Diagnosis {
    /// The version of this report's form.
    pub format: u32,
    pub command: Vec<String>,
    /// Those that bear on a result most often come first.
    pub causes: Vec<Cause>,
    /// What a patch sets, where one was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patch: Option<Patch>,
}

/// One reason for which another run may differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    pub kind: Kind,
    /// One sentence.
    pub summary: String,
    /// Files and lines of the program.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub places: Vec<String>,
    pub cure: Cure,
    /// What to do, beside recording and replaying.
    pub remedy: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    Unseeded,
    Entropy,
    ClockSeed,
    SetOrder,
    FolderOrder,
    Pool,
    Operation,
    Threads,
    Instructions,
    Unseen,
}

/// What takes care of a cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cure {
    /// A replay gives it again, and a patch sets it.
    ReplayOrPatch,
    Replay,
    /// A patch, or `--pin` while recording, sets it.
    Patch,
    /// Only a change to the program.
    Source,
    /// It does not bear on this run, and would on a GPU.
    NotHere,
}

impl Cure {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ReplayOrPatch => "a replay gives it again; a patch sets it",
            Self::Replay => "a replay gives it again",
            Self::Patch => "a patch sets it",
            Self::Source => "neither a replay nor a patch helps",
            Self::NotHere => "not on this machine; on a GPU it would",
        }
    }
}

/// What was set, and what came of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Patch {
    pub folder: String,
    pub variables: BTreeMap<String, String>,
    /// Whether two runs with it were the same, bit by bit.
    pub is_proven: bool,
    /// What was compared, and where the first difference was.
    pub findings: Vec<String>,
}

/// What else is known of the run.
#[derive(Debug, Clone, Copy)]
pub struct Known<'k> {
    pub variables: &'k BTreeMap<String, String>,
    /// Draws in tasks of pools.
    pub n_tasked: u64,
    pub warnings: &'k [String],
}

/// The causes that facts come to.
pub fn causes(facts: &[Fact], known: &Known<'_>) -> Vec<Cause> {
    let mut causes: Vec<Cause> = drawn(facts);
    causes.extend(ordered(facts, known));
    if known.n_tasked > 0 {
        causes.push(Cause {
            kind: Kind::Pool,
            summary: "a pool of processes gives each task to whichever worker is free".to_owned(),
            places: Vec::new(),
            cure: Cure::Replay,
            remedy: "give each task a seed of its own, or use one worker; a recording does the former"
                .to_owned(),
        });
    }
    causes.extend(operations(facts));
    causes.extend(computed(facts, known));
    // By the shim, in whole programs or in single calls.
    let is_unseen = |warning: &&String| {
        ["not seen", "by system calls of its own"].iter().any(|words| warning.contains(words))
    };
    let unseen = known.warnings.iter().filter(is_unseen);
    causes.extend(unseen.map(|warning| {
        Cause {
            kind: Kind::Unseen,
            summary: warning.clone(),
            places: Vec::new(),
            cure: Cure::Source,
            remedy: "link the program dynamically, have it draw through the C library, or give it its seeds"
                .to_owned(),
        }
    }));
    causes.sort_by_key(|cause| (cause.cure == Cure::NotHere, cause.kind));
    causes
}

fn of<'f>(facts: &'f [Fact], kind: &'f str) -> impl Iterator<Item = &'f Fact> {
    facts.iter().filter(move |fact| fact.fact == kind)
}

/// The places of facts by what they are about.
fn by_what<'f>(facts: impl Iterator<Item = &'f Fact>) -> BTreeMap<&'f str, BTreeSet<&'f str>> {
    let mut by_what: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for fact in facts {
        let places = by_what.entry(&fact.what).or_default();
        places.extend(Some(fact.place.as_str()).filter(|place| !place.is_empty()));
    }
    by_what
}

fn owned(places: &BTreeSet<&str>) -> Vec<String> {
    places.iter().map(|place| (*place).to_owned()).collect()
}

/// Seeds and entropy.
fn drawn(facts: &[Fact]) -> Vec<Cause> {
    let mut causes = Vec::new();
    for (generator, places) in by_what(of(facts, "unseeded")) {
        let seed = match generator {
            "numpy.random.default_rng" => "give it a seed: `default_rng(0)`".to_owned(),
            "torch" => "call `torch.manual_seed(0)` first".to_owned(),
            "tensorflow" => "call `tf.random.set_seed(0)` first".to_owned(),
            other => format!("call `{other}.seed(0)` first"),
        };
        causes.push(Cause {
            kind: Kind::Unseeded,
            summary: format!("`{generator}` is used and was not seeded"),
            places: owned(&places),
            cure: Cure::ReplayOrPatch,
            remedy: seed,
        });
    }
    // NumPy's and others' own seeds come the same way and were named above.
    let named: BTreeSet<&str> = of(facts, "unseeded").map(|fact| fact.place.as_str()).collect();
    for (source, places) in by_what(of(facts, "urandom").filter(|fact| !named.contains(fact.place.as_str())))
    {
        causes.push(Cause {
            kind: Kind::Entropy,
            summary: format!("entropy is drawn from the system by `{source}`"),
            places: owned(&places),
            cure: Cure::Replay,
            remedy: "draw from a generator with a seed, where it bears on the result".to_owned(),
        });
    }
    for (clock, places) in by_what(of(facts, "clock-seed")) {
        causes.push(Cause {
            kind: Kind::ClockSeed,
            summary: format!("a seed is made from `{clock}()`, which is not recorded"),
            places: owned(&places),
            cure: Cure::Source,
            remedy: "seed with a number, or with `secrets.randbits(64)`, which is recorded".to_owned(),
        });
    }
    causes
}

/// Orders that nobody fixed.
fn ordered(facts: &[Fact], known: &Known<'_>) -> Vec<Cause> {
    let mut causes = Vec::new();
    let has_hash_seed = known.variables.get("PYTHONHASHSEED").is_some_and(|seed| seed != "random");
    for (_, places) in by_what(of(facts, "set-order").filter(|_| !has_hash_seed)) {
        causes.push(Cause {
            kind: Kind::SetOrder,
            summary: "the order of a set is used; that of texts follows Python's hash seed".to_owned(),
            places: owned(&places),
            cure: Cure::ReplayOrPatch,
            remedy: "sort it, or set `PYTHONHASHSEED=0`".to_owned(),
        });
    }
    for (name, places) in by_what(of(facts, "folder-order")) {
        causes.push(Cause {
            kind: Kind::FolderOrder,
            summary: format!(
                "`{name}` gives files in the order of the file system, which another machine has not"
            ),
            places: owned(&places),
            cure: Cure::Source,
            remedy: "sort what it gives".to_owned(),
        });
    }
    causes
}

/// Operations of a framework that sum in an order of chance.
fn operations(facts: &[Fact]) -> Vec<Cause> {
    let found = by_what(of(facts, "operation"));
    let cause = |(name, places): (&str, BTreeSet<&str>)| {
        let about = of(facts, "operation").find(|fact| fact.what == name)?;
        let is_met = of(facts, "operation").any(|fact| fact.what == name && fact.is_on_gpu);
        let when = about.when.clone().unwrap_or_default();
        let is_of_gpu = when.contains("CUDA") && !when.contains("CPU");
        let remedy = match about.remedy.as_deref() {
            Some("replace") => {
                "use another operation, or run this one on the CPU: it has no deterministic form"
            }
            Some("cublas") => "set `CUBLAS_WORKSPACE_CONFIG=:4096:8` before the program starts",
            Some("tensorflow") => "call `tf.config.experimental.enable_op_determinism()`",
            _ => "call `torch.use_deterministic_algorithms(True)`",
        };
        let cure = match about.remedy.as_deref() {
            _ if is_of_gpu && !is_met => Cure::NotHere,
            Some("replace") => Cure::Source,
            _ => Cure::Patch,
        };
        Some(Cause {
            kind: Kind::Operation,
            summary: format!("`{name}` sums in an order of chance {when}").trim_end().to_owned(),
            places: owned(&places),
            cure,
            remedy: remedy.to_owned(),
        })
    };
    found.into_iter().filter_map(cause).collect()
}

/// Threads and instructions of the libraries of numbers.
fn computed(facts: &[Fact], known: &Known<'_>) -> Vec<Cause> {
    let has = |names: &[&str]| names.iter().any(|name| known.variables.contains_key(*name));
    let mut causes = Vec::new();
    let threaded: Vec<String> = of(facts, "library")
        .filter_map(|fact| Some((fact, fact.threads.filter(|n| *n > 1)?)))
        .map(|(fact, n)| format!("`{}` ({n})", fact.what))
        .collect();
    if !threaded.is_empty() && !has(&["OMP_NUM_THREADS"]) {
        causes.push(Cause {
            kind: Kind::Threads,
            summary: format!("as many threads as this machine has cores: {}", threaded.join(", ")),
            places: Vec::new(),
            cure: Cure::Patch,
            remedy: "record with `--pin`, or set `OMP_NUM_THREADS` and `OPENBLAS_NUM_THREADS`".to_owned(),
        });
    }
    let chosen: Vec<String> = of(facts, "library")
        .filter_map(|fact| Some(format!("`{}` for {}", fact.what, fact.architecture.as_ref()?)))
        .collect();
    if !chosen.is_empty() && !has(&["OPENBLAS_CORETYPE", "NPY_DISABLE_CPU_FEATURES", "MKL_CBWR"]) {
        causes.push(Cause {
            kind: Kind::Instructions,
            summary: format!("code was chosen for this processor: {}", chosen.join(", ")),
            places: Vec::new(),
            cure: Cure::Patch,
            remedy: "record with `--pin`; the patch also sets what NumPy reads".to_owned(),
        });
    }
    causes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fact(fact: &str, what: &str, place: &str) -> Fact {
        Fact { fact: fact.into(), what: what.into(), place: place.into(), n: 1, ..Fact::default() }
    }

    fn found(facts: &[Fact], variables: &[(&str, &str)]) -> Vec<(Kind, Cure)> {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let variables = variables.iter().map(owned).collect();
        let known = Known { variables: &variables, n_tasked: 0, warnings: &[] };
        causes(facts, &known).iter().map(|cause| (cause.kind, cause.cure)).collect()
    }

    #[test]
    fn entropy_that_seeds_a_generator_is_named_once() {
        let facts =
            [fact("unseeded", "numpy.random.default_rng", "t.py:3"), fact("urandom", "os.urandom", "t.py:3")];
        assert_eq!(found(&facts, &[]), [(Kind::Unseeded, Cure::ReplayOrPatch)]);
        assert_eq!(found(&facts[1..], &[]), [(Kind::Entropy, Cure::Replay)]);
    }

    #[test]
    fn what_is_set_already_is_no_cause() {
        let mut library = fact("library", "openblas", "");
        (library.threads, library.architecture) = (Some(4), Some("SkylakeX".into()));
        let facts = [fact("set-order", "a set", "t.py:1"), library];
        assert_eq!(found(&facts, &[]).len(), 3);
        let set = [("PYTHONHASHSEED", "0"), ("OMP_NUM_THREADS", "1"), ("OPENBLAS_CORETYPE", "Haswell")];
        assert_eq!(found(&facts, &set), []);
    }

    #[test]
    fn an_operation_of_gpus_does_not_bear_on_a_run_without_one() {
        let mut conv = fact("operation", "torch.nn.Conv2d", "t.py:9");
        (conv.when, conv.remedy) = (Some("when called on CUDA tensor".into()), Some("switch".into()));
        assert_eq!(found(std::slice::from_ref(&conv), &[]), [(Kind::Operation, Cure::NotHere)]);
        conv.is_on_gpu = true;
        assert_eq!(found(&[conv], &[]), [(Kind::Operation, Cure::Patch)]);
    }
}
