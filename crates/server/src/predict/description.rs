//! The OpenAPI document of one endpoint, from its model's schema.
//!
//! Pure: knows no rights, no names and no server. Source: OpenAPI 3.1, whose schemas are JSON Schema 2020-12.
//! Invariant: what a document calls required, or an only value, the endpoint refuses otherwise; ranges seen in example
//! data are told and bind nobody.

use serde_json::{Map, Value, json};
use spec::facts::Offers;
use spec::schema::parts::OutputKind;
use spec::schema::{Feature, InputView, OutputView, Schema};
use spec::tensor::{Datatype, TensorSpec};

use super::plan::{Column, Plan};
use super::sample;

/// Most columns that are described one by one.
const COLUMNS: usize = 256;

/// What a document is about.
#[derive(Debug)]
pub struct About<'a> {
    pub title: &'a str,
    /// The revision that answers.
    pub version: &'a str,
    /// The endpoint's address.
    pub url: &'a str,
    /// What its protocols call the model.
    pub model: &'a str,
    pub needs_token: bool,
    pub schema: &'a Schema,
    pub offers: Offers,
}

/// What a row is.
enum Row {
    Columns(Vec<Column>),
    /// Too many values to be described one by one.
    Wide {
        n: usize,
        datatype: Datatype,
    },
}

impl Row {
    /// None where the model takes tensors alone.
    fn of(schema: &Schema) -> Option<Self> {
        let datatype = schema.inputs.first()?.datatype;
        // A plan of a million columns is for whoever is asked, not for whoever looks.
        if let Some(n) = Plan::width(schema).filter(|n| *n > COLUMNS) {
            return Some(Self::Wide { n, datatype });
        }
        let columns = Plan::new(schema)?.columns;
        Some(match columns.len() {
            n if n > COLUMNS => Self::Wide { n, datatype },
            _ => Self::Columns(columns),
        })
    }
}

/// What a document is about, with what a row is.
struct Described<'a> {
    model: &'a str,
    schema: &'a Schema,
    offers: Offers,
    plan: Option<Row>,
}

/// The document.
pub fn document(about: &About<'_>) -> Value {
    let About { title, version, url, model, schema, offers, .. } = *about;
    let described = Described { model, schema, offers, plan: Row::of(schema) };
    let mut document = json!({
        "openapi": "3.1.0",
        "info": { "title": title, "version": version },
        "servers": [{ "url": url.trim_end_matches('/') }],
        "paths": paths(&described),
        "components": { "schemas": schemas(&described) },
    });
    if about.needs_token {
        let scheme = json!({ "type": "http", "scheme": "bearer", "description": "A token of the server" });
        document["components"]["securitySchemes"] = json!({ "token": scheme });
        document["security"] = json!([{ "token": [] }]);
    }
    document
}

fn paths(about: &Described<'_>) -> Value {
    let (model, plan) = (about.model, &about.plan);
    let mut paths = Map::new();
    let row = sample::row(about.schema);
    let named = row.clone().zip(plan.as_ref()).and_then(|(row, plan)| named_row(row, plan));
    let instances = row.map(|row| json!({ "instances": [row] }));
    if plan.is_some() {
        let records = named.as_ref().map(|row| json!({ "dataframe_records": [row] }));
        let call = post("predict", "Predict rows", ("Rows", records), "Predictions");
        paths.insert("/invocations".to_owned(), call);
        let instances = instances.clone();
        let call = post(
            "predictInstances",
            "Predict rows, as KServe V1 asks",
            ("Instances", instances),
            "Predictions",
        );
        paths.insert(format!("/v1/models/{model}:predict"), call);
    }
    if plan.is_some() && about.offers.explains {
        let call =
            post("explain", "Explain the predictions of rows", ("Instances", instances), "Explanations");
        paths.insert(format!("/v1/models/{model}:explain"), call);
    }
    if plan.is_some() && about.offers.streams {
        let call = post("generate", "Answer one row with a text", ("Row", named.clone()), "Text");
        paths.insert(format!("/v2/models/{model}/generate"), call);
        let mut call = post("generateStream", "Answer one row piece by piece", ("Row", named), "Text");
        let events = call["post"]["responses"]["200"]["content"]["application/json"].take();
        call["post"]["responses"]["200"]["content"] = json!({ "text/event-stream": events });
        paths.insert(format!("/v2/models/{model}/generate_stream"), call);
    }
    let inputs = sample::tensors(about.schema).map(|inputs| json!({ "inputs": inputs }));
    let call = post("infer", "Predict tensors", ("Tensors", inputs), "Outputs");
    paths.insert(format!("/v2/models/{model}/infer"), call);
    let ready = json!({ "get": {
        "operationId": "ready",
        "summary": "Whether a request would be answered",
        "responses": { "200": { "description": "It would" }, "default": refusal() },
    } });
    paths.insert(format!("/v2/models/{model}/ready"), ready);
    Value::Object(paths)
}

fn post(id: &str, summary: &str, (request, example): (&str, Option<Value>), answer: &str) -> Value {
    let of = |name: &str| json!({ "$ref": format!("#/components/schemas/{name}") });
    let mut sent = json!({ "schema": of(request) });
    if let Some(example) = example {
        sent["example"] = example;
    }
    json!({ "post": {
        "operationId": id,
        "summary": summary,
        "requestBody": {
            "required": true,
            "content": { "application/json": sent },
        },
        "responses": {
            "200": { "description": "The answer", "content": { "application/json": { "schema": of(answer) } } },
            "default": refusal(),
        },
    } })
}

fn refusal() -> Value {
    let schema = json!({ "$ref": "#/components/schemas/Error" });
    json!({ "description": "Why not", "content": { "application/json": { "schema": schema } } })
}

fn schemas(about: &Described<'_>) -> Value {
    let schema = about.schema;
    let list = |of: Value| json!({ "type": "array", "items": of, "minItems": 1 });
    let object =
        |name: &str, of: Value| json!({ "type": "object", "properties": { name: of }, "required": [name] });
    let reference = |name: &str| json!({ "$ref": format!("#/components/schemas/{name}") });
    let text = json!({ "type": "string" });
    let mut schemas = Map::new();
    let mut add = |name: &str, schema: Value| schemas.insert(name.to_owned(), schema);
    if let Some(plan) = &about.plan {
        add("Row", row(schema, plan));
        add("Values", values(schema, plan));
        add("Rows", object("dataframe_records", list(reference("Row"))));
        let either = json!({ "oneOf": [reference("Values"), reference("Row")] });
        add("Instances", object("instances", list(either)));
        add("Predictions", object("predictions", json!({ "type": "array", "items": prediction(schema) })));
        add("Explanations", object("explanations", json!({ "type": "array", "items": {} })));
        add("Text", object("text_output", text.clone()));
    }
    add("Tensors", object("inputs", list(json!({ "oneOf": tensors(&schema.inputs) }))));
    add(
        "Outputs",
        object("outputs", json!({ "type": "array", "items": { "oneOf": tensors(&schema.outputs) } })),
    );
    let properties = json!({ "error": text, "code": text, "message": text, "hint": text });
    add("Error", json!({ "type": "object", "properties": properties, "required": ["error"] }));
    Value::Object(schemas)
}

/// A row as an object of values by name.
fn row(schema: &Schema, plan: &Row) -> Value {
    let columns = match plan {
        Row::Wide { n, .. } => {
            return json!({ "type": "object", "description": format!("{n} values by name") });
        }
        Row::Columns(columns) => columns,
    };
    let properties: Map<String, Value> =
        columns.iter().enumerate().map(|(place, c)| (c.name.clone(), column(schema, place, c))).collect();
    let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
    json!({ "type": "object", "properties": properties, "required": names, "additionalProperties": false })
}

/// A row as a list of values in the order of the columns.
fn values(schema: &Schema, plan: &Row) -> Value {
    let columns = match plan {
        Row::Wide { n, datatype } => {
            let of = value_type(*datatype);
            return json!({ "type": "array", "items": of, "minItems": n, "maxItems": n });
        }
        Row::Columns(columns) => columns,
    };
    let n = columns.len();
    let items: Vec<Value> = columns.iter().enumerate().map(|(place, c)| column(schema, place, c)).collect();
    json!({ "type": "array", "prefixItems": items, "minItems": n, "maxItems": n })
}

fn column(schema: &Schema, place: usize, column: &Column) -> Value {
    let mut described = match schema.input_part(&column.name) {
        Some(part) if part.kind.is_file() => file_type(&part.media_types),
        _ => value_type(column.datatype),
    };
    if !column.categories.is_empty() {
        described["enum"] = json!(column.categories);
    }
    let InputView::Table { features } = &schema.input else { return described };
    let Some(feature) = features.get(place) else { return described };
    described["title"] = json!(feature.name);
    described["examples"] = json!([sample::value(feature)]);
    if let Some(words) = words(feature) {
        described["description"] = json!(words);
    }
    described
}

/// A file: its bytes in base64, as they are or in an object that says so.
fn file_type(media_types: &[String]) -> Value {
    let mut text = json!({ "type": "string", "contentEncoding": "base64" });
    if let [only] = media_types {
        text["contentMediaType"] = json!(only);
    }
    let object = json!({ "type": "object", "properties": { "b64": text }, "required": ["b64"] });
    json!({ "oneOf": [text, object] })
}

fn words(feature: &Feature) -> Option<String> {
    let range = match (feature.minimum, feature.maximum) {
        (Some(low), Some(high)) => Some(format!("{low} to {high} in the example data")),
        _ => None,
    };
    let parts: Vec<String> = Some(feature.description.clone()).into_iter().chain(range).collect();
    let text = parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("; ");
    (!text.is_empty()).then_some(text)
}

/// What JSON has for a value of this type; of whole numbers the range that they must be in.
fn value_type(datatype: Datatype) -> Value {
    let whole = |low: i64, high: u64| json!({ "type": "integer", "minimum": low, "maximum": high });
    match datatype {
        Datatype::Bool => json!({ "type": "boolean" }),
        Datatype::Uint8 => whole(0, u8::MAX.into()),
        Datatype::Uint16 => whole(0, u16::MAX.into()),
        Datatype::Uint32 => whole(0, u32::MAX.into()),
        Datatype::Uint64 => whole(0, u64::MAX),
        Datatype::Int8 => whole(i8::MIN.into(), 127),
        Datatype::Int16 => whole(i16::MIN.into(), 32_767),
        Datatype::Int32 => whole(i32::MIN.into(), 2_147_483_647),
        Datatype::Int64 => whole(i64::MIN, 9_223_372_036_854_775_807),
        Datatype::Fp16 | Datatype::Fp32 | Datatype::Fp64 | Datatype::Bf16 => json!({ "type": "number" }),
        Datatype::Bytes => json!({ "type": "string" }),
    }
}

fn prediction(schema: &Schema) -> Value {
    match &schema.output {
        OutputView::Label { labels, .. } if !labels.is_empty() => json!({ "type": "string", "enum": labels }),
        OutputView::Label { label, classes, .. } => {
            match schema.output_named(label).map(|spec| spec.datatype) {
                Some(Datatype::Bytes) if !classes.is_empty() => json!({ "type": "string", "enum": classes }),
                Some(datatype) => value_type(datatype),
                None => json!({}),
            }
        }
        OutputView::Number { title, .. } => {
            json!({ "type": ["number", "null"], "description": if title.is_empty() { "The number" } else { title } })
        }
        OutputView::Parts { parts } if parts.iter().any(|part| part.kind != OutputKind::Text) => json!({}),
        OutputView::Parts { .. } | OutputView::Tensors => match schema.outputs.as_slice() {
            [only] if only.shape.len() == 1 => value_type(only.datatype),
            _ => json!({}),
        },
    }
}

/// Each tensor as the Open Inference Protocol writes it.
fn tensors(specs: &[TensorSpec]) -> Vec<Value> {
    let one = |spec: &TensorSpec| {
        let length = |n: &i64| if *n < 0 { json!({ "type": "integer" }) } else { json!({ "const": n }) };
        let n = spec.shape.len();
        let lengths: Vec<Value> = spec.shape.iter().map(length).collect();
        let shape = match n {
            0 => json!({ "type": "array", "items": { "type": "integer" } }),
            _ => json!({ "type": "array", "prefixItems": lengths, "minItems": n, "maxItems": n }),
        };
        json!({
            "type": "object",
            "title": spec.name,
            "properties": {
                "name": { "const": spec.name },
                "datatype": { "const": spec.datatype },
                "shape": shape,
                "data": { "type": "array" },
            },
            "required": ["name", "datatype", "shape"],
        })
    };
    specs.iter().map(one).collect()
}

/// A row by name.
fn named_row(row: Vec<Value>, described: &Row) -> Option<Value> {
    let Row::Columns(columns) = described else { return None };
    Some(Value::Object(columns.iter().map(|column| column.name.clone()).zip(row).collect()))
}
