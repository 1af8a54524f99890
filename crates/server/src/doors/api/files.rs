//! Several small files in one answer, as a tar stream: an answer each would cost more than the bytes.
//!
//! Knows tar and nothing of where bytes are kept. Invariant: what is asked for and is not there is refused before the first
//! byte, so that an answer that began well is either whole or visibly broken off.

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use bytes::Bytes;
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt, TryStreamExt};
use spec::api::{Problem, WantedFiles};
use spec::name::{FilePath, RepositoryKind, RepositoryName};

use super::{Api, read};
use crate::app::App;
use crate::doors::Answer;
use crate::doors::identity::Asker;
use crate::ops::entries::{self, File};
use crate::ops::repositories;
use crate::ops::revisions::At;

/// Files that are opened ahead of those that are sent.
const AHEAD: usize = 8;
/// Tar is made of blocks, and ends with two empty ones.
const BLOCK: u64 = 512;

type Blocks = BoxStream<'static, Result<Bytes, store::Error>>;

/// Some files of a revision as one tar stream, in the order in which they are named. Data sets have the same address.
#[utoipa::path(post, path = "/api/v1/models/{owner}/{name}/files", tag = "repositories", request_body = WantedFiles,
    params(("owner" = String, Path), ("name" = String, Path)),
    responses((status = 200, content_type = "application/x-tar", body = Vec<u8>), (status = 400, body = Problem),
        (status = 404, body = Problem)))]
pub async fn fetch(
    State(app): State<Arc<App>>,
    Extension(kind): Extension<RepositoryKind>,
    Path((owner, name)): Path<(String, String)>,
    asker: Asker<Api>,
    body: Bytes,
) -> Answer<impl IntoResponse, Api> {
    let (name, wanted): (_, WantedFiles) = (RepositoryName::new(&owner, &name)?, read(&body)?);
    let at = At { kind, name: &name, revision: &wanted.revision };
    let paths: Vec<&str> = wanted.paths.iter().map(FilePath::as_str).collect();
    let found = entries::several(&app, &asker.actor, &at, &paths).await?;
    for path in &paths {
        repositories::count_download(&app, &found.repository, found.revision.tree_id, path).await;
    }
    let opening = stream::iter(wanted.paths.into_iter().zip(found.files)).map(move |(path, file)| {
        let app = Arc::clone(&app);
        async move { open(&app, path.as_str(), &file).await }
    });
    let end = stream::once(async { Ok(Bytes::from_static(&[0; 2 * BLOCK as usize])) });
    let files = opening.buffered(AHEAD).try_flatten().chain(end);
    // The head is sent already: all that is left is to break off, which the client notices.
    let files = files.inspect_err(|error| tracing::error!("a stream of files broke off: {error}"));
    Ok(([(CONTENT_TYPE, "application/x-tar")], Body::from_stream(files)))
}

/// A file's header, its bytes, and what fills the last block.
async fn open(app: &App, path: &str, file: &File) -> Result<Blocks, store::Error> {
    let reading = app.store.contents.read(&file.sha256, None).await?;
    let padding = (BLOCK - file.n_bytes % BLOCK) % BLOCK;
    let header = stream::once(std::future::ready(Ok(Bytes::from(header(path, file.n_bytes)?))));
    let padding = stream::once(std::future::ready(Ok(Bytes::from(vec![0; padding as usize]))));
    Ok(header.chain(reading.stream).chain(padding).boxed())
}

/// What stands before a file. A long path takes an entry of its own.
fn header(path: &str, n_bytes: u64) -> Result<Vec<u8>, store::Error> {
    let mut header = tar::Header::new_gnu();
    header.set_size(n_bytes);
    header.set_mode(0o644);
    let mut archive = tar::Builder::new(Vec::new());
    let written = archive.append_data(&mut header, path, std::io::empty());
    let bytes = written.map(|()| std::mem::take(archive.get_mut()));
    bytes.map_err(|source| store::Error::Io { operation: "write a header for", path: path.into(), source })
}
