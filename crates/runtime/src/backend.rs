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

/// Which piece of a streamed answer is wanted.
pub(crate) enum Pull<'a> {
    /// The first, of an answer to these inputs of one row.
    First(&'a [Given<'a>]),
    Next,
}

/// A model, ready to be called.
pub(crate) trait Session: Send {
    /// The outputs in the order of the model.
    fn run(&mut self, inputs: &[Given<'_>]) -> Result<Vec<Output>, Refusal>;

    /// One output, which explains each row.
    fn explain(&mut self, _inputs: &[Given<'_>]) -> Result<Vec<Output>, Refusal> {
        Err(Refusal::NotOffered("explanations"))
    }

    /// The next piece of the answer that is known by this number; none at its end. Between two pieces the session
    /// computes other calls.
    fn pull(&mut self, _number: u32, _pull: Pull<'_>) -> Result<Option<String>, Refusal> {
        Err(Refusal::NotOffered("answers in pieces"))
    }

    /// Forgets an answer of which no further piece is wanted.
    fn close(&mut self, _number: u32) {}
}

/// Where further sessions of the same model come from.
pub(crate) trait Source: Send + Sync {
    fn session(&self) -> Result<Box<dyn Session>, Error>;
}
