//! The files of a model, put where its runtime opens them.
//!
//! Knows facts and stored files, no process. Invariant: a runtime is given the model, what the model itself names
//! beside it, and its examples; a handler all of its own repository; neither any other file of the server but, where
//! the repository has no handler, one of the server's own.

use std::sync::Arc;

use spec::digest::Sha256;
use spec::facts::Facts;
use spec::name::FilePath;
use store::db::entries;
use store::db::revisions::Revision;

use super::standard;
use crate::app::App;
use crate::error::{During, Error};
use crate::ops::facts;
use crate::provider::{Files, Handler};

/// A handler with all of its repository in a folder of its own, and the digest of the whole.
pub(super) async fn check_out_handler(
    app: &App,
    revision: &Revision,
    (facts, handler): (&Facts, Handler),
) -> Result<(Sha256, Files), Error> {
    let file = facts.python.as_ref().map(|python| python.handler.file.clone());
    let file = file.ok_or(Error::Internal("find the handler of a model"))?;
    let mut found = Vec::new();
    for entry in facts::all_files(app, revision).await? {
        if let Some(sha256) = entry.sha256 {
            found.push((entry.path.parse()?, sha256));
        }
    }
    if let Some(standard) = facts.python.as_ref().and_then(|python| python.standard.as_ref()) {
        if found.iter().any(|(path, _)| *path == file) {
            // It would be written through to what is stored.
            return Err(Error::Internal("put a handler beside files"));
        }
        let source = standard::source(standard, &handler.schema);
        let sha256 = app.store.contents.cache(source.as_bytes()).await.during("store a handler")?;
        found.push((file.clone(), sha256));
    }
    let own = found.iter().find(|(path, _)| *path == file).map(|(_, sha256)| *sha256);
    let checkout = app.store.contents.check_out(&found).await.during("put a model's files in place")?;
    let files = Files {
        model: checkout.path().join(file.as_str()),
        model_sha256: own.ok_or(Error::Internal("find the handler of a model"))?,
        external_data: Vec::new(),
        examples: facts.examples.as_ref().map(|path| checkout.path().join(path)),
        handler: Some(handler),
        checkout: Arc::new(checkout),
    };
    Ok((digest(&found), files))
}

/// The model of a revision in a folder of its own, and the digest of its weights.
pub(super) async fn check_out(
    app: &App,
    revision: &Revision,
    facts: &Facts,
) -> Result<(Sha256, Files), Error> {
    let model = facts.model.clone().unwrap_or_default();
    let mut paths = vec![model.clone()];
    if let Some(file) = facts.file(&model) {
        let folder = model.rsplit_once('/').map(|(folder, _)| format!("{folder}/")).unwrap_or_default();
        paths.extend(
            file.external_data.iter().map(|path| format!("{folder}{}", path.trim_start_matches("./"))),
        );
    }
    let n_weights = paths.len();
    paths.extend(facts.examples.clone());
    let mut found = Vec::with_capacity(paths.len());
    for path in &paths {
        found.push(find(app, revision, path).await?);
    }
    let weights = digest(&found[..n_weights]);
    let checkout = app.store.contents.check_out(&found).await.during("put a model's files in place")?;
    let at = |path: &String| checkout.path().join(path);
    let files = Files {
        model: at(&model),
        model_sha256: found[0].1,
        external_data: paths[1..n_weights].iter().map(at).collect(),
        examples: facts.examples.as_ref().map(at),
        handler: None,
        checkout: Arc::new(checkout),
    };
    Ok((weights, files))
}

async fn find(app: &App, revision: &Revision, path: &str) -> Result<(FilePath, Sha256), Error> {
    let entry = entries::by_path(&app.store.db, revision.tree_id, path).await.during("look up a file")?;
    match entry.and_then(|entry| entry.sha256) {
        Some(sha256) => Ok((path.parse()?, sha256)),
        None => Err(Error::EntryNotFound { revision: revision.oid.to_string(), path: path.to_owned() }),
    }
}

/// Of one file its own; of several that of the list that `sha256sum` would print of them, in their order.
fn digest(files: &[(FilePath, Sha256)]) -> Sha256 {
    match files {
        [(_, sha256)] => *sha256,
        files => {
            let list: String = files.iter().map(|(path, sha256)| format!("{sha256}  {path}\n")).collect();
            Sha256::of(list.as_bytes())
        }
    }
}
