//! The manifest, `reenact.toml` in a repository: what its owner says about the model.
//!
//! All of it is optional; what can be read from the files is read from the files. Knows nothing of where the
//! file is kept. Invariant: a manifest that parses names only well-formed paths.

use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::handler::{Environment, Serve};
use crate::limits;
use crate::name::FilePath;
use crate::schema::Schema;

/// The manifest's path in its repository.
pub const PATH: &str = "reenact.toml";

/// What the owner says. Unknown keys are refused, so that a typing error is not silently ignored.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Manifest {
    /// One sentence for people.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// The task as the Hub names it (`pipeline_tag`), such as `tabular-classification`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// SPDX identifier.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub license: Option<String>,
    /// The file that is served.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<FilePath>,
    /// The file the served one was converted from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub original: Option<FilePath>,
    /// Rows to try the model with: JSON as [`Examples`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub examples: Option<FilePath>,
    /// How the served file came from the original, and how well it agrees.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conversion: Option<Conversion>,
    /// The code that is served, where the model is Python.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serve: Option<Serve>,
    /// The web app beside the model, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app: Option<App>,
    /// The Python and the packages that the code needs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<Environment>,
    /// Views over the model's tensors, and its tensors where the file does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema: Option<Schema>,
}

/// A conversion and its proof on the example rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Conversion {
    /// The class converted, such as `sklearn.ensemble.RandomForestClassifier`.
    pub from: String,
    /// Converter and version, such as `skl2onnx 1.20.0`.
    pub tool: String,
    /// Example rows on which both were asked.
    pub rows: u64,
    /// Rows on which the labels were equal; absent for a regression.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub equal_labels: Option<u64>,
    /// Largest absolute difference of a probability or a predicted number.
    pub largest_difference: f64,
    /// What that difference was allowed to be.
    pub tolerance: f64,
}

/// Rows to try a model with, as the push wrote them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Examples {
    /// One entry a row: its values in the order of the features, or of the flattened input tensor.
    pub rows: Vec<Vec<serde_json::Value>>,
    /// What the model should answer, where the push knew.
    pub expected: Vec<serde_json::Value>,
}

/// Why a manifest was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    #[error("`reenact.toml` has {n_bytes} bytes; at most {} are read", limits::MANIFEST_BYTES)]
    TooLong { n_bytes: usize },
    #[error("`reenact.toml` is not UTF-8 text")]
    NotText,
    #[error("`reenact.toml`: {0}")]
    Syntax(String),
}

impl Manifest {
    /// Reads a manifest.
    pub fn parse(bytes: &[u8]) -> Result<Self, ManifestError> {
        if bytes.len() > limits::MANIFEST_BYTES {
            return Err(ManifestError::TooLong { n_bytes: bytes.len() });
        }
        let text = std::str::from_utf8(bytes).map_err(|_| ManifestError::NotText)?;
        toml::from_str(text).map_err(|error| ManifestError::Syntax(error.message().to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_may_be_empty_but_not_misspelt() {
        assert_eq!(Manifest::parse(b""), Ok(Manifest::default()));
        assert!(matches!(Manifest::parse(b"licence = \"MIT\""), Err(ManifestError::Syntax(_))));
        assert!(Manifest::parse(b"model = \"../../etc/passwd\"").is_err());
        assert_eq!(Manifest::parse(b"\xff"), Err(ManifestError::NotText));
    }

    #[test]
    fn a_handler_and_its_environment_can_be_named() {
        let text = r#"
            [serve]
            handler = "predict.py:predict"
            [environment]
            requirements = ["numpy==2.*"]
        "#;
        let manifest = Manifest::parse(text.as_bytes()).unwrap();
        let serve = manifest.serve.unwrap();
        assert_eq!((serve.handler.object.as_str(), serve.takes), ("predict", crate::handler::Takes::Row));
        assert_eq!(manifest.environment.unwrap().requirements, ["numpy==2.*"]);
        assert!(Manifest::parse(b"[serve]\nhandler = \"predict\"").is_err());
    }

    #[test]
    fn an_app_names_what_it_is_written_with() {
        let app = |text: &str| Manifest::parse(text.as_bytes()).map(|manifest| manifest.app);
        assert_eq!(app("[app]\nsdk = \"gradio\"").unwrap().unwrap().sdk, crate::app::Sdk::Gradio);
        let named = app("[app]\nsdk = \"streamlit\"\nfile = \"web/main.py\"").unwrap().unwrap();
        assert_eq!(named.file.unwrap().as_str(), "web/main.py");
        for text in ["[app]", "[app]\nsdk = \"shiny\"", "[app]\nsdk = \"gradio\"\nfile = \"../app.py\""] {
            assert!(app(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_schema_can_be_written_by_hand() {
        let text = r#"
            model = "model.onnx"
            [schema.input]
            kind = "table"
            features = [{ name = "sepal length", datatype = "FP32", minimum = 4.3, maximum = 7.9 }]
            [schema.output]
            kind = "label"
            label = "label"
            classes = ["0", "1"]
        "#;
        let manifest = Manifest::parse(text.as_bytes()).unwrap();
        assert!(manifest.schema.is_some_and(|schema| schema.inputs.is_empty()));
    }
}
