//! How rows fill a model's tensors, worked out once when an endpoint gets its model.
//!
//! Knows the schema and nothing of requests. Invariant: a plan covers every input of the model, or there is
//! no plan and only the tensor protocol can be spoken.

use std::collections::BTreeMap;

use spec::limits;
use spec::schema::parts::InputKind;
use spec::schema::{InputView, Schema};
use spec::tensor::Datatype;

use super::scalar::Texts;

/// Where the values of a row go.
#[derive(Debug, Clone)]
pub struct Plan {
    pub columns: Vec<Column>,
    pub fill: Fill,
    by_name: BTreeMap<String, usize>,
}

/// One value of a row.
#[derive(Debug, Clone)]
pub struct Column {
    pub name: String,
    pub datatype: Datatype,
    /// The only texts allowed; empty where any will do.
    pub categories: Vec<String>,
    /// What a text stands for in JSON.
    pub texts: Texts,
}

/// The shape of what rows become.
#[derive(Debug, Clone)]
pub enum Fill {
    /// All columns side by side in the only input, whose rows have this shape.
    One { row_shape: Vec<usize> },
    /// One input for each column, `[rows]` or `[rows, 1]`; `inputs[i]` is the input of column `i`.
    Each { inputs: Vec<EachInput> },
}

/// The input of one column.
#[derive(Debug, Clone, Copy)]
pub struct EachInput {
    pub index: u16,
    /// Whether its shape is `[rows, 1]` rather than `[rows]`.
    pub is_column: bool,
}

impl Plan {
    /// How many values a row of the only input has; none where there are several, or where no plan has so many. Costs
    /// nothing, where a plan of many columns does.
    pub fn width(schema: &Schema) -> Option<usize> {
        let [only] = schema.inputs.as_slice() else { return None };
        only.row_elements().filter(|width| *width <= limits::ROW_VALUES)
    }

    /// The plan for this schema, if its rows have a fixed number of values, and not too many.
    pub fn new(schema: &Schema) -> Option<Self> {
        let (columns, fill) = match schema.inputs.as_slice() {
            [] => return None,
            [_] => one(schema)?,
            _ => each(schema)?,
        };
        let by_name = columns.iter().enumerate().map(|(i, column)| (column.name.clone(), i)).collect();
        Some(Self { columns, fill, by_name })
    }

    /// The place of the column of this name.
    pub fn column_named(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }
}

fn one(schema: &Schema) -> Option<(Vec<Column>, Fill)> {
    let input = schema.inputs.first()?;
    let width = Plan::width(schema)?;
    let row_shape =
        input.shape.iter().skip(1).map(|n| usize::try_from(*n).ok()).collect::<Option<Vec<_>>>()?;
    let texts = Texts::of_input(schema, &input.name);
    let column = |name: String, categories| Column { name, datatype: input.datatype, categories, texts };
    let columns = match &schema.input {
        InputView::Table { features } if features.len() == width => {
            features.iter().map(|f| column(f.name.clone(), f.categories.clone())).collect()
        }
        _ if width == 1 => vec![column(input.name.clone(), Vec::new())],
        _ => (0..width).map(|i| column(format!("{}[{i}]", input.name), Vec::new())).collect(),
    };
    Some((columns, Fill::One { row_shape }))
}

fn each(schema: &Schema) -> Option<(Vec<Column>, Fill)> {
    let named: Vec<(&str, &[String])> = match &schema.input {
        InputView::Table { features } => {
            features.iter().map(|f| (f.name.as_str(), &f.categories[..])).collect()
        }
        InputView::Parts { parts } => parts.iter().map(|p| (p.name.as_str(), &p.categories[..])).collect(),
        InputView::Image(_) | InputView::Tensors => return None,
    };
    if named.len() != schema.inputs.len() {
        return None;
    }
    let mut columns = Vec::with_capacity(named.len());
    let mut inputs = Vec::with_capacity(named.len());
    for (name, categories) in named {
        let index = schema.inputs.iter().position(|input| input.name == name)?;
        let input = &schema.inputs[index];
        let is_series = schema.input_part(name).is_some_and(|part| part.kind == InputKind::Series);
        let is_column = match input.shape.as_slice() {
            [_] => false,
            [_, 1 | -1] if !is_series => true,
            _ => return None,
        };
        columns.push(Column {
            name: name.to_owned(),
            datatype: input.datatype,
            categories: categories.to_vec(),
            texts: Texts::of_input(schema, name),
        });
        inputs.push(EachInput { index: u16::try_from(index).ok()?, is_column });
    }
    Some((columns, Fill::Each { inputs }))
}
