//! Large files by the batch protocol of Git LFS, whole or in parts.
//!
//! Translates only. Invariant: what is sent goes to an address that carries its own right, because these clients send
//! no token with the bytes.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header::{CONTENT_TYPE, ETAG};
use axum::response::IntoResponse;
use serde::Deserialize;
use serde_json::{Value, json};
use spec::digest::Sha256;
use store::db::ids::RepositoryId;

use super::{Answer, Asker, Base, Hub, Params, Place, Sent};
use crate::app::App;
use crate::doors::header_value;
use crate::error::Error;
use crate::ops::uploads::{self, Announced, Plan, Sending, Ticket};

/// What these answers are called.
const MEDIA_TYPE: &str = "application/vnd.git-lfs+json";
/// Most files of one request.
const FILES: usize = 1000;

#[derive(Deserialize)]
pub struct Batch {
    operation: String,
    #[serde(default)]
    transfers: Vec<String>,
    objects: Vec<Object>,
    hash_algo: Option<String>,
}

#[derive(Deserialize)]
pub struct Object {
    oid: Sha256,
    size: u64,
}

/// `POST /[datasets/]{owner}/{name}.git/info/lfs/objects/batch`
pub async fn batch(
    State(app): State<Arc<App>>,
    asker: Asker<Hub>,
    place: Place,
    base: Base,
    Sent(batch): Sent<Batch>,
) -> Answer<impl IntoResponse, Hub> {
    if batch.operation != "upload" {
        return Err(
            Error::BadRequest("files are downloaded from `resolve`, not by this way".to_owned()).into()
        );
    }
    if batch.hash_algo.is_some_and(|name| name != "sha256") || batch.objects.len() > FILES {
        let rule = format!("at most {FILES} files, named by their `sha256`, are announced at once");
        return Err(Error::BadRequest(rule).into());
    }
    let takes = |way: &str| batch.transfers.iter().any(|transfer| transfer == way);
    let sending = match takes("xet") {
        true => Sending::Chunks,
        false if takes("multipart") => Sending::WholeOrParts,
        false => Sending::Whole,
    };
    let files: Vec<Announced> = batch.objects.iter().map(Announced::from).collect();
    let plans = uploads::plan(&app, &asker.actor, (place.kind, &place.name), &files, sending).await?;
    let has = |is: fn(&Plan) -> bool| plans.iter().any(is);
    let transfer = match has(|plan| matches!(plan, Plan::Chunks)) {
        true => "xet",
        false if has(|plan| matches!(plan, Plan::Parts { .. })) => "multipart",
        false => "basic",
    };
    let addresses = Addresses { base: &base, place: &place };
    let objects: Vec<Value> =
        files.iter().zip(&plans).map(|(file, plan)| addresses.describe(&app, file, plan)).collect();
    let body = json!({ "transfer": transfer, "objects": objects, "hash_algo": "sha256" });
    Ok(([(CONTENT_TYPE, MEDIA_TYPE)], Json(body)))
}

/// `POST /[datasets/]{owner}/{name}.git/info/lfs/objects/verify`
pub async fn verify(
    State(app): State<Arc<App>>,
    asker: Asker<Hub>,
    place: Place,
    Sent(object): Sent<Object>,
) -> Answer<Json<Value>, Hub> {
    let file = Announced::from(&object);
    uploads::verify(&app, &asker.actor, (place.kind, &place.name), &file).await?;
    Ok(Json(json!({})))
}

/// `PUT /api/uploads/{oid}` with bytes
pub async fn receive(
    State(app): State<Arc<App>>,
    Path(oid): Path<String>,
    params: Params,
    body: Body,
) -> Answer<impl IntoResponse, Hub> {
    let ticket = read(&oid, &params)?;
    let mut stream = body.into_data_stream();
    if let Err(error) = uploads::receive(&app, &ticket, &mut stream).await {
        super::drain(&mut stream).await;
        return Err(error.into());
    }
    // Clients send back what names a part; ours are named by their numbers already.
    Ok([(ETAG, header_value(&format!("\"{}\"", ticket.deed)))])
}

/// `POST /api/uploads/{oid}`, when all parts were sent
pub async fn join(
    State(app): State<Arc<App>>,
    Path(oid): Path<String>,
    params: Params,
) -> Answer<Json<Value>, Hub> {
    uploads::join(&app, &read(&oid, &params)?).await?;
    Ok(Json(json!({})))
}

impl From<&Object> for Announced {
    fn from(object: &Object) -> Self {
        Self { sha256: object.oid, n_bytes: object.size }
    }
}

/// What the addresses of one answer have in common.
struct Addresses<'a> {
    base: &'a Base,
    place: &'a Place,
}

impl Addresses<'_> {
    fn describe(&self, app: &App, file: &Announced, plan: &Plan) -> Value {
        let mut object = json!({ "oid": file.sha256, "size": file.n_bytes });
        let upload = match plan {
            Plan::Stored | Plan::Chunks => return object,
            Plan::TooLarge => {
                let message = format!("a file may have at most {}", app.settings.commit_limit);
                object["error"] = json!({ "code": 413, "message": message });
                return object;
            }
            Plan::Whole(ticket) => json!({ "href": self.of(ticket) }),
            Plan::Parts { part_bytes, parts, join } => {
                let mut header: BTreeMap<String, String> =
                    (1..).zip(parts).map(|(number, part)| (format!("{number:05}"), self.of(part))).collect();
                header.insert("chunk_size".to_owned(), part_bytes.to_string());
                json!({ "href": self.of(join), "header": header })
            }
        };
        let page = self.base.page(self.place.kind, &self.place.name.to_string());
        let verify = format!("{page}.git/info/lfs/objects/verify");
        object["authenticated"] = json!(true);
        object["actions"] = json!({ "upload": upload, "verify": { "href": verify } });
        object
    }

    fn of(&self, ticket: &Ticket) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("repository", &ticket.repository.to_string());
        query.append_pair("size", &ticket.n_bytes.to_string());
        query.append_pair("upload", &ticket.upload);
        query.append_pair("deed", &ticket.deed.to_string());
        query.append_pair("expires", &ticket.expires_ms.to_string());
        query.append_pair("signature", &ticket.signature);
        format!("{}/api/uploads/{}?{}", self.base.as_str(), ticket.sha256, query.finish())
    }
}

/// The ticket that an address carries. Whatever is wrong with it, it is not one of ours.
fn read(oid: &str, params: &Params) -> Result<Ticket, Error> {
    let text = |name| params.get(name).ok_or(Error::BadUploadAddress);
    Ok(Ticket {
        repository: number(text("repository")?).map(RepositoryId)?,
        sha256: oid.parse().map_err(|_| Error::BadUploadAddress)?,
        n_bytes: number(text("size")?)?,
        upload: text("upload")?.to_owned(),
        deed: text("deed")?.parse()?,
        expires_ms: number(text("expires")?)?,
        signature: text("signature")?.to_owned(),
    })
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, Error> {
    text.parse().map_err(|_| Error::BadUploadAddress)
}
