//! A session with the store of one repository's chunks: passes, and the requests that show one.
//!
//! Knows addresses of the protocol, not what chunks are for. Invariant: a pass is renewed long before it ends, and once
//! more where the store knows it no longer.

use std::time::Duration;

use bytes::Bytes;
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde::Deserialize;
use serde_json::json;
use spec::name::{RepositoryKind, RepositoryName};
use spec::xet::XetHash;
use spec::xet::shard::Shard;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::error::Error;
use crate::http::{self, Client};
use crate::hub::api_path;

/// Passes are good for a quarter of an hour and more.
const PASS_AGE: Duration = Duration::from_secs(5 * 60);
/// The name of the only space of hashes.
const PREFIX: &str = "default";

/// What a session may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Right {
    Read,
    /// And read.
    Write,
}

/// A session with the store of one repository's chunks.
#[derive(Debug)]
pub(crate) struct Session {
    client: Client,
    /// Where passes are asked for.
    route: String,
    pass: Mutex<Option<(Pass, Instant)>>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Pass {
    cas_url: String,
    access_token: String,
}

impl Session {
    /// Prepares a session; nothing is sent yet.
    pub(crate) fn new(
        client: &Client,
        (kind, repository): (RepositoryKind, &RepositoryName),
        revision: &str,
        right: Right,
    ) -> Self {
        let word = if right == Right::Write { "write" } else { "read" };
        let base = api_path(kind, repository);
        let route = format!("{base}/xet-{word}-token/{}", http::segment(revision));
        Self { client: client.clone(), route, pass: Mutex::new(None) }
    }

    /// Whether the store has this xorb of ours, so that it need not be sent.
    pub(crate) async fn has(&self, xorb: XetHash, n_bytes: u64) -> Result<bool, Error> {
        let path = format!("/v1/xorb-grants/{PREFIX}/{xorb}");
        let body = json!({ "length": n_bytes });
        let asked = self.send("ask for chunks", (Method::POST, &path), |request| request.json(&body)).await;
        unless_missing(asked).map(|found| found.is_some())
    }

    /// Sends a xorb.
    pub(crate) async fn put(&self, xorb: XetHash, bytes: &Bytes) -> Result<(), Error> {
        let path = format!("/v1/xorbs/{PREFIX}/{xorb}");
        let add = |request: RequestBuilder| request.body(bytes.clone());
        self.send("send chunks", (Method::POST, &path), add).await.map(drop)
    }

    /// What the store tells of a chunk: its xorb and those beside it.
    pub(crate) async fn with_chunk(&self, chunk: XetHash) -> Result<Option<Shard>, Error> {
        let path = format!("/v1/chunks/{PREFIX}/{chunk}");
        self.shard((Method::GET, &path)).await
    }

    /// What a file of the repository is made of, from a byte on; perhaps not up to its end.
    pub(crate) async fn file(&self, hash: XetHash, from: u64) -> Result<Option<Shard>, Error> {
        let path = format!("/v1/files/{hash}?from={from}");
        self.shard((Method::GET, &path)).await
    }

    /// Tells of files and xorbs that were sent.
    pub(crate) async fn tell(&self, shard: &Shard) -> Result<(), Error> {
        let operation = "tell of the files that were sent";
        let bytes = Bytes::from(shard.write());
        let add = |request: RequestBuilder| request.body(bytes.clone());
        let response = self.send(operation, (Method::POST, "/v2/shards"), add).await?;
        let told = response.bytes().await.map_err(|source| http::connection(operation, source))?;
        let last = told.split(|byte| *byte == b'\n').rfind(|line| !line.is_empty()).unwrap_or_default();
        read_frame(operation, last)
    }

    async fn shard(&self, what: (Method, &str)) -> Result<Option<Shard>, Error> {
        let operation = "ask of which chunks a file is made";
        let Some(response) = unless_missing(self.send(operation, what, |request| request).await)? else {
            return Ok(None);
        };
        let bytes = response.bytes().await.map_err(|source| http::connection(operation, source))?;
        let shard = Shard::read(&bytes);
        shard.map(Some).map_err(|source| Error::Chunks { operation, source: source.into() })
    }

    /// Sends a request with a pass, and repeats it while the store fails for the moment.
    pub(crate) async fn send(
        &self,
        operation: &str,
        (method, path): (Method, &str),
        add: impl Fn(RequestBuilder) -> RequestBuilder,
    ) -> Result<Response, Error> {
        let mut is_second = false;
        loop {
            let pass = self.pass().await?;
            let url = format!("{}{path}", pass.cas_url);
            let request = self.client.request_elsewhere(method.clone(), &url).bearer_auth(&pass.access_token);
            match http::send_safe(operation, add(request)).await {
                Err(error) if error.status() == Some(401) && !is_second => {
                    *self.pass.lock().await = None;
                    is_second = true;
                }
                outcome => return outcome,
            }
        }
    }

    /// Fetches bytes from an address that carries its own right.
    pub(crate) fn fetch(&self, url: &str) -> RequestBuilder {
        self.client.request_elsewhere(Method::GET, url)
    }

    async fn pass(&self) -> Result<Pass, Error> {
        let mut kept = self.pass.lock().await;
        if let Some((pass, begun)) = &*kept
            && begun.elapsed() < PASS_AGE
        {
            return Ok(pass.clone());
        }
        let operation = "open the store of chunks";
        let response = http::send_safe(operation, self.client.request(Method::GET, &self.route)).await?;
        let pass: Pass = http::read_json(operation, response).await?;
        *kept = Some((pass.clone(), Instant::now()));
        Ok(pass)
    }
}

/// `None` where the answer was that there is none.
fn unless_missing(asked: Result<Response, Error>) -> Result<Option<Response>, Error> {
    match asked {
        Err(error) if error.status() == Some(StatusCode::NOT_FOUND.as_u16()) => Ok(None),
        asked => asked.map(Some),
    }
}

/// The last line that the store says of a shard: how it ended.
fn read_frame(operation: &str, line: &[u8]) -> Result<(), Error> {
    #[derive(Deserialize)]
    struct Frame {
        #[serde(rename = "type")]
        kind: String,
        #[serde(default)]
        message: String,
        #[serde(default)]
        retryable: bool,
    }
    let operation = operation.to_owned();
    let frame: Frame = match serde_json::from_slice(line) {
        Ok(frame) => frame,
        Err(source) => return Err(Error::Answer { operation, source }),
    };
    match frame.kind.as_str() {
        "result" => Ok(()),
        // It broke off, or failed for the moment: another push finds out how far it was.
        "error" => Err(Error::refused(operation, if frame.retryable { 503 } else { 400 }, frame.message)),
        _ => Err(Error::Incomplete { operation, missing: "result" }),
    }
}
