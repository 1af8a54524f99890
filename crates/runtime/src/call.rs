//! One call of the model for rows of one or more requests.
//!
//! Invariant: every output has exactly the rows that went in, or the call has failed.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use spec::frame::Method;

use crate::backend::{Given, Pull, Session};
use crate::model::{Asking, Model};
use crate::output::Output;
use crate::request::{Column, Refusal, Request};

/// Some rows of a request.
#[derive(Debug, Clone)]
pub(crate) struct Piece<'a> {
    pub(crate) request: &'a Request,
    pub(crate) rows: Range<usize>,
}

/// What a call gave, by index of output; the rows in the order of the pieces, then those that filled up.
#[derive(Debug)]
pub(crate) struct Called {
    pub(crate) outputs: Vec<Output>,
    pub(crate) took: Duration,
}

/// Calls the model. The pieces are alike, see [`Request::is_like`], and together at most as many rows as
/// `asking` allows.
pub(crate) fn call(
    session: &mut dyn Session,
    model: &Model,
    asking: Asking,
    pieces: &[Piece<'_>],
) -> Result<Called, Refusal> {
    // Nothing of ours is left half-done by a panic in here: what was built is dropped.
    let called = catch_unwind(AssertUnwindSafe(|| try_call(session, model, asking, pieces)));
    called.unwrap_or(Err(Refusal::Panic))
}

/// Asks for the first piece of an answer to a request of one row; none where the answer is empty.
pub(crate) fn open(
    session: &mut dyn Session,
    model: &Model,
    (request, number): (&Request, u32),
) -> Result<Option<String>, Refusal> {
    let pieces = [Piece { request, rows: 0..request.n_rows }];
    let inputs = (0..model.inputs.len()).map(|index| join(index, request.n_rows, model.asking, &pieces));
    let inputs = inputs.collect::<Result<Vec<Given<'_>>, _>>()?;
    pull(session, number, Pull::First(&inputs))
}

/// Asks for the next piece.
pub(crate) fn pull(
    session: &mut dyn Session,
    number: u32,
    pull: Pull<'_>,
) -> Result<Option<String>, Refusal> {
    catch_unwind(AssertUnwindSafe(|| session.pull(number, pull))).unwrap_or(Err(Refusal::Panic))
}

fn try_call(
    session: &mut dyn Session,
    model: &Model,
    asking: Asking,
    pieces: &[Piece<'_>],
) -> Result<Called, Refusal> {
    let n_rows: usize = pieces.iter().map(|piece| piece.rows.len()).sum();
    let n_called = match asking {
        Asking::Rows { n_min, .. } => n_rows.max(n_min),
        Asking::Whole => n_rows,
    };
    let inputs = (0..model.inputs.len()).map(|index| join(index, n_called, asking, pieces));
    let inputs = inputs.collect::<Result<Vec<Given<'_>>, _>>()?;
    let started = Instant::now();
    let outputs = match pieces.first().map(|piece| piece.request.method) {
        Some(Method::Explain) => session.explain(&inputs)?,
        _ => session.run(&inputs)?,
    };
    let took = started.elapsed();
    if matches!(asking, Asking::Rows { .. }) {
        for (place, output) in outputs.iter().enumerate() {
            if output.n_rows() != Some(n_called) {
                let name = model.outputs.get(place).map(|spec| spec.name.clone()).unwrap_or_default();
                let got = output.shape.clone();
                return Err(Refusal::OutputRows { name, got, wanted: n_called });
            }
        }
    }
    Ok(Called { outputs, took })
}

/// One input of the call: the rows of all pieces, and the last one again until there are enough.
fn join<'a>(
    index: usize,
    n_called: usize,
    asking: Asking,
    pieces: &'a [Piece<'_>],
) -> Result<Given<'a>, Refusal> {
    let mut parts: Vec<(&Column, Range<usize>)> =
        pieces.iter().map(|piece| (&piece.request.columns[index], piece.rows.clone())).collect();
    let Some((column, rows)) = parts.last().cloned() else {
        return Err(Refusal::NoRows);
    };
    let n_rows: usize = parts.iter().map(|(_, rows)| rows.len()).sum();
    parts.extend((n_rows..n_called).map(|_| (column, rows.end - 1..rows.end)));
    let shape = match asking {
        Asking::Rows { .. } => std::iter::once(n_called).chain(column.row_shape.iter().copied()).collect(),
        Asking::Whole => column.row_shape.clone(),
    };
    Ok(Given { datatype: column.datatype, shape, parts })
}
