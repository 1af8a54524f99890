//! Rows to predict on, from CSV or JSON into MLflow's scoring protocol; and answers into a table.
//!
//! Knows nothing of files or servers. Invariant: JSON that already speaks the protocol passes unchanged.

use serde_json::{Map, Value, json};

use crate::error::Error;
use crate::table::Table;

/// The keys of MLflow's scoring protocol that hold rows.
const KEYS: &[&str] = &["dataframe_split", "dataframe_records", "instances", "inputs"];

/// Reads rows. `name` is the file's, for messages and for the format it ends in; a name without an ending
/// leaves it to the text, which is JSON where it begins like JSON.
pub fn read(name: &str, text: &str) -> Result<Value, Error> {
    let lower = name.to_ascii_lowercase();
    let looks_like_json = text.trim_start().starts_with(['{', '[']);
    let is_json = lower.ends_with(".json") || (!lower.ends_with(".csv") && looks_like_json);
    if is_json { read_json(name, text) } else { read_csv(name, text) }
}

/// The only row of a request by the scoring protocol, as an object of values by name.
pub fn only(name: &str, rows: &Value) -> Result<Value, Error> {
    let list = |key: &str| rows.get(key).and_then(Value::as_array);
    let split = rows.get("dataframe_split");
    let found = match split.and_then(|split| Some((split.get("columns")?, split.get("data")?.as_array()?))) {
        Some((columns, data)) => {
            let columns = columns.as_array().into_iter().flatten().filter_map(Value::as_str);
            let first = data.first().and_then(Value::as_array).into_iter().flatten().cloned();
            let row: Map<String, Value> = columns.map(str::to_owned).zip(first).collect();
            Some((Value::Object(row), data.len()))
        }
        None => KEYS.iter().find_map(|key| {
            let rows = list(key)?;
            Some((rows.first()?.clone(), rows.len()))
        }),
    };
    match found {
        Some((row, 1)) if row.is_object() => Ok(row),
        Some((row, _)) if row.is_object() => Err(Error::ManyRows(name.to_owned())),
        _ => Err(Error::NotNamed(name.to_owned())),
    }
}

/// The answers as a table, one line a row.
pub fn answer_table(answer: &Value) -> Table {
    let answer = answer.get("predictions").unwrap_or(answer);
    let rows: Vec<&Value> = answer.as_array().map_or_else(|| vec![answer], |rows| rows.iter().collect());
    if let Some(Value::Object(first)) = rows.first() {
        return object_table(first, &rows);
    }
    let n_cells = |row: &&Value| row.as_array().map_or(1, Vec::len);
    let n_columns = rows.iter().map(n_cells).max().unwrap_or(1);
    let header = |index| if n_columns == 1 { "prediction".to_owned() } else { format!("{index}") };
    let mut table = Table::new((0..n_columns).map(header));
    for row in rows {
        let cells = row.as_array().map_or_else(|| vec![cell(row)], |cells| cells.iter().map(cell).collect());
        table.push(padded(cells, n_columns));
    }
    table
}

fn object_table(first: &Map<String, Value>, rows: &[&Value]) -> Table {
    let columns: Vec<(String, Option<String>)> =
        first.iter().flat_map(|(key, value)| nested(key, value)).collect();
    let title = |(key, inner): &(String, Option<String>)| match inner {
        Some(inner) => format!("{key} {inner}"),
        None => key.clone(),
    };
    let mut table = Table::new(columns.iter().map(title));
    for row in rows {
        let value = |(key, inner): &(String, Option<String>)| {
            let outer = row.get(key).unwrap_or(&Value::Null);
            cell(inner.as_ref().map_or(outer, |inner| outer.get(inner).unwrap_or(&Value::Null)))
        };
        table.push(columns.iter().map(value).collect());
    }
    table
}

/// One column for a plain value, one for each entry of an object (probabilities by class).
fn nested(key: &str, value: &Value) -> Vec<(String, Option<String>)> {
    match value {
        Value::Object(inner) => inner.keys().map(|name| (key.to_owned(), Some(name.clone()))).collect(),
        _ => vec![(key.to_owned(), None)],
    }
}

fn padded(mut cells: Vec<String>, n_columns: usize) -> Vec<String> {
    cells.resize(n_columns, String::new());
    cells
}

fn cell(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

fn read_json(name: &str, text: &str) -> Result<Value, Error> {
    let value: Value =
        serde_json::from_str(text).map_err(|source| Error::Json { name: name.to_owned(), source })?;
    match value {
        Value::Array(rows) if rows.is_empty() => Err(Error::NoRows(name.to_owned())),
        Value::Array(rows) => Ok(json!({ "instances": rows })),
        Value::Object(object) if KEYS.iter().any(|key| object.contains_key(*key)) => {
            Ok(Value::Object(object))
        }
        _ => Err(Error::NotRows(name.to_owned())),
    }
}

fn read_csv(name: &str, text: &str) -> Result<Value, Error> {
    let refused = |source| Error::Csv { name: name.to_owned(), source };
    let text = text.trim_start_matches('\u{feff}');
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
    let columns: Vec<String> = reader.headers().map_err(refused)?.iter().map(str::to_owned).collect();
    let records = reader.records().collect::<Result<Vec<_>, _>>().map_err(refused)?;
    if records.is_empty() {
        return Err(Error::NoRows(name.to_owned()));
    }
    let readers: Vec<fn(&str) -> Option<Value>> =
        (0..columns.len()).map(|index| column_reader(&records, index)).collect();
    let row = |record: &csv::StringRecord| -> Vec<Value> {
        record.iter().zip(&readers).map(|(cell, read)| read(cell).unwrap_or(Value::Null)).collect()
    };
    let data: Vec<Vec<Value>> = records.iter().map(row).collect();
    Ok(json!({ "dataframe_split": { "columns": columns, "data": data } }))
}

/// One type for a whole column, as pandas would see it: a zip code among words stays a word.
fn column_reader(records: &[csv::StringRecord], index: usize) -> fn(&str) -> Option<Value> {
    let candidates: [fn(&str) -> Option<Value>; 3] = [read_integer, read_number, read_bool];
    let fits = |read: &fn(&str) -> Option<Value>| {
        let cells = records.iter().filter_map(|record| record.get(index));
        cells.filter(|cell| !cell.is_empty()).all(|cell| read(cell).is_some())
    };
    candidates.into_iter().find(fits).unwrap_or(read_text)
}

fn read_integer(cell: &str) -> Option<Value> {
    cell.parse::<i64>().ok().map(Value::from)
}

fn read_number(cell: &str) -> Option<Value> {
    cell.parse::<f64>().ok().filter(|number| number.is_finite()).map(Value::from)
}

fn read_bool(cell: &str) -> Option<Value> {
    match cell {
        "true" | "True" | "TRUE" => Some(Value::Bool(true)),
        "false" | "False" | "FALSE" => Some(Value::Bool(false)),
        _ => None,
    }
}

fn read_text(cell: &str) -> Option<Value> {
    Some(cell).filter(|cell| !cell.is_empty()).map(Value::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_in_pieces_is_to_one_row_with_names() {
        let only = |name: &str, text: &str| only(name, &read(name, text).unwrap());
        let row = json!({ "text": "hello", "n": 2 });
        assert_eq!(only("a.csv", "text,n\nhello,2\n").unwrap(), row);
        assert_eq!(only("a.json", r#"[{"text": "hello", "n": 2}]"#).unwrap(), row);
        assert!(matches!(only("a.csv", "n\n1\n2\n"), Err(Error::ManyRows(_))));
        assert!(matches!(only("a.json", "[[1, 2]]"), Err(Error::NotNamed(_))));
    }

    #[test]
    fn csv_becomes_columns_of_one_type_each() {
        let rows =
            read("x.csv", "age, plan ,score,vip\n30,1,0.5,true\n41,basic,1,false\n,,2,true\n").unwrap();
        let expected = json!({ "dataframe_split": {
            "columns": ["age", "plan", "score", "vip"],
            "data": [[30, "1", 0.5, true], [41, "basic", 1.0, false], [null, null, 2.0, true]],
        }});
        assert_eq!(rows, expected);
    }

    #[test]
    fn json_that_speaks_the_protocol_passes_and_a_list_becomes_instances() {
        let spoken = r#"{"dataframe_records":[{"a":1}],"params":{}}"#;
        assert_eq!(read("-", spoken).unwrap().to_string(), spoken);
        assert_eq!(read("-", " [[1,2]]").unwrap(), json!({ "instances": [[1, 2]] }));
        assert!(matches!(read("x.json", r#"{"rows":[]}"#), Err(Error::NotRows(_))));
        assert!(matches!(read("x.json", "[]"), Err(Error::NoRows(_))));
        assert!(matches!(read("x.json", "[1,"), Err(Error::Json { .. })));
    }

    #[test]
    fn ragged_csv_is_refused() {
        assert!(matches!(read("x.csv", "a,b\n1,2\n3\n"), Err(Error::Csv { .. })));
        assert!(matches!(read("x.csv", "a,b\n"), Err(Error::NoRows(_))));
    }

    #[test]
    fn answers_of_every_shape_are_a_table() {
        let table = |answer: Value| answer_table(&answer).to_string();
        assert_eq!(table(json!({ "predictions": ["a", "b"] })), "prediction\na\nb\n");
        assert_eq!(table(json!({ "predictions": [[1, 2], [3, 4]] })), "0  1\n1  2\n3  4\n");
        let labelled = json!({ "predictions": [{ "label": "a", "probabilities": { "a": 0.9, "b": 0.1 } }] });
        assert_eq!(
            table(labelled),
            "label  probabilities a  probabilities b\na                  0.9              0.1\n"
        );
    }
}
