//! The operations of RFC 7644 §3. Their contract is the standard, so that they are not in the OpenAPI document.

use axum::Router;
use axum::extract::{FromRequestParts, Path, Query, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use utoipa_axum::router::OpenApiRouter;
use uuid::Uuid;

use super::caller::{ScimBody, ScimCaller};
use super::error::{MEDIA_TYPE, ScimError, ScimResult};
use super::patch::PatchBody;
use super::{discovery, groups, search, users};
use crate::AppState;

/// Resources of a page when the client does not say, and at most.
const DEFAULT_COUNT: i64 = 100;
pub(super) const MAX_COUNT: i64 = 500;

/// The operations of provisioning.
pub(in crate::users::providers) fn routes() -> OpenApiRouter<AppState> {
    let router = Router::new()
        .route("/scim/{*rest}", any(nothing))
        .route("/scim/v2/ServiceProviderConfig", get(service_provider_config))
        .route("/scim/v2/ResourceTypes", get(list_resource_types))
        .route("/scim/v2/ResourceTypes/{id}", get(show_resource_type))
        .route("/scim/v2/Schemas", get(list_schemas))
        .route("/scim/v2/Schemas/{id}", get(show_schema))
        .route("/scim/v2/.search", post(search::search_all))
        .route("/scim/v2/Users/.search", post(search::search_users))
        .route("/scim/v2/Groups/.search", post(search::search_groups))
        .route("/scim/v2/Users", get(list_users).post(post_user))
        .route(
            "/scim/v2/Users/{id}",
            get(show_user).put(put_user).patch(patch_user).delete(delete_user),
        )
        .route("/scim/v2/Groups", get(list_groups).post(post_group))
        .route(
            "/scim/v2/Groups/{id}",
            get(show_group)
                .put(put_group)
                .patch(patch_group)
                .delete(delete_group),
        );
    OpenApiRouter::new().merge(OpenApiRouter::from(router))
}

/// What a list is asked for (RFC 7644 §3.4.2). What is not known is passed over, as §3.9 wants for attributes.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct ListParams {
    pub(super) filter: Option<String>,
    #[serde(rename = "startIndex")]
    pub(super) start_index: Option<i64>,
    pub(super) count: Option<i64>,
    pub(super) attributes: Option<String>,
    #[serde(rename = "excludedAttributes")]
    pub(super) excluded_attributes: Option<String>,
}

/// Attributes that are always returned (RFC 7643 §7, `returned`).
const ALWAYS: [&str; 3] = ["schemas", "id", "meta"];

impl ListParams {
    /// Resources to pass over, and to answer at most. Numbers out of range are brought into it (§3.4.2.4).
    pub(super) fn range(&self) -> (i64, i64) {
        let start = self.start_index.unwrap_or(1).clamp(1, 1_000_000_000);
        (start - 1, self.count.unwrap_or(DEFAULT_COUNT).clamp(0, MAX_COUNT))
    }

    /// Whether groups are wanted with their members.
    pub(super) fn wants_members(&self) -> bool {
        self.wants("members")
    }

    /// A resource with the attributes that are wanted (RFC 7644 §3.9). Parts of attributes are returned whole.
    pub(super) fn shape(&self, mut resource: Value) -> Value {
        if let Value::Object(object) = &mut resource {
            object.retain(|name, _| ALWAYS.contains(&name.as_str()) || self.wants(name));
        }
        resource
    }

    fn wants(&self, name: &str) -> bool {
        let names = |list: &str| {
            list.split(',').any(|one| {
                let one = one.rsplit(':').next().unwrap_or(one).trim();
                one.split('.')
                    .next()
                    .is_some_and(|one| one.eq_ignore_ascii_case(name))
            })
        };
        match (&self.attributes, &self.excluded_attributes) {
            (Some(wanted), _) => names(wanted),
            (None, Some(excluded)) => !names(excluded),
            (None, None) => true,
        }
    }

    /// The answer to a list.
    pub(super) fn page(&self, total: i64, resources: Vec<Value>) -> Value {
        json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
            "totalResults": total,
            "startIndex": self.range().0 + 1,
            "itemsPerPage": resources.len(),
            "Resources": resources.into_iter().map(|one| self.shape(one)).collect::<Vec<_>>()
        })
    }
}

impl FromRequestParts<AppState> for ListParams {
    type Rejection = ScimError;

    async fn from_request_parts(parts: &mut Parts, _state: &AppState) -> Result<Self, ScimError> {
        Query::try_from_uri(&parts.uri)
            .map(|Query(params)| params)
            .map_err(|_| ScimError::invalid_value("the query string was not understood"))
    }
}

/// An id in the path; what is none names nothing.
struct Id(Uuid);

impl FromRequestParts<AppState> for Id {
    type Rejection = ScimError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ScimError> {
        let path = Path::<Uuid>::from_request_parts(parts, state).await;
        path.map(|Path(id)| Self(id)).map_err(|_| ScimError::not_found())
    }
}

/// Where a resource is.
pub(super) fn location(state: &AppState, kind: &str, id: impl std::fmt::Display) -> String {
    format!("{}/scim/v2/{kind}/{id}", state.public_url.trim_end_matches('/'))
}

fn answer(status: StatusCode, body: &Value) -> Response {
    (status, [(header::CONTENT_TYPE, MEDIA_TYPE)], body.to_string()).into_response()
}

fn created(state: &AppState, kind: &str, (id, body): (Uuid, Value)) -> Response {
    let mut response = answer(StatusCode::CREATED, &body);
    if let Ok(value) = HeaderValue::from_str(&location(state, kind, id)) {
        response.headers_mut().insert(header::LOCATION, value);
    }
    response
}

pub(super) fn ok(body: Value) -> Response {
    answer(StatusCode::OK, &body)
}

/// What is not there is told in the standard's form too.
async fn nothing() -> ScimError {
    ScimError::not_found()
}

async fn service_provider_config(State(state): State<AppState>, _caller: ScimCaller) -> Response {
    ok(discovery::service_provider_config(&state))
}

async fn list_resource_types(
    State(state): State<AppState>,
    _caller: ScimCaller,
    params: ListParams,
) -> ScimResult<Response> {
    listed(&params, discovery::resource_types(&state))
}

async fn show_resource_type(
    State(state): State<AppState>,
    _caller: ScimCaller,
    Path(id): Path<String>,
) -> ScimResult<Response> {
    named(discovery::resource_types(&state), &id)
}

async fn list_schemas(
    State(state): State<AppState>,
    _caller: ScimCaller,
    params: ListParams,
) -> ScimResult<Response> {
    listed(&params, discovery::schemas(&state))
}

async fn show_schema(
    State(state): State<AppState>,
    _caller: ScimCaller,
    Path(id): Path<String>,
) -> ScimResult<Response> {
    named(discovery::schemas(&state), &id)
}

/// RFC 7644 §4: what describes the service is not filtered.
fn listed(params: &ListParams, resources: Vec<Value>) -> ScimResult<Response> {
    if params.filter.is_some() {
        return Err(ScimError::forbidden("this is not filtered"));
    }
    let total = i64::try_from(resources.len()).unwrap_or_default();
    Ok(ok(ListParams::default().page(total, resources)))
}

fn named(resources: Vec<Value>, id: &str) -> ScimResult<Response> {
    resources
        .into_iter()
        .find(|resource| resource["id"] == id)
        .map(ok)
        .ok_or_else(ScimError::not_found)
}

async fn list_users(
    State(state): State<AppState>,
    caller: ScimCaller,
    params: ListParams,
) -> ScimResult<Response> {
    users::list(&state, &caller, &params).await.map(ok)
}

async fn post_user(
    State(state): State<AppState>,
    caller: ScimCaller,
    ScimBody(body): ScimBody<Map<String, Value>>,
) -> ScimResult<Response> {
    let made = users::create(&state, &caller, body).await?;
    Ok(created(&state, "Users", made))
}

async fn show_user(
    State(state): State<AppState>,
    caller: ScimCaller,
    Id(id): Id,
    params: ListParams,
) -> ScimResult<Response> {
    let user = users::show(&state, &caller, id).await?;
    Ok(ok(params.shape(user)))
}

async fn put_user(
    State(state): State<AppState>,
    caller: ScimCaller,
    Id(id): Id,
    ScimBody(body): ScimBody<Map<String, Value>>,
) -> ScimResult<Response> {
    users::replace(&state, &caller, id, &body).await.map(ok)
}

async fn patch_user(
    State(state): State<AppState>,
    caller: ScimCaller,
    Id(id): Id,
    ScimBody(body): ScimBody<PatchBody>,
) -> ScimResult<Response> {
    users::patch(&state, &caller, id, body).await.map(ok)
}

async fn delete_user(
    State(state): State<AppState>,
    caller: ScimCaller,
    Id(id): Id,
) -> ScimResult<StatusCode> {
    users::remove(&state, &caller, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn list_groups(
    State(state): State<AppState>,
    caller: ScimCaller,
    params: ListParams,
) -> ScimResult<Response> {
    groups::list(&state, &caller, &params).await.map(ok)
}

async fn post_group(
    State(state): State<AppState>,
    caller: ScimCaller,
    ScimBody(body): ScimBody<Map<String, Value>>,
) -> ScimResult<Response> {
    let made = groups::create(&state, &caller, body).await?;
    Ok(created(&state, "Groups", made))
}

async fn show_group(
    State(state): State<AppState>,
    caller: ScimCaller,
    Id(id): Id,
    params: ListParams,
) -> ScimResult<Response> {
    let group = groups::show(&state, &caller, id, params.wants_members()).await?;
    Ok(ok(params.shape(group)))
}

async fn put_group(
    State(state): State<AppState>,
    caller: ScimCaller,
    Id(id): Id,
    ScimBody(body): ScimBody<Map<String, Value>>,
) -> ScimResult<Response> {
    groups::replace(&state, &caller, id, &body).await.map(ok)
}

async fn patch_group(
    State(state): State<AppState>,
    caller: ScimCaller,
    Id(id): Id,
    ScimBody(body): ScimBody<PatchBody>,
) -> ScimResult<Response> {
    groups::patch(&state, &caller, id, body).await.map(ok)
}

async fn delete_group(
    State(state): State<AppState>,
    caller: ScimCaller,
    Id(id): Id,
) -> ScimResult<StatusCode> {
    groups::remove(&state, &caller, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
