//! What a commit changed: its files, the lines of texts, the tensors of weights.
//!
//! Invariant: nobody learns more of a file here than by fetching it, so who has to ask for the files has to ask for this.

use std::collections::BTreeMap;
use std::io::{self, Read, Seek, SeekFrom};
use std::sync::Arc;

use inspect::distance::{self, Side};
use inspect::tensors::{Bytes, Tensor, Tensors};
use moka::sync::Cache;
use spec::digest::Sha256;
use store::contents::Opened;
use store::db::Page;
use store::db::revisions::{self, Changed, Revision, Version};
use tokio::sync::Semaphore;

use super::lines::{self, Hunk};
use super::{At, resolve};
use crate::app::App;
use crate::error::{During, Error};
use crate::ops::access::{Action, Actor};
use crate::ops::access_requests;

/// Longest text that is compared.
pub const TEXT_BYTES: u64 = 256 * 1024;
/// Longest file of weights that is compared.
pub const WEIGHTS_BYTES: u64 = 512 * 1024 * 1024;
/// Tensors that are told, of those that differ.
const TENSORS: usize = 1_000;
/// Comparisons that are remembered.
const REMEMBERED: u64 = 256;

/// A commit and what it changed.
#[derive(Debug)]
pub struct Changes {
    pub revision: Revision,
    pub parent: Option<Revision>,
    pub page: Page<Changed>,
}

/// What became of a text.
#[derive(Debug)]
pub enum Lines {
    Differ(Vec<Hunk>),
    /// It is no text.
    Binary,
    TooLong,
}

/// What became of the tensors of a file.
#[derive(Debug, PartialEq)]
pub struct Weights {
    /// Tensors of the new file.
    pub n_tensors: usize,
    /// How many differ, in any way.
    pub n_different: usize,
    /// The first of them, by name.
    pub changes: Vec<TensorChange>,
}

/// What became of one tensor.
#[derive(Debug, PartialEq)]
pub struct TensorChange {
    pub name: String,
    /// Type and shape, such as `FP32 (4, 8)`; of one that was removed, what it had.
    pub form: String,
    pub what: What,
}

#[derive(Debug, PartialEq)]
pub enum What {
    Added,
    Removed,
    /// It had another type or shape.
    Form {
        old: String,
    },
    Values {
        n_different: u64,
        n_elements: u64,
        /// Infinite where a number became none. Nothing of what has no type.
        max_absolute: Option<f64>,
        max_relative: Option<f64>,
    },
}

/// Why weights are not compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Uncompared {
    /// One of both is not there.
    Alone,
    TooLarge,
    /// No tensors can be found in one of them.
    Unread,
}

/// How the tensors of two files compare; shared, since it is remembered.
pub type Compared = Arc<Result<Weights, Uncompared>>;

/// What was compared a moment ago, and a turn for each comparison.
#[derive(Debug)]
pub struct Comparisons {
    known: Cache<(Sha256, Sha256), Compared>,
    turn: Semaphore,
}

impl Default for Comparisons {
    fn default() -> Self {
        Self { known: Cache::new(REMEMBERED), turn: Semaphore::new(1) }
    }
}

/// The files that a commit changed, against the one before it.
pub async fn changes(
    app: &App,
    actor: &Actor,
    at: &At<'_>,
    after: Option<&str>,
    limit: u32,
) -> Result<Changes, Error> {
    let (revision, parent) = both(app, actor, at).await?;
    let trees = (parent.as_ref().map(|parent| parent.tree_id), revision.tree_id);
    let page = revisions::changes(&app.store.db, trees, after, limit).await.during("compare two trees")?;
    Ok(Changes { revision, parent, page })
}

/// A commit and the one before it, for who may fetch its files.
async fn both(app: &App, actor: &Actor, at: &At<'_>) -> Result<(Revision, Option<Revision>), Error> {
    let (repository, revision) = resolve(app, actor, at, Action::Read).await?;
    access_requests::check(app, actor, &repository).await?;
    let parent = match revision.parent_id {
        Some(id) => revisions::by_id(&app.store.db, id).await.during("look up a revision")?,
        None => None,
    };
    Ok((revision, parent))
}

/// The lines in which both contents of a file differ; [`changes`] has told of them.
pub async fn lines(app: &App, changed: &Changed) -> Result<Lines, Error> {
    let versions = [changed.old, changed.new];
    if versions.iter().flatten().any(|version| version.n_bytes > TEXT_BYTES) {
        return Ok(Lines::TooLong);
    }
    let mut texts = [String::new(), String::new()];
    for (version, text) in versions.iter().zip(&mut texts) {
        let Some(version) = version else { continue };
        let read = app.store.contents.read_all(&version.sha256, TEXT_BYTES).await;
        match String::from_utf8(read.during("read a file")?) {
            Ok(read) if !read.contains('\0') => *text = read,
            _ => return Ok(Lines::Binary),
        }
    }
    let [old, new] = texts;
    let compared = tokio::task::spawn_blocking(move || lines::compare(&old, &new));
    let compared = compared.await.map_err(|_| Error::Internal("compare two texts"))?;
    Ok(compared.map_or(Lines::TooLong, Lines::Differ))
}

/// What a commit changed in the tensors of a file. Read from the first byte to the last, one file at a time.
pub async fn weights(app: &App, actor: &Actor, at: &At<'_>, path: &str) -> Result<Compared, Error> {
    let (revision, parent) = both(app, actor, at).await?;
    let of = async |revision: Option<&Revision>| match revision {
        Some(revision) => version(app, revision, path).await,
        None => Ok(None),
    };
    let (old, new) = (of(parent.as_ref()).await?, of(Some(&revision)).await?);
    let (old, new) = match (old, new) {
        (Some(old), Some(new)) => (old, new),
        (None, None) => {
            let (revision, path) = (at.revision.to_owned(), path.to_owned());
            return Err(Error::EntryNotFound { revision, path });
        }
        _ => return Ok(Arc::new(Err(Uncompared::Alone))),
    };
    if old.n_bytes.max(new.n_bytes) > WEIGHTS_BYTES {
        return Ok(Arc::new(Err(Uncompared::TooLarge)));
    }
    compare(app, path, (old.sha256, new.sha256)).await
}

async fn version(app: &App, revision: &Revision, path: &str) -> Result<Option<Version>, Error> {
    let found = store::db::entries::by_paths(&app.store.db, revision.tree_id, &[path]).await;
    let found = found.during("find a file")?.into_iter().next();
    Ok(found.and_then(|entry| {
        Some(Version { sha256: entry.sha256?, n_bytes: u64::try_from(entry.n_bytes).ok()? })
    }))
}

async fn compare(app: &App, path: &str, files: (Sha256, Sha256)) -> Result<Compared, Error> {
    let Comparisons { known, turn } = &app.comparisons;
    if let Some(compared) = known.get(&files) {
        return Ok(compared);
    }
    let _turn = turn.acquire().await.map_err(|_| Error::Internal("wait for a turn"))?;
    // Whoever had the turn before may have compared the same.
    if let Some(compared) = known.get(&files) {
        return Ok(compared);
    }
    let (old, new) = files;
    let open = async |sha256: &Sha256| app.store.contents.open(sha256).await.during("open a stored file");
    let (old, new, path) = (open(&old).await?, open(&new).await?, path.to_owned());
    let compared = tokio::task::spawn_blocking(move || read_both(&path, old, new));
    let compared = compared.await.map_err(|_| Error::Internal("compare two files of weights"))?;
    let compared = Arc::new(compared.during("read a stored file")?);
    known.insert(files, Arc::clone(&compared));
    Ok(compared)
}

fn read_both(path: &str, mut old: Opened, mut new: Opened) -> io::Result<Result<Weights, Uncompared>> {
    let tensors =
        |file: &mut Opened| inspect::tensors::tensors(path, file).filter(|found| !found.found.is_empty());
    let (Some(in_old), Some(in_new)) = (tensors(&mut old), tensors(&mut new)) else {
        return Ok(Err(Uncompared::Unread));
    };
    let by_name = |tensors: Tensors| -> BTreeMap<String, Tensor> {
        tensors.found.into_iter().map(|tensor| (tensor.name.clone(), tensor)).collect()
    };
    let (in_old, in_new) = (by_name(in_old), by_name(in_new));
    let mut changes = BTreeMap::new();
    for (name, tensor) in &in_new {
        let what = match in_old.get(name) {
            None => Some(What::Added),
            Some(before) => between((&mut old, before), (&mut new, tensor))?,
        };
        if let Some(what) = what {
            changes.insert(name.clone(), TensorChange { name: name.clone(), form: form(tensor), what });
        }
    }
    for (name, tensor) in in_old.iter().filter(|(name, _)| !in_new.contains_key(*name)) {
        let change = TensorChange { name: name.clone(), form: form(tensor), what: What::Removed };
        changes.insert(name.clone(), change);
    }
    let n_different = changes.len();
    let changes = changes.into_values().take(TENSORS).collect();
    Ok(Ok(Weights { n_tensors: in_new.len(), n_different, changes }))
}

fn between(
    (old_file, old): (&mut Opened, &Tensor),
    (new_file, new): (&mut Opened, &Tensor),
) -> io::Result<Option<What>> {
    let is_same_form =
        old.shape == new.shape && old.datatype == new.datatype && old.bytes.n_bytes() == new.bytes.n_bytes();
    if !is_same_form {
        return Ok(Some(What::Form { old: form(old) }));
    }
    let distance = distance::between(new, |side, from, space| match side {
        Side::A => fill(old_file, &old.bytes, from, space),
        Side::B => fill(new_file, &new.bytes, from, space),
    })?;
    let sized = |value: f64| new.datatype.map(|_| value);
    Ok((distance.n_different > 0).then_some(What::Values {
        n_different: distance.n_different,
        n_elements: distance.n_compared,
        max_absolute: sized(distance.max_absolute),
        max_relative: sized(distance.max_relative),
    }))
}

fn fill(file: &mut Opened, bytes: &Bytes, from: u64, space: &mut [u8]) -> io::Result<()> {
    match bytes {
        Bytes::At { offset, .. } => {
            file.seek(SeekFrom::Start(offset + from))?;
            file.read_exact(space)
        }
        Bytes::Held(bytes) => {
            let held = usize::try_from(from).ok().and_then(|from| bytes.get(from..)?.get(..space.len()));
            space.copy_from_slice(held.ok_or(io::ErrorKind::UnexpectedEof)?);
            Ok(())
        }
    }
}

fn form(tensor: &Tensor) -> String {
    let datatype = tensor.datatype.map_or("bytes", spec::tensor::Datatype::as_str);
    let shape: Vec<String> = tensor.shape.iter().map(u64::to_string).collect();
    format!("{datatype} ({})", shape.join(", "))
}
