//! Reading a body that may be compressed, within bounds however it is made.

use std::cell::RefCell;
use std::io::{self, Read};

use axum::body::{Body, HttpBody};
use axum::http::{HeaderMap, StatusCode, header};
use tokio::sync::OwnedSemaphorePermit;
use zstd::stream::read::Decoder;
use zstd::zstd_safe::{DCtx, DParameter, ResetDirective, get_error_name};

use super::Ingest;
use crate::config::IngestConfig;
use crate::error::ApiError;

/// Bytes up to which a body is decompressed where it stands; larger ones would hold up other requests.
const INLINE_BYTES: usize = 64 * 1024;
/// The window that decompression may take, as a power of two of bytes: what a body of the largest size needs.
const MAX_WINDOW_LOG: u32 = 23;

/// How a body is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// `zstd`, RFC 8878.
    Zstd,
    /// `gzip`, RFC 1952.
    Gzip,
}

/// The text of a check-in, and the memory that is set aside for it.
///
/// # Errors
/// Those of [`read_bytes`]; 400 for what is no UTF-8.
pub async fn read_body(
    ingest: &Ingest,
    config: &IngestConfig,
    headers: &HeaderMap,
    body: Body,
) -> Result<(String, OwnedSemaphorePermit), ApiError> {
    let (plain, memory) = read_bytes(ingest, config, headers, body, &[Coding::Zstd]).await?;
    let text = String::from_utf8(plain)
        .map_err(|_| ApiError::bad_request("invalid_json", "the body is no UTF-8"))?;
    Ok((text, memory))
}

/// The body's bytes, and the memory that is set aside for them.
///
/// # Errors
/// 413 for more than the configured bytes before or after decompression, 415 for a coding that is not among `codings`, 400 for what is
/// damaged, 503 when there is no memory left.
pub async fn read_bytes(
    ingest: &Ingest,
    config: &IngestConfig,
    headers: &HeaderMap,
    body: Body,
    codings: &[Coding],
) -> Result<(Vec<u8>, OwnedSemaphorePermit), ApiError> {
    let coding = find_coding(headers, codings)?;
    let limit = if coding.is_some() {
        config.max_body_bytes
    } else {
        config.max_decompressed_bytes
    };
    // A body of unknown length may become as large as the limit.
    let announced = body
        .size_hint()
        .exact()
        .map_or(limit, |bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
    if announced > limit {
        return Err(ApiError::too_large(limit));
    }
    let mut memory = ingest.reserve(announced)?;
    let bytes = axum::body::to_bytes(body, limit)
        .await
        .map_err(|error| refuse_body(&error, limit))?;
    let max = config.max_decompressed_bytes;
    let plain = match coding {
        None => bytes.to_vec(),
        Some(coding) if bytes.len() <= INLINE_BYTES => decompress(&bytes, coding, max)?,
        Some(coding) => {
            memory.merge(ingest.reserve(max)?);
            tokio::task::spawn_blocking(move || decompress(&bytes, coding, max))
                .await
                .map_err(ApiError::internal)??
        }
    };
    if plain.len() / 1024 > memory.num_permits() {
        memory.merge(ingest.reserve(plain.len() - memory.num_permits() * 1024)?);
    }
    Ok((plain, memory))
}

fn find_coding(headers: &HeaderMap, codings: &[Coding]) -> Result<Option<Coding>, ApiError> {
    let Some(value) = headers.get(header::CONTENT_ENCODING) else {
        return Ok(None);
    };
    let found = match value.as_bytes().to_ascii_lowercase().as_slice() {
        b"identity" => return Ok(None),
        b"zstd" => Some(Coding::Zstd),
        b"gzip" => Some(Coding::Gzip),
        _ => None,
    };
    match found.filter(|coding| codings.contains(coding)) {
        Some(coding) => Ok(Some(coding)),
        None => Err(ApiError::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_encoding",
            match codings {
                [Coding::Zstd] => "a check-in is sent as it is or with `Content-Encoding: zstd`",
                _ => "the body is sent as it is or with `Content-Encoding: zstd` or `gzip`",
            },
        )),
    }
}

thread_local! {
    /// What decompression works with: making it takes longer than decompressing a check-in.
    static CONTEXT: RefCell<DCtx<'static>> = RefCell::new(DCtx::create());
}

fn decompress(bytes: &[u8], coding: Coding, max: usize) -> Result<Vec<u8>, ApiError> {
    let damaged = |error: io::Error| {
        let name = match coding {
            Coding::Zstd => "zstd",
            Coding::Gzip => "gzip",
        };
        ApiError::bad_request(
            "invalid_encoding",
            format!("the body is no complete {name} stream: {error}"),
        )
    };
    let plain = match coding {
        Coding::Zstd => CONTEXT.with_borrow_mut(|context| {
            // Whatever was left of a body that was damaged.
            prepare(context).map_err(|code| io::Error::other(get_error_name(code)))?;
            read_at_most(Decoder::with_context(bytes, context), bytes.len(), max)
        }),
        Coding::Gzip => read_at_most(flate2::read::MultiGzDecoder::new(bytes), bytes.len(), max),
    };
    let plain = plain.map_err(damaged)?;
    if plain.len() > max {
        Err(ApiError::too_large(max))
    } else {
        Ok(plain)
    }
}

fn prepare(context: &mut DCtx<'static>) -> Result<(), usize> {
    context.reset(ResetDirective::SessionOnly)?;
    context.set_parameter(DParameter::WindowLogMax(MAX_WINDOW_LOG))?;
    Ok(())
}

/// What comes out of `length` bytes, and a byte more than `max` of more.
fn read_at_most(decoder: impl Read, length: usize, max: usize) -> io::Result<Vec<u8>> {
    let mut plain = Vec::with_capacity(length.saturating_mul(4).min(max));
    let cap = u64::try_from(max).unwrap_or(u64::MAX).saturating_add(1);
    decoder.take(cap).read_to_end(&mut plain)?;
    Ok(plain)
}

fn refuse_body(error: &axum::Error, limit: usize) -> ApiError {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if error.to_string().contains("length limit exceeded") {
            return ApiError::too_large(limit);
        }
        cause = error.source();
    }
    ApiError::bad_request("incomplete_body", "the body ended before it was complete")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_body_that_grows_is_stopped() {
        let bomb = zstd::encode_all(std::io::repeat(0).take(64 << 20), 19).unwrap();
        assert!(bomb.len() < 16 * 1024);
        assert_eq!(
            decompress(&bomb, Coding::Zstd, 1 << 20).unwrap_err().status(),
            413
        );
        let mut gzip =
            flate2::read::GzEncoder::new(std::io::repeat(0).take(64 << 20), flate2::Compression::fast());
        let mut bomb = Vec::new();
        gzip.read_to_end(&mut bomb).unwrap();
        assert_eq!(
            decompress(&bomb, Coding::Gzip, 1 << 20).unwrap_err().status(),
            413
        );
    }

    #[test]
    fn damage_is_told_from_size() {
        let good = zstd::encode_all(&b"{}"[..], 3).unwrap();
        assert_eq!(decompress(&good, Coding::Zstd, 2).unwrap(), b"{}");
        for bad in [&good[..good.len() - 1], b"plain", &[0x28, 0xb5, 0x2f, 0xfd], b""] {
            for coding in [Coding::Zstd, Coding::Gzip] {
                let found = decompress(bad, coding, 100);
                assert!(found.is_err_and(|e| e.status() == 400) || bad.is_empty());
                assert_eq!(decompress(&good, Coding::Zstd, 2).unwrap(), b"{}", "after damage");
            }
        }
    }
}
