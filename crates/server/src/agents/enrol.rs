//! A host becomes an endpoint.

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::request::Parts;
use secrecy::ExposeSecret;
use sg_db::agents::Enrolment;
use sg_db::{Caller, Proof, TokenHash};
use sg_types::agent::{EnrolReply, EnrolRequest, HostFacts};
use sg_types::api::users::KeyScope;
use sg_types::{FieldError, TokenKind};

use crate::auth::{Acting, bearer};
use crate::error::{ApiError, ApiResult};
use crate::http::{CallerId, RequestContext};
use crate::{AppState, tokens};

/// The holder of a key with the scope `enrol`, found before the body is read.
#[derive(Debug)]
pub(super) struct EnrolKey(Acting);

impl FromRequestParts<AppState> for EnrolKey {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        let request = RequestContext::from_request_parts(parts, state)
            .await
            .map_err(ApiError::internal)?;
        state.rate_limits.check_enrolment(request.address)?;
        let caller = authenticate(state, &parts.headers).await?;
        if let Some(caller_id) = parts.extensions.get::<CallerId>() {
            caller_id.set(format!("api_key:{}", caller.user_id));
        }
        Ok(Self(Acting { caller, request }))
    }
}

/// Makes the endpoint, or knows it again, and gives its agent a token.
pub(super) async fn enrol(
    state: &AppState,
    EnrolKey(acting): EnrolKey,
    body: EnrolRequest,
) -> ApiResult<EnrolReply> {
    check(&body.host)?;
    let token = tokens::generate(TokenKind::Agent);
    let tenant_id = acting.caller.tenant_id;
    let enrolment = Enrolment {
        caller: acting.caller.clone(),
        host: body.host,
        previous_agent_id: body.previous_agent_id,
        new_agent_id: state.next_id(),
        token: TokenHash::of(token.secret.expose_secret()),
        check_in_seconds: i32::try_from(state.config.ingest.check_in_seconds).unwrap_or(i32::MAX),
    };
    // What an agent pins now counts for its life: a root of a moment ago must not be missed.
    state
        .response
        .trust
        .refresh()
        .map_err(|error| ApiError::internal(format!("{error:#}")))?;
    let enrolled = state.enrolments.submit(acting, enrolment).await?;
    tracing::info!(agent_id = %enrolled.agent_id, reenrolled = enrolled.reenrolled, "endpoint enrolled");
    Ok(EnrolReply {
        agent_id: enrolled.agent_id,
        token: token.secret.expose_secret().to_owned(),
        reenrolled: enrolled.reenrolled,
        trust: state.response.trust.enrolment_set(&state.rules_signer),
        check_in_seconds: state.config.ingest.check_in_seconds,
        tenant_id: Some(tenant_id),
    })
}

async fn authenticate(state: &AppState, headers: &HeaderMap) -> ApiResult<Caller> {
    let credential = bearer(headers)?
        .filter(|credential| credential.kind == TokenKind::ApiKey)
        .ok_or_else(ApiError::unauthenticated)?;
    let caller = state
        .db
        .authenticate(Proof::ApiKey(credential.hash), None, state.now())
        .await?
        .ok_or_else(ApiError::unauthenticated)?;
    if caller
        .scopes
        .as_ref()
        .is_none_or(|scopes| scopes.contains(&KeyScope::Enrol))
    {
        Ok(caller)
    } else {
        Err(ApiError::forbidden(
            "key_scope",
            "this key may not enrol endpoints; make one with the scope `enrol`",
        ))
    }
}

fn check(host: &HostFacts) -> ApiResult<()> {
    let mut faults = Vec::new();
    let mut require = |holds: bool, field: &str, message: &str| {
        if !holds {
            faults.push(FieldError::new(format!("host.{field}"), message));
        }
    };
    let words = |text: &str, max: usize| text.chars().count() <= max && !text.chars().any(char::is_control);
    let hostname = host.hostname.as_str();
    require(
        !hostname.trim().is_empty() && words(hostname, 255),
        "hostname",
        "is 1–255 characters without control characters",
    );
    require(
        words(&host.os_info, 1_000),
        "os_info",
        "is at most 1,000 characters without control characters",
    );
    require(
        words(&host.version, 100),
        "version",
        "is at most 100 characters without control characters",
    );
    require(
        host.mac_address.as_deref().is_none_or(is_mac_address),
        "mac_address",
        "has the form aa:bb:cc:dd:ee:ff",
    );
    let fingerprint = host.hardware_fingerprint.as_bytes();
    let is_digest = fingerprint.len() == 64
        && fingerprint
            .iter()
            .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(b));
    require(
        is_digest,
        "hardware_fingerprint",
        "is a SHA-256 in lower-case hex",
    );
    if faults.is_empty() {
        Ok(())
    } else {
        Err(ApiError::unprocessable("invalid_body", faults))
    }
}

fn is_mac_address(text: &str) -> bool {
    let parts: Vec<&str> = text.split(':').collect();
    parts.len() == 6
        && parts
            .iter()
            .all(|part| part.len() == 2 && part.bytes().all(|b| b.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_are_bounded() {
        let good = HostFacts {
            hostname: "web-1".to_owned(),
            ip_address: None,
            mac_address: Some("02:42:ac:11:00:02".to_owned()),
            os_info: "Debian".to_owned(),
            version: "0.1.0".to_owned(),
            hardware_fingerprint: "ab".repeat(32),
        };
        assert!(check(&good).is_ok());
        for (field, bad) in [
            (
                "host.hostname",
                HostFacts {
                    hostname: " ".to_owned(),
                    ..good.clone()
                },
            ),
            (
                "host.hostname",
                HostFacts {
                    hostname: "x".repeat(256),
                    ..good.clone()
                },
            ),
            (
                "host.os_info",
                HostFacts {
                    os_info: "a\nb".to_owned(),
                    ..good.clone()
                },
            ),
            (
                "host.version",
                HostFacts {
                    version: "1".repeat(101),
                    ..good.clone()
                },
            ),
            (
                "host.mac_address",
                HostFacts {
                    mac_address: Some("02:42".to_owned()),
                    ..good.clone()
                },
            ),
            (
                "host.hardware_fingerprint",
                HostFacts {
                    hardware_fingerprint: "AB".repeat(32),
                    ..good.clone()
                },
            ),
        ] {
            assert_eq!(check(&bad).unwrap_err().field_errors()[0].field, field);
        }
    }
}
