//! What providers show on the sign-in page that all tenants share, by the word of the installation's operator: a listed provider, or an e-mail domain
//! that leads to one, meets other tenants' people too.

use sg_db::users::providers as db;
use sg_db::{DbError, SystemTx};
use sg_types::api::providers::PublicationView;
use sg_types::{ProviderId, TenantId};

use crate::AppState;
use crate::auth::Acting;
use crate::error::{ApiError, ApiResult};

/// What is shown, or waits, of all tenants.
pub(super) async fn list(state: &AppState) -> ApiResult<Vec<PublicationView>> {
    let mut tx = state.db.system("publications of providers").await?;
    Ok(db::list_publications(&mut tx).await?)
}

/// Agrees to everything that a provider wants to show, or takes it off the page.
pub(super) async fn decide(
    state: &AppState,
    acting: &Acting,
    provider_id: ProviderId,
    agrees: bool,
) -> ApiResult<()> {
    let action = if agrees {
        "identity_provider.publish"
    } else {
        "identity_provider.withdraw"
    };
    let mut event = acting.event(state, action);
    event.object = Some(("identity_provider", provider_id.to_string()));
    let mut tx = state.db.system("publication of a provider").await?;
    let found = db::find_provider(&mut tx, provider_id).await?;
    let tenant_id = found.ok_or_else(ApiError::not_found)?.tenant_id;
    if agrees {
        publish(&mut tx, tenant_id, provider_id).await?;
    } else {
        db::publish_provider(&mut tx, tenant_id, provider_id, false).await?;
    }
    if tenant_id != acting.caller.tenant_id {
        let mut here = event.clone();
        here.event_id = state.next_id();
        tx.record(acting.caller.tenant_id, &here).await?;
    }
    tx.commit(tenant_id, event).await?;
    Ok(())
}

/// Puts on the page what a provider wants to show there.
///
/// # Errors
/// 409 `domain_taken`.
pub(super) async fn publish(
    tx: &mut SystemTx,
    tenant_id: TenantId,
    provider_id: ProviderId,
) -> ApiResult<()> {
    match db::publish_provider(tx, tenant_id, provider_id, true).await {
        Err(DbError::AlreadyExists { .. }) => Err(ApiError::conflict(
            "domain_taken",
            "one of the domains leads to another provider; withdraw that one first",
        )),
        other => {
            other?;
            Ok(())
        }
    }
}
