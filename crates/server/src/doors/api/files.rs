//! Several small files in one answer, as a tar stream: an answer each would cost more than the bytes.
//!
//! Knows tar and nothing of where bytes are kept. Invariant: what is asked for and is not there is refused before the first
//! byte, so that an answer that began well is either whole or visibly broken off.

use std::sync::Arc;
use std::vec;

use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use bytes::{BufMut, Bytes, BytesMut};
use futures_util::stream::{self, BoxStream};
use futures_util::{Stream, StreamExt, TryStreamExt};
use spec::api::{Problem, WantedFiles};
use spec::name::{FilePath, RepositoryKind, RepositoryName};

use super::{Api, read};
use crate::app::App;
use crate::doors::Answer;
use crate::doors::identity::Asker;
use crate::ops::entries;
use crate::ops::repositories;
use crate::ops::revisions::At;

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
    let bytes = entries::open_several(&app, &found.files).await?;
    let files = wanted.paths.into_iter().zip(found.files.iter().map(|file| file.n_bytes));
    let archive = Archive::new(files.collect());
    // The head is sent already: all that is left is to break off, which the client notices.
    let blocks =
        archive.of(bytes).inspect_err(|error| tracing::error!("a stream of files broke off: {error}"));
    Ok(([(CONTENT_TYPE, "application/x-tar")], Body::from_stream(blocks)))
}

/// An archive on its way out, made of the bytes of its files, which follow each other.
struct Archive {
    /// Those that are still to begin.
    files: vec::IntoIter<(FilePath, u64)>,
    /// Bytes of the file that has begun which are still to come, and what fills its last block.
    left: u64,
    padding: u64,
}

impl Archive {
    fn new(files: Vec<(FilePath, u64)>) -> Self {
        Self { files: files.into_iter(), left: 0, padding: 0 }
    }

    fn of(mut self, bytes: Blocks) -> impl Stream<Item = Result<Bytes, store::Error>> {
        // What ends the archive stands behind the last bytes.
        let marked = bytes.map_ok(Some).chain(stream::once(std::future::ready(Ok(None))));
        marked.map(move |part| match part? {
            Some(bytes) => self.take(bytes),
            None => self.end(),
        })
    }

    fn take(&mut self, mut bytes: Bytes) -> Result<Bytes, store::Error> {
        let mut to = BytesMut::with_capacity(bytes.len());
        loop {
            self.begin(&mut to)?;
            let n = bytes.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
            if n == 0 {
                return Ok(to.freeze());
            }
            to.extend_from_slice(&bytes.split_to(n));
            self.left -= n as u64;
        }
    }

    fn end(&mut self) -> Result<Bytes, store::Error> {
        let mut to = BytesMut::new();
        self.begin(&mut to)?;
        if self.left > 0 {
            return Err(store::Error::WrongLength { expected_bytes: self.left, found_bytes: 0 });
        }
        to.put_bytes(0, 2 * BLOCK as usize);
        Ok(to.freeze())
    }

    /// Goes on to the next file that has bytes, where the one before has had all of its own.
    fn begin(&mut self, to: &mut BytesMut) -> Result<(), store::Error> {
        while self.left == 0 {
            to.put_bytes(0, std::mem::take(&mut self.padding) as usize);
            let Some((path, n_bytes)) = self.files.next() else { return Ok(()) };
            to.extend_from_slice(&header(path.as_str(), n_bytes)?);
            (self.left, self.padding) = (n_bytes, (BLOCK - n_bytes % BLOCK) % BLOCK);
        }
        Ok(())
    }
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

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[tokio::test]
    async fn an_archive_has_its_files_however_their_bytes_are_cut() {
        let long = format!("{}end.txt", "deep/".repeat(60));
        let files = [("empty", 0), ("one", 1), ("block", 512), (long.as_str(), 513), ("last", 0)];
        let content: Vec<u8> = (0..1026_u32).map(|n| n.to_le_bytes()[0]).collect();
        for length in [1, 2, 511, 512, 513, 4096] {
            let named = files.map(|(path, n_bytes)| (path.parse().unwrap(), n_bytes));
            let parts: Vec<_> = content.chunks(length).map(|part| Ok(Bytes::copy_from_slice(part))).collect();
            let blocks = Archive::new(named.to_vec()).of(stream::iter(parts).boxed());
            let archive = blocks.try_collect::<Vec<_>>().await.unwrap().concat();
            assert_eq!(archive.len() % 512, 0);
            let mut archive = tar::Archive::new(archive.as_slice());
            let mut back = Vec::new();
            for (entry, (path, n_bytes)) in archive.entries().unwrap().zip(files) {
                let mut entry = entry.unwrap();
                assert_eq!((entry.path().unwrap().to_str(), entry.size()), (Some(path), n_bytes));
                entry.read_to_end(&mut back).unwrap();
            }
            assert_eq!(back, content);
        }
    }

    #[tokio::test]
    async fn an_archive_whose_bytes_end_early_breaks_off() {
        let parts = stream::iter([Ok(Bytes::from_static(b"few"))]).boxed();
        let blocks = Archive::new(vec![("file".parse().unwrap(), 10)]).of(parts);
        assert!(blocks.try_collect::<Vec<_>>().await.is_err());
    }
}
