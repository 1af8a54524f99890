//! A model that is Python code: what is called, how, and in which environment.
//!
//! Knows no file and no interpreter. Invariant: a handler that parses names a file inside its repository and one
//! object in it.

pub mod interpreter;
pub mod requirements;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use self::interpreter::{Interpreter, InterpreterName};
use crate::digest::Sha256;
use crate::name::{FilePath, NameError};

/// The handler of a repository that names none, if it has such a file.
pub const DEFAULT_FILE: &str = "predict.py";
/// The lock of a repository that names none, if it has such a file.
pub const DEFAULT_LOCK: &str = "requirements.lock";
/// The lock of a project of `uv`, and the file beside it that says what the project is.
pub const UV_LOCK: &str = "uv.lock";
pub const PROJECT: &str = "pyproject.toml";
/// The requirements of a repository that names none, if it has such a file.
pub const DEFAULT_REQUIREMENTS: &str = "requirements.txt";
/// The Python that is taken where the manifest names none.
pub const DEFAULT_PYTHON: &str = "3.11";

/// What is called: a function, a class with `predict`, or an object that has it; written `predict.py:predict`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Handler {
    pub file: FilePath,
    pub object: String,
}

/// Why a text names no handler.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HandlerError {
    #[error(
        "`{0}` is no handler; it is written as a file and what to call in it, such as `predict.py:predict`"
    )]
    Form(String),
    #[error(transparent)]
    File(#[from] NameError),
}

impl FromStr for Handler {
    type Err = HandlerError;

    fn from_str(text: &str) -> Result<Self, HandlerError> {
        let form = || HandlerError::Form(text.chars().take(200).collect());
        let (file, object) = text.rsplit_once(':').ok_or_else(form)?;
        let is_name = object.starts_with(|c: char| c.is_alphabetic() || c == '_')
            && object.chars().all(|c| c.is_alphanumeric() || c == '_');
        if !is_name || !file.ends_with(".py") {
            return Err(form());
        }
        Ok(Self { file: file.parse()?, object: object.to_owned() })
    }
}

impl TryFrom<String> for Handler {
    type Error = HandlerError;

    fn try_from(text: String) -> Result<Self, HandlerError> {
        text.parse()
    }
}

impl From<Handler> for String {
    fn from(handler: Handler) -> Self {
        handler.to_string()
    }
}

impl fmt::Display for Handler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.object)
    }
}

/// What a handler is given at a time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Takes {
    /// One row a call: each input as a plain value.
    #[default]
    Row,
    /// All rows of a call: each input as an array whose first dimension counts them.
    Rows,
}

impl Takes {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Row => "row",
            Self::Rows => "rows",
        }
    }
}

/// What the manifest says of serving.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Serve {
    pub handler: Handler,
    #[serde(default)]
    pub takes: Takes,
}

/// What the manifest says of the environment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Environment {
    /// Version of Python, such as `3.11`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub python: Option<PythonVersion>,
    /// An interpreter that the operator keeps, in the place of a version: its packages are there, too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interpreter: Option<InterpreterName>,
    /// Packages as `pip` names them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub requirements: Vec<String>,
    /// File with every package's version and digests: as `uv pip compile --generate-hashes` writes it, or the
    /// `uv.lock` of a project, whose `pyproject.toml` lies beside it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lock: Option<FilePath>,
}

/// A version of Python: `3.11` or `3.11.7`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PythonVersion(String);

/// A text that is no version of Python.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no version of Python; `3.11` is one")]
pub struct PythonVersionError(String);

impl PythonVersion {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for PythonVersion {
    fn default() -> Self {
        Self(DEFAULT_PYTHON.to_owned())
    }
}

impl TryFrom<String> for PythonVersion {
    type Error = PythonVersionError;

    fn try_from(text: String) -> Result<Self, PythonVersionError> {
        let parts: Vec<&str> = text.split('.').collect();
        let is_number =
            |part: &&str| (1..=3).contains(&part.len()) && part.bytes().all(|c| c.is_ascii_digit());
        match (2..=3).contains(&parts.len()) && parts[0] == "3" && parts.iter().all(is_number) {
            true => Ok(Self(text)),
            false => Err(PythonVersionError(text.chars().take(40).collect())),
        }
    }
}

impl From<PythonVersion> for String {
    fn from(version: PythonVersion) -> Self {
        version.0
    }
}

impl FromStr for PythonVersion {
    type Err = PythonVersionError;

    fn from_str(text: &str) -> Result<Self, PythonVersionError> {
        text.to_owned().try_into()
    }
}

impl fmt::Display for PythonVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The environment that a model wants, with all that decides what will be in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted {
    pub python: PythonVersion,
    /// What runs in the place of that version, where the model names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interpreter: Option<Interpreter>,
    pub packages: Packages,
}

/// The packages of an environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "text", rename_all = "lowercase")]
pub enum Packages {
    /// Every one with version and digests.
    Lock(String),
    /// What is asked for, one to a line; the versions are chosen once.
    Requirements(String),
    /// The project's own lock, from which its packages are exported.
    Project { pyproject: String, lock: String },
}

impl Wanted {
    /// By which it is known: equal for all models that want the same.
    pub fn digest(&self) -> Sha256 {
        let packages = match &self.packages {
            Packages::Lock(text) => format!("lock\n{text}"),
            Packages::Requirements(text) => format!("requirements\n{text}"),
            Packages::Project { pyproject, lock } => format!("project\n{pyproject}\0{lock}"),
        };
        let python = match &self.interpreter {
            None => format!("python {}", self.python),
            Some(Interpreter { name, program, packages }) => {
                format!("interpreter {name}\0{program}\0{}", packages.as_deref().unwrap_or_default())
            }
        };
        Sha256::of(format!("{python}\n{packages}").as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handler_is_a_file_and_a_name_in_it() {
        let handler: Handler = "code/predict.py:Model".parse().unwrap();
        assert_eq!((handler.file.as_str(), handler.object.as_str()), ("code/predict.py", "Model"));
        assert_eq!(handler.to_string(), "code/predict.py:Model");
        for text in ["predict.py", "predict:predict", "predict.py:", "predict.py:a.b", "../x.py:f", "x.py:1"]
        {
            assert!(text.parse::<Handler>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_version_of_python_is_two_or_three_numbers() {
        assert!("3.11".parse::<PythonVersion>().is_ok() && "3.12.4".parse::<PythonVersion>().is_ok());
        for text in ["3", "2.7", "3.x", "3.11 --exec", "", "3.11.1.1"] {
            assert!(text.parse::<PythonVersion>().is_err(), "{text}");
        }
    }

    #[test]
    fn environments_are_told_apart_by_python_and_packages() {
        let wanted =
            |python: &str, packages| Wanted { python: python.parse().unwrap(), interpreter: None, packages };
        let lock = |text: &str| Packages::Lock(text.into());
        let digest = wanted("3.11", lock("a==1")).digest();
        assert_eq!(digest, wanted("3.11", lock("a==1")).digest());
        assert_ne!(digest, wanted("3.12", lock("a==1")).digest());
        assert_ne!(digest, wanted("3.11", lock("a==2")).digest());
        assert_ne!(digest, wanted("3.11", Packages::Requirements("a==1".into())).digest());
        let project = |lock: &str| Packages::Project { pyproject: "[project]".into(), lock: lock.into() };
        assert_ne!(wanted("3.11", project("a")).digest(), wanted("3.11", project("b")).digest());
        let kept = |packages: &str| {
            let name = "debian".parse().unwrap();
            let interpreter =
                Interpreter { name, program: "python3".into(), packages: Some(packages.into()) };
            Wanted { interpreter: Some(interpreter), ..wanted("3.11", lock("a==1")) }.digest()
        };
        assert!(kept("torch==1") != digest && kept("torch==1") != kept("torch==2"));
    }
}
