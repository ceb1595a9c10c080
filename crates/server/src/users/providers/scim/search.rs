//! Lists that are asked for by POST (RFC 7644 §3.4.3), so that what is looked for stays out of addresses and their logs.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use serde_json::Value;

use super::caller::{ScimBody, ScimCaller};
use super::error::ScimResult;
use super::routes::{ListParams, ok};
use super::{groups, users};
use crate::AppState;

/// A search request. What is not known is passed over, as in lists.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SearchRequest {
    filter: Option<String>,
    start_index: Option<i64>,
    count: Option<i64>,
    attributes: Option<Vec<String>>,
    excluded_attributes: Option<Vec<String>>,
}

impl From<SearchRequest> for ListParams {
    fn from(request: SearchRequest) -> Self {
        let joined = |names: Option<Vec<String>>| names.map(|names| names.join(","));
        Self {
            filter: request.filter,
            start_index: request.start_index,
            count: request.count,
            attributes: joined(request.attributes),
            excluded_attributes: joined(request.excluded_attributes),
        }
    }
}

pub(super) async fn search_users(
    State(state): State<AppState>,
    caller: ScimCaller,
    ScimBody(body): ScimBody<SearchRequest>,
) -> ScimResult<Response> {
    users::list(&state, &caller, &body.into()).await.map(ok)
}

pub(super) async fn search_groups(
    State(state): State<AppState>,
    caller: ScimCaller,
    ScimBody(body): ScimBody<SearchRequest>,
) -> ScimResult<Response> {
    groups::list(&state, &caller, &body.into()).await.map(ok)
}

/// People first, then groups, as one list.
pub(super) async fn search_all(
    State(state): State<AppState>,
    caller: ScimCaller,
    ScimBody(body): ScimBody<SearchRequest>,
) -> ScimResult<Response> {
    let params: ListParams = body.into();
    let (offset, count) = params.range();
    let people = users::list(&state, &caller, &params).await?;
    let (found, mut resources) = (total(&people), resources(people));
    let taken = i64::try_from(resources.len()).unwrap_or(i64::MAX);
    let rest = ListParams {
        start_index: Some((offset - found).max(0) + 1),
        count: Some(count - taken),
        ..params.clone()
    };
    let groups = groups::list(&state, &caller, &rest).await?;
    let total = found + total(&groups);
    resources.extend(self::resources(groups));
    Ok(ok(params.page(total, resources)))
}

fn total(page: &Value) -> i64 {
    page["totalResults"].as_i64().unwrap_or_default()
}

fn resources(mut page: Value) -> Vec<Value> {
    match page["Resources"].take() {
        Value::Array(resources) => resources,
        _ => Vec::new(),
    }
}
