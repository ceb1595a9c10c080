//! The operations that judge texts: importing, validating, trying out, explaining.

use axum::Json;
use axum::extract::State;
use sg_types::Problem;
use sg_types::api::rules::{
    ExplainRule, ImportRules, RuleExplanation, RuleImportReport, RuleTrial, RuleValidation, TryRule,
    ValidateRule,
};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{explain, import, save, trial};
use crate::AppState;
use crate::auth::{Can, RulesManage, RulesRead};
use crate::error::ApiResult;
use crate::extract::JsonBody;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(post_import))
        .routes(routes!(post_validation))
        .routes(routes!(post_trial))
        .routes(routes!(post_explanation))
}

/// Takes in files of rules. A file that is refused keeps no other out, and a repeat changes nothing.
#[utoipa::path(post, path = "/api/v1/threats/rules/imports", tag = "threats", request_body = ImportRules,
    security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, description = "What became of each rule.", body = RuleImportReport),
    (status = 422, description = "A field was refused.", body = Problem),
))]
async fn post_import(
    State(state): State<AppState>,
    can: Can<RulesManage>,
    JsonBody(body): JsonBody<ImportRules>,
) -> ApiResult<Json<RuleImportReport>> {
    Ok(Json(import::import(&state, &can, body).await?))
}

/// Tells what the compiler says about a text; nothing is stored.
#[utoipa::path(post, path = "/api/v1/threats/rules/validations", tag = "threats", request_body = ValidateRule,
    security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, description = "Whether it would be taken, and everything that is to be said about it.", body = RuleValidation),
    (status = 422, description = "A field was refused.", body = Problem),
))]
async fn post_validation(
    State(state): State<AppState>,
    can: Can<RulesManage>,
    JsonBody(body): JsonBody<ValidateRule>,
) -> ApiResult<Json<RuleValidation>> {
    Ok(Json(save::validate(&state, &can, body).await?))
}

/// Tries a rule on the stored events of the last days; nothing is stored.
#[utoipa::path(post, path = "/api/v1/threats/rules/trials", tag = "threats", request_body = TryRule,
    security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, description = "What it would have matched on.", body = RuleTrial),
    (status = 422, description = "The text does not compile, or looks at what is not stored.", body = Problem),
    (status = 503, description = "Other trials are running; see Retry-After.", body = Problem),
))]
async fn post_trial(
    State(state): State<AppState>,
    can: Can<RulesManage>,
    JsonBody(body): JsonBody<TryRule>,
) -> ApiResult<Json<RuleTrial>> {
    Ok(Json(trial::try_rule(&state, &can, body).await?))
}

/// Tells why a Sigma rule does or does not match an event.
#[utoipa::path(post, path = "/api/v1/threats/rules/explanations", tag = "threats", request_body = ExplainRule,
    security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, description = "How every search identifier and every pattern came out.", body = RuleExplanation),
    (status = 422, description = "The text does not compile, or a field was refused.", body = Problem),
))]
async fn post_explanation(
    State(state): State<AppState>,
    can: Can<RulesRead>,
    JsonBody(body): JsonBody<ExplainRule>,
) -> ApiResult<Json<RuleExplanation>> {
    Ok(Json(explain::explain(&state, &can, body).await?))
}
