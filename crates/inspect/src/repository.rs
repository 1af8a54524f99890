//! What a repository as a whole says: which file is the model, what it came from, what its schema is.
//!
//! Knows paths and facts, never bytes. Invariant: the manifest's word stands where it can be true, and where it
//! cannot, the problem is named.

use spec::facts::{Facts, FileFacts, Format, Library, Offers, PythonFacts};
use spec::handler::{self, Handler, Serve, Takes};
use spec::manifest::{Manifest, ManifestError};
use spec::name::FilePath;
use spec::schema::{InputView, OutputView, Schema};
use spec::tensor::TensorSpec;

use crate::standard::{self, Folder};
use crate::view;

/// Puts together what a revision's files say.
///
/// `files` are the facts of its model files and `folder` has the rest. Without a manifest the served model is the first
/// ONNX file by path, or else the handler `predict.py`, or else what a handler of the server's own fits.
pub fn repository(
    manifest: Option<Result<Manifest, ManifestError>>,
    mut files: Vec<FileFacts>,
    folder: &Folder<'_>,
) -> Facts {
    let paths = folder.paths;
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
    let is_other = |path: &String| facts.file(path).is_some_and(|file| file.format != Format::Onnx);
    let has_model = stated.as_ref().is_some_and(|path| !is_other(path));
    facts.python = python(&mut facts, &manifest, (has_model, paths));
    if facts.python.is_none() {
        facts.model = stated.or_else(|| first_onnx(&facts));
    }
    let fixed = by_itself(&mut facts, &manifest, folder);
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
    facts.schema = match (&facts.python, fixed) {
        (Some(_), Some(fixed)) => Some(fixed_schema(&mut facts, manifest.schema.as_ref(), fixed)),
        (Some(python), None) if python.standard.is_some() => {
            schema(manifest.schema, &mut facts).filter(whole)
        }
        // A file that the handler reads says nothing of what the handler takes.
        (Some(_), None) => manifest.schema.filter(whole),
        (None, _) => schema(manifest.schema, &mut facts),
    };
    needs_schema(&mut facts);
    if let Some(schema) = &facts.schema {
        facts.problems.extend(schema.inconsistencies());
    }
    facts
}

/// Looks for a handler of the server's own where nothing else is served; gives its schema where the library has one.
fn by_itself(facts: &mut Facts, manifest: &Manifest, folder: &Folder<'_>) -> Option<Schema> {
    let stated = facts.model.clone();
    let is_onnx = |path: &String| facts.file(path).is_some_and(|file| file.format == Format::Onnx);
    // A handler that is named and missing is a problem of its own.
    let is_told = facts.python.is_some() || manifest.serve.is_some();
    // The server's own would stand in the place of a `predict.py` that is there and not served.
    let has_own = folder.paths.iter().any(|path| path == handler::DEFAULT_FILE);
    if is_told || has_own || stated.as_ref().is_some_and(is_onnx) {
        return None;
    }
    let mut fit = match standard::find(&facts.files, folder, stated.as_deref()) {
        Ok(Some(fit)) => fit,
        Ok(None) => return None,
        Err(reason) => {
            facts.unserved = Some(reason);
            facts.model = None;
            return None;
        }
    };
    let handler = Handler { file: handler::DEFAULT_FILE.parse().ok()?, object: "predict".to_owned() };
    let takes = match fit.standard.library {
        Library::Transformers => Takes::Row,
        Library::Keras | Library::TorchScript => Takes::Rows,
    };
    let mut python = described(facts, manifest, Serve { handler, takes }, folder.paths);
    let is_declared =
        python.lock.is_some() || python.requirements_file.is_some() || !python.requirements.is_empty();
    let environment = manifest.environment.clone().unwrap_or_default();
    python.requirements.extend(standard::declare(&mut fit, &environment, is_declared));
    python.standard = Some(fit.standard);
    facts.model = None;
    facts.python = Some(python);
    fit.schema
}

/// The schema of a handler whose library alone decides what it takes and gives.
fn fixed_schema(facts: &mut Facts, stated: Option<&Schema>, fixed: Schema) -> Schema {
    let says = |stated: &[TensorSpec], fixed: &[TensorSpec]| !stated.is_empty() && stated != fixed;
    if stated
        .is_some_and(|stated| says(&stated.inputs, &fixed.inputs) || says(&stated.outputs, &fixed.outputs))
    {
        let problem = "the schema in `reenact.toml` is not that of the server's handler for these files; the \
                       handler's is taken";
        facts.problems.push(problem.to_owned());
    }
    fixed
}

/// A handler of the server's own that nobody can ask is none.
fn needs_schema(facts: &mut Facts) {
    let Some(standard) = facts.python.as_ref().and_then(|python| python.standard.as_ref()) else { return };
    if facts.schema.is_some() {
        return;
    }
    let file = standard.file.clone().unwrap_or_default();
    facts.unserved = Some(format!(
        "`{file}` does not say all that it takes and gives; name the `inputs` and `outputs` in the `[schema]` of \
         `reenact.toml`, each with its datatype and shape"
    ));
    facts.python = None;
}

fn whole(schema: &Schema) -> bool {
    !schema.inputs.is_empty() && !schema.outputs.is_empty()
}

/// The code that is served: what the manifest names, or the usual file where there is no model.
fn python(
    facts: &mut Facts,
    manifest: &Manifest,
    (has_model, paths): (bool, &[String]),
) -> Option<PythonFacts> {
    let has = |path: &str| paths.iter().any(|known| known == path);
    let serve = match &manifest.serve {
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
    Some(described(facts, manifest, serve, paths))
}

/// A handler with the environment that the repository declares.
fn described(facts: &mut Facts, manifest: &Manifest, serve: Serve, paths: &[String]) -> PythonFacts {
    let Serve { handler, takes } = serve;
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
    let (interpreter, offers, standard) = (environment.interpreter, Offers::default(), None);
    PythonFacts {
        handler,
        takes,
        python,
        interpreter,
        lock,
        requirements_file,
        requirements,
        standard,
        offers,
    }
}

/// A handler's examples may lie beside it without being named.
fn default_examples(facts: &Facts, paths: &[String]) -> Option<FilePath> {
    const EXAMPLES: &str = "examples.json";
    let is_there = facts.python.is_some() && paths.iter().any(|path| path == EXAMPLES);
    is_there.then(|| EXAMPLES.parse().ok()).flatten()
}

/// A path of the manifest, if there is such a file.
fn named(facts: &mut Facts, what: &str, path: Option<FilePath>, paths: &[String]) -> Option<String> {
    let path = path?;
    if paths.iter().any(|known| known == path.as_str()) {
        return Some(path.into());
    }
    facts.problems.push(format!("`reenact.toml` names `{path}` as its {what}, and there is no such file"));
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
