//! Environments: the sets of Python packages that models run in, built once and shared by all that want the same.
//!
//! Knows what is wanted and what became of it, not how packages are found. Invariants: nothing is built while a
//! request waits; an environment is used only when it is complete; what strangers list names packages only.

use std::path::PathBuf;
use std::sync::Arc;

use spec::api::EndpointState;
use spec::app::AppFacts;
use spec::digest::Sha256;
use spec::facts::EnvironmentFacts;
use spec::handler::interpreter::{Interpreter, InterpreterName};
use spec::handler::{PROJECT, Packages, UV_LOCK, Wanted, requirements};
use store::clock;
use store::db::environments::{self, Built, Environment, EnvironmentState};
use store::db::revisions::Revision;
use store::db::{apps, endpoints, ids::TreeId};

use super::entries;
use crate::app::App;
use crate::error::{During, Error};
use crate::jobs;
use crate::provider::environment as provider;

/// Longest list of packages that is read, in bytes. A lock of two hundred packages has a quarter of it.
const LIST_BYTES: usize = 4 * 1024 * 1024;
/// Where environments lie in the data folder.
const FOLDER: &str = "environments";

/// Whether a model can run now.
#[derive(Debug)]
pub enum Standing {
    /// The folder of a complete environment.
    Ready(PathBuf),
    /// It has to be built, or is being built.
    Absent,
    /// It could not be built, for this reason.
    Failed(String),
}

/// What a model wants; why that cannot be, in words for its owner.
pub async fn wanted(app: &App, revision: &Revision, python: &EnvironmentFacts) -> Result<Wanted, Error> {
    let (name, text) = match (&python.lock, &python.requirements_file) {
        (Some(path), _) | (None, Some(path)) => (path.clone(), read(app, revision.tree_id, path).await?),
        (None, None) => (spec::manifest::PATH.to_owned(), python.requirements.join("\n")),
    };
    let interpreter = python.interpreter.as_ref().map(|name| kept(app, name)).transpose()?;
    let packages = match name.strip_suffix(UV_LOCK) {
        Some(folder) => {
            let pyproject = read(app, revision.tree_id, &format!("{folder}{PROJECT}")).await?;
            Packages::Project { pyproject, lock: text }
        }
        None => {
            requirements::check(&text)
                .map_err(|error| Error::BadEnvironment(format!("`{name}`, {error}")))?;
            if requirements::is_locked(&text) { Packages::Lock(text) } else { Packages::Requirements(text) }
        }
    };
    Ok(Wanted { python: python.python.clone(), interpreter, packages })
}

/// What an app wants: the same, and its toolkit where the list of packages does not name that.
pub async fn wanted_by_app(app: &App, revision: &Revision, facts: &AppFacts) -> Result<Wanted, Error> {
    let mut wanted = wanted(app, revision, &facts.environment).await?;
    let package = facts.sdk.as_str();
    match &mut wanted.packages {
        Packages::Requirements(text) if !requirements::has(text, package) => {
            *text = format!("{}\n{}\n", text.trim_end(), facts.package).trim_start().to_owned();
        }
        Packages::Lock(text) if !requirements::has(text, package) => {
            return Err(Error::BadEnvironment(format!("the lock does not name `{package}`")));
        }
        _ => {}
    }
    Ok(wanted)
}

/// The interpreter that the operator keeps under this name.
fn kept(app: &App, name: &InterpreterName) -> Result<Interpreter, Error> {
    let known = &app.settings.python_interpreters.0;
    let program = known.get(name).ok_or_else(|| {
        let names: Vec<_> = known.keys().map(|name| format!("`{name}`")).collect();
        let has = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        Error::BadEnvironment(format!("the interpreter `{name}` is not on this server, which has {has}"))
    })?;
    Ok(Interpreter { name: name.clone(), program: program.display().to_string(), packages: None })
}

/// How it stands with an environment on this machine.
pub async fn standing(app: &App, wanted: &Wanted) -> Result<Standing, Error> {
    let row = environments::get(&app.store.db, &wanted.digest()).await.during("look up an environment")?;
    Ok(match row {
        Some(Environment { state: EnvironmentState::Ready, digest: Some(digest), .. }) => {
            let folder = root(app).join(digest);
            // Another machine may have built it for itself, or an operator made room.
            if folder.is_dir() { Standing::Ready(folder) } else { Standing::Absent }
        }
        Some(Environment { state: EnvironmentState::Failed, reason, .. }) => Standing::Failed(reason),
        _ => Standing::Absent,
    })
}

/// Has it built, by a job.
pub async fn ask(app: &App, wanted: &Wanted) -> Result<(), Error> {
    let description =
        serde_json::to_string(wanted).map_err(|_| Error::Internal("write an environment as JSON"))?;
    let digest = wanted.digest();
    let asked = environments::ask(&app.store.db, &digest, &description, clock::now_ms()).await;
    asked.during("ask for an environment")?;
    jobs::enqueue(app, &jobs::build_environment::task(&digest)).await
}

/// What building it wrote.
pub async fn log(app: &App, wanted: &Wanted) -> Result<Vec<String>, Error> {
    let row = environments::get(&app.store.db, &wanted.digest()).await.during("look up an environment")?;
    Ok(row.map(|row| row.log.lines().map(str::to_owned).collect()).unwrap_or_default())
}

/// Builds it, and has every endpoint and every app that waits for one look again.
pub async fn build(app: &Arc<App>, digest: &Sha256) -> Result<(), Error> {
    let row = environments::get(&app.store.db, digest).await.during("look up an environment")?;
    let Some(row) = row else { return Ok(()) };
    let mut wanted: Wanted =
        serde_json::from_str(&row.description).map_err(|_| Error::Internal("read a wanted environment"))?;
    if let Some(lock) = row.lock {
        // The versions were chosen once; they are not chosen again because a folder went missing.
        wanted.packages = Packages::Lock(lock);
    }
    let built = provider::build(app, &wanted, &root(app), digest).await;
    let now_ms = clock::now_ms();
    match built {
        Ok(made) => {
            let built = Built { digest: &made.digest, lock: &made.lock, now_ms };
            environments::set_built(&app.store.db, digest, &built).await.during("keep an environment")?;
        }
        Err(error) => {
            let reason = error.to_string();
            tracing::warn!(environment = %digest, "an environment could not be built: {reason}");
            let noted = environments::set_failed(&app.store.db, digest, &reason, now_ms).await;
            noted.during("note a failed build")?;
        }
    }
    let waiting = endpoints::in_state(&app.store.db, EndpointState::Building.as_str()).await;
    for repository in waiting.during("find waiting endpoints")? {
        jobs::enqueue(app, &jobs::start_endpoint::task(repository)).await?;
    }
    let waiting = apps::in_state(&app.store.db, EndpointState::Building.as_str()).await;
    for repository in waiting.during("find waiting apps")? {
        jobs::enqueue(app, &jobs::start_app::task(repository)).await?;
    }
    Ok(())
}

fn root(app: &App) -> PathBuf {
    app.settings.data.join(FOLDER)
}

async fn read(app: &App, tree: TreeId, path: &str) -> Result<String, Error> {
    let bytes = entries::read_small(app, tree, path, LIST_BYTES).await?;
    let bytes = bytes.ok_or_else(|| {
        Error::BadEnvironment(format!("`{path}` is longer than {LIST_BYTES} bytes, or gone"))
    })?;
    String::from_utf8(bytes).map_err(|_| Error::BadEnvironment(format!("`{path}` is not UTF-8 text")))
}
