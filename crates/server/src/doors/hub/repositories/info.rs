//! A repository as clients see it, with what its revision holds.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde_json::{Map, Value, json};
use spec::digest::Sha256;
use spec::facts::{Facts, FileFacts, Format};
use spec::xet::XetHash;
use store::db::entries::Entry;
use store::db::repositories::{Gate, Repository};

use crate::app::App;
use crate::doors::hub::entries::large;
use crate::doors::hub::{Answer, Asker, Hub, Params, Place};
use crate::ops::access::Action;
use crate::ops::repositories::{self, MAIN};
use crate::ops::{cards, entries, facts, revisions};
use crate::text;

/// `GET /api/{kind}s/{owner}/{name}`
pub async fn info(
    app: State<Arc<App>>,
    asker: Asker<Hub>,
    mut place: Place,
    params: Params,
) -> Answer<Json<Value>, Hub> {
    MAIN.clone_into(&mut place.revision);
    info_at(app, asker, place, params).await
}

/// `GET /api/{kind}s/{owner}/{name}/revision/{revision}`
pub async fn info_at(
    State(app): State<Arc<App>>,
    asker: Asker<Hub>,
    place: Place,
    params: Params,
) -> Answer<Json<Value>, Hub> {
    let (repository, revision) = revisions::resolve(&app, &asker.actor, &place.at(), Action::Read).await?;
    let all = entries::all(&app, revision.tree_id).await?;
    let totals = entries::totals(&app, revision.tree_id).await?;
    let mut info = summary(&repository);
    let with_sizes = params.is_set("blobs");
    let files: Vec<Entry> = all.into_iter().filter(|entry| !entry.is_folder()).collect();
    info["sha"] = json!(revision.oid);
    info["siblings"] = match with_sizes {
        true => {
            let hashes = entries::chunk_hashes(&app, &asker.actor, &place.at(), &files).await?;
            files.iter().map(|entry| with_size(entry, &hashes)).collect()
        }
        false => files.iter().map(|entry| json!({ "rfilename": entry.path })).collect(),
    };
    info["usedStorage"] = json!(totals.n_bytes);
    if place.revision != MAIN {
        info["cardData"] = Value::from(cards::at(&app, &revision).await?);
    }
    if let Some(safetensors) = facts::get(&app, revision.id).await?.as_ref().and_then(safetensors) {
        info["safetensors"] = safetensors;
    }
    Ok(Json(info))
}

/// What lists show.
pub(super) fn summary(repository: &Repository) -> Value {
    let name = repositories::full_name(repository);
    let license = repository.license.as_ref().map(|license| format!("license:{license}"));
    let mut tags: Vec<String> =
        [&repository.library, &repository.task].into_iter().flatten().cloned().collect();
    tags.extend(repositories::tags(repository));
    tags.extend(license);
    let mut seen = std::collections::BTreeSet::new();
    tags.retain(|tag| seen.insert(tag.clone()));
    let card: Map<String, Value> = serde_json::from_str(&repository.card).unwrap_or_default();
    let mut info = json!({
        "_id": repository.id.to_string(),
        "id": name,
        "modelId": name,
        "author": repository.owner_name,
        "private": repository.is_private,
        "gated": gated(repository.gate),
        "disabled": false,
        "createdAt": text::rfc3339(repository.created_ms),
        "lastModified": text::rfc3339(repository.updated_ms),
        "downloads": repository.n_downloads,
        "likes": repository.n_likes,
        "tags": tags,
        "cardData": card,
    });
    if let Some(task) = &repository.task {
        info["pipeline_tag"] = json!(task);
    }
    if let Some(library) = &repository.library {
        info["library_name"] = json!(library);
    }
    info
}

/// How these clients say it.
fn gated(gate: Gate) -> Value {
    match gate {
        Gate::Open => json!(false),
        Gate::Auto | Gate::Manual => json!(gate),
    }
}

fn with_size(entry: &Entry, hashes: &BTreeMap<Sha256, XetHash>) -> Value {
    let mut told = json!({ "rfilename": entry.path, "size": entry.n_bytes, "blobId": entry.git_oid });
    if let Some((lfs, _)) = large(entry, hashes) {
        told["lfs"] =
            json!({ "sha256": lfs.sha256, "size": entry.n_bytes, "pointerSize": lfs.pointer_bytes });
    }
    told
}

/// How many numbers the safetensors files hold, by their type as that format names it.
fn safetensors(facts: &Facts) -> Option<Value> {
    let files: Vec<&FileFacts> =
        facts.files.iter().filter(|file| file.format == Format::Safetensors).collect();
    if files.is_empty() {
        return None;
    }
    let total: u64 = files.iter().filter_map(|file| file.n_parameters).sum();
    let mut parameters: BTreeMap<String, u64> = BTreeMap::new();
    for tensor in files.iter().flat_map(|file| &file.tensors) {
        let Some(datatype) = tensor.datatype else { continue };
        let name = datatype.as_str().replace("FP", "F").replace("INT", "I").replace("UI", "U");
        *parameters.entry(name).or_default() += tensor.shape.iter().product::<u64>();
    }
    // Where the list of tensors was cut, a sum over it would be wrong.
    if files.iter().any(|file| file.tensors.len() >= FileFacts::TENSORS) {
        parameters.clear();
    }
    Some(json!({ "parameters": parameters, "total": total }))
}
