//! The web app of a model: a form made from its schema, and the answer.
//!
//! The same form is sent by scripts, which show the answer in place, or by the browser itself, which gets this
//! page again with the answer in it. Invariant: all that a script needs stands in `data`, safe within HTML.

use askama::Template;

mod answer;
mod parts;

pub use self::answer::AnswerPage;
pub use self::parts::{Part, ShownPart};
use super::frame::Frame;
use super::repository::{Dangers, EndpointBox, Head};

/// The web app.
#[derive(Debug, Template)]
#[template(path = "web_app.html")]
pub struct WebAppPage {
    pub frame: Frame,
    pub head: Head,
    pub dangers: Dangers,
    pub endpoint: Option<EndpointBox>,
    /// Schema, addresses and examples as JSON in which no `<` occurs.
    pub data: String,
    pub form: Form,
    /// Whether an answer can be kept under an address of its own.
    pub may_share: bool,
    pub examples: Vec<Example>,
    /// What went wrong with what was sent: the sentence and a hint.
    pub complaint: Option<(String, String)>,
    pub answer: Option<Answer>,
    /// The command that repeats what was just done.
    pub curl: Option<String>,
    /// What was pasted as CSV.
    pub csv: String,
    /// The first line of a CSV that fits, and a line of values.
    pub csv_hint: String,
    pub many: Option<ManyAnswers>,
}

impl WebAppPage {
    /// Whether nothing can be asked without a script: there is no picture that a browser alone could send.
    fn needs_script(&self) -> bool {
        matches!(self.form, Form::Picture(_)) && self.examples.is_empty()
    }

    /// Whether it can take its input from a camera or a microphone.
    pub fn records(&self) -> bool {
        let is_recorded = |part: &Part| matches!(part.kind, "image" | "audio");
        matches!(&self.form, Form::Parts(parts) if parts.iter().any(is_recorded))
    }

    /// The example that stands in the form.
    fn example_chosen(&self) -> Option<usize> {
        self.examples.iter().find(|example| example.is_current).map(|example| example.index)
    }

    /// How a browser alone sends the form: with its files where it has any.
    fn encoding(&self) -> &'static str {
        match self.form {
            Form::Parts(_) => "multipart/form-data",
            _ => "application/x-www-form-urlencoded",
        }
    }
}

/// How an input is asked for.
#[derive(Debug)]
pub enum Form {
    /// One field for each feature.
    Table(Vec<Field>),
    Picture(Picture),
    /// One field, file or text for each part.
    Parts(Vec<Part>),
    /// The inputs as the Open Inference Protocol writes them.
    Tensors(String),
    /// Nothing is known of the inputs.
    Unknown,
}

/// One feature.
#[derive(Debug, Clone, Default)]
pub struct Field {
    pub id: String,
    pub label: String,
    pub hint: String,
    pub value: String,
    pub kind: FieldKind,
}

/// What a field takes.
#[derive(Debug, Clone, Default)]
pub enum FieldKind {
    Number {
        /// Ends of the slider, if the range is known.
        range: Option<(String, String)>,
        step: String,
    },
    Choice(Vec<String>),
    #[default]
    Text,
    /// A text of many lines, which is all that the model takes.
    LongText,
}

/// A picture as the model sees it.
#[derive(Debug, Clone, Default)]
pub struct Picture {
    pub width: u32,
    pub height: u32,
    pub is_color: bool,
    /// Small enough and gray, so that one can draw it.
    pub can_draw: bool,
    /// The example that is chosen: its number and its picture as an address of its own.
    pub chosen: Option<(usize, String)>,
}

/// An example, one click away.
#[derive(Debug, Clone, Default)]
pub struct Example {
    pub index: usize,
    pub label: String,
    pub is_current: bool,
    /// Its picture as an address of its own.
    pub thumbnail: Option<String>,
}

/// What the model answered to one row.
#[derive(Debug, Clone)]
pub struct Answer {
    pub shown: Shown,
    /// What the example was known to be.
    pub expected: Option<String>,
    /// Such as `4.2 ms`.
    pub took: String,
}

/// An answer as people read it.
#[derive(Debug, Clone)]
pub enum Shown {
    Label {
        label: String,
        bars: Vec<Bar>,
    },
    Number {
        value: String,
        title: String,
    },
    Values(Vec<(String, String)>),
    /// Parts with their titles; an only one may have none.
    Parts(Vec<(String, ShownPart)>),
}

/// The probability of a class.
#[derive(Debug, Clone, Default)]
pub struct Bar {
    pub label: String,
    /// Such as `97.3 %`.
    pub text: String,
    /// Width of the bar, such as `97.3`.
    pub percent: String,
    pub is_best: bool,
}

/// Answers to many rows.
#[derive(Debug, Clone, Default)]
pub struct ManyAnswers {
    pub columns: Vec<String>,
    pub rows: Vec<Vec<String>>,
    /// How many there are in all; the list shows the first of them.
    pub n_rows: usize,
    /// How many were asked for.
    pub n_asked: usize,
    pub took: String,
}

impl ManyAnswers {
    /// Which part of the answers a file holds, for its name; nothing where it holds all.
    pub fn part(&self) -> String {
        match self.n_rows < self.n_asked {
            true => format!("-first-{}-of-{}", self.n_rows, self.n_asked),
            false => String::new(),
        }
    }
}

/// JSON that can stand within a `script` element: no text in it ends the element.
pub fn embed(value: &serde_json::Value) -> String {
    value.to_string().replace('<', "\\u003c")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_cannot_end_the_script_it_stands_in() {
        let text = embed(&serde_json::json!({ "label": "</script><script>alert(1)</script><!--" }));
        assert!(!text.contains('<'));
        let back: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(back["label"], "</script><script>alert(1)</script><!--");
    }
}
