//! The command that repeats what a form just asked, in the words of the Open Inference Protocol.
//!
//! Pure. Invariant: the command sends the same values that the endpoint was sent.

use serde_json::{Value, json};
use spec::schema::Schema;
use spec::tensor::Datatype;

use crate::predict::plan::{Column, Fill, Plan};

/// Where the command goes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Target<'a> {
    /// The whole address of the endpoint's `infer`.
    pub url: &'a str,
    pub is_private: bool,
}

/// The command that sends this body.
pub(super) fn command(target: Target<'_>, body: &str) -> String {
    let mut lines = vec![format!("curl -sS {}", quoted(target.url))];
    if target.is_private {
        lines.push("-H \"authorization: Bearer $REENACT_TOKEN\"".to_owned());
    }
    lines.push("-H 'content-type: application/json'".to_owned());
    lines.push(format!("-d {}", quoted(body)));
    lines.join(" \\\n  ")
}

/// The request that a row of texts makes.
pub(super) fn body(schema: &Schema, plan: &Plan, row: &[String]) -> Value {
    let values: Vec<Value> = plan.columns.iter().zip(row).map(|(column, text)| typed(column, text)).collect();
    let inputs: Vec<Value> = match &plan.fill {
        Fill::One { row_shape } => {
            let shape: Vec<usize> = std::iter::once(1).chain(row_shape.iter().copied()).collect();
            let input = schema.inputs.first();
            let name = input.map_or("", |input| input.name.as_str());
            let datatype = plan.columns.first().map(|column| column.datatype);
            vec![json!({ "name": name, "shape": shape, "datatype": datatype, "data": values })]
        }
        Fill::Each { inputs } => (inputs.iter().zip(&plan.columns).zip(values))
            .map(|((input, column), value)| {
                let shape = if input.is_column { vec![1, 1] } else { vec![1] };
                json!({ "name": column.name, "shape": shape, "datatype": column.datatype, "data": [value] })
            })
            .collect(),
    };
    json!({ "inputs": inputs })
}

/// A text as the JSON of its column's type; the endpoint has accepted it already.
fn typed(column: &Column, text: &str) -> Value {
    let trimmed = text.trim();
    match column.datatype {
        Datatype::Bytes => json!(text),
        Datatype::Bool => json!(trimmed.eq_ignore_ascii_case("true") || trimmed == "1"),
        datatype if datatype.is_float() => {
            trimmed.parse::<f64>().map_or_else(|_| json!(text), |number| json!(number))
        }
        _ => trimmed.parse::<i64>().map_or_else(|_| json!(text), |number| json!(number)),
    }
}

/// A text as one word of a POSIX shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quote_cannot_end_the_word_it_stands_in() {
        let target = Target { url: "http://a/infer", is_private: true };
        let command = command(target, r#"{"x":"it's; rm -rf ~"}"#);
        assert!(command.ends_with(r#"-d '{"x":"it'\''s; rm -rf ~"}'"#), "{command}");
        assert!(command.contains("$REENACT_TOKEN"));
    }
}
