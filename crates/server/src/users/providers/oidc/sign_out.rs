//! Where a browser goes to end its session at the provider too (OpenID Connect RP-Initiated Logout 1.0).

use sg_db::users::providers as db;
use sg_types::SessionId;
use sg_types::api::providers::{ProviderSettings, SessionEnded};

use crate::AppState;
use crate::auth::Acting;
use crate::error::ApiResult;
use crate::users::sign_out::sign_out;

/// Ends the caller's session and says where the provider ends its own. A provider that cannot be asked keeps nobody signed in here.
pub(super) async fn end_session(state: &AppState, acting: &Acting) -> ApiResult<SessionEnded> {
    let mut tx = state.db.system("sign-out").await?;
    let provider_id = db::session_provider(&mut tx, SessionId(acting.caller.credential_id)).await?;
    let provider = match provider_id {
        Some(provider_id) => db::find_provider(&mut tx, provider_id).await?,
        None => None,
    };
    drop(tx);
    sign_out(state, acting).await?;
    let Some(provider) = provider else {
        return Ok(SessionEnded {
            provider_sign_out_url: None,
        });
    };
    let ProviderSettings::Oidc(settings) = &provider.settings else {
        return Ok(SessionEnded {
            provider_sign_out_url: None,
        });
    };
    let (id, changed_at, loopback, now) =
        (provider.provider_id, provider.updated_at, !state.tls, state.now());
    let found = state
        .discovery
        .find(id, changed_at, settings, loopback, now)
        .await;
    let end_point = found.ok().and_then(|found| {
        found
            .metadata
            .additional_metadata()
            .end_session_endpoint
            .clone()
            .filter(|url| super::super::outbound::is_reachable(url, loopback))
    });
    Ok(SessionEnded {
        provider_sign_out_url: end_point.map(|mut url| {
            url.query_pairs_mut()
                .append_pair("client_id", &settings.client_id)
                .append_pair(
                    "post_logout_redirect_uri",
                    &format!("{}/", state.public_url.trim_end_matches('/')),
                );
            url.to_string()
        }),
    })
}
