//! Replaying: a recorded command runs again in a fresh folder, with the code, inputs and entropy of its record.
//!
//! Each file here gives back what the file of the same name in `recorder` wrote down. Invariant: a replay is a run
//! with a record of its own, so that whatever compares two runs compares it with any other.

pub mod entropy;
pub mod environment;
pub mod files;

use std::fs;
use std::path::{Path, PathBuf};

use regex::Regex;
use spec::capsule::{Capsule, Kind, REDACTED, State};
use spec::digest::Sha256;

use crate::capsule as folder;
use crate::error::{Error, at};
use crate::recorder::{self, Place, Wanted};
use crate::run::{self, Confined, Means, Start, aftermath};
use crate::shim::{Shim, Task};

/// What is to be replayed.
#[derive(Debug, Clone, Copy)]
pub struct Replaying<'r> {
    /// The capsule of the recording.
    pub capsule: &'r Path,
    /// Where the replay's own record goes: a folder that is empty or not there.
    pub to: &'r Path,
    /// The program to run in place of the recorded one, such as the Python of a restored environment.
    pub program: Option<&'r Path>,
    /// Whether the run ends where it draws what was not recorded.
    pub is_strict: bool,
    pub wanted: Wanted<'r>,
    /// Files, and folders of files, among which inputs are looked for by their digest.
    pub places: &'r [PathBuf],
    /// What the command may do.
    pub reach: Reach,
}

/// What a replayed command may do.
#[derive(Debug, Clone, Copy)]
pub enum Reach {
    /// All that its user may.
    Free,
    /// Work in the folder of the replay, read the recorded inputs, and use what its program needs. It has no network.
    Confined(fn(&Path) -> Needed),
}

/// What a program needs of the system besides.
#[derive(Debug, Clone, Default)]
pub struct Needed {
    /// What may be run, and read.
    pub executable: Vec<PathBuf>,
    pub readable: Vec<PathBuf>,
}

/// Runs a recorded command again and records that.
pub fn replay(means: &Means, replaying: &Replaying<'_>) -> Result<Capsule, Error> {
    let source =
        replaying.capsule.canonicalize().map_err(|_| Error::NoCapsule(replaying.capsule.to_owned()))?;
    let recorded = folder::read(&source)?;
    if recorded.state == State::Incomplete {
        return Err(Error::Incomplete(source));
    }
    folder::check(&source, &recorded)?;
    entropy::check(&source.join(folder::ENTROPY), &recorded)?;
    if recorded.command.iter().any(|word| word.contains(REDACTED)) {
        return Err(Error::Redacted);
    }
    let own = recorded.wanted.metric_pattern.as_deref().filter(|_| replaying.wanted.metrics.is_none());
    let pattern = own.map(pattern).transpose()?;
    let wanted = Wanted {
        // What was not hashed is not hashed again.
        hash_up_to: recorded.unhashed.iter().map(|file| file.n_bytes.saturating_sub(1)).min(),
        ..replaying.wanted.or(&recorded.wanted, pattern.as_ref())
    };
    folder::create(replaying.to)?;
    let to = replaying.to.canonicalize().map_err(at("find the folder", replaying.to))?;
    let work = to.join(folder::WORK);
    fs::create_dir(&work).map_err(at("make the folder", &work))?;
    files::restore(&source, &recorded, (&work, replaying.places, means.hashing))?;
    let program = match replaying.program {
        Some(program) => program.to_owned(),
        None => environment::program(&recorded, &work)?,
    };
    let mut record = begun((&recorded, wanted), (&work, &program), (means.now_ms)());
    folder::write(&to, &record)?;

    let script = source.join(folder::ENTROPY);
    let task = Task::Replay { script: &script, is_strict: replaying.is_strict };
    let shim = Shim::place(&to.join(folder::ENTROPY), task)?;
    let confined = confined((replaying.reach, &program), (&source, &to, &shim), &recorded)?;
    let start = Start {
        program: &program,
        arguments: record.command.get(1..).unwrap_or_default(),
        folder: &work,
        variables: Some(&record.variables),
        words: &to,
        confined: confined.as_ref(),
    };
    if confined.is_some() {
        aftermath::adopt();
    }
    let ended = run::run(means, &start, &shim)?;
    recorder::end(&mut record, &ended);
    if let Some(confined) = &confined {
        aftermath::end_children();
        fs::remove_dir_all(&confined.home).map_err(at("delete", &confined.home))?;
        [&work, &to.join(folder::ENTROPY)].into_iter().try_for_each(|left| aftermath::without_links(left))?;
    }
    let place = Place { folder: &work, capsule: &to, shim: &shim, hashing: means.hashing };
    // A replay is not profiled, so the hooks have nothing else to tell.
    let (opened, _) = recorder::seal(&mut record, &place, wanted)?;
    files::stray(&mut record, &opened, Path::new(&recorded.folder), &place);
    entropy::account(&mut record.entropy, &script, &to.join(folder::ENTROPY))?;
    record.duration_ms = u64::try_from((means.now_ms)() - record.started_ms).ok();
    record.state = State::Complete;
    folder::write(&to, &record)?;
    Ok(record)
}

/// What is left to a command that may not do all that we may.
fn confined(
    (reach, program): (Reach, &Path),
    (source, to, shim): (&Path, &Path, &Shim),
    recorded: &Capsule,
) -> Result<Option<Confined>, Error> {
    let Reach::Confined(needed) = reach else { return Ok(None) };
    let Needed { mut executable, mut readable } = needed(program);
    let home = to.join("home");
    fs::create_dir(&home).map_err(at("make the folder", &home))?;
    let work = to.join(folder::WORK);
    let hashed = recorded.code.iter().chain(&recorded.inputs).map(|file| &file.path);
    let elsewhere = hashed.chain(recorded.unhashed.iter().map(|file| &file.path)).map(PathBuf::from);
    // Those were found to be what was recorded, or as long: whoever made the capsule knows them already.
    readable.extend(elsewhere.filter(|path| path.is_absolute()));
    readable.extend([source.join(folder::ENTROPY), shim.folder().to_owned()]);
    executable.push(work.clone());
    let shared = ["/dev/null", "/dev/shm"].map(PathBuf::from);
    let mut writable = vec![work, to.join(folder::ENTROPY), home.clone(), shim.lines()];
    writable.extend(shared);
    Ok(Some(Confined { readable, executable, writable, home }))
}

/// A recorded pattern for metrics.
fn pattern(text: &str) -> Result<Regex, Error> {
    Regex::new(text).map_err(|source| Error::Pattern { pattern: text.to_owned(), source })
}

/// What is known of a replay before it starts. Where the command and its variables name the folder of the recording,
/// they name the replay's own.
fn begun(
    (recorded, wanted): (&Capsule, Wanted<'_>),
    (work, program): (&PathBuf, &PathBuf),
    now_ms: i64,
) -> Capsule {
    let folder = work.display().to_string();
    let is_moved = |path: &str| files::is_given(path, Path::new(&recorded.folder), work);
    let moved = |text: &String| spec::capsule::moved(text, &recorded.folder, &folder, is_moved);
    let identity = format!("{now_ms}\0{}\0{}\0{}", std::process::id(), recorded.id, work.display());
    let mut id = Sha256::of(identity.as_bytes()).to_string();
    id.truncate(12);
    Capsule {
        id,
        name: format!("{}, replayed", recorded.name.trim_end_matches(", replayed")),
        kind: Kind::Replay,
        replay_of: Some(recorded.id.clone()),
        state: State::Incomplete,
        command: recorded.command.iter().map(moved).collect(),
        variables: recorded.variables.iter().map(|(name, value)| (name.clone(), moved(value))).collect(),
        program: program.display().to_string(),
        folder: folder.clone(),
        started_ms: now_ms,
        duration_ms: None,
        exit: None,
        code: Vec::new(),
        inputs: Vec::new(),
        outputs: Vec::new(),
        unhashed: Vec::new(),
        environment: spec::capsule::Environment::default(),
        entropy: spec::capsule::Entropy::default(),
        wanted: wanted.recorded(),
        strayed: Vec::new(),
        metrics: std::collections::BTreeMap::new(),
        warnings: Vec::new(),
        ..recorded.clone()
    }
}
