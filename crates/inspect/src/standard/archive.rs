//! Files that are a model by themselves: `.keras` archives and TorchScript.
//!
//! Invariant: of every other file it is said why it is not served.

use spec::facts::{DangerLevel, FileFacts, Format, Library, Standard};

use super::{Fit, NUMPY, OWN_HANDLER, TORCH};
use crate::torch;

/// Keras, where the archive does not name a version that there is, and what it computes on.
const KERAS: &str = "keras==3.15.1";
const BACKEND: &str = "jax==0.10.2";
/// The first Keras whose archives name the version of that Keras alone, not TensorFlow's.
const KERAS_ALONE: &str = "3.";

/// Whether the file holds a network with all that answering takes.
pub(super) fn is_whole(file: &FileFacts) -> bool {
    file.format == Format::Keras || is_script(file)
}

/// The handler for one file.
pub(super) fn fit(file: &FileFacts) -> Result<Fit, String> {
    let path = &file.path;
    if let Some(error) = file.error.as_ref().filter(|_| is_whole(file)) {
        return Err(format!("`{path}` could not be read: {error}"));
    }
    match file.format {
        Format::Keras => keras(file),
        Format::Pytorch if is_script(file) => Ok(script(file)),
        Format::Pytorch => Err(format!(
            "`{path}` holds weights and no network to put them into; push the network from Python with `rn.push`, \
             save it by `torch.jit.save`, or {OWN_HANDLER}"
        )),
        Format::Pickle | Format::Joblib => Err(format!(
            "`{path}` is a pickle, which is not opened unasked; push the model from Python with `rn.push`, or {OWN_HANDLER}"
        )),
        Format::Safetensors => Err(format!(
            "`{path}` holds weights, and no file beside it says what network they belong to; add the `config.json` and \
             tokenizer of `transformers`, or {OWN_HANDLER}"
        )),
        Format::Unknown if path.ends_with(".h5") || path.ends_with(".hdf5") => Err(format!(
            "`{path}` is HDF5, the older form of Keras; save the network as `.keras`, or {OWN_HANDLER}"
        )),
        Format::Onnx | Format::Unknown => Err(match &file.error {
            Some(error) => format!("`{path}` could not be read: {error}"),
            None => format!("`{path}` is of no kind that is served by itself; {OWN_HANDLER}"),
        }),
    }
}

fn keras(file: &FileFacts) -> Result<Fit, String> {
    let path = &file.path;
    let code = file.dangers.iter().find(|danger| danger.level == DangerLevel::Dangerous);
    if let Some(danger) = code {
        return Err(format!(
            "`{path}` brings code of its own (`{}`), which is not run unasked; {OWN_HANDLER}",
            danger.what
        ));
    }
    if let Some(danger) = file.dangers.first() {
        return Err(format!(
            "`{path}` needs `{}`, which is not part of Keras; {OWN_HANDLER} and defines that",
            danger.what
        ));
    }
    let saved_by = file.versions.get("keras").filter(|version| version.starts_with(KERAS_ALONE));
    let mut assumed = Vec::new();
    let library = match saved_by.filter(|version| super::transformers::is_release(version)) {
        Some(version) => format!("keras=={version}"),
        None => {
            assumed.push(format!("`{path}` names no version of Keras 3, so `{KERAS}` is taken to read it"));
            KERAS.to_owned()
        }
    };
    assumed.push(
        "the archive does not say on what Keras computed; JAX, TensorFlow, PyTorch or NumPy is taken, the first \
         that the environment has"
            .to_owned(),
    );
    let standard = Standard { library: Library::Keras, file: Some(path.clone()), task: None, assumed };
    Ok(Fit { standard, schema: None, requirements: vec![library, BACKEND.to_owned()] })
}

fn script(file: &FileFacts) -> Fit {
    let assumed = vec![
        "the network is asked for all rows at once, with the inputs of the schema in their order; what it gives are \
         the outputs in theirs"
            .to_owned(),
    ];
    let standard =
        Standard { library: Library::TorchScript, file: Some(file.path.clone()), task: None, assumed };
    Fit { standard, schema: None, requirements: vec![TORCH.to_owned(), NUMPY.to_owned()] }
}

fn is_script(file: &FileFacts) -> bool {
    file.format == Format::Pytorch && file.metadata.get("kind").is_some_and(|kind| kind == torch::SCRIPT)
}
