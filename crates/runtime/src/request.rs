//! One request, checked against the model's inputs, as rows that can be cut and joined.
//!
//! Knows nothing of ONNX Runtime. Invariant: a [`Request`] has one column for each input, in order, of the
//! declared type and of a shape that the input accepts, and all columns have the same number of rows.

use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;
use spec::frame::{EncodeError, FailureCode, Id, IndexedTensor, Method};
use spec::tensor::{Datatype, Tensor, TensorSpec};

use crate::model::{Asking, Model};

/// A request that fits the model.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) id: Id,
    pub(crate) method: Method,
    /// Rows; one where the model is asked as a whole.
    pub(crate) n_rows: usize,
    pub(crate) columns: Vec<Column>,
}

/// The values of one input.
#[derive(Debug, Clone)]
pub(crate) struct Column {
    pub(crate) datatype: Datatype,
    /// Dimensions of one row: without the first one, or all where the model is asked as a whole.
    pub(crate) row_shape: Vec<usize>,
    cells: Cells,
}

#[derive(Debug, Clone)]
enum Cells {
    Fixed { data: Bytes, row_bytes: usize },
    Text { elements: Vec<Bytes>, row_elements: usize },
}

/// Why a request is not answered.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("the model has {n_inputs} inputs; there is none with the index {index}")]
    Index { index: u16, n_inputs: usize },
    #[error("the input `{name}` came twice")]
    Twice { name: String },
    #[error("the input `{name}` is missing")]
    Missing { name: String },
    #[error("the input `{name}` is {wanted} and came as {got}")]
    Datatype { name: String, got: Datatype, wanted: Datatype },
    #[error("the input `{name}` has the shape {wanted:?} and came with {got:?}")]
    Shape { name: String, got: Vec<usize>, wanted: Vec<i64> },
    #[error("the input `{name}` came with {got} rows and another input with {wanted}")]
    Rows { name: String, got: usize, wanted: usize },
    #[error("a request needs at least one row")]
    NoRows,
    #[error("an answer in pieces is given to one row; {got} came")]
    OneRow { got: usize },
    #[error("the model offers no {0}")]
    NotOffered(&'static str),
    #[error("as many answers as are given at a time are given in pieces already")]
    TooManyStreams,
    #[error("a text in the request is not UTF-8")]
    NotText,
    #[error("the deadline had passed before the model was called")]
    Deadline,
    #[error("the model failed: {0}")]
    Model(#[from] ort::Error),
    #[error("the model gave `{name}` the shape {got:?} for {wanted} rows")]
    OutputRows { name: String, got: Vec<usize>, wanted: usize },
    #[error("the model gave `{name}` rows of different shapes in one request")]
    OutputShape { name: String },
    #[error("the model gave `{name}` as {what}, which cannot be sent")]
    OutputType { name: String, what: String },
    #[error("the model gave no `{name}`")]
    OutputMissing { name: String },
    #[error("the model gave `{name}` the shape {got:?}; its schema says {wanted:?}")]
    OutputForm { name: String, got: Vec<usize>, wanted: Vec<i64> },
    #[error("{message}")]
    Handler { code: FailureCode, message: String },
    #[error("the model took longer than {0:?}; its process was ended")]
    Slow(Duration),
    #[error("the model's process fell: {0}")]
    Fell(String),
    #[error("the model's process fell {n_falls} times in a row; it is started again in {rest:.1?}")]
    Resting { n_falls: u32, rest: Duration },
    #[error("the call of the model panicked")]
    Panic,
    #[error("could not write the answer: {0}")]
    Answer(#[from] EncodeError),
}

impl Refusal {
    /// Whose fault it is.
    pub(crate) fn code(&self) -> FailureCode {
        match self {
            Self::Index { .. } | Self::Twice { .. } | Self::Missing { .. } | Self::Datatype { .. } => {
                FailureCode::BadInput
            }
            Self::Shape { .. } | Self::Rows { .. } | Self::NoRows | Self::NotText => FailureCode::BadInput,
            Self::OneRow { .. } | Self::NotOffered(_) => FailureCode::BadInput,
            Self::TooManyStreams => FailureCode::Overloaded,
            Self::Model(error) if error.code() == ort::ErrorCode::InvalidArgument => FailureCode::BadInput,
            Self::Deadline => FailureCode::Deadline,
            Self::Model(_) | Self::OutputRows { .. } | Self::OutputShape { .. } | Self::OutputType { .. } => {
                FailureCode::Internal
            }
            Self::OutputMissing { .. } | Self::OutputForm { .. } | Self::Fell(_) => FailureCode::Internal,
            Self::Handler { code, .. } => *code,
            Self::Slow(_) | Self::Resting { .. } | Self::Panic | Self::Answer(_) => FailureCode::Internal,
        }
    }

    /// Whether asking again for fewer rows would only take as long once more.
    pub(crate) fn is_for_all(&self) -> bool {
        matches!(self, Self::Slow(_) | Self::Resting { .. })
    }
}

/// Checks what came against the model.
pub(crate) fn check(
    model: &Model,
    (id, method): (Id, Method),
    tensors: Vec<IndexedTensor>,
) -> Result<Request, Refusal> {
    let n_inputs = model.inputs.len();
    let mut columns: Vec<Option<(usize, Column)>> = vec![None; n_inputs];
    for tensor in tensors {
        let place = usize::from(tensor.index);
        let outside = Refusal::Index { index: tensor.index, n_inputs };
        let (Some(spec), Some(column)) = (model.inputs.get(place), columns.get_mut(place)) else {
            return Err(outside);
        };
        if column.is_some() {
            return Err(Refusal::Twice { name: spec.name.clone() });
        }
        *column = Some(check_tensor(model.asking, spec, tensor)?);
    }
    let mut n_rows = None;
    let mut checked = Vec::with_capacity(n_inputs);
    for (spec, column) in model.inputs.iter().zip(columns) {
        let (got, column) = column.ok_or_else(|| Refusal::Missing { name: spec.name.clone() })?;
        let wanted = *n_rows.get_or_insert(got);
        if got != wanted {
            return Err(Refusal::Rows { name: spec.name.clone(), got, wanted });
        }
        checked.push(column);
    }
    match n_rows.unwrap_or(1) {
        0 => Err(Refusal::NoRows),
        n_rows if method == Method::Stream && n_rows > 1 => Err(Refusal::OneRow { got: n_rows }),
        n_rows => Ok(Request { id, method, n_rows, columns: checked }),
    }
}

/// The rows and the column of a tensor that an input accepts.
fn check_tensor(
    asking: Asking,
    spec: &TensorSpec,
    tensor: IndexedTensor,
) -> Result<(usize, Column), Refusal> {
    let IndexedTensor { datatype, shape, data, .. } = tensor;
    if datatype != spec.datatype {
        return Err(Refusal::Datatype { name: spec.name.clone(), got: datatype, wanted: spec.datatype });
    }
    let fits = |wanted: &[i64], got: &[usize]| {
        let fits = |(wanted, got): (&i64, &usize)| *wanted < 0 || usize::try_from(*wanted) == Ok(*got);
        wanted.len() == got.len() && wanted.iter().zip(got).all(fits)
    };
    let accepted = match (asking, shape.split_first(), spec.shape.split_first()) {
        // Where rows are cut anyway, any number of them may come, whatever number the model takes at once.
        (Asking::Rows { .. }, Some((_, row)), Some((_, wanted))) => fits(wanted, row),
        (Asking::Rows { .. }, ..) => false,
        (Asking::Whole, ..) => fits(&spec.shape, &shape),
    };
    if !accepted {
        return Err(Refusal::Shape { name: spec.name.clone(), got: shape, wanted: spec.shape.clone() });
    }
    let (n_rows, row_shape) = match (asking, shape.split_first()) {
        (Asking::Rows { .. }, Some((n_rows, row_shape))) => (*n_rows, row_shape.to_vec()),
        _ => (1, shape),
    };
    Ok((n_rows, Column::new(datatype, row_shape, data)))
}

impl Column {
    /// A column of as many rows as the data hold.
    pub(crate) fn new(datatype: Datatype, row_shape: Vec<usize>, data: Bytes) -> Self {
        let row_elements = row_shape.iter().product::<usize>();
        let cells = match datatype.n_bytes() {
            Some(width) => Cells::Fixed { data, row_bytes: row_elements * width },
            None => {
                let text = Tensor { name: String::new(), datatype, shape: Vec::new(), data };
                Cells::Text { elements: text.elements().collect(), row_elements }
            }
        };
        Self { datatype, row_shape, cells }
    }

    /// The bytes of some rows of numbers; none of a column of text.
    pub(crate) fn numbers(&self, rows: Range<usize>) -> &[u8] {
        match &self.cells {
            Cells::Fixed { data, row_bytes } => {
                data.get(rows.start * row_bytes..rows.end * row_bytes).unwrap_or(&[])
            }
            Cells::Text { .. } => &[],
        }
    }

    /// The elements of some rows of text; none of a column of numbers.
    pub(crate) fn texts(&self, rows: Range<usize>) -> &[Bytes] {
        match &self.cells {
            Cells::Fixed { .. } => &[],
            Cells::Text { elements, row_elements } => {
                elements.get(rows.start * row_elements..rows.end * row_elements).unwrap_or(&[])
            }
        }
    }

    fn n_bytes(&self) -> usize {
        match &self.cells {
            Cells::Fixed { data, .. } => data.len(),
            Cells::Text { elements, .. } => elements.iter().map(|element| element.len() + 4).sum(),
        }
    }
}

impl Request {
    /// Whether rows of both can be in one call.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        let same = |(a, b): (&Column, &Column)| a.datatype == b.datatype && a.row_shape == b.row_shape;
        let is_batched = self.method == other.method && self.method != Method::Stream;
        is_batched && self.columns.iter().zip(&other.columns).all(same)
    }

    /// What it takes up while it waits.
    pub(crate) fn n_bytes(&self) -> usize {
        self.columns.iter().map(Column::n_bytes).sum()
    }
}
