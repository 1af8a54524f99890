//! Recording: a command runs once under the shim, and everything that made the run what it was is written down.
//!
//! Knows nothing of how a record is run again. Invariant: the record says that it is incomplete from before the
//! command starts until after all of it is on the disk.

mod elf;
pub mod entropy;
pub mod environment;
pub mod files;
pub mod git;
pub mod metrics;
mod processor;
pub mod programs;
pub mod python;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use regex::Regex;
use spec::capsule::{self, Capsule, Kind, State};
use spec::diagnosis::Fact;
use spec::digest::Sha256;

use crate::capsule as folder;
use crate::error::{Error, at};
use crate::run::{self, Ended, Hashing, Means, Start};
use crate::shim::{Shim, Task};

/// What is to be recorded.
#[derive(Debug, Clone, Copy)]
pub struct Recording<'r> {
    /// A program and its arguments.
    pub command: &'r [String],
    /// Where it runs.
    pub folder: &'r Path,
    /// Where the record goes: a folder that is empty or not there.
    pub capsule: &'r Path,
    /// What to call it; the folder's name where it is none.
    pub name: Option<&'r str>,
    pub pins: Pins<'r>,
    pub wanted: Wanted<'r>,
}

/// Whether threads and instruction set are held fixed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pins<'p> {
    /// As the system and the user have them.
    None,
    /// To what machines of the last ten years have in common, so that another one can replay to the same bits.
    Portable,
    /// By these variables, which win over the user's own.
    Given(&'p BTreeMap<String, String>),
}

/// What of a run is kept beside what it read and wrote.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wanted<'w> {
    /// Patterns for paths in the folder that are inputs, read or not.
    pub inputs: &'w [String],
    /// Patterns for the outputs; with none, those are all files that the run wrote in its folder.
    pub outputs: &'w [String],
    /// Finds metrics in the lines of the output, by named groups.
    pub metrics: Option<&'w Regex>,
    /// Inputs of more bytes than this are not hashed.
    pub hash_up_to: Option<u64>,
}

impl<'w> Wanted<'w> {
    /// As it stands in a record.
    pub(crate) fn recorded(self) -> capsule::Wanted {
        let metric_pattern = self.metrics.map(|pattern| pattern.as_str().to_owned());
        capsule::Wanted { outputs: self.outputs.to_vec(), metric_pattern }
    }

    /// What is wanted here, and what a record says where nothing is.
    pub(crate) fn or(self, recorded: &'w capsule::Wanted, metrics: Option<&'w Regex>) -> Self {
        let outputs = if self.outputs.is_empty() { &recorded.outputs } else { self.outputs };
        Self { outputs, metrics: self.metrics.or(metrics), ..self }
    }
}

/// Runs a command and records it.
pub fn record(means: &Means, recording: &Recording<'_>) -> Result<Capsule, Error> {
    run_under(means, recording, Task::Record).map(|(record, _)| record)
}

/// The same, with a look at what it does that another run might do otherwise, which takes longer.
pub fn profile(means: &Means, recording: &Recording<'_>) -> Result<(Capsule, Vec<Fact>), Error> {
    let (mut record, facts) = run_under(means, recording, Task::Profile)?;
    // Looked for here alone: all code of a run is more than a recording has time to read.
    record.warnings.extend(processor::warnings(Path::new(&record.program), &record.environment.libraries));
    Ok((record, facts))
}

fn run_under(
    means: &Means,
    recording: &Recording<'_>,
    task: Task<'_>,
) -> Result<(Capsule, Vec<Fact>), Error> {
    let at_work = recording.folder.canonicalize().map_err(at("find the folder", recording.folder))?;
    let word = recording.command.first().ok_or_else(|| Error::NoProgram(String::new()))?;
    let program = run::find(word, &at_work)?;
    folder::create(recording.capsule)?;
    let capsule = recording.capsule.canonicalize().map_err(at("find the folder", recording.capsule))?;
    let mut record = begun(recording, (&at_work, &program), (means.now_ms)());
    folder::write(&capsule, &record)?;

    let shim = Shim::place(&capsule.join(folder::ENTROPY), task)?;
    let start = Start {
        program: &program,
        arguments: recording.command.get(1..).unwrap_or_default(),
        folder: &at_work,
        variables: Some(&record.variables),
        words: &capsule,
        confined: None,
    };
    let ended = run::run(means, &start, &shim)?;
    end(&mut record, &ended);
    let place = Place { folder: &at_work, capsule: &capsule, shim: &shim, hashing: means.hashing };
    let (_, facts) = seal(&mut record, &place, recording.wanted)?;
    record.duration_ms = u64::try_from((means.now_ms)() - record.started_ms).ok();
    record.state = State::Complete;
    folder::write(&capsule, &record)?;
    Ok((record, facts))
}

/// What is known of a run before it starts.
fn begun(recording: &Recording<'_>, (folder, program): (&Path, &Path), now_ms: i64) -> Capsule {
    let (command, n_redacted) = capsule::without_secrets(recording.command);
    let mut warnings = Vec::new();
    if n_redacted > 0 {
        warnings.push(format!(
            "{n_redacted} of the command's arguments look like secrets and were taken out; a replay cannot give them back"
        ));
    }
    let identity = format!("{now_ms}\0{}\0{command:?}\0{}", std::process::id(), recording.capsule.display());
    let mut id = Sha256::of(identity.as_bytes()).to_string();
    id.truncate(12);
    let of_folder = || recording.capsule.file_name().map(|name| name.to_string_lossy().into_owned());
    Capsule {
        format: capsule::FORMAT,
        name: recording.name.map(str::to_owned).or_else(of_folder).unwrap_or_else(|| id.clone()),
        id,
        kind: Kind::Recording,
        replay_of: None,
        state: State::Incomplete,
        command,
        program: program.display().to_string(),
        folder: folder.display().to_string(),
        started_ms: now_ms,
        duration_ms: None,
        exit: None,
        variables: variables(recording.pins),
        git: git::look(folder),
        code: Vec::new(),
        inputs: Vec::new(),
        outputs: Vec::new(),
        unhashed: Vec::new(),
        environment: capsule::Environment::default(),
        entropy: capsule::Entropy::default(),
        wanted: recording.wanted.recorded(),
        strayed: Vec::new(),
        metrics: BTreeMap::new(),
        warnings,
    }
}

/// The variables of our environment that belong in a capsule, and the pins that the user has not set otherwise.
fn variables(pins: Pins<'_>) -> BTreeMap<String, String> {
    let mut variables = match pins {
        Pins::None | Pins::Given(_) => BTreeMap::new(),
        Pins::Portable => pinned(),
    };
    let text = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let is_kept = |(name, value): &(String, String)| {
        capsule::is_kept_variable(name) && !capsule::is_secret_value(value)
    };
    variables.extend(text.filter(is_kept));
    if let Pins::Given(given) = pins {
        variables.extend(given.clone());
    }
    variables
}

/// What libraries of numbers read to choose their code and their threads.
pub(crate) fn pinned() -> BTreeMap<String, String> {
    let n_cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get).to_string();
    let pins = [
        ("ATEN_CPU_CAPABILITY", "avx2"),
        ("MKL_CBWR", "AVX2"),
        ("MKL_DYNAMIC", "FALSE"),
        ("MKL_NUM_THREADS", &n_cores),
        ("OMP_DYNAMIC", "FALSE"),
        ("OMP_NUM_THREADS", &n_cores),
        ("ONEDNN_MAX_CPU_ISA", "AVX2"),
        ("OPENBLAS_CORETYPE", "Haswell"),
        ("OPENBLAS_NUM_THREADS", &n_cores),
    ];
    pins.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

/// Where a run took place, and where its record is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'p> {
    pub folder: &'p Path,
    pub capsule: &'p Path,
    /// What the run was under; its temporary files are no outputs of the run.
    pub shim: &'p Shim,
    pub hashing: Option<Hashing>,
}

/// Writes down how a command ended.
pub(crate) fn end(record: &mut Capsule, ended: &Ended) {
    record.exit = Some(ended.exit);
    record.entropy.n_bypassed = ended.bypassed.as_ref().map(|bypassed| bypassed.values().sum());
    record.warnings.extend(ended.warnings.iter().cloned());
    for (program, n) in ended.bypassed.iter().flatten() {
        let times = if *n == 1 { "once".to_owned() } else { format!("{n} times") };
        record.warnings.push(format!(
            "`{program}` drew entropy {times} by system calls of its own, which were not recorded and cannot be given back"
        ));
    }
    if ended.is_late {
        record.warnings.push("the command's time was over before its end, so it was ended".to_owned());
    }
}

/// Takes what the shim and the hooks saw into the record of a run that has ended; gives which files it opened, and
/// what of the hooks belongs in no record.
pub(crate) fn seal(
    record: &mut Capsule,
    place: &Place<'_>,
    wanted: Wanted<'_>,
) -> Result<(Vec<entropy::Opened>, Vec<Fact>), Error> {
    let seen = entropy::seal(&place.capsule.join(folder::ENTROPY))?;
    let program = PathBuf::from(&record.program);
    let gathered = files::gather(&seen.opened, place, wanted, record.started_ms)?;
    record.warnings.extend(programs::warnings(&program, &seen.programs));
    record.warnings.extend(seen.warnings);
    record.warnings.extend(gathered.warnings);
    (record.code, record.inputs, record.outputs) = (gathered.code, gathered.inputs, gathered.outputs);
    record.unhashed = gathered.unhashed;
    record.environment = environment::gather(&program, &seen.opened, seen.libraries);
    let hooked = metrics::hooked(&place.shim.lines());
    record.warnings.extend(hooked.warnings);
    record.metrics = hooked.series;
    // What was asked for by a pattern is meant; what the usual words find is less than what was hooked.
    let printed = metrics::read(&place.capsule.join("stdout.txt"), wanted.metrics)?;
    for (name, values) in printed {
        if wanted.metrics.is_some() || !record.metrics.contains_key(&name) {
            record.metrics.insert(name, values);
        }
    }
    record.warnings.extend(python::warning(&program, &record.command));
    record.entropy = capsule::Entropy { n_bypassed: record.entropy.n_bypassed, ..seen.entropy };
    Ok((seen.opened, hooked.facts))
}
