//! An S3 store of our own: `s3s-fs` over a temporary folder, served on a free port.

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use store::S3;
use tempfile::TempDir;
use tokio::net::TcpListener;

const BUCKET: &str = "models";

pub(crate) struct Server {
    pub(crate) settings: S3,
    /// The objects are files here.
    pub(crate) folder: TempDir,
}

/// Serves until the test's runtime ends.
pub(crate) async fn serve() -> Server {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join(BUCKET)).unwrap();
    let mut builder = S3ServiceBuilder::new(s3s_fs::FileSystem::new(folder.path()).unwrap());
    builder.set_auth(SimpleAuth::from_single("key", "secret"));
    let service = builder.build();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let service = service.clone();
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
    };
    Server { settings, folder }
}
