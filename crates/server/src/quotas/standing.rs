//! What the answer says of the limits: draft-ietf-httpapi-ratelimit-headers, in the form with a header for each figure.

use std::sync::{Arc, Mutex};

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use sg_types::api::rate_limits::RateSubjectKind;

use super::lock;

const LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("ratelimit-reset");
const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// How a subject stands after a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) kind: RateSubjectKind,
    pub(super) limit: i64,
    pub(super) remaining: i64,
    pub(super) seconds_left: u64,
}

/// A place on the request for the limit that is nearest to its end.
#[derive(Debug, Clone, Default)]
pub(crate) struct RateStanding(Arc<Mutex<Option<Standing>>>);

impl RateStanding {
    pub(super) fn note(&self, standing: Standing) {
        let mut nearest = lock(&self.0);
        if nearest.is_none_or(|known| standing.remaining < known.remaining) {
            *nearest = Some(standing);
        }
    }

    /// Adds the headers, where a limit was looked at.
    pub(crate) fn add_headers(&self, headers: &mut HeaderMap) {
        let Some(standing) = *lock(&self.0) else {
            return;
        };
        let policy = format!("{};w=60;name=\"{}\"", standing.limit, standing.kind.as_str());
        headers.insert(LIMIT, HeaderValue::from(standing.limit));
        headers.insert(REMAINING, HeaderValue::from(standing.remaining.max(0)));
        headers.insert(RESET, HeaderValue::from(standing.seconds_left));
        headers.extend(HeaderValue::from_str(&policy).ok().map(|value| (POLICY, value)));
    }
}
