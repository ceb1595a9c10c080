//! Reading a body that may be compressed, within bounds however it is made.

use std::io::Read;

use axum::body::{Body, HttpBody};
use axum::http::{HeaderMap, StatusCode, header};
use tokio::sync::OwnedSemaphorePermit;

use super::Ingest;
use crate::config::IngestConfig;
use crate::error::ApiError;

/// Bytes up to which a body is decompressed where it stands; larger ones would hold up other requests.
const INLINE_BYTES: usize = 64 * 1024;
/// The window that decompression may take, as a power of two of bytes: what a body of the largest size needs.
const MAX_WINDOW_LOG: u32 = 23;

/// The body's text, and the memory that is set aside for it.
///
/// # Errors
/// 413 for more than the configured bytes before or after decompression, 415 for another coding than zstd, 400 for what is damaged or no
/// UTF-8, 503 when there is no memory left.
pub async fn read_body(
    ingest: &Ingest,
    config: &IngestConfig,
    headers: &HeaderMap,
    body: Body,
) -> Result<(String, OwnedSemaphorePermit), ApiError> {
    let compressed = is_compressed(headers)?;
    let limit = if compressed {
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
    let plain = if !compressed {
        bytes.to_vec()
    } else if bytes.len() <= INLINE_BYTES {
        decompress(&bytes, max)?
    } else {
        memory.merge(ingest.reserve(max)?);
        tokio::task::spawn_blocking(move || decompress(&bytes, max))
            .await
            .map_err(ApiError::internal)??
    };
    if plain.len() / 1024 > memory.num_permits() {
        memory.merge(ingest.reserve(plain.len() - memory.num_permits() * 1024)?);
    }
    let text = String::from_utf8(plain)
        .map_err(|_| ApiError::bad_request("invalid_json", "the body is no UTF-8"))?;
    Ok((text, memory))
}

fn is_compressed(headers: &HeaderMap) -> Result<bool, ApiError> {
    match headers
        .get(header::CONTENT_ENCODING)
        .map(|value| value.as_bytes())
    {
        None | Some(b"identity") => Ok(false),
        Some(value) if value.eq_ignore_ascii_case(b"zstd") => Ok(true),
        Some(_) => Err(ApiError::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_encoding",
            "a check-in is sent as it is or with `Content-Encoding: zstd`",
        )),
    }
}

fn decompress(bytes: &[u8], max: usize) -> Result<Vec<u8>, ApiError> {
    let damaged = |error: std::io::Error| {
        ApiError::bad_request(
            "invalid_encoding",
            format!("the body is no complete zstd stream: {error}"),
        )
    };
    let mut decoder = zstd::stream::read::Decoder::new(bytes).map_err(damaged)?;
    decoder.window_log_max(MAX_WINDOW_LOG).map_err(damaged)?;
    let mut plain = Vec::with_capacity((bytes.len() * 4).min(max));
    let cap = u64::try_from(max).unwrap_or(u64::MAX).saturating_add(1);
    decoder.take(cap).read_to_end(&mut plain).map_err(damaged)?;
    if plain.len() > max {
        Err(ApiError::too_large(max))
    } else {
        Ok(plain)
    }
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
        assert_eq!(decompress(&bomb, 1 << 20).unwrap_err().status(), 413);
    }

    #[test]
    fn damage_is_told_from_size() {
        let good = zstd::encode_all(&b"{}"[..], 3).unwrap();
        assert_eq!(decompress(&good, 2).unwrap(), b"{}");
        for bad in [&good[..good.len() - 1], b"plain", &[0x28, 0xb5, 0x2f, 0xfd], b""] {
            assert!(decompress(bad, 100).is_err_and(|e| e.status() == 400) || bad.is_empty());
        }
    }
}
