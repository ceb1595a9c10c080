//! A check-in's JSON, read record by record: what is wrong with one record is that record's matter.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::value::RawValue;
use sg_db::TokenHash;
use sg_db::agents::ingest::{AreaState, NewCheckIn, Watched};
use sg_types::agent::{AgentState, MAX_RECORDS_PER_CHECK_IN, TelemetrySource};
use sg_types::{FieldError, Ids};
use uuid::Uuid;

use super::clean::{bounded, clean_text, clean_value};
use super::record::parse_record;
use crate::error::ApiError;

/// The highest number that a record may have: beyond, JSON readers lose precision.
const MAX_SEQ: u64 = 1 << 53;
/// Characters of a version.
const MAX_VERSION_CHARS: usize = 100;
/// Characters of a fingerprint.
const MAX_FINGERPRINT_CHARS: usize = 128;

#[derive(Deserialize)]
struct RawCheckIn<'a> {
    epoch: Uuid,
    turn: Uuid,
    first_seq: u64,
    #[serde(borrow)]
    records: Vec<&'a RawValue>,
    sent_at: DateTime<Utc>,
    agent: AgentState,
}

/// Reads a check-in. A record that cannot be understood becomes a gap that says so; the stream goes on behind it.
///
/// # Errors
/// 400 for what is no JSON, 422 for JSON of the wrong form, 413 for too many records.
pub fn parse_check_in(text: &str, token: TokenHash, ids: &dyn Ids) -> Result<NewCheckIn, ApiError> {
    let raw: RawCheckIn<'_> = serde_json::from_str(text).map_err(|error| {
        if error.is_data() {
            ApiError::unprocessable("invalid_body", vec![FieldError::new("", error.to_string())])
        } else {
            ApiError::bad_request("invalid_json", format!("the body is no JSON: {error}"))
        }
    })?;
    if raw.records.len() > MAX_RECORDS_PER_CHECK_IN {
        return Err(ApiError::new(
            axum::http::StatusCode::PAYLOAD_TOO_LARGE,
            "too_large",
            format!("a check-in has at most {MAX_RECORDS_PER_CHECK_IN} records"),
        ));
    }
    if !(1..=MAX_SEQ).contains(&raw.first_seq) {
        return Err(ApiError::invalid_field(
            "first_seq",
            format!("is a number from 1 to {MAX_SEQ}"),
        ));
    }
    let agent = raw.agent;
    Ok(NewCheckIn {
        token,
        epoch: raw.epoch,
        turn: raw.turn,
        moves_turn: true,
        first_seq: i64::try_from(raw.first_seq).unwrap_or(i64::MAX),
        records: raw
            .records
            .into_iter()
            .map(|record| parse_record(record, raw.sent_at, ids))
            .collect(),
        sent_at: raw.sent_at,
        version: clean_text(agent.version, MAX_VERSION_CHARS),
        rules_version: i64::try_from(agent.rules_version).unwrap_or(i64::MAX),
        hardware_fingerprint: clean_text(agent.hardware_fingerprint, MAX_FINGERPRINT_CHARS),
        watched: watched(&agent.sources),
        run: agent.run,
        sources: bounded(clean_value(
            serde_json::to_value(agent.sources).map_err(ApiError::internal)?,
        )),
        backlog_records: i64::try_from(agent.backlog_records).unwrap_or(i64::MAX),
    })
}

/// How each area is watched, by the sources that the agent names.
fn watched(sources: &[TelemetrySource]) -> Watched {
    let state = |area: &str| {
        let of_area = sources.iter().find(|source| source.area == area);
        of_area.map_or(AreaState::Untold, |source| match source.source.as_str() {
            "none" => AreaState::Off,
            "proc_polling" => AreaState::Weaker,
            _ => AreaState::Whole,
        })
    };
    Watched {
        process: state("process"),
        file: state("file"),
    }
}
