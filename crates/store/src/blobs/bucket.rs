//! Bytes in an S3 store: one object for each digest.
//!
//! Refuses to rely on what only good servers do: conditional writes and the server's own checksums. Invariant:
//! an object counts as stored once its size was asked for and is right; its content is checked when fetched.

use std::io::Read;
use std::ops::Range;
use std::path::Path as OnDisk;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{BoxStream, FuturesUnordered};
use futures_util::{StreamExt, TryStreamExt};
use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey};
use object_store::path::Path;
use object_store::signer::{HeaderName, HeaderValue, Method, SignedUrlOptions, Signer};
use object_store::{GetOptions, GetRange, MultipartUpload, ObjectStore, ObjectStoreExt, PutPayload};
use spec::digest::Sha256;

use super::{Found, Kept, Reading, blocking, clip, place};
use crate::Error;
use crate::settings::S3;

/// Bytes of one part of a large upload; more where 10,000 parts, the most a store takes, would not be enough.
const PART_BYTES: u64 = 8 * 1024 * 1024;
const MAX_PARTS: u64 = 9_000;
/// Parts on their way at once. Each is in memory.
const N_PARTS_AT_ONCE: usize = 3;

#[derive(Debug, Clone)]
pub(super) struct Bucket {
    store: Arc<AmazonS3>,
    /// The same as clients reach it, which signs addresses and sends nothing.
    direct: Option<Arc<AmazonS3>>,
    prefix: String,
}

impl Bucket {
    pub(super) fn open(s3: &S3) -> Result<Self, Error> {
        let direct = s3.direct.as_ref().map(|address| connect(s3, Some(address))).transpose()?;
        let store = connect(s3, s3.endpoint.as_ref())?;
        Ok(Self { store: Arc::new(store), direct: direct.map(Arc::new), prefix: s3.prefix.clone() })
    }

    /// An address at which these bytes can be fetched for a while by whoever has it, and no others: the header `Range` is
    /// signed with it, and must be sent as it is. `None` where clients do not reach the store.
    pub(super) async fn address(
        &self,
        sha256: &Sha256,
        range: &Range<u64>,
        lifetime: Duration,
    ) -> Result<Option<String>, Error> {
        let Some(direct) = &self.direct else { return Ok(None) };
        let wanted = format!("bytes={}-{}", range.start, range.end.saturating_sub(1));
        let wanted = HeaderValue::try_from(wanted).map_err(|_| Error::NoBlob(*sha256))?;
        let options = SignedUrlOptions::new().with_signed_header(HeaderName::from_static("range"), wanted);
        let signed = direct.signed_url_opts(Method::GET, &self.key(sha256), lifetime, &options).await;
        signed.map(|url| Some(url.into())).map_err(failed("sign an address"))
    }

    /// Stores bytes that are in memory.
    pub(super) async fn put_small(&self, kept: &Kept, bytes: Bytes) -> Result<(), Error> {
        if self.size(&kept.sha256).await? == Some(kept.n_bytes) {
            return Ok(());
        }
        let put = self.store.put(&self.key(&kept.sha256), PutPayload::from_bytes(bytes)).await;
        put.map_err(failed("write bytes"))?;
        self.check(kept).await
    }

    /// Stores a finished file.
    pub(super) async fn put_large(&self, kept: &Kept, file: &OnDisk) -> Result<(), Error> {
        if self.size(&kept.sha256).await? == Some(kept.n_bytes) {
            return Ok(());
        }
        self.put_new(kept, file).await
    }

    /// The same for bytes that nobody stored before.
    pub(super) async fn put_new(&self, kept: &Kept, file: &OnDisk) -> Result<(), Error> {
        self.write(&self.key(&kept.sha256), kept.n_bytes, file).await?;
        self.check(kept).await
    }

    /// Keeps a part of an upload.
    pub(super) async fn put_part(
        &self,
        (upload, number): (&str, u32),
        n_bytes: u64,
        file: &OnDisk,
    ) -> Result<(), Error> {
        self.write(&self.part(upload, number), n_bytes, file).await
    }

    /// The bytes of a part of an upload.
    pub(super) async fn read_part(
        &self,
        upload: &str,
        number: u32,
    ) -> Result<BoxStream<'static, Result<Bytes, Error>>, Error> {
        match self.store.get(&self.part(upload, number)).await {
            Ok(got) => Ok(got.into_stream().map_err(failed("read a part")).boxed()),
            Err(object_store::Error::NotFound { .. }) => {
                Err(Error::NoPart { upload: upload.to_owned(), number })
            }
            Err(error) => Err(failed("read a part")(error)),
        }
    }

    pub(super) async fn delete_part(&self, upload: &str, number: u32) -> Result<(), Error> {
        match self.store.delete(&self.part(upload, number)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(failed("delete a part")(error)),
        }
    }

    /// Deletes the parts that came before that time.
    pub(super) async fn delete_parts_before(&self, before_ms: i64) -> Result<(), Error> {
        let prefix = Path::from(format!("{}/uploads", self.prefix));
        let mut objects = self.store.list(Some(&prefix));
        while let Some(object) = objects.try_next().await.map_err(failed("list parts"))? {
            if object.last_modified.timestamp_millis() < before_ms {
                self.store.delete(&object.location).await.map_err(failed("delete a part"))?;
            }
        }
        Ok(())
    }

    /// Writes a file under a key, in several parts if it is large.
    async fn write(&self, key: &Path, n_bytes: u64, file: &OnDisk) -> Result<(), Error> {
        if n_bytes <= PART_BYTES {
            let (bytes, _) = read_part(std::fs::File::open(file), n_bytes).await?;
            let put = self.store.put(key, PutPayload::from_bytes(bytes)).await;
            return put.map(|_| ()).map_err(failed("write bytes"));
        }
        let mut upload = self.store.put_multipart(key).await.map_err(failed("begin an upload"))?;
        if let Err(error) = put_parts(upload.as_mut(), n_bytes, file).await {
            // The error that counts is the first one; what could not be cleared here the store's rules clear.
            let _ = upload.abort().await;
            return Err(error);
        }
        Ok(())
    }

    pub(super) async fn read(&self, sha256: &Sha256, range: Option<Range<u64>>) -> Result<Reading, Error> {
        let Some(size_bytes) = self.size(sha256).await? else {
            return Err(Error::NoBlob(*sha256));
        };
        let range = clip(range, size_bytes)?;
        if range.is_empty() {
            return Ok(Reading { size_bytes, range, stream: futures_util::stream::empty().boxed() });
        }
        let options = GetOptions { range: Some(GetRange::Bounded(range.clone())), ..GetOptions::default() };
        let got = self.store.get_opts(&self.key(sha256), options).await.map_err(failed("read bytes"))?;
        Ok(Reading { size_bytes, range, stream: got.into_stream().map_err(failed("read bytes")).boxed() })
    }

    /// Reads a part without looking first how much there is.
    pub(super) async fn read_exactly(
        &self,
        sha256: &Sha256,
        range: Range<u64>,
    ) -> Result<BoxStream<'static, Result<Bytes, Error>>, Error> {
        let options = GetOptions { range: Some(GetRange::Bounded(range)), ..GetOptions::default() };
        match self.store.get_opts(&self.key(sha256), options).await {
            Ok(got) => Ok(got.into_stream().map_err(failed("read bytes")).boxed()),
            Err(object_store::Error::NotFound { .. }) => Err(Error::NoBlob(*sha256)),
            Err(error) => Err(failed("read bytes")(error)),
        }
    }

    pub(super) async fn size(&self, sha256: &Sha256) -> Result<Option<u64>, Error> {
        match self.store.head(&self.key(sha256)).await {
            Ok(found) => Ok(Some(found.size)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(failed("look for bytes")(error)),
        }
    }

    pub(super) async fn delete(&self, sha256: &Sha256) -> Result<(), Error> {
        match self.store.delete(&self.key(sha256)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(failed("delete bytes")(error)),
        }
    }

    /// Deletes the object unless it was written since that time. True if it is gone.
    pub(super) async fn delete_unless_newer(&self, sha256: &Sha256, before_ms: i64) -> Result<bool, Error> {
        match self.store.head(&self.key(sha256)).await {
            Ok(found) if found.last_modified.timestamp_millis() >= before_ms => Ok(false),
            Ok(_) => self.delete(sha256).await.map(|()| true),
            Err(object_store::Error::NotFound { .. }) => Ok(true),
            Err(error) => Err(failed("look for bytes")(error)),
        }
    }

    /// At most `limit` objects behind `after`, in the order of the keys, which is that of the digests.
    pub(super) async fn list(&self, after: Option<Sha256>, limit: usize) -> Result<Vec<Found>, Error> {
        let prefix = self.path("");
        let objects = match after {
            Some(after) => self.store.list_with_offset(Some(&prefix), &self.key(&after)),
            None => self.store.list(Some(&prefix)),
        };
        let found = objects.try_filter_map(|object| async move {
            let sha256 = object.location.filename().and_then(|name| name.parse().ok());
            let modified_ms = object.last_modified.timestamp_millis();
            Ok(sha256.map(|sha256| Found { sha256, n_bytes: object.size, modified_ms }))
        });
        found.take(limit).try_collect().await.map_err(failed("list bytes"))
    }

    async fn check(&self, kept: &Kept) -> Result<(), Error> {
        let found = self.size(&kept.sha256).await?;
        if found == Some(kept.n_bytes) {
            return Ok(());
        }
        let found = found.map_or("nothing".to_owned(), |n| format!("{n} bytes instead of {}", kept.n_bytes));
        Err(Error::Damaged { expected: kept.sha256, found })
    }

    fn key(&self, sha256: &Sha256) -> Path {
        self.path(&place(sha256))
    }

    fn part(&self, upload: &str, number: u32) -> Path {
        Path::from(format!("{}/uploads/{upload}/{number}", self.prefix))
    }

    fn path(&self, below: &str) -> Path {
        Path::from(format!("{}/blobs/{below}", self.prefix))
    }
}

/// The store at an address, or where the environment says that it is.
fn connect(s3: &S3, endpoint: Option<&String>) -> Result<AmazonS3, Error> {
    // One object is deleted by one plain request: what deletes many needs a checksum not all servers take.
    let mut builder = AmazonS3Builder::from_env().with_bucket_name(&s3.bucket).with_disable_bulk_delete(true);
    if let Some(endpoint) = endpoint {
        builder = builder.with_endpoint(endpoint);
    }
    if let Some(region) = &s3.region {
        builder = builder.with_region(region);
    }
    if let Some(id) = &s3.access_key_id {
        builder = builder.with_access_key_id(id);
    }
    if let Some(secret) = &s3.secret_access_key {
        builder = builder.with_secret_access_key(secret);
    }
    let endpoint = builder.get_config_value(&AmazonS3ConfigKey::Endpoint).unwrap_or_default();
    let allowed = builder.with_allow_http(endpoint.starts_with("http://"));
    allowed.build().map_err(failed("open the bucket"))
}

/// Sends a file in parts, a few at once, and joins them.
async fn put_parts(upload: &mut dyn MultipartUpload, n_bytes: u64, file: &OnDisk) -> Result<(), Error> {
    let part_bytes = PART_BYTES.max(n_bytes.div_ceil(MAX_PARTS));
    let mut parts = FuturesUnordered::new();
    let (mut n_left, mut open) = (n_bytes, std::fs::File::open(file));
    while n_left > 0 {
        let (bytes, rest) = read_part(open, part_bytes.min(n_left)).await?;
        (n_left, open) = (n_left - bytes.len() as u64, Ok(rest));
        parts.push(upload.put_part(PutPayload::from_bytes(bytes)));
        if parts.len() >= N_PARTS_AT_ONCE {
            parts.try_next().await.map_err(failed("write bytes"))?;
        }
    }
    while parts.try_next().await.map_err(failed("write bytes"))?.is_some() {}
    upload.complete().await.map(|_| ()).map_err(failed("finish an upload"))
}

async fn read_part(
    file: std::io::Result<std::fs::File>,
    n_bytes: u64,
) -> Result<(Bytes, std::fs::File), Error> {
    blocking(move || {
        let unreadable = || Error::io("read", std::path::Path::new("an unfinished upload"));
        let mut file = file.map_err(unreadable())?;
        let mut part = vec![0; usize::try_from(n_bytes).unwrap_or(usize::MAX)];
        file.read_exact(&mut part).map_err(unreadable())?;
        Ok((part.into(), file))
    })
    .await
}

fn failed(operation: &'static str) -> impl Fn(object_store::Error) -> Error {
    move |source| Error::ObjectStore { operation, source }
}
