//! Pages that explain: how to share a model, and our API as its OpenAPI document has it. And the assets.
//!
//! Invariant: nothing of the API is written here by hand; what a handler takes and gives stands in the document.

use axum::extract::Path;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use utoipa::OpenApi;

use super::views::message::{ApiError, ApiGroup, ApiOperation, ApiPage, ApiType, NewPage};
use super::visitor::Visitor;
use super::{Answer, Html, Shown, assets, go_to, show};
use crate::doors::address::Base;
use crate::doors::api::openapi::Document;
use crate::error::{CODES, Error};

/// `/new`
pub async fn new(base: Base, visitor: Visitor) -> Shown {
    let mut frame = visitor.frame("Share a model");
    frame.section = "new";
    let owner = visitor.name().unwrap_or("your-name").to_owned();
    show(&NewPage { frame, base: base.as_str().to_owned(), owner })
}

/// `/assets/{digest}/{name}`
pub async fn asset(Path((digest, name)): Path<(String, String)>, visitor: Visitor) -> Answer<Response, Html> {
    let asset = assets::find(&name).ok_or(Error::PageNotFound(visitor.here))?;
    // A page of another version may ask for its own digest; it gets what there is, and does not keep it.
    let is_current = digest == assets::digest();
    let cache = if is_current { "public, max-age=31536000, immutable" } else { "no-cache" };
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static(asset.media_type)),
        (CACHE_CONTROL, HeaderValue::from_static(cache)),
    ];
    Ok((headers, asset.content).into_response())
}

/// `/favicon.ico`, which browsers ask for whatever pages say.
pub async fn favicon() -> Response {
    go_to(&assets::address("mark.svg"))
}

/// `/robots.txt`
pub async fn robots() -> Response {
    let text = "User-agent: *\nDisallow: /endpoints/\nDisallow: /settings/\nDisallow: /api/\n";
    (StatusCode::OK, [(CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response()
}

/// `/api/v1/`
pub async fn api(base: Base, visitor: Visitor) -> Shown {
    let document =
        serde_json::to_value(Document::openapi()).map_err(|_| Error::Internal("describe the API"))?;
    let text =
        |pointer: &str| document.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    let page = ApiPage {
        frame: visitor.frame("API"),
        title: text("/info/title"),
        description: text("/info/description"),
        base: base.as_str().to_owned(),
        groups: groups(&document),
        types: types(&document),
        errors: (CODES.iter())
            .map(|entry| ApiError {
                name: entry.name,
                status: entry.status,
                title: entry.title,
                hint: entry.hint,
            })
            .collect(),
    };
    show(&page)
}

fn groups(document: &Value) -> Vec<ApiGroup> {
    let mut groups: Vec<ApiGroup> = (list(document, "tags").iter())
        .map(|tag| ApiGroup {
            name: string(tag, "name"),
            description: string(tag, "description"),
            operations: Vec::new(),
        })
        .collect();
    for (path, methods) in object(document, "paths") {
        for (method, operation) in
            methods.as_object().into_iter().flatten().filter(|(_, value)| value.is_object())
        {
            let tag = list(operation, "tags").first().and_then(Value::as_str).unwrap_or_default();
            if let Some(group) = groups.iter_mut().find(|group| group.name == tag) {
                group.operations.push(describe(path, method, operation));
            }
        }
    }
    groups
}

fn describe(path: &str, method: &str, operation: &Value) -> ApiOperation {
    let parameters = list(operation, "parameters").iter();
    let answers = object(operation, "responses").map(|(status, answer)| (status.clone(), type_of(answer)));
    ApiOperation {
        method: method.to_uppercase(),
        path: path.to_owned(),
        says: string(operation, "summary"),
        parameters: parameters
            .map(|p| (string(p, "name"), string(p, "in"), string(p, "description")))
            .collect(),
        body: operation.get("requestBody").and_then(type_of),
        answers: answers.collect(),
    }
}

/// The named type of a body, if it has one; of a page, that of its items.
fn type_of(body: &Value) -> Option<String> {
    let schema = body.pointer("/content")?.as_object()?.values().next()?.get("schema")?;
    let reference = schema.get("$ref").or_else(|| schema.pointer("/properties/items/items/$ref"))?;
    reference.as_str()?.rsplit('/').next().map(str::to_owned)
}

fn types(document: &Value) -> Vec<ApiType> {
    let schemas = document.pointer("/components/schemas").and_then(Value::as_object);
    let describe = |(name, schema): (&String, &Value)| ApiType {
        name: name.clone(),
        says: string(schema, "description"),
        values: list(schema, "enum").iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        fields: (object(schema, "properties"))
            .map(|(name, field)| (name.clone(), kind(field), string(field, "description")))
            .collect(),
    };
    schemas.into_iter().flatten().map(describe).collect()
}

/// The type of a field in a word or two.
fn kind(field: &Value) -> String {
    if let Some(reference) = field.get("$ref").and_then(Value::as_str) {
        return reference.rsplit('/').next().unwrap_or_default().to_owned();
    }
    for choice in ["oneOf", "anyOf", "allOf"] {
        let kinds: Vec<String> = list(field, choice).iter().map(kind).filter(|kind| kind != "null").collect();
        if !kinds.is_empty() {
            return kinds.join(" or ");
        }
    }
    let word = match field.get("type") {
        Some(Value::Array(words)) => words
            .iter()
            .filter_map(Value::as_str)
            .filter(|word| *word != "null")
            .collect::<Vec<_>>()
            .join(" or "),
        Some(Value::String(word)) => word.clone(),
        _ => String::new(),
    };
    match field.get("items") {
        Some(items) if word == "array" => format!("list of {}", kind(items)),
        _ => word,
    }
}

fn string(value: &Value, key: &str) -> String {
    value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn list<'v>(value: &'v Value, key: &str) -> &'v [Value] {
    value.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn object<'v>(value: &'v Value, key: &str) -> impl Iterator<Item = (&'v String, &'v Value)> {
    value.get(key).and_then(Value::as_object).into_iter().flatten()
}
