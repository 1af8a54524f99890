//! Facts: what reading a repository's files, without running them, brought to light.
//!
//! Knows nothing of formats; `inspect` fills these in. Invariant: every list is bounded and in a fixed order,
//! so that the same files give the same facts, byte for byte.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::handler::interpreter::InterpreterName;
use crate::handler::{Handler, PythonVersion, Takes};
use crate::manifest::Conversion;
use crate::schema::Schema;
use crate::tensor::{Datatype, TensorSpec};

/// What a revision's files say.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(default)]
pub struct Facts {
    /// The file that would be served.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The code that would be served, where that is Python; `model` is none then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub python: Option<PythonFacts>,
    /// The file it was converted from, whose class and hyperparameters are the model's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub original: Option<String>,
    /// `schema` of the model: tensors from the file, views from the manifest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema: Option<Schema>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub conversion: Option<Conversion>,
    /// Path of the example rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub examples: Option<String>,
    /// One entry for each model file, by path.
    pub files: Vec<FileFacts>,
    /// What is wrong with the repository as a whole: a manifest that does not parse, a view that does not fit.
    pub problems: Vec<String>,
    /// Why none of its files is served, and what would have to be added; none where one is, or where no file is
    /// a model's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unserved: Option<String>,
}

/// A model that is Python code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PythonFacts {
    /// As `predict.py:predict`.
    #[schema(value_type = String)]
    pub handler: Handler,
    pub takes: Takes,
    #[schema(value_type = String)]
    pub python: PythonVersion,
    /// The interpreter that the operator keeps and that runs it, where it names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub interpreter: Option<InterpreterName>,
    /// Path of the lock, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lock: Option<String>,
    /// Path of the file that lists packages, where there is no lock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requirements_file: Option<String>,
    /// Packages asked for, where there is neither.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requirements: Vec<String>,
    /// The server's own code is run, because the repository has files of a library and no handler.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standard: Option<Standard>,
    #[serde(flatten)]
    pub offers: Offers,
}

/// The server's own handler for the files of one library.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Standard {
    pub library: Library,
    /// The file that is opened; none where it is the folder as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// What is asked of it, as the Hub names tasks; of `transformers` alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// What nobody said and was taken to be so, in sentences for people.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub assumed: Vec<String>,
}

/// A library whose files are served without a handler of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Library {
    /// A folder as `save_pretrained` fills it.
    Transformers,
    /// A `.keras` archive.
    Keras,
    /// An archive that `torch.jit.save` wrote.
    TorchScript,
}

impl Library {
    /// For people.
    pub fn title(self) -> &'static str {
        match self {
            Self::Transformers => "transformers",
            Self::Keras => "Keras",
            Self::TorchScript => "TorchScript",
        }
    }
}

/// What a handler does besides predicting, as its file shows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(default)]
pub struct Offers {
    /// It answers piece by piece: `predict` is annotated `Iterator[str]`.
    pub streams: bool,
    /// It has `explain`, which takes the same inputs.
    pub explains: bool,
}

impl Facts {
    /// Whether there is something to serve.
    pub fn is_servable(&self) -> bool {
        self.model.is_some() || self.python.is_some()
    }

    /// The facts of one file.
    pub fn file(&self, path: &str) -> Option<&FileFacts> {
        self.files.iter().find(|file| file.path == path)
    }

    /// Every danger with the path of the file it was found in.
    pub fn dangers(&self) -> impl Iterator<Item = (&str, &Danger)> {
        self.files.iter().flat_map(|file| file.dangers.iter().map(|danger| (file.path.as_str(), danger)))
    }
}

/// What one model file says.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(default)]
pub struct FileFacts {
    pub path: String,
    pub format: Format,
    /// What made it, such as `scikit-learn`, `pytorch`, `keras`, `skl2onnx`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub framework: Option<String>,
    /// Versions the file names, by package.
    pub versions: BTreeMap<String, String>,
    /// The class of the model, such as `sklearn.ensemble._forest.RandomForestClassifier`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// Hyperparameters by name, as plain values.
    #[schema(value_type = Object)]
    pub hyperparameters: BTreeMap<String, Value>,
    /// Steps of a pipeline or layers of a network, in order.
    pub steps: Vec<Step>,
    /// Files that hold some of its weights, relative to its own folder; those that would lie outside of it are
    /// dangers instead.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub external_data: Vec<String>,
    /// Learned numbers, counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub n_parameters: Option<u64>,
    pub inputs: Vec<TensorSpec>,
    pub outputs: Vec<TensorSpec>,
    /// What the model itself calls its classes, as text, in the order of its probabilities.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<String>,
    /// What the model itself calls its features, in the order of its columns.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub feature_names: Vec<String>,
    /// Features of one row, where the file says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub n_features: Option<u64>,
    /// Operators and how often each occurs, by name.
    pub operators: BTreeMap<String, u64>,
    /// Named tensors, in the order of the file; at most [`Self::TENSORS`].
    pub tensors: Vec<TensorFacts>,
    /// Further texts the file carries about itself, by key.
    pub metadata: BTreeMap<String, String>,
    pub dangers: Vec<Danger>,
    /// Why the file could not be read to its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl FileFacts {
    /// Most tensors listed for one file.
    pub const TENSORS: usize = 2000;
    /// Most steps listed for one file.
    pub const STEPS: usize = 500;
    /// Most hyperparameters listed for one file.
    pub const HYPERPARAMETERS: usize = 500;
}

/// The format of a model file, told from its content.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    Onnx,
    /// A Python pickle, plain or compressed.
    Pickle,
    /// A pickle with array bytes between its opcodes, as joblib writes it.
    Joblib,
    Safetensors,
    /// A zip with a pickle and storages, as `torch.save` writes it.
    Pytorch,
    /// A `.keras` archive.
    Keras,
    #[default]
    Unknown,
}

impl Format {
    /// For people.
    pub fn title(self) -> &'static str {
        match self {
            Self::Onnx => "ONNX",
            Self::Pickle => "Python pickle",
            Self::Joblib => "joblib pickle",
            Self::Safetensors => "safetensors",
            Self::Pytorch => "PyTorch archive",
            Self::Keras => "Keras archive",
            Self::Unknown => "unknown",
        }
    }
}

/// A step of a pipeline or a layer of a network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Step {
    pub name: String,
    pub class: String,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(value_type = Object)]
    pub hyperparameters: BTreeMap<String, Value>,
}

/// A named tensor in a file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TensorFacts {
    pub name: String,
    /// None where the protocol has no such type (quantised blocks, complex numbers).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub datatype: Option<Datatype>,
    pub shape: Vec<u64>,
}

/// Something in a file that could harm whoever loads it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Danger {
    pub level: DangerLevel,
    /// What was found, such as `posix.system`.
    pub what: String,
    /// Where: the opcode and its byte offset, such as `REDUCE at 37`.
    pub place: String,
    /// What it could do, in one sentence.
    pub reason: String,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum DangerLevel {
    /// Not on the list of what is known to be harmless.
    Unknown,
    /// Known to run commands, open files or reach the network.
    Dangerous,
}
