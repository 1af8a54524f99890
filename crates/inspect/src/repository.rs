//! What a repository as a whole says: which file is the model, what it came from, what its schema is.
//!
//! Knows paths and facts, never bytes. Invariant: the manifest's word stands where it can be true, and where it
//! cannot, the problem is named.

use spec::facts::{EnvironmentFacts, Facts, FileFacts, Format, Offers, PythonFacts};
use spec::handler::{self, Handler, Serve, Takes};
use spec::manifest::{Manifest, ManifestError};
use spec::name::FilePath;
use spec::schema::{InputView, OutputView, Schema};

use crate::view;

/// Puts together what a revision's files say.
///
/// `files` are the facts of its model files and `paths` all of its paths. Without a manifest the served model is
/// the first ONNX file by path, or else the handler `predict.py`.
pub fn repository(
    manifest: Option<Result<Manifest, ManifestError>>,
    mut files: Vec<FileFacts>,
    paths: &[String],
) -> Facts {
    files.sort_by(|a, b| a.path.cmp(&b.path));
    let mut facts = Facts { files, ..Facts::default() };
    let manifest = match manifest {
        Some(Ok(manifest)) => manifest,
        Some(Err(error)) => {
            facts.problems.push(error.to_string());
            Manifest::default()
        }
        None => Manifest::default(),
    };
    let stated = named(&mut facts, "model", manifest.model.clone(), paths);
    facts.python = python(&mut facts, &manifest, (stated.is_some(), paths));
    if facts.python.is_none() {
        facts.model = stated.or_else(|| first_onnx(&facts));
    }
    facts.original = named(&mut facts, "original", manifest.original, paths).or_else(|| original(&facts));
    let examples = manifest.examples.or_else(|| default_examples(&facts, paths));
    facts.examples = named(&mut facts, "examples", examples, paths);
    facts.conversion = manifest.conversion;
    if let Some(error) =
        facts.model.as_deref().and_then(|path| facts.file(path)).and_then(|file| file.error.as_ref())
    {
        let problem = format!("the model could not be read to its end: {error}");
        facts.problems.push(problem);
    }
    facts.schema = match facts.python {
        // A file that the handler reads says nothing of what the handler takes.
        Some(_) => manifest.schema.filter(|schema| !schema.inputs.is_empty() && !schema.outputs.is_empty()),
        None => schema(manifest.schema, &mut facts),
    };
    if let Some(schema) = &facts.schema {
        facts.problems.extend(schema.inconsistencies());
    }
    facts
}

/// The code that is served: what the manifest names, or the usual file where there is no model.
fn python(
    facts: &mut Facts,
    manifest: &Manifest,
    (has_model, paths): (bool, &[String]),
) -> Option<PythonFacts> {
    let has = |path: &str| paths.iter().any(|known| known == path);
    let Serve { handler, takes } = match &manifest.serve {
        Some(serve) => {
            named(facts, "handler", Some(serve.handler.file.clone()), paths)?;
            serve.clone()
        }
        None if !has_model && first_onnx(facts).is_none() && has(handler::DEFAULT_FILE) => {
            let file = handler::DEFAULT_FILE.parse().ok()?;
            Serve { handler: Handler { file, object: "predict".to_owned() }, takes: Takes::Row }
        }
        None => return None,
    };
    let environment = environment(facts, manifest, paths);
    Some(PythonFacts { handler, takes, environment, offers: Offers::default() })
}

/// The Python and the packages that the manifest names, or the usual files.
pub(crate) fn environment(facts: &mut Facts, manifest: &Manifest, paths: &[String]) -> EnvironmentFacts {
    let has = |path: &str| paths.iter().any(|known| known == path);
    let environment = manifest.environment.clone().unwrap_or_default();
    let default = |path: &str| has(path).then(|| path.to_owned());
    let is_silent = environment.requirements.is_empty();
    let lock = match environment.lock {
        Some(lock) => named(facts, "lock", Some(lock), paths),
        None if is_silent => {
            let project = || has(handler::PROJECT).then(|| default(handler::UV_LOCK)).flatten();
            default(handler::DEFAULT_LOCK).or_else(project)
        }
        None => None,
    };
    let requirements_file =
        if lock.is_none() && is_silent { default(handler::DEFAULT_REQUIREMENTS) } else { None };
    let (python, requirements) = (environment.python.unwrap_or_default(), environment.requirements);
    EnvironmentFacts { python, interpreter: environment.interpreter, lock, requirements_file, requirements }
}

/// A handler's examples may lie beside it without being named.
fn default_examples(facts: &Facts, paths: &[String]) -> Option<FilePath> {
    const EXAMPLES: &str = "examples.json";
    let is_there = facts.python.is_some() && paths.iter().any(|path| path == EXAMPLES);
    is_there.then(|| EXAMPLES.parse().ok()).flatten()
}

/// A path of the manifest, if there is such a file.
pub(crate) fn named(
    facts: &mut Facts,
    what: &str,
    path: Option<FilePath>,
    paths: &[String],
) -> Option<String> {
    let path = path?;
    if paths.iter().any(|known| known == path.as_str()) {
        return Some(path.into());
    }
    let problem = format!("`reenact.toml` names `{path}` as its {what}, and there is no such file");
    // A lock is looked for by the handler and by the app.
    if !facts.problems.contains(&problem) {
        facts.problems.push(problem);
    }
    None
}

/// The first ONNX file, sooner one that could be read.
fn first_onnx(facts: &Facts) -> Option<String> {
    let onnx = || facts.files.iter().filter(|file| file.format == Format::Onnx);
    let readable = onnx().find(|file| file.error.is_none());
    readable.or_else(|| onnx().next()).map(|file| file.path.clone())
}

/// The file that says most about the model besides the one that is served: the one of the same name, else the
/// first that names a class, else the first with tensors.
fn original(facts: &Facts) -> Option<String> {
    let served = facts.model.as_deref();
    let others = || {
        facts.files.iter().filter(|file| Some(file.path.as_str()) != served && file.format != Format::Onnx)
    };
    let stem = |path: &str| path.rsplit_once('.').map(|(stem, _)| stem.to_owned());
    let described = |file: &&FileFacts| file.class.is_some();
    let same =
        others().filter(described).find(|file| served.is_some() && stem(&file.path) == served.and_then(stem));
    let first =
        same.or_else(|| others().find(described)).or_else(|| others().find(|file| !file.tensors.is_empty()));
    first.map(|file| file.path.clone())
}

/// Tensors from the model's file, views from the manifest; each from the other where one says nothing.
fn schema(stated: Option<Schema>, facts: &mut Facts) -> Option<Schema> {
    let model = facts.model.as_deref().and_then(|path| facts.files.iter().find(|file| file.path == path));
    let original =
        facts.original.as_deref().and_then(|path| facts.files.iter().find(|file| file.path == path));
    // A pickle has no tensors; a network's archive may.
    let Some(read) = model.or(original).filter(|file| !file.inputs.is_empty() || !file.outputs.is_empty())
    else {
        return stated.map(|mut schema| {
            schema.complete_from_parts();
            schema
        });
    };
    let feature_names = original.map(|file| file.feature_names.as_slice()).unwrap_or_default();
    let mut schema = stated.unwrap_or_default();
    let differs = |stated: &[_], read: &[_]| !stated.is_empty() && stated != read;
    let mut problems = Vec::new();
    for (what, stated, read) in
        [("inputs", &mut schema.inputs, &read.inputs), ("outputs", &mut schema.outputs, &read.outputs)]
    {
        if read.is_empty() {
            continue;
        }
        if differs(stated, read) {
            problems.push(format!(
                "the {what} in `reenact.toml` are not those of the model; the model's are taken"
            ));
        }
        stated.clone_from(read);
    }
    if schema.input == InputView::Tensors {
        schema.input = view::input(read, feature_names);
    }
    if schema.output == OutputView::Tensors {
        schema.output = view::output(read);
    }
    facts.problems.extend(problems);
    Some(schema)
}
