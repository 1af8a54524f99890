//! Code to copy: the same model from Python, curl, JavaScript, R, the command line and the Hub's own client.
//!
//! Pure. Invariant: addresses and names in it are real, so that what was copied runs as it is; the only thing to
//! fill in is a token.

use serde_json::{Value, json};
use spec::facts::Offers;
use spec::schema::Schema;

use crate::doors::address::Base;
use crate::doors::pages::views::repository::{Snippet, Way};
use crate::predict::plan::Plan;
use crate::predict::sample;

/// What the code is about.
pub(super) struct Usage<'a> {
    pub base: &'a Base,
    /// `owner/name`
    pub name: &'a str,
    pub schema: Option<Schema>,
    pub offers: Offers,
    pub is_private: bool,
}

/// Where a model is asked.
struct Asked<'a> {
    /// Ends in `/`.
    endpoint: &'a str,
    /// What the protocols call it there.
    model: &'a str,
    needs_token: bool,
    schema: Option<&'a Schema>,
    offers: Offers,
}

/// All ways, the friendliest first.
pub(super) fn ways(usage: &Usage<'_>) -> Vec<Way> {
    let (_, model) = usage.name.split_once('/').unwrap_or(("", usage.name));
    let endpoint = usage.base.endpoint(usage.name);
    let (schema, offers) = (usage.schema.as_ref(), usage.offers);
    let asked = Asked { endpoint: &endpoint, model, needs_token: usage.is_private, schema, offers };
    let mut steps = vec![snippet("Ask the endpoint, with nothing but Python:", &python(&asked))];
    steps.push(load(usage));
    let mut shell = curl(&asked);
    let head = if usage.is_private { " \\\n  -H \"authorization: Bearer $REENACT_TOKEN\"" } else { "" };
    let described = format!("curl -sS '{endpoint}v2/models/{model}'{head}");
    shell.push(snippet("What it takes and gives:", &described));
    vec![
        Way { id: "python", title: "Python", steps },
        Way { id: "curl", title: "curl", steps: shell },
        Way { id: "javascript", title: "JavaScript", steps: javascript(&asked) },
        Way { id: "r", title: "R", steps: r(&asked) },
        Way { id: "line", title: "Command line", steps: command_line(usage) },
        Way { id: "hub", title: "huggingface_hub", steps: hub(usage) },
    ]
}

/// The ways to ask what a link leads to, at this address, which is the key as well.
pub fn link_ways(endpoint: &str, schema: Option<&Schema>, offers: Offers) -> Vec<Way> {
    let asked = Asked { endpoint, model: "model", needs_token: false, schema, offers };
    let says = "The address is the key, so nothing else is needed:";
    vec![
        Way { id: "python", title: "Python", steps: vec![snippet(says, &python(&asked))] },
        Way { id: "curl", title: "curl", steps: curl(&asked) },
        Way { id: "javascript", title: "JavaScript", steps: javascript(&asked) },
        Way { id: "r", title: "R", steps: r(&asked) },
    ]
}

fn python(asked: &Asked<'_>) -> String {
    let rows = rows(asked, |row| format!("[{}]", spaced(row)));
    let header = if asked.needs_token { ", \"authorization\": \"Bearer …\"" } else { "" };
    format!(
        "import json, urllib.request\n\nrows = {rows}\nrequest = urllib.request.Request(\n    \"{}invocations\",\n    \
         json.dumps({{\"inputs\": rows}}).encode(),\n    {{\"content-type\": \"application/json\"{header}}},\n)\n\
         print(json.load(urllib.request.urlopen(request))[\"predictions\"])",
        asked.endpoint
    )
}

fn load(usage: &Usage<'_>) -> Snippet {
    let Usage { base, name, .. } = usage;
    let token = if usage.is_private { ", token=\"…\"" } else { "" };
    let row = usage.schema.as_ref().and_then(sample::row);
    let row = row.map_or_else(|| "rows".to_owned(), |row| format!("[{}]", spaced(&row)));
    let load = format!(
        "import reenact as rn\n\nrn.login(\"{}\"{token})\nmodel = rn.load(\"{name}\")\nmodel.predict({row})",
        base.as_str()
    );
    snippet("Or run the model on your own machine, with `pip install reenact`:", &load)
}

fn javascript(asked: &Asked<'_>) -> Vec<Snippet> {
    let header = if asked.needs_token { ", authorization: \"Bearer …\"" } else { "" };
    let rows = rows(asked, |row| Value::from(vec![row]).to_string());
    let ask = format!(
        "const rows = {rows};\nconst response = await fetch(\"{}invocations\", {{\n  method: \"POST\",\n  \
         headers: {{ \"content-type\": \"application/json\"{header} }},\n  body: JSON.stringify({{ inputs: rows }}),\n}});\n\
         console.log((await response.json()).predictions);",
        asked.endpoint
    );
    vec![snippet("In a page of any site, or in a module that Node runs:", &ask)]
}

fn r(asked: &Asked<'_>) -> Vec<Snippet> {
    let header = if asked.needs_token { "  req_headers(authorization = \"Bearer …\") |>\n" } else { "" };
    let rows = rows(asked, |row| format!("list(list({}))", listed(row, in_r)));
    let ask = format!(
        "library(httr2)\n\nrows <- {rows}\nanswer <- request(\"{}invocations\") |>\n{header}  \
         req_body_json(list(inputs = rows)) |>\n  req_perform() |>\n  resp_body_json()\nprint(answer$predictions)",
        asked.endpoint
    );
    vec![snippet("With the packages `httr2` and `jsonlite`:", &ask)]
}

fn curl(asked: &Asked<'_>) -> Vec<Snippet> {
    let Asked { endpoint, model, .. } = asked;
    let token = if asked.needs_token { " \\\n  -H \"authorization: Bearer $REENACT_TOKEN\"" } else { "" };
    let send = |flags: &str, path: &str, body: &Value| {
        format!(
            "curl {flags} '{endpoint}{path}'{token} \\\n  -H 'content-type: application/json' \\\n  -d '{}'",
            body.to_string().replace('\'', "'\\''")
        )
    };
    let Some(schema) = asked.schema else { return Vec::new() };
    let mut steps = Vec::new();
    let row = sample::row(schema);
    if let Some(row) = &row {
        let body = json!({ "inputs": [row] });
        steps.push(snippet("One row, as MLflow clients send it:", &send("-sS", "invocations", &body)));
    }
    if let Some(row) = row.filter(|_| asked.offers.streams) {
        let names = Plan::new(schema).into_iter().flat_map(|plan| plan.columns);
        let named: Value = names.map(|column| column.name).zip(row).collect::<serde_json::Map<_, _>>().into();
        let path = format!("v2/models/{model}/generate_stream");
        steps.push(snippet("The answer piece by piece:", &send("-sSN", &path, &named)));
    }
    if let Some(inputs) = sample::tensors(schema) {
        let (path, body) = (format!("v2/models/{model}/infer"), json!({ "inputs": inputs }));
        steps.push(snippet("By the Open Inference Protocol:", &send("-sS", &path, &body)));
    }
    steps
}

/// One row in a list, as a language writes it; the word `rows` where none can be made up.
fn rows(asked: &Asked<'_>, write: impl Fn(&[Value]) -> String) -> String {
    let row = asked.schema.and_then(sample::row);
    row.map_or_else(|| "rows".to_owned(), |row| write(&row))
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
fn spaced(row: &[Value]) -> String {
    format!("[{}]", listed(row, in_python))
}

/// A value as Python writes it.
fn in_python(value: &Value) -> String {
    match value {
        Value::Null => "None".to_owned(),
        Value::Bool(truth) => if *truth { "True" } else { "False" }.to_owned(),
        Value::Array(values) => spaced(values),
        Value::Object(pairs) => {
            let pairs = pairs.iter().map(|(name, value)| format!("{}: {}", json!(name), in_python(value)));
            format!("{{{}}}", pairs.collect::<Vec<_>>().join(", "))
        }
        value => value.to_string(),
    }
}

/// A value as R writes it. Lists stay lists, because a vector of one number would be sent as that number.
fn in_r(value: &Value) -> String {
    match value {
        Value::Null => "NULL".to_owned(),
        Value::Bool(truth) => if *truth { "TRUE" } else { "FALSE" }.to_owned(),
        Value::Array(values) => format!("list({})", listed(values, in_r)),
        Value::Object(pairs) => {
            let pairs = pairs.iter().map(|(name, value)| format!("{} = {}", json!(name), in_r(value)));
            format!("list({})", pairs.collect::<Vec<_>>().join(", "))
        }
        value => value.to_string(),
    }
}

fn listed(values: &[Value], write: impl Fn(&Value) -> String) -> String {
    values.iter().map(write).collect::<Vec<_>>().join(", ")
}
