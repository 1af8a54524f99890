//! Which of the server's own handlers fits files that come without one, what it needs, and why none does.
//!
//! Knows what files say, nothing of how they are opened. Invariant: whatever is taken to be so without anybody having
//! said it is in the list that people see; what cannot be answered is refused with what to add, never guessed at.

mod archive;
mod transformers;

use spec::facts::{FileFacts, Format, Library, Standard};
use spec::handler::Environment;
use spec::schema::Schema;

/// What a repository has besides its model files.
#[derive(Debug, Clone, Copy, Default)]
pub struct Folder<'a> {
    /// All of its paths.
    pub paths: &'a [String],
    /// The text of [`CONFIG`], if there is one.
    pub config: Option<&'a [u8]>,
    /// The task that manifest or card name.
    pub task: Option<&'a str>,
}

/// In which `transformers` keeps what a model is; [`Folder::config`] is the one beside the card.
pub const CONFIG: &str = "config.json";

/// The library of networks where nobody says which: read by all that is saved since version 1.4, with wheels for the
/// Python that is taken where nobody says which.
const TORCH: &str = "torch==2.9.1";
const NUMPY: &str = "numpy==2.4.6";
/// What people are told to add where nothing else helps.
const OWN_HANDLER: &str = "add a `predict.py` that answers with it";

/// A handler that fits.
pub(crate) struct Fit {
    pub(crate) standard: Standard,
    /// What the handler takes and gives, where the library alone decides.
    pub(crate) schema: Option<Schema>,
    /// Packages it needs where none are declared.
    pub(crate) requirements: Vec<String>,
}

impl Folder<'_> {
    fn has(&self, path: &str) -> bool {
        self.paths.iter().any(|known| known == path)
    }
}

/// The handler for these files; `stated` is the file that the manifest names as the model.
///
/// The error says why there is none; none where no file is of a library known here.
pub(crate) fn find(
    files: &[FileFacts],
    folder: &Folder<'_>,
    stated: Option<&str>,
) -> Result<Option<Fit>, String> {
    if let Some(path) = stated {
        let file = files.iter().find(|file| file.path == path);
        return file.map_or(Ok(None), |file| archive::fit(file).map(Some));
    }
    match transformers::fit(folder) {
        Some(found) => found.map(Some),
        None => alone(files),
    }
}

/// The only archive that is a model as a whole.
fn alone(files: &[FileFacts]) -> Result<Option<Fit>, String> {
    let whole: Vec<&FileFacts> = files.iter().filter(|file| archive::is_whole(file)).collect();
    match whole.as_slice() {
        [] => files
            .iter()
            .find(|file| file.format != Format::Onnx)
            .map_or(Ok(None), |file| archive::fit(file).map(Some)),
        [file] => archive::fit(file).map(Some),
        several => {
            let names: Vec<_> = several.iter().take(3).map(|file| format!("`{}`", file.path)).collect();
            Err(format!(
                "it has {} files that are a model each, such as {}; name one as `model` in `reenact.toml`",
                several.len(),
                names.join(" and ")
            ))
        }
    }
}

/// Adds what is said of packages that nobody declared.
pub(crate) fn declare(fit: &mut Fit, environment: &Environment, is_declared: bool) -> Vec<String> {
    if is_declared {
        return Vec::new();
    }
    let mut wanted = std::mem::take(&mut fit.requirements);
    let assumed = &mut fit.standard.assumed;
    if let Some(interpreter) = &environment.interpreter {
        // An operator keeps an interpreter for what no index has.
        wanted.retain(|one| !["torch==", "jax==", "numpy=="].iter().any(|kept| one.starts_with(kept)));
        assumed.push(format!(
            "the interpreter `{interpreter}` is taken to have {}",
            kept_of(fit.standard.library)
        ));
    }
    if !wanted.is_empty() {
        let names: Vec<_> = wanted.iter().map(|one| format!("`{one}`")).collect();
        assumed.push(format!(
            "no packages are declared, so {} are installed; a `requirements.txt` or `uv.lock` says otherwise",
            names.join(", ")
        ));
    }
    wanted
}

/// What an operator's interpreter is asked for.
fn kept_of(library: Library) -> &'static str {
    match library {
        Library::Transformers | Library::TorchScript => "PyTorch",
        Library::Keras => "what Keras computes on",
    }
}
