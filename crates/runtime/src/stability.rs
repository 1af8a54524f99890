//! Whether a row gets the same bytes however it is asked, and so how it shall be asked.
//!
//! Some operators add in another order when there are more rows, and the last bits of an answer then depend
//! on who else was asking. Each model is tried when it is loaded: its rows alone, padded to two, in batches
//! of many sizes, in another order, and, where the size alone decides, always in the same one. Invariant: no call
//! is made later with more rows than were tried here, and a model whose rows turn out to depend on each other is
//! asked one request at a time.

use std::time::{Duration, Instant};

use spec::frame::Stability;
use spec::tensor::Datatype;

use crate::call::{self, Piece};
use crate::model::{Asking, Model};
use crate::output::Output;
use crate::request::{Refusal, Request};

/// A slow model is tried less, so that it is ready soon.
const BUDGET: Duration = Duration::from_millis(300);

/// Batches that are tried: kernels treat the rest of a division by 4, 8 and 16 apart.
const SIZES: [usize; 17] = [2, 3, 4, 5, 6, 7, 8, 9, 12, 15, 16, 17, 24, 31, 32, 48, 64];

/// Sizes that every call could have: where a batch's size decides the last bits, one size for all is as stable as a
/// row alone, and answers as many at once. Not the quickest is taken but the first that is stable: what is
/// measured differs from start to start, and with it the bytes would.
const FIXED: [usize; 3] = [16, 8, 4];

/// The outputs of one row.
type Row = Vec<Output>;

/// What batches showed, compared with rows alone and padded.
struct Batches {
    n_max: usize,
    like_alone: bool,
    like_padded: bool,
    reordered: bool,
    /// Rows have an effect on each other beyond the last bits.
    mixed: bool,
}

/// Whether the model answers the first of its own rows.
pub(crate) fn answers(model: &Model, example: &Request) -> Result<(), Refusal> {
    match ask(model, example, &[0]) {
        // That is how a model shows that its first dimension does not count rows, which probing finds out.
        Err(Refusal::OutputRows { .. }) => Ok(()),
        asked => asked.map(|_| ()),
    }
}

/// How a handler is asked that is called for each row: nothing but chance and its own memory can make a row's
/// answer differ, whatever is asked along with it.
pub(crate) fn row_by_row(model: &Model, example: Option<&Request>) -> Stability {
    let twice = |example| Some((ask(model, example, &[0]).ok()?, ask(model, example, &[0]).ok()?));
    let alone = example.and_then(twice).is_some_and(|(first, again)| first == again);
    let (min_rows, max_rows) = match model.asking {
        Asking::Rows { n_min, n_max } => (count(n_min), count(n_max)),
        Asking::Whole => (1, 1),
    };
    Stability { alone, padded: alone, batched: alone, reordered: alone, min_rows, max_rows }
}

/// Tries the model and settles how it is asked.
pub(crate) fn probe(model: &mut Model, example: Option<&Request>) -> Stability {
    let (asking, stability) = match example {
        Some(example) => try_example(model, example),
        None => (careful(model.asking), untried()),
    };
    model.asking = asking;
    stability
}

fn try_example(model: &Model, example: &Request) -> (Asking, Stability) {
    let started = Instant::now();
    let first = match ask(model, example, &[0]) {
        Ok(first) => first,
        // As many rows as went in did not come out: the first dimension does not count rows.
        Err(Refusal::OutputRows { .. }) => return (Asking::Whole, untried()),
        Err(error) => {
            tracing::warn!(%error, "the model refused the example rows; rows are computed one by one");
            return (careful(model.asking), untried());
        }
    };
    let again = ask(model, example, &[0]).is_ok_and(|again| again == first);
    let one_by_one = Stability { alone: again, ..untried() };
    let Asking::Rows { n_max, .. } = model.asking else {
        return (Asking::Whole, one_by_one);
    };
    let call_time = started.elapsed() / 2;
    if n_max == 1 || call_time > BUDGET / 8 {
        return (careful(model.asking), one_by_one);
    }
    let n_rows = (BUDGET.as_micros() / 8 / call_time.as_micros().max(1)).clamp(1, example.n_rows as u128);
    let n_rows = usize::try_from(n_rows).unwrap_or(1);
    match try_batches(model, example, n_rows, n_max) {
        Ok(batches) if batches.mixed => (Asking::Whole, one_by_one),
        Ok(batches) => match settle(again, &batches) {
            (Asking::Rows { n_min: 1, n_max: 1 }, one_by_one) => {
                try_fixed(model, example, (n_rows, n_max)).unwrap_or((careful(model.asking), one_by_one))
            }
            settled => settled,
        },
        Err(Refusal::OutputRows { .. }) => (Asking::Whole, one_by_one),
        Err(error) => {
            tracing::info!(%error, "the model refuses more than one row; rows are computed one by one");
            (careful(model.asking), one_by_one)
        }
    }
}

/// Chooses the quickest way of asking in which a row always gets the same bytes.
fn settle(alone: bool, batches: &Batches) -> (Asking, Stability) {
    let Batches { n_max, like_alone: batched, like_padded: padded, reordered, .. } = *batches;
    let (n_min, n_max) = match (alone && batched && reordered, padded && reordered) {
        (true, _) => (1, n_max),
        (false, true) => (2, n_max),
        (false, false) => (1, 1),
    };
    let stability =
        Stability { alone, padded, batched, reordered, min_rows: count(n_min), max_rows: count(n_max) };
    (Asking::Rows { n_min, n_max }, stability)
}

fn try_batches(model: &Model, example: &Request, n_rows: usize, n_max: usize) -> Result<Batches, Refusal> {
    let started = Instant::now();
    let one = |row: usize| Ok(ask(model, example, &[row])?.swap_remove(0));
    let two = |row: usize| Ok(ask(model, example, &[row, row])?.swap_remove(0));
    let alone = (0..n_rows).map(one).collect::<Result<Vec<Row>, Refusal>>()?;
    let padded = (0..n_rows).map(two).collect::<Result<Vec<Row>, Refusal>>()?;
    let mut found = Batches { n_max: 2, like_alone: true, like_padded: true, reordered: true, mixed: false };
    for size in SIZES.into_iter().filter(|size| *size < n_max).chain([n_max]) {
        let order: Vec<usize> = (0..size).map(|place| (place + size) % n_rows).collect();
        let batch = ask(model, example, &order)?;
        for (row, got) in order.iter().zip(&batch) {
            found.like_alone &= *got == alone[*row];
            found.like_padded &= *got == padded[*row];
            found.mixed |= differs(got, &alone[*row]);
        }
        let backwards: Vec<usize> = order.iter().rev().copied().collect();
        let mut reversed = ask(model, example, &backwards)?;
        reversed.reverse();
        found.reordered &= reversed == batch;
        found.n_max = size;
        if started.elapsed() > BUDGET {
            break;
        }
    }
    Ok(found)
}

/// Whether a row gets the same bytes in every call of some size, wherever it stands and whoever is asked along.
fn try_fixed(
    model: &Model,
    example: &Request,
    (n_rows, n_max): (usize, usize),
) -> Option<(Asking, Stability)> {
    let size = FIXED.into_iter().filter(|size| *size <= n_max).find(|size| {
        let same = is_fixed(model, example, (n_rows, *size));
        same.unwrap_or_else(|error| {
            tracing::info!(%error, size, "the model refuses as many rows");
            false
        })
    })?;
    let (min_rows, max_rows) = (count(size), count(size));
    let stability =
        Stability { alone: true, padded: true, batched: false, reordered: true, min_rows, max_rows };
    Some((Asking::Rows { n_min: size, n_max: size }, stability))
}

fn is_fixed(model: &Model, example: &Request, (n_rows, size): (usize, usize)) -> Result<bool, Refusal> {
    let repeated = |row: usize| Ok(ask(model, example, &vec![row; size])?.swap_remove(0));
    let wanted = (0..n_rows).map(repeated).collect::<Result<Vec<Row>, Refusal>>()?;
    // Every row of the example comes to stand in every place of a call, beside others each time.
    for shift in 0..size {
        let order: Vec<usize> = (0..size).map(|place| (place * (1 + shift % 3) + shift) % n_rows).collect();
        let batch = ask(model, example, &order)?;
        if order.iter().zip(&batch).any(|(row, got)| *got != wanted[*row]) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Calls the model once with these rows of the example, and gives each row's outputs.
fn ask(model: &Model, example: &Request, order: &[usize]) -> Result<Vec<Row>, Refusal> {
    let asking = match model.asking {
        Asking::Rows { .. } => Asking::Rows { n_min: 1, n_max: order.len() },
        Asking::Whole => Asking::Whole,
    };
    let pieces: Vec<_> = order.iter().map(|row| Piece { request: example, rows: *row..row + 1 }).collect();
    let called = model.with_session(0, |session| call::call(session, model, asking, &pieces));
    let outputs = called.unwrap_or(Err(Refusal::Panic))?.outputs;
    if asking == Asking::Whole {
        return Ok(vec![outputs]);
    }
    let row = |place: usize| outputs.iter().map(|output| output.cut(place..place + 1)).collect();
    Ok((0..order.len()).map(row).collect())
}

/// Whether two answers differ by more than rounding.
fn differs(one: &Row, other: &Row) -> bool {
    one.iter().zip(other).any(|(one, other)| {
        let (a, b) = (floats(one), floats(other));
        let is_close = |(a, b): (&f64, &f64)| {
            a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= 1e-2 * (1.0 + a.abs())
        };
        one.shape != other.shape || !a.iter().zip(&b).all(is_close)
    })
}

/// The values of an output where rounding can have an effect. Classes and texts follow from them.
fn floats(output: &Output) -> Vec<f64> {
    let data = output.data.as_slice();
    match output.datatype {
        Datatype::Fp32 => {
            data.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes).into()).collect()
        }
        Datatype::Fp64 => data.as_chunks::<8>().0.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect(),
        _ => Vec::new(),
    }
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

fn careful(asking: Asking) -> Asking {
    match asking {
        Asking::Rows { .. } => Asking::Rows { n_min: 1, n_max: 1 },
        Asking::Whole => Asking::Whole,
    }
}

fn untried() -> Stability {
    Stability { alone: false, padded: false, batched: false, reordered: false, min_rows: 1, max_rows: 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settled(alone: bool, like_alone: bool, like_padded: bool, reordered: bool) -> (Asking, bool) {
        let batches = Batches { n_max: 64, like_alone, like_padded, reordered, mixed: false };
        let (asking, stability) = settle(alone, &batches);
        (asking, stability.is_stable())
    }

    #[test]
    fn the_quickest_stable_way_is_chosen() {
        let rows = |n_min, n_max| Asking::Rows { n_min, n_max };
        assert_eq!(settled(true, true, true, true), (rows(1, 64), true));
        assert_eq!(settled(true, false, true, true), (rows(2, 64), true));
        assert_eq!(settled(true, false, true, false), (rows(1, 1), true));
        assert_eq!(settled(true, false, false, true), (rows(1, 1), true));
        assert_eq!(settled(false, false, false, false), (rows(1, 1), false));
    }
}
