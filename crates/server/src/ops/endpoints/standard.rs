//! The server's own handlers, as text: what a worker runs for files that came without one.
//!
//! Knows what is fixed for each model, not what the libraries do with it; nothing here is run in the server. Invariant:
//! a name that came from a repository gets into the text as a literal, so that it cannot be code.

use spec::facts::{Library, Standard};
use spec::schema::Schema;
use spec::tensor::TensorSpec;

const TRANSFORMERS: &str = include_str!("standard/transformers.py");
const KERAS: &str = include_str!("standard/keras.py");
const TORCHSCRIPT: &str = include_str!("standard/torchscript.py");

/// The handler for these files.
pub(super) fn source(standard: &Standard, schema: &Schema) -> String {
    let names = |tensors: &[TensorSpec]| {
        let quoted: Vec<String> = tensors.iter().map(|tensor| quoted(&tensor.name)).collect();
        format!("[{}]", quoted.join(", "))
    };
    let text = |text: &Option<String>| quoted(text.as_deref().unwrap_or_default());
    let fixed = |body: &str, name: &str, value: &str| {
        body.replacen(&format!("\n{name} = None\n"), &format!("\n{name} = {value}\n"), 1)
    };
    match standard.library {
        Library::Transformers => fixed(TRANSFORMERS, "TASK", &text(&standard.task)),
        Library::Keras => {
            let body = fixed(KERAS, "FILE", &text(&standard.file));
            let body = fixed(&body, "INPUTS", &names(&schema.inputs));
            fixed(&body, "OUTPUTS", &names(&schema.outputs))
        }
        Library::TorchScript => {
            let body = fixed(TORCHSCRIPT, "FILE", &text(&standard.file));
            fixed(&body, "OUTPUTS", &names(&schema.outputs))
        }
    }
}

/// A literal of Python, of nothing but ASCII.
fn quoted(text: &str) -> String {
    let escaped = text.chars().map(|c| match c {
        '"' | '\\' => format!("\\{c}"),
        ' '..='~' => c.to_string(),
        c => format!("\\U{:08x}", u32::from(c)),
    });
    format!("\"{}\"", escaped.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use spec::tensor::Datatype;

    fn told(library: Library, name: &str) -> String {
        let tensor =
            |name: &str| TensorSpec { name: name.to_owned(), datatype: Datatype::Fp32, shape: vec![-1, 4] };
        let schema = Schema {
            inputs: vec![tensor(name), tensor("b")],
            outputs: vec![tensor("c")],
            ..Schema::default()
        };
        let (file, task) = (Some(name.to_owned()), Some("fill-mask".to_owned()));
        source(&Standard { library, file, task, assumed: Vec::new() }, &schema)
    }

    #[test]
    fn every_handler_is_told_all_that_is_fixed() {
        for library in [Library::Transformers, Library::Keras, Library::TorchScript] {
            let text = told(library, "a");
            assert!(!text.contains(" = None\n"), "{text}");
        }
        assert!(told(Library::Transformers, "a").contains("\nTASK = \"fill-mask\"\n"));
        assert!(told(Library::Keras, "a").contains("\nINPUTS = [\"a\", \"b\"]\nOUTPUTS = [\"c\"]\n"));
    }

    #[test]
    fn a_name_from_a_repository_stays_a_literal() {
        let text = told(Library::Keras, "\"\nimport os #\u{2028}é\\");
        assert!(
            text.contains(r#"INPUTS = ["\"\U0000000aimport os #\U00002028\U000000e9\\", "b"]"#),
            "{text}"
        );
        assert!(!text.contains("\nimport os #"), "{text}");
    }
}
