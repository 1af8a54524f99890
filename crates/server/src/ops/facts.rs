//! Facts of a revision: read from its files once, in a job, and remembered.
//!
//! Nothing of a model runs here; `inspect` reads bytes. Invariant: facts are those of exactly one revision and
//! never change, since its files never do.

use std::io::Read;

use inspect::Folder;
use serde_json::{Map, Value};
use spec::app::Space;
use spec::card;
use spec::facts::{Facts, FileFacts};
use spec::handler::Takes;
use spec::manifest::{self, Examples, Manifest};
use store::clock;
use store::contents::Opened;
use store::db::entries::{self, Entry, Listing};
use store::db::ids::RevisionId;
use store::db::revisions::{self, Revision};

use super::cards;
use crate::app::App;
use crate::error::{During, Error};
use crate::jobs;

/// Most model files of one revision that are read.
const MODEL_FILES: usize = 100;
/// Most paths of one revision that are looked through for model files.
const PATHS: usize = 50_000;
/// Longest handler that is read for its type hints, in bytes.
const HANDLER_BYTES: i64 = 1024 * 1024;
/// Longest configuration of a model that is read, in bytes.
const CONFIG_BYTES: i64 = 1024 * 1024;
/// Entries asked of the store at a time.
const PAGE: u32 = 1000;
/// Longest file of examples that is read.
const EXAMPLES_BYTES: usize = 4 * 1024 * 1024;

/// What is known of a revision; none while nobody has read its files yet, which this asks for.
pub async fn get(app: &App, revision: RevisionId) -> Result<Option<Facts>, Error> {
    let known = stored(app, revision).await?;
    if known.is_none() {
        jobs::enqueue(app, &jobs::inspect::task(revision)).await?;
    }
    Ok(known)
}

/// What is known of a revision; reads its files if nobody has yet.
pub async fn ensure(app: &App, revision: RevisionId) -> Result<Facts, Error> {
    match stored(app, revision).await? {
        Some(facts) => Ok(facts),
        None => inspect(app, revision).await,
    }
}

/// The examples that a revision was pushed with.
pub async fn examples(app: &App, revision: &Revision, facts: Option<&Facts>) -> Result<Examples, Error> {
    let Some(path) = facts.and_then(|facts| facts.examples.as_deref()) else {
        return Ok(Examples::default());
    };
    let bytes = super::entries::read_small(app, revision.tree_id, path, EXAMPLES_BYTES).await?;
    Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default())
}

/// Reads a revision's files and remembers what they say.
pub async fn inspect(app: &App, revision: RevisionId) -> Result<Facts, Error> {
    let found = revisions::by_id(&app.store.db, revision).await.during("look up a revision")?;
    let revision = found.ok_or_else(|| Error::NotFound { what: "revision", name: revision.to_string() })?;
    let files = all_files(app, &revision).await?;
    let manifest = read_manifest(app, &files).await?;
    let paths: Vec<String> = files.iter().map(|entry| entry.path.clone()).collect();
    let mut read = Vec::new();
    for entry in files.iter().filter(|entry| inspect::is_model_file(&entry.path)).take(MODEL_FILES) {
        read.push(read_file(app, entry).await?);
    }
    let config = match files.iter().find(|entry| entry.path == inspect::CONFIG) {
        Some(entry) if entry.n_bytes <= CONFIG_BYTES => Some(read_small(app, entry).await?),
        _ => None,
    };
    let task = match &config {
        Some(_) => task(app, &files, manifest.as_ref()).await?,
        None => None,
    };
    let folder = Folder { paths: &paths, config: config.as_deref(), task: task.as_deref() };
    let stated = manifest.as_ref().and_then(|manifest| manifest.as_ref().ok()).cloned();
    let mut facts = inspect::repository(manifest, read, &folder);
    read_handler(app, &files, &mut facts).await?;
    let space = read_space(app, &files).await?;
    inspect::app(&mut facts, stated.as_ref(), &space, &paths);
    let json = serde_json::to_string(&facts).map_err(|_| Error::Internal("write facts as JSON"))?;
    let row = store::db::facts::Facts { revision_id: revision.id, json, inspected_ms: clock::now_ms() };
    store::db::facts::put(&app.store.db, &row).await.during("store facts")?;
    Ok(facts)
}

/// The task that manifest or card name.
async fn task(
    app: &App,
    files: &[Entry],
    manifest: Option<&Result<Manifest, manifest::ManifestError>>,
) -> Result<Option<String>, Error> {
    let silent = Manifest::default();
    let manifest = manifest.and_then(|manifest| manifest.as_ref().ok()).unwrap_or(&silent);
    let short = |entry: &&Entry| usize::try_from(entry.n_bytes).is_ok_and(|n| n <= spec::limits::CARD_BYTES);
    let card = match files.iter().find(|entry| entry.path == card::PATH).filter(short) {
        Some(entry) => read_small(app, entry).await?,
        None => Vec::new(),
    };
    Ok(cards::summarise(&String::from_utf8_lossy(&card), manifest).task)
}

async fn stored(app: &App, revision: RevisionId) -> Result<Option<Facts>, Error> {
    let row = store::db::facts::get(&app.store.db, revision).await.during("look up facts")?;
    row.map(|row| serde_json::from_str(&row.json).map_err(|_| Error::Internal("read stored facts")))
        .transpose()
}

pub(super) async fn all_files(app: &App, revision: &Revision) -> Result<Vec<Entry>, Error> {
    let mut files = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let listing = Listing { folder: "", is_recursive: true, after: after.as_deref(), limit: PAGE };
        let page = entries::list(&app.store.db, revision.tree_id, &listing).await.during("list files")?;
        files.extend(page.items.into_iter().filter(|entry| !entry.is_folder()));
        after = page.next;
        if after.is_none() || files.len() >= PATHS {
            return Ok(files);
        }
    }
}

async fn read_manifest(
    app: &App,
    files: &[Entry],
) -> Result<Option<Result<Manifest, manifest::ManifestError>>, Error> {
    let Some(entry) = files.iter().find(|entry| entry.path == manifest::PATH) else { return Ok(None) };
    let n_bytes = usize::try_from(entry.n_bytes).unwrap_or(usize::MAX);
    if n_bytes > spec::limits::MANIFEST_BYTES {
        return Ok(Some(Err(manifest::ManifestError::TooLong { n_bytes })));
    }
    let bytes = read_small(app, entry).await?;
    Ok(Some(Manifest::parse(&bytes)))
}

/// What the card says of an app, in the words of Hugging Face Spaces.
async fn read_space(app: &App, files: &[Entry]) -> Result<Space, Error> {
    let most = i64::try_from(spec::limits::CARD_BYTES).unwrap_or(i64::MAX);
    let entry = files.iter().find(|entry| entry.path == card::PATH && entry.n_bytes <= most);
    let Some(entry) = entry else { return Ok(Space::default()) };
    let text = String::from_utf8_lossy(&read_small(app, entry).await?).into_owned();
    // That a card cannot be read is told on its own page.
    let front = cards::front_matter(&text).unwrap_or_default();
    Ok(space(&front))
}

fn space(front: &Map<String, Value>) -> Space {
    let text = |key: &str| match front.get(key)? {
        Value::String(text) => Some(text.trim().to_owned()),
        // A version that looks like a number.
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    Space {
        sdk: text("sdk").unwrap_or_default(),
        sdk_version: text("sdk_version"),
        app_file: text("app_file"),
        python_version: text("python_version"),
    }
}

/// What a handler offers, and its schema, from its type hints, where the manifest has none.
async fn read_handler(app: &App, files: &[Entry], facts: &mut Facts) -> Result<(), Error> {
    let Some(python) = facts.python.as_mut() else { return Ok(()) };
    let handler = python.handler.clone();
    let entry = files.iter().find(|entry| entry.path == handler.file.as_str());
    let Some(entry) = entry.filter(|entry| entry.n_bytes <= HANDLER_BYTES) else { return Ok(()) };
    let source = read_small(app, entry).await?;
    python.offers = inspect::offers(&source, &handler);
    if facts.schema.is_some() {
        return Ok(());
    }
    match (python.takes, inspect::handler(&source, &handler)) {
        (Takes::Row, Ok(schema)) => facts.schema = Some(schema),
        (Takes::Row, Err(reason)) => facts.problems.push(reason),
        (Takes::Rows, _) => {
            let problem =
                format!("`{handler}` takes all rows at once; name its inputs and outputs in `reenact.toml`");
            facts.problems.push(problem);
        }
    }
    Ok(())
}

async fn read_small(app: &App, entry: &Entry) -> Result<Vec<u8>, Error> {
    let mut file = open(app, entry).await?;
    let read = tokio::task::spawn_blocking(move || {
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map(|_| bytes)
    });
    read.await.map_err(|_| Error::Internal("read a stored file"))?.during("read a stored file")
}

async fn read_file(app: &App, entry: &Entry) -> Result<FileFacts, Error> {
    let (mut file, path) = (open(app, entry).await?, entry.path.clone());
    // A bug in a parser must not lose the other files' facts.
    let read = tokio::task::spawn_blocking(move || inspect::file(&path, &mut file));
    Ok(read.await.unwrap_or_else(|_| FileFacts {
        path: entry.path.clone(),
        error: Some("reading this file failed inside the server".to_owned()),
        ..FileFacts::default()
    }))
}

async fn open(app: &App, entry: &Entry) -> Result<Opened, Error> {
    let sha256 = entry.sha256.ok_or(Error::Internal("read a folder as a file"))?;
    app.store.contents.open(&sha256).await.during("open a stored file")
}
