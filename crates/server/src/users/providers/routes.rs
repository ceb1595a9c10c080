//! The operations on providers.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use sg_db::users::providers as db;
use sg_types::api::Page;
use sg_types::api::providers::{ProviderTest, ProviderView, PublicationView, SaveProvider};
use sg_types::{Problem, ProviderId};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{ldap, oidc, publication, save, scim, try_out};
use crate::AppState;
use crate::auth::{Can, ProvidersManage, Recent, TenantsManage};
use crate::error::{ApiError, ApiResult};
use crate::extract::{JsonBody, PageParams, PathParams, QueryParams, decode_cursor, page_of, parse_json};

/// The operations on providers, and those of signing in through one.
pub(in crate::users) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_providers, post_provider))
        .routes(routes!(show_provider, put_provider, delete_provider))
        .routes(routes!(test_provider))
        .routes(routes!(list_publications))
        .routes(routes!(put_publication, delete_publication))
        .merge(oidc::routes())
        .merge(ldap::routes())
        .merge(scim::routes())
}

/// Lists the tenant's identity providers.
#[utoipa::path(get, path = "/api/v1/users/providers", tag = "users", params(PageParams), security(("bearer" = []), ("cookie" = [])),
    responses(
    (status = 200, description = "Providers without their secrets, oldest first.", body = Page<ProviderView>),
    (status = "4XX", description = "Refused.", body = Problem),
))]
async fn list_providers(
    State(state): State<AppState>,
    can: Can<ProvidersManage>,
    QueryParams(params): QueryParams<PageParams>,
) -> ApiResult<Json<Page<ProviderView>>> {
    let limit = params.limit()?;
    let after = decode_cursor(params.cursor.as_deref())?;
    let mut tx = state.db.read(&can.caller, state.now()).await?;
    let rows = db::list_providers(&mut tx, can.caller.tenant_id, after, limit + 1).await?;
    let rows = rows.into_iter().map(|row| save::complete(&state, row)).collect();
    Ok(Json(page_of(rows, limit, |row: &ProviderView| {
        (row.created_at, row.provider_id.0)
    })))
}

/// Sets up an identity provider.
#[utoipa::path(post, path = "/api/v1/users/providers", tag = "users", request_body = SaveProvider,
    security(("bearer" = []), ("cookie" = [])), responses(
    (status = 201, description = "Set up.", body = ProviderView),
    (status = 409, description = "`already_exists`: the tenant has one of that name. `domain_taken`: a domain leads elsewhere, and the caller is the operator.", body = Problem),
))]
async fn post_provider(
    State(state): State<AppState>,
    can: Recent<ProvidersManage>,
    JsonBody(body): JsonBody<SaveProvider>,
) -> ApiResult<(StatusCode, Json<ProviderView>)> {
    Ok((
        StatusCode::CREATED,
        Json(save::create_provider(&state, &can, body).await?),
    ))
}

/// Lists what the providers of all tenants show on the common sign-in page, or want to.
#[utoipa::path(get, path = "/api/v1/users/provider-publications", tag = "users", security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, description = "What waits for the operator first; 500 at most.", body = Page<PublicationView>),
    (status = "4XX", description = "Refused.", body = Problem),
))]
async fn list_publications(
    State(state): State<AppState>,
    _can: Can<TenantsManage>,
) -> ApiResult<Json<Page<PublicationView>>> {
    let items = publication::list(&state).await?;
    Ok(Json(Page {
        items,
        next_cursor: None,
    }))
}

/// Agrees to the listing and the e-mail domains of a provider, of whichever tenant.
#[utoipa::path(put, path = "/api/v1/users/provider-publications/{provider_id}", tag = "users",
    params(("provider_id" = ProviderId, Path, description = "The provider's id.")), security(("bearer" = []), ("cookie" = [])), responses(
    (status = 204, description = "Published."),
    (status = 409, description = "`domain_taken`: a domain leads to another provider.", body = Problem),
    (status = "4XX", description = "Refused.", body = Problem),
))]
async fn put_publication(
    State(state): State<AppState>,
    can: Recent<TenantsManage>,
    PathParams(provider_id): PathParams<ProviderId>,
) -> ApiResult<StatusCode> {
    publication::decide(&state, &can, provider_id, true).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes a provider off the common sign-in page; it signs in whoever has its own link.
#[utoipa::path(delete, path = "/api/v1/users/provider-publications/{provider_id}", tag = "users",
    params(("provider_id" = ProviderId, Path, description = "The provider's id.")), security(("bearer" = []), ("cookie" = [])), responses(
    (status = 204, description = "Withdrawn."),
    (status = "4XX", description = "Refused.", body = Problem),
))]
async fn delete_publication(
    State(state): State<AppState>,
    can: Recent<TenantsManage>,
    PathParams(provider_id): PathParams<ProviderId>,
) -> ApiResult<StatusCode> {
    publication::decide(&state, &can, provider_id, false).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Shows an identity provider.
#[utoipa::path(get, path = "/api/v1/users/providers/{provider_id}", tag = "users",
    params(("provider_id" = ProviderId, Path, description = "The provider's id.")), security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, description = "The provider without its secret.", body = ProviderView),
    (status = "4XX", description = "Refused.", body = Problem),
))]
async fn show_provider(
    State(state): State<AppState>,
    can: Can<ProvidersManage>,
    PathParams(provider_id): PathParams<ProviderId>,
) -> ApiResult<Json<ProviderView>> {
    let mut tx = state.db.read(&can.caller, state.now()).await?;
    let found = db::view_provider(&mut tx, can.caller.tenant_id, provider_id).await?;
    let found = found.ok_or_else(ApiError::not_found)?;
    Ok(Json(save::complete(&state, found)))
}

/// Replaces an identity provider, whose kind stays; without a `secret` in the body, the stored one stays too.
#[utoipa::path(put, path = "/api/v1/users/providers/{provider_id}", tag = "users", request_body = SaveProvider,
    params(("provider_id" = ProviderId, Path, description = "The provider's id.")), security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, description = "Replaced; where it was switched off, or who it is was changed, the sessions it vouched for have ended.",
        body = ProviderView),
    (status = "4XX", description = "Refused.", body = Problem),
))]
async fn put_provider(
    State(state): State<AppState>,
    can: Recent<ProvidersManage>,
    PathParams(provider_id): PathParams<ProviderId>,
    JsonBody(body): JsonBody<serde_json::Value>,
) -> ApiResult<Json<ProviderView>> {
    // Whether there is such a provider comes first: another tenant's is no matter of the body.
    let mut tx = state.db.read(&can.caller, state.now()).await?;
    let found = db::view_provider(&mut tx, can.caller.tenant_id, provider_id).await?;
    found.ok_or_else(ApiError::not_found)?;
    drop(tx);
    let body: SaveProvider = parse_json(body.to_string().as_bytes())?;
    Ok(Json(
        save::replace_provider(&state, &can, provider_id, body).await?,
    ))
}

/// Removes an identity provider. The accounts stay, without their links; the sessions that it vouched for end.
#[utoipa::path(delete, path = "/api/v1/users/providers/{provider_id}", tag = "users",
    params(("provider_id" = ProviderId, Path, description = "The provider's id.")), security(("bearer" = []), ("cookie" = [])), responses(
    (status = 204, description = "Removed."),
    (status = "4XX", description = "Refused.", body = Problem),
))]
async fn delete_provider(
    State(state): State<AppState>,
    can: Recent<ProvidersManage>,
    PathParams(provider_id): PathParams<ProviderId>,
) -> ApiResult<StatusCode> {
    save::remove_provider(&state, &can, provider_id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Tries whether an identity provider answers as it has to.
#[utoipa::path(post, path = "/api/v1/users/providers/{provider_id}/test", tag = "users",
    params(("provider_id" = ProviderId, Path, description = "The provider's id.")), security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, description = "What was tried and found.", body = ProviderTest),
    (status = "4XX", description = "Refused.", body = Problem),
))]
async fn test_provider(
    State(state): State<AppState>,
    can: Can<ProvidersManage>,
    PathParams(provider_id): PathParams<ProviderId>,
) -> ApiResult<Json<ProviderTest>> {
    Ok(Json(try_out::try_out(&state, &can, provider_id).await?))
}
