//! `reenact info`: what a repository is, what it was read from, dangers found, its endpoint.

use std::fmt::Write;

use spec::api::Repository;
use spec::facts::{DangerLevel, Facts, FileFacts};
use spec::tensor::TensorSpec;

use crate::args::remote::Info;
use crate::commands::{ExitStatus, look_up};
use crate::printer::Printer;
use crate::settings;

/// Tensors and hyperparameters named before the rest is only counted.
const SHOWN: usize = 8;

pub async fn run(args: Info, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let client = settings::connect(&args.server)?;
    let repository = look_up(&client, &args.repository).await?;
    match args.json {
        true => printer.answer_json(&repository)?,
        false => printer.answer_text(&describe(&repository))?,
    }
    Ok(ExitStatus::Success)
}

fn describe(repository: &Repository) -> String {
    let mut text = Description::default();
    let visibility = if repository.private { "private" } else { "public" };
    text.line(&repository.repository, &format!("{visibility} {}", repository.kind));
    text.line("page", &repository.url);
    text.line("revision", &repository.revision);
    text.line("about", &repository.description);
    text.line("task", repository.task.as_deref().unwrap_or_default());
    text.line("library", repository.library.as_deref().unwrap_or_default());
    text.line("license", repository.license.as_deref().unwrap_or_default());
    text.line("tags", &repository.tags.join(", "));
    text.line("downloads", &repository.downloads.to_string());
    text.line("changed", &repository.modified);
    match &repository.facts {
        Some(facts) => describe_facts(&mut text, facts),
        None => text.line("files", "still being read"),
    }
    match &repository.endpoint {
        Some(endpoint) => {
            text.line("endpoint", &format!("{} at {}", endpoint.state.as_str(), endpoint.url));
            text.line("", &endpoint.reason);
            text.line("web app", &endpoint.try_url);
        }
        None => text.line("endpoint", "none"),
    }
    text.0
}

fn describe_facts(text: &mut Description, facts: &Facts) {
    text.line("served", facts.model.as_deref().unwrap_or_default());
    if let Some(python) = &facts.python {
        let standard = python.standard.as_ref();
        let by = standard.map(|standard| format!("by the server's handler for {}", standard.library.title()));
        text.line("served", &by.unwrap_or_else(|| python.handler.to_string()));
        for assumed in standard.map(|standard| standard.assumed.as_slice()).unwrap_or_default() {
            text.line("assumed", assumed);
        }
    }
    text.line("not served", facts.unserved.as_deref().unwrap_or_default());
    text.line("original", facts.original.as_deref().unwrap_or_default());
    for problem in &facts.problems {
        text.line("problem", problem);
    }
    for file in &facts.files {
        describe_file(text, file);
    }
    let mut n_dangers = 0;
    for (path, danger) in facts.dangers() {
        let level = match danger.level {
            DangerLevel::Unknown => "unknown",
            DangerLevel::Dangerous => "dangerous",
        };
        text.line(
            "danger",
            &format!("{level}: `{}` in {path} ({}): {}", danger.what, danger.place, danger.reason),
        );
        n_dangers += 1;
    }
    if n_dangers == 0 && !facts.files.is_empty() {
        text.line("dangers", "none found");
    }
}

fn describe_file(text: &mut Description, file: &FileFacts) {
    let made_by = file.framework.as_ref().map(|framework| format!("by {framework}"));
    let parameters = file.n_parameters.map(|n| format!("{n} parameters"));
    let parts = [Some(file.format.title().to_owned()), made_by, file.class.clone(), parameters];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    text.line("file", &format!("{}: {}", file.path, parts.join(", ")));
    text.line("  inputs", &tensors(&file.inputs));
    text.line("  outputs", &tensors(&file.outputs));
    let settings = file.hyperparameters.iter().map(|(name, value)| format!("{name}={value}"));
    text.line("  settings", &abridged(settings.collect()));
    text.line("  not read", file.error.as_deref().unwrap_or_default());
}

fn tensors(tensors: &[TensorSpec]) -> String {
    let describe = |tensor: &TensorSpec| {
        let size = |n: &i64| if *n < 0 { "?".to_owned() } else { n.to_string() };
        let shape: Vec<String> = tensor.shape.iter().map(size).collect();
        format!("{} {}[{}]", tensor.name, tensor.datatype.as_str(), shape.join(", "))
    };
    abridged(tensors.iter().map(describe).collect())
}

fn abridged(mut items: Vec<String>) -> String {
    let n_more = items.len().saturating_sub(SHOWN);
    items.truncate(SHOWN);
    if n_more > 0 {
        items.push(format!("and {n_more} more"));
    }
    items.join(", ")
}

/// Lines of a name and what there is to say; with nothing to say there is no line.
#[derive(Default)]
struct Description(String);

impl Description {
    fn line(&mut self, name: &str, value: &str) {
        if !value.is_empty() {
            // Writing to a `String` cannot fail.
            let _ = writeln!(self.0, "{name:<10} {value}");
        }
    }
}
