//! An S3 store of our own: `s3s-fs` over a temporary folder, served on a free port.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{Body, HttpError};
use store::S3;
use tempfile::TempDir;
use tokio::net::TcpListener;

const BUCKET: &str = "models";

pub(crate) struct Server {
    pub(crate) settings: S3,
    /// The objects are files here.
    pub(crate) folder: TempDir,
}

/// What goes wrong with the answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Faults {
    None,
    /// Of each ten requests three fail: with 500, with 503, and by breaking off in the middle of the answer.
    Some,
    /// The same, and each answer begins late and comes in pieces with pauses between.
    Slow,
}

/// Serves until the test's runtime ends.
pub(crate) async fn serve() -> Server {
    serve_with(Faults::None).await
}

pub(crate) async fn serve_with(faults: Faults) -> Server {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join(BUCKET)).unwrap();
    let mut builder = S3ServiceBuilder::new(s3s_fs::FileSystem::new(folder.path()).unwrap());
    builder.set_auth(SimpleAuth::from_single("key", "secret"));
    let service = builder.build();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let n_requests = Arc::new(AtomicU64::new(1));
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let (service, n_requests) = (service.clone(), Arc::clone(&n_requests));
            let service = service_fn(move |request| {
                let n = match faults {
                    Faults::None => 0,
                    Faults::Some | Faults::Slow => n_requests.fetch_add(1, Ordering::Relaxed),
                };
                answer(service.clone(), request, (n, faults))
            });
            tokio::spawn(async move {
                let http = Builder::new(TokioExecutor::new());
                let _ = http.serve_connection(TokioIo::new(socket), service).await;
            });
        }
    });
    let settings = S3 {
        bucket: BUCKET.to_owned(),
        prefix: "deep/prefix".to_owned(),
        endpoint: Some(endpoint),
        region: Some("us-east-1".to_owned()),
        access_key_id: Some("key".to_owned()),
        secret_access_key: Some("secret".to_owned()),
        direct: None,
    };
    Server { settings, folder }
}

/// The answer of the store, or what becomes of the `n`th of them where some fail.
async fn answer(
    service: S3Service,
    request: http::Request<Incoming>,
    (n, faults): (u64, Faults),
) -> Result<http::Response<Body>, HttpError> {
    if faults == Faults::Slow {
        tokio::time::sleep(Duration::from_millis(40 * (n % 4))).await;
    }
    let refuse = |status| Ok(http::Response::builder().status(status).body(Body::empty()).unwrap());
    match n % 10 {
        3 => return refuse(500),
        6 => return refuse(503),
        _ => {}
    }
    let is_read = request.method() == http::Method::GET;
    let response = Service::call(&service, request).await?;
    if n % 10 != 9 || !is_read {
        return Ok(if faults == Faults::Slow { slowed(response) } else { response });
    }
    let (head, body) = response.into_parts();
    let bytes = BodyExt::collect(body).await.unwrap().to_bytes();
    let half = bytes.slice(..bytes.len() / 2);
    let broken = [Ok(Frame::data(half)), Err(std::io::Error::other("broken off"))];
    let body = StreamBody::new(stream::iter::<[Result<Frame<Bytes>, std::io::Error>; 2]>(broken));
    Ok(http::Response::from_parts(head, Body::http_body(body)))
}

/// The same answer, a little at a time.
fn slowed(response: http::Response<Body>) -> http::Response<Body> {
    let (head, body) = response.into_parts();
    let slow = body.into_data_stream().then(|block| async {
        tokio::time::sleep(Duration::from_millis(2)).await;
        block.map(Frame::data).map_err(std::io::Error::other)
    });
    http::Response::from_parts(head, Body::http_body_unsync(StreamBody::new(slow)))
}

/// What a client that knows no key gets at an address, asking for a range.
pub(crate) async fn get(address: &str, range: &str) -> (u16, Vec<u8>) {
    let url = url::Url::parse(address).unwrap();
    let socket =
        tokio::net::TcpStream::connect((url.host_str().unwrap(), url.port().unwrap())).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake::<_, http_body_util::Empty<Bytes>>(TokioIo::new(socket))
            .await
            .unwrap();
    tokio::spawn(connection);
    let host = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap());
    let path = format!("{}?{}", url.path(), url.query().unwrap());
    let mut request = http::Request::get(path).header("host", host);
    if !range.is_empty() {
        request = request.header("range", range);
    }
    let answer = sender.send_request(request.body(http_body_util::Empty::new()).unwrap()).await.unwrap();
    let status = answer.status().as_u16();
    (status, BodyExt::collect(answer.into_body()).await.unwrap().to_bytes().to_vec())
}
