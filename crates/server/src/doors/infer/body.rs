//! The body of a request to a model: read up to the limit, and unpacked if it came packed.
//!
//! `tritonclient` packs with gzip or deflate when asked to. Invariant: what is unpacked counts against the same
//! limit as what is sent, so that a small body cannot become a large one.

use std::io::Read;
use std::sync::Arc;

use axum::body::{Bytes, HttpBody};
use axum::extract::{FromRequest, Request};
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_ENCODING, EXPECT};
use flate2::read::{MultiGzDecoder, ZlibDecoder};
use futures_util::StreamExt;

use super::Infer;
use crate::app::App;
use crate::doors::Refusal;
use crate::error::Error;

/// How much of a body that is too large is read before it is refused: most clients send all of it before they
/// read an answer, and see nothing but a broken connection if nobody listens.
const DRAINED_BYTES: u64 = 256 * 1024 * 1024;

/// A whole body.
#[derive(Debug)]
pub struct Sent(pub Bytes);

impl FromRequest<Arc<App>> for Sent {
    type Rejection = Refusal<Infer>;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Self::Rejection> {
        let packing = packing(request.headers())?;
        let limit = app.settings.predict_limit;
        let too_large = || Error::TooLarge { limit: limit.to_string() };
        let body = read(request, limit.0).await?.ok_or_else(too_large)?;
        let Some(packing) = packing else { return Ok(Self(body)) };
        let unpacked = tokio::task::spawn_blocking(move || unpack(packing, &body, limit.0)).await;
        let body = unpacked.map_err(|_| Error::Internal("unpack a request"))??;
        Ok(Self(body.ok_or_else(too_large)?))
    }
}

/// The whole body; none if it is longer than `limit` bytes.
async fn read(request: Request, limit: u64) -> Result<Option<Bytes>, Error> {
    let (parts, body) = request.into_parts();
    let length = body.size_hint();
    let is_asking = parts.headers.contains_key(EXPECT);
    if is_asking && length.lower() > limit {
        return Ok(None);
    }
    // What was only announced takes no memory, but for the small bodies that most are.
    let announced = length.lower().min(limit).min(16 * 1024);
    let mut read = Vec::with_capacity(usize::try_from(announced).unwrap_or_default());
    let mut n_bytes: u64 = 0;
    let mut chunks = body.into_data_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| Error::BadRequest("the body broke off".to_owned()))?;
        n_bytes = n_bytes.saturating_add(chunk.len() as u64);
        if n_bytes <= limit {
            read.extend_from_slice(&chunk);
        } else if n_bytes > DRAINED_BYTES {
            break;
        }
    }
    Ok((n_bytes <= limit).then(|| Bytes::from(read)))
}

/// How a body is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Packing {
    Gzip,
    /// RFC 9110 means the format of zlib by `deflate`.
    Deflate,
}

fn packing(headers: &HeaderMap) -> Result<Option<Packing>, Error> {
    let Some(value) = headers.get(CONTENT_ENCODING) else { return Ok(None) };
    match value.to_str().unwrap_or("?") {
        "identity" | "" => Ok(None),
        "gzip" | "x-gzip" => Ok(Some(Packing::Gzip)),
        "deflate" => Ok(Some(Packing::Deflate)),
        other => Err(Error::MediaType(format!("content-encoding: {other}"))),
    }
}

/// The body unpacked; none if it is longer than `limit` bytes.
fn unpack(packing: Packing, body: &[u8], limit: u64) -> Result<Option<Bytes>, Error> {
    let mut unpacked = Vec::new();
    let bound = limit.saturating_add(1);
    let read = match packing {
        Packing::Gzip => MultiGzDecoder::new(body).take(bound).read_to_end(&mut unpacked),
        Packing::Deflate => ZlibDecoder::new(body).take(bound).read_to_end(&mut unpacked),
    };
    let n_bytes = read.map_err(|error| Error::BadRequest(format!("the body cannot be unpacked: {error}")))?;
    Ok((n_bytes as u64 <= limit).then(|| Bytes::from(unpacked)))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::{GzEncoder, ZlibEncoder};

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn both_packings_are_unpacked() {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(b"{}").unwrap();
        let deflated = encoder.finish().unwrap();
        assert_eq!(unpack(Packing::Gzip, &gzip(b"{}"), 2).unwrap().unwrap(), "{}");
        assert_eq!(unpack(Packing::Deflate, &deflated, 2).unwrap().unwrap(), "{}");
    }

    #[test]
    fn a_small_body_does_not_become_a_large_one() {
        let bomb = gzip(&vec![0; 10_000_000]);
        assert!(bomb.len() < 20_000 && unpack(Packing::Gzip, &bomb, 1_000_000).unwrap().is_none());
    }

    #[test]
    fn what_is_not_packed_as_said_is_refused() {
        assert!(unpack(Packing::Gzip, b"{}", 100).is_err());
        assert!(unpack(Packing::Gzip, &gzip(b"{}")[..10], 100).is_err());
        let packed =
            |name: &'static str| packing(&HeaderMap::from_iter([(CONTENT_ENCODING, name.parse().unwrap())]));
        assert_eq!(packed("gzip").unwrap(), Some(Packing::Gzip));
        assert!(packed("identity").unwrap().is_none() && packed("br").is_err());
    }
}
