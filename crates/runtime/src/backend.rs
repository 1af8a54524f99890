//! What computes: the boundary behind which a framework stands.
//!
//! Knows rows and values, no framework. Invariant: a session computes one call at a time, and a call that fails
//! leaves it fit for the next.

use std::ops::Range;

use spec::tensor::Datatype;

use crate::Error;
use crate::output::Output;
use crate::request::{Column, Refusal};

/// One input of a call: rows of columns of one type, which together have this shape.
pub(crate) struct Given<'a> {
    pub(crate) datatype: Datatype,
    pub(crate) shape: Vec<usize>,
    pub(crate) parts: Vec<(&'a Column, Range<usize>)>,
}

/// A model, ready to be called.
pub(crate) trait Session: Send {
    /// The outputs in the order of the model.
    fn run(&mut self, inputs: &[Given<'_>]) -> Result<Vec<Output>, Refusal>;
}

/// Where further sessions of the same model come from.
pub(crate) trait Source: Send + Sync {
    fn session(&self) -> Result<Box<dyn Session>, Error>;
}
