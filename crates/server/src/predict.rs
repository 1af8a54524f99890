//! What a prediction request means by the model's schema, and how its answer reads: JSON and CSV to tensors,
//! tensors to JSON.
//!
//! Pure: no HTTP, no runtime, no rights. Every door that predicts, and the web app's forms, use it, so one
//! input means the same by whichever way it came. Invariant: tensors that come out of here fit the schema.

pub mod answers;
pub mod blunt;
pub mod description;
pub mod plan;
pub mod rows;
pub mod sample;
pub mod scalar;
pub mod tensors;

/// Why an input does not fit. Its text names the input, what came and what was wanted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Misfit(pub String);

impl From<Misfit> for crate::error::Error {
    fn from(misfit: Misfit) -> Self {
        Self::BadInput(misfit.0)
    }
}
