//! Code to copy: the same model from Python, curl, the command line and the Hub's own client.
//!
//! Pure. Invariant: addresses and names in it are real, so that what was copied runs as it is; the only thing to
//! fill in is a token.

use serde_json::{Value, json};
use spec::schema::{InputView, Schema};
use spec::tensor::{Datatype, TensorSpec};

use crate::doors::address::Base;
use crate::doors::pages::views::repository::{Snippet, Way};

/// What the code is about.
pub(super) struct Usage<'a> {
    pub base: &'a Base,
    /// `owner/name`
    pub name: &'a str,
    pub schema: Option<Schema>,
    pub is_private: bool,
}

/// All ways, the friendliest first.
pub(super) fn ways(usage: &Usage<'_>) -> Vec<Way> {
    vec![
        Way { id: "python", title: "Python", steps: python(usage) },
        Way { id: "curl", title: "curl", steps: curl(usage) },
        Way { id: "line", title: "Command line", steps: command_line(usage) },
        Way { id: "hub", title: "huggingface_hub", steps: hub(usage) },
    ]
}

/// The ways to ask what a link leads to, at this address, which is the key as well.
pub fn link_ways(endpoint: &str, schema: Option<&Schema>) -> Vec<Way> {
    let row = schema.and_then(example_row);
    let rows = row.as_ref().map_or_else(|| "rows".to_owned(), |row| format!("[{}]", spaced(row)));
    let python = format!(
        "import json, urllib.request\n\nrows = {rows}\nrequest = urllib.request.Request(\n    \"{endpoint}invocations\",\n    \
         json.dumps({{\"inputs\": rows}}).encode(),\n    {{\"content-type\": \"application/json\"}},\n)\n\
         print(json.load(urllib.request.urlopen(request))[\"predictions\"])"
    );
    let send = |path: &str, body: &Value| {
        let body = body.to_string().replace('\'', "'\\''");
        format!("curl -sS '{endpoint}{path}' \\\n  -H 'content-type: application/json' \\\n  -d '{body}'")
    };
    let mut curl = Vec::new();
    if let Some(row) = row {
        curl.push(snippet("One row:", &send("invocations", &json!({ "inputs": [row] }))));
    }
    if let Some(schema) = schema {
        let inputs: Vec<Value> = schema.inputs.iter().map(sample).collect();
        let body = json!({ "inputs": inputs });
        curl.push(snippet("By the Open Inference Protocol:", &send("v2/models/model/infer", &body)));
    }
    let says = "The address is the key, so nothing else is needed:";
    vec![
        Way { id: "python", title: "Python", steps: vec![snippet(says, &python)] },
        Way { id: "curl", title: "curl", steps: curl },
    ]
}

fn python(usage: &Usage<'_>) -> Vec<Snippet> {
    let Usage { base, name, .. } = usage;
    let token = if usage.is_private { ", token=\"…\"" } else { "" };
    let row = row_of(usage).map_or_else(|| "rows".to_owned(), |row| format!("[{}]", spaced(&row)));
    let header = if usage.is_private { ", \"authorization\": \"Bearer …\"" } else { "" };
    let ask = format!(
        "import json, urllib.request\n\nrows = {row}\nrequest = urllib.request.Request(\n    \"{}invocations\",\n    \
         json.dumps({{\"inputs\": rows}}).encode(),\n    {{\"content-type\": \"application/json\"{header}}},\n)\n\
         print(json.load(urllib.request.urlopen(request))[\"predictions\"])",
        base.endpoint(name)
    );
    let load = format!(
        "import reenact as rn\n\nrn.login(\"{}\"{token})\nmodel = rn.load(\"{name}\")\nmodel.predict({row})",
        base.as_str()
    );
    vec![
        snippet("Ask the endpoint, with nothing but Python:", &ask),
        snippet("Or run the model on your own machine, with `pip install reenact`:", &load),
    ]
}

fn curl(usage: &Usage<'_>) -> Vec<Snippet> {
    let endpoint = usage.base.endpoint(usage.name);
    let (_, short) = usage.name.split_once('/').unwrap_or(("", usage.name));
    let token = if usage.is_private { " \\\n  -H \"authorization: Bearer $REENACT_TOKEN\"" } else { "" };
    let send = |path: &str, body: &Value| {
        format!(
            "curl -sS '{endpoint}{path}'{token} \\\n  -H 'content-type: application/json' \\\n  -d '{}'",
            body.to_string().replace('\'', "'\\''")
        )
    };
    let mut steps = Vec::new();
    if let Some(row) = row_of(usage) {
        steps.push(snippet(
            "One row, as MLflow clients send it:",
            &send("invocations", &json!({ "inputs": [row] })),
        ));
    }
    if let Some(schema) = &usage.schema {
        let inputs: Vec<Value> = schema.inputs.iter().map(sample).collect();
        let path = format!("v2/models/{short}/infer");
        steps.push(snippet("By the Open Inference Protocol:", &send(&path, &json!({ "inputs": inputs }))));
    }
    let path = format!("v2/models/{short}");
    steps.push(snippet("What it takes and gives:", &format!("curl -sS '{endpoint}{path}'{token}")));
    steps
}

fn command_line(usage: &Usage<'_>) -> Vec<Snippet> {
    let Usage { base, name, .. } = usage;
    vec![
        snippet("Once, to say where and who you are:", &format!("reenact login {}", base.as_str())),
        snippet(
            "Ask the endpoint for every row of a file:",
            &format!("reenact predict {name} --data rows.csv"),
        ),
        snippet("Fetch all files:", &format!("reenact pull {name}")),
        snippet("What it is, and what was found in it:", &format!("reenact info {name}")),
    ]
}

fn hub(usage: &Usage<'_>) -> Vec<Snippet> {
    let Usage { base, name, .. } = usage;
    let token = if usage.is_private { " HF_TOKEN=…" } else { "" };
    vec![
        snippet(
            "The library and the `hf` command work as they are:",
            &format!("export HF_ENDPOINT={}{token}\nhf download {name}", base.as_str()),
        ),
        snippet(
            "From Python:",
            &format!("from huggingface_hub import snapshot_download\n\nsnapshot_download(\"{name}\")"),
        ),
    ]
}

fn snippet(says: &str, code: &str) -> Snippet {
    Snippet { says: says.to_owned(), code: code.to_owned() }
}

/// A row as Python writes it.
fn spaced(row: &Value) -> String {
    let values = row.as_array().into_iter().flatten().map(|value| match value {
        Value::Bool(truth) => if *truth { "True" } else { "False" }.to_owned(),
        value => value.to_string(),
    });
    format!("[{}]", values.collect::<Vec<_>>().join(", "))
}

/// A row that the model takes, from the middle of what its features are known to be.
fn row_of(usage: &Usage<'_>) -> Option<Value> {
    usage.schema.as_ref().and_then(example_row)
}

fn example_row(schema: &Schema) -> Option<Value> {
    let InputView::Table { features } = &schema.input else { return None };
    let value = |feature: &spec::schema::Feature| match feature.datatype {
        Datatype::Bytes => json!(feature.categories.first().map_or("…", String::as_str)),
        Datatype::Bool => json!(true),
        datatype => {
            let middle = f64::midpoint(feature.minimum.unwrap_or(0.0), feature.maximum.unwrap_or(0.0));
            if datatype.is_float() {
                json!((middle * 1000.0).round() / 1000.0)
            } else {
                json!(middle.round() as i64)
            }
        }
    };
    Some(features.iter().map(value).collect())
}

/// One row of zeros for an input; short, so that it can be read.
fn sample(input: &TensorSpec) -> Value {
    let shape: Vec<i64> = input.shape.iter().map(|n| if *n < 1 { 1 } else { *n }).collect();
    let n = usize::try_from(shape.iter().product::<i64>()).unwrap_or(0);
    let zero = match input.datatype {
        Datatype::Bytes => json!(""),
        Datatype::Bool => json!(false),
        datatype if datatype.is_float() => json!(0.0),
        _ => json!(0),
    };
    let data = if n > 1024 { json!("…") } else { vec![zero; n].into() };
    json!({ "name": input.name, "shape": shape, "datatype": input.datatype, "data": data })
}
