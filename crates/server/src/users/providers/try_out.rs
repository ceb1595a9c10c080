//! Trying a provider before people depend on it.

use std::error::Error;

use sg_db::users::providers::{self as db, Provider};
use sg_types::ProviderId;
use sg_types::api::providers::{OidcSettings, ProviderSettings, ProviderTest, ProviderTestStep};

use super::{ldap, oidc, secret};
use crate::AppState;
use crate::auth::Acting;
use crate::error::{ApiError, ApiResult};

/// Asks the provider about itself, step by step, up to the first that fails.
pub(super) async fn try_out(
    state: &AppState,
    acting: &Acting,
    provider_id: ProviderId,
) -> ApiResult<ProviderTest> {
    let mut tx = state.db.system("test of a provider").await?;
    let provider = db::find_provider(&mut tx, provider_id).await?;
    drop(tx);
    let provider = provider
        .filter(|provider| provider.tenant_id == acting.caller.tenant_id)
        .ok_or_else(ApiError::not_found)?;
    let mut event = acting.event(state, "identity_provider.test");
    event.object = Some(("identity_provider", provider_id.to_string()));
    let steps = run(state, &provider).await?;
    let tx = state.db.write(&acting.caller, event.at).await?;
    tx.commit(event).await?;
    Ok(ProviderTest {
        ok: steps.iter().all(|step| step.ok),
        steps,
    })
}

async fn run(state: &AppState, provider: &Provider) -> ApiResult<Vec<ProviderTestStep>> {
    match &provider.settings {
        ProviderSettings::Oidc(settings) => Ok(vec![ask_oidc(state, settings).await]),
        ProviderSettings::Ldap(settings) => {
            let secret = secret::open(state, provider).await?;
            Ok(ldap::try_out(settings, !state.tls, secret.as_deref()).await)
        }
        ProviderSettings::Scim(_) => Ok(vec![step(
            "configuration",
            Ok("there is nothing to ask".to_owned()),
        )]),
    }
}

async fn ask_oidc(state: &AppState, settings: &OidcSettings) -> ProviderTestStep {
    let result = oidc::discover(settings, !state.tls).await;
    step(
        "discovery",
        match result {
            Ok(found) => {
                let (authorization, token) = found.endpoints();
                Ok(format!(
                    "people sign in at {authorization}; codes are redeemed at {}; {} signing keys",
                    token.as_deref().unwrap_or("(no end point, which does not work)"),
                    found.key_count()
                ))
            }
            Err(error) => Err(describe(&error)),
        },
    )
}

fn step(name: &str, result: Result<String, String>) -> ProviderTestStep {
    let ok = result.is_ok();
    ProviderTestStep {
        name: name.to_owned(),
        ok,
        detail: result.unwrap_or_else(|problem| problem),
    }
}

/// The failure and its causes in one line.
pub(super) fn describe(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text.chars().filter(|c| !c.is_control()).take(500).collect()
}
