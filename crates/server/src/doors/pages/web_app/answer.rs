//! Asking the endpoint with what a form holds, and its answer as a page shows it.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use serde_json::Value;
use spec::frame::IndexedTensor;
use spec::schema::{InputView, OutputView, Schema};

use super::form::Filled;
use super::{Tried, curl, examples, parts};
use crate::app::App;
use crate::doors::address::Base;
use crate::doors::pages::repositories::number;
use crate::doors::pages::views::web_app::{Bar, ManyAnswers, Shown};
use crate::error::Error;
use crate::gateway::Live;
use crate::ops;
use crate::ops::endpoints::predict::{self, Open};
use crate::predict::plan::Plan;
use crate::predict::rows::Rows;
use crate::predict::{answers, documents, tensors};

/// Answers to many rows that a page shows.
const SHOWN_ROWS: usize = 100;
/// Probabilities that a page shows.
pub(super) const SHOWN_BARS: usize = 10;
/// Values of a tensor that a page shows.
const SHOWN_VALUES: usize = 64;

/// Who asks what.
pub(in super::super) struct Asked<'a> {
    pub app: &'a Arc<App>,
    pub base: &'a Base,
    pub tried: &'a Tried,
}

/// What a form was answered.
pub(super) enum Answered {
    One(Box<One>),
    /// And why rows after them were not answered.
    Many(ManyAnswers, Option<Error>),
}

/// The answer to one request.
pub(super) struct One {
    pub shown: Shown,
    pub took: String,
    pub curl: String,
    pub exchange: Exchange,
}

/// What was asked and what was answered.
#[derive(Debug)]
pub(in super::super) struct Exchange {
    asked: Vec<IndexedTensor>,
    answered: Vec<IndexedTensor>,
    live: Arc<Live>,
}

impl Exchange {
    pub(in super::super) fn borrowed(&self) -> ops::answers::Exchange<'_> {
        ops::answers::Exchange { asked: &self.asked, answered: &self.answered, live: &self.live }
    }
}

/// Asks with what the form holds.
pub(super) async fn ask(asked: &Asked<'_>, filled: &Filled) -> Result<Answered, Error> {
    let n_parts_bytes: usize = filled.parts.values().map(Vec::len).sum();
    let n_bytes = filled.csv.as_ref().or(filled.tensors.as_ref()).map_or(4096 + n_parts_bytes, String::len);
    let open = asked.tried.at.open(asked.app, n_bytes as u64).await?;
    if let Some(csv) = &filled.csv {
        return many(asked, &open, csv).await;
    }
    let asked_tensors = asked_tensors(asked.tried, &open, filled)?;
    let command = command(asked, &documents::of_inputs(&open.live.schema, &asked_tensors));
    let began = std::time::Instant::now();
    let predicted = predict::infer(asked.app, &open, &asked_tensors).await?;
    let (live, answered) = (predicted.live, predicted.answer.tensors);
    let shown = shown(&asked.tried.at.shown(&live.schema), &answered);
    let exchange = Exchange { asked: asked_tensors, answered, live };
    Ok(Answered::One(Box::new(One { shown, took: duration(began.elapsed()), curl: command, exchange })))
}

/// What the form asks, as tensors.
fn asked_tensors(tried: &Tried, open: &Open, filled: &Filled) -> Result<Vec<IndexedTensor>, Error> {
    let schema = &open.live.schema;
    if let Some(text) = &filled.tensors {
        return Ok(tensors::read(schema, &Bytes::from(text.to_owned()), None)?.tensors);
    }
    if let InputView::Parts { parts } = &schema.input {
        return Ok(crate::predict::parts::tensors(schema, &parts::given(parts, &tried.examples, filled))?);
    }
    let plan = open.live.plan.as_ref();
    let plan = plan.ok_or_else(|| Error::BadInput("this model takes tensors, not rows".to_owned()))?;
    let mut rows = Rows::new(plan);
    rows.read_texts(row(tried, filled)?.iter().map(String::as_str))?;
    Ok(rows.into_tensors()?)
}

/// The values of one row: those of an example that was chosen, or those of the fields.
fn row(tried: &Tried, filled: &Filled) -> Result<Vec<String>, Error> {
    if filled.values.is_empty() {
        let chosen = filled.example.and_then(|index| tried.examples.rows.get(index));
        let chosen = chosen
            .ok_or_else(|| Error::BadInput("nothing was chosen; take one of the examples".to_owned()))?;
        return Ok(chosen.iter().map(examples::plain).collect());
    }
    let mut values = filled.values.clone();
    values.sort_by_key(|(place, _)| *place);
    Ok(values.into_iter().map(|(_, value)| value).collect())
}

fn command(asked: &Asked<'_>, body: &Value) -> String {
    let at = &asked.tried.at;
    let url = format!("{}{}v2/models/{}/infer", asked.base.as_str(), at.endpoint, at.model);
    curl::command(curl::Target { url: &url, is_private: at.is_private }, &body.to_string())
}

/// An answer as people read it: to the only row, or to each.
pub(in super::super) fn shown(schema: &Schema, answered: &[IndexedTensor]) -> Shown {
    let predictions = answers::predictions(schema, answered);
    let [prediction] = predictions.as_slice() else {
        let values = predictions.iter().enumerate().map(|(i, row)| (format!("row {}", i + 1), cut(row)));
        return Shown::Values(values.take(SHOWN_ROWS).collect());
    };
    match &schema.output {
        OutputView::Label { classes, labels, .. } => {
            let names = if labels.is_empty() { classes } else { labels };
            let probabilities = answers::probabilities(schema, answered);
            let bars = probabilities.first().map(|row| bars(names, row)).unwrap_or_default();
            Shown::Label { label: examples::plain(prediction), bars }
        }
        OutputView::Number { title, .. } => {
            Shown::Number { value: examples::readable(prediction), title: title.clone() }
        }
        OutputView::Parts { parts } => Shown::Parts(parts::shown(parts, prediction)),
        OutputView::Tensors => Shown::Values(match prediction {
            Value::Object(outputs) => {
                outputs.iter().map(|(name, value)| (name.clone(), cut(value))).collect()
            }
            value => vec![("answer".to_owned(), cut(value))],
        }),
    }
}

/// The likeliest classes first.
fn bars(names: &[String], probabilities: &[f64]) -> Vec<Bar> {
    let mut order: Vec<usize> = (0..probabilities.len()).collect();
    order.sort_by(|a, b| probabilities[*b].total_cmp(&probabilities[*a]));
    let bar = |(rank, i): (usize, usize)| {
        let name = names.get(i).cloned().unwrap_or_else(|| i.to_string());
        Bar::new(&name, probabilities[i], rank == 0)
    };
    order.into_iter().enumerate().take(SHOWN_BARS).map(bar).collect()
}

/// The answers to each row, or to those before the first part that was refused: they were answered, and counted.
async fn many(asked: &Asked<'_>, open: &Open, csv: &str) -> Result<Answered, Error> {
    let plan = open.live.plan.as_ref();
    let plan = plan.ok_or_else(|| Error::BadInput("this model takes tensors, not rows".to_owned()))?;
    let (header, lines) = read_csv(csv)?;
    let order = order(plan, &header)?;
    let rows: Vec<Vec<String>> =
        lines.iter().map(|line| order.iter().map(|at| line[*at].clone()).collect()).collect();
    let mut answers = ManyAnswers { n_asked: rows.len(), ..ManyAnswers::default() };
    let mut broke_off = None;
    let mut took = Duration::ZERO;
    let mut of_answers: Vec<Vec<String>> = Vec::new();
    let mut names = vec!["prediction".to_owned()];
    for part in rows.chunks(asked.tried.at.rows_at_a_time()) {
        let began = std::time::Instant::now();
        let told = match predict::infer_texts(asked.app, open, part).await {
            Ok(told) => told,
            Err(error) if of_answers.is_empty() => return Err(error),
            Err(error) => {
                broke_off = Some(error);
                break;
            }
        };
        took += began.elapsed();
        if let OutputView::Label { classes, labels, probabilities: Some(_), .. } = &told.live.schema.output {
            let classes = if labels.is_empty() { classes } else { labels };
            names.truncate(1);
            names.extend(classes.iter().map(|class| format!("probability of {class}")));
        }
        for (i, prediction) in told.predictions.iter().enumerate() {
            let chances = told.probabilities.get(i).into_iter().flatten().map(ToString::to_string);
            of_answers.push(std::iter::once(examples::plain(prediction)).chain(chances).collect());
        }
    }
    answers.took = duration(took);
    answers.n_rows = of_answers.len();
    answers.columns = names.into_iter().chain(header).collect();
    answers.rows = of_answers
        .into_iter()
        .zip(lines)
        .map(|(answer, line)| answer.into_iter().chain(line).collect())
        .collect();
    Ok(Answered::Many(answers, broke_off))
}

/// The first answers, with numbers short enough to be read.
pub(super) fn shortened(mut many: ManyAnswers) -> ManyAnswers {
    many.rows.truncate(SHOWN_ROWS);
    let short = |text: &mut String| {
        if let Ok(value) = text.parse::<f64>() {
            *text = number(value);
        }
    };
    many.rows.iter_mut().flatten().for_each(short);
    many
}

/// Answers to many rows as a file.
pub(super) fn to_csv(many: &ManyAnswers) -> Vec<u8> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    // Writing to memory cannot fail.
    let _ = writer.write_record(&many.columns);
    for row in &many.rows {
        let _ = writer.write_record(row.iter().map(|text| harmless(text)));
    }
    writer.into_inner().unwrap_or_default()
}

/// A text that a spreadsheet would take for a formula is kept a text.
fn harmless(text: &str) -> String {
    let is_formula = text.starts_with(['=', '+', '-', '@', '\t']) && text.parse::<f64>().is_err();
    if is_formula { format!("'{text}") } else { text.to_owned() }
}

fn read_csv(text: &str) -> Result<(Vec<String>, Vec<Vec<String>>), Error> {
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::Headers)
        .from_reader(text.trim_start_matches('\u{feff}').as_bytes());
    let complain = |error: csv::Error| Error::BadInput(format!("the CSV cannot be read: {error}"));
    let header: Vec<String> = reader.headers().map_err(complain)?.iter().map(str::to_owned).collect();
    let mut rows = Vec::new();
    for record in reader.records() {
        rows.push(record.map_err(complain)?.iter().map(str::to_owned).collect());
    }
    if rows.is_empty() {
        return Err(Error::BadInput("the CSV needs a first line of names and at least one row".to_owned()));
    }
    Ok((header, rows))
}

/// The place in a line of each column of the model.
fn order(plan: &Plan, header: &[String]) -> Result<Vec<usize>, Error> {
    let find = |column: &crate::predict::plan::Column| {
        let found = header.iter().position(|name| *name == column.name);
        found.ok_or_else(|| Error::BadInput(format!("the CSV has no column `{}`", column.name)))
    };
    plan.columns.iter().map(find).collect()
}

fn cut(value: &Value) -> String {
    match value {
        Value::Array(values) if values.len() > SHOWN_VALUES => {
            let some: Vec<String> = values.iter().take(SHOWN_VALUES).map(examples::readable).collect();
            format!("{}, … ({} values)", some.join(", "), values.len())
        }
        Value::Array(values) => values.iter().map(examples::readable).collect::<Vec<_>>().join(", "),
        Value::Object(_) => value.to_string(),
        value => examples::readable(value),
    }
}

fn duration(took: Duration) -> String {
    let ms = took.as_secs_f64() * 1000.0;
    if ms < 10.0 {
        format!("{ms:.1} ms")
    } else if ms < 1000.0 {
        format!("{ms:.0} ms")
    } else {
        format!("{:.1} s", ms / 1000.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_likeliest_class_comes_first() {
        let names = ["no".to_owned(), "yes".to_owned()];
        let found = bars(&names, &[0.25, 0.75]);
        assert_eq!(
            (found[0].label.as_str(), found[0].text.as_str(), found[0].is_best),
            ("yes", "75.0 %", true)
        );
        assert!(!found[1].is_best && found[1].percent == "25.00");
    }

    #[test]
    fn a_spreadsheet_takes_no_answer_for_a_formula() {
        let many = ManyAnswers {
            columns: vec!["prediction".to_owned()],
            rows: vec![
                vec!["=cmd|'/c calc'!A1".to_owned()],
                vec!["-1.5".to_owned()],
                vec!["a,\"b\"".to_owned()],
            ],
            ..ManyAnswers::default()
        };
        let text = String::from_utf8(to_csv(&many)).unwrap();
        assert_eq!(text, "prediction\r\n'=cmd|'/c calc'!A1\r\n-1.5\r\n\"a,\"\"b\"\"\"\r\n");
    }

    #[test]
    fn a_csv_without_rows_is_refused() {
        assert!(read_csv("a,b\n").is_err() && read_csv("").is_err());
        let (header, rows) = read_csv("\u{feff} a ,b\r\n1,\"x,y\"\r\n").unwrap();
        assert_eq!((header, rows), (vec!["a".into(), "b".into()], vec![vec!["1".into(), "x,y".to_owned()]]));
    }
}
