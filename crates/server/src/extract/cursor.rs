//! Cursors of lists that are ordered by time, then id.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use sg_db::users::After;
use sg_types::api::Page;
use uuid::Uuid;

use crate::error::ApiError;

/// The cursor that continues after a row.
pub fn encode_cursor(at: DateTime<Utc>, id: impl Into<Uuid>) -> String {
    let mut bytes = at.timestamp_micros().to_be_bytes().to_vec();
    bytes.extend_from_slice(id.into().as_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Reads a cursor that a page gave.
///
/// # Errors
/// 400 `invalid_cursor`.
pub fn decode_cursor(cursor: Option<&str>) -> Result<Option<After>, ApiError> {
    let Some(text) = cursor else { return Ok(None) };
    let decoded = URL_SAFE_NO_PAD.decode(text).ok().and_then(|bytes| {
        let (micros, id) = bytes.split_first_chunk::<8>()?;
        Some(After {
            at: DateTime::from_timestamp_micros(i64::from_be_bytes(*micros)).filter(is_storable)?,
            id: Uuid::from_slice(id).ok()?,
        })
    });
    decoded.map(Some).ok_or_else(|| {
        ApiError::bad_request(
            "invalid_cursor",
            "the cursor is none that a page of this list gave",
        )
    })
}

/// Makes a page of `rows`, of which one more than `limit` was asked for; `key` tells a row's place.
pub fn page_of<T>(mut rows: Vec<T>, limit: u32, key: impl Fn(&T) -> (DateTime<Utc>, Uuid)) -> Page<T> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next_cursor = rows.last().filter(|_| more).map(|row| {
        let (at, id) = key(row);
        encode_cursor(at, id)
    });
    Page {
        items: rows,
        next_cursor,
    }
}

/// PostgreSQL's timestamps end in the year 294276, chrono's do not.
fn is_storable(at: &DateTime<Utc>) -> bool {
    use chrono::Datelike;
    (1..=9999).contains(&at.year())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_round_trip_and_garbage_is_refused() {
        let at: DateTime<Utc> = "2026-03-01T12:00:00.123456Z".parse().unwrap();
        let id = Uuid::from_u128(7);
        let cursor = encode_cursor(at, id);
        assert_eq!(decode_cursor(Some(&cursor)).unwrap(), Some(After { at, id }));
        assert_eq!(decode_cursor(None).unwrap(), None);
        for bad in [
            "",
            "x",
            "AAAA",
            "%00",
            &"f".repeat(32),
            &"A".repeat(33),
            &cursor[1..],
        ] {
            assert_eq!(
                decode_cursor(Some(bad)).unwrap_err().code(),
                "invalid_cursor",
                "{bad}"
            );
        }
    }

    #[test]
    fn the_last_page_has_no_cursor() {
        let at = DateTime::UNIX_EPOCH;
        let key = |n: &u128| (at, Uuid::from_u128(*n));
        assert_eq!(page_of(vec![1, 2], 2, key).next_cursor, None);
        let page = page_of(vec![1, 2, 3], 2, key);
        assert_eq!(page.items, [1, 2]);
        assert_eq!(
            decode_cursor(page.next_cursor.as_deref()).unwrap().unwrap().id,
            Uuid::from_u128(2)
        );
    }
}
