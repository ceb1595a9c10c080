//! What is the same for every operation, written into the OpenAPI document once: how a caller shows who they are, and what a refusal looks like.

use utoipa::Modify;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Content, OpenApi as Document, Ref, RefOr, Response, ResponseBuilder, Schema};

/// The media type of refusals (RFC 9457).
const PROBLEM: &str = "application/problem+json";

/// The ways to show who one is.
pub(crate) struct SecuritySchemes;

impl Modify for SecuritySchemes {
    fn modify(&self, document: &mut Document) {
        let components = document.components.get_or_insert_default();
        let bearer = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("a session's token or an API key"))
            .build();
        components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
        components.add_security_scheme(
            "cookie",
            SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::new("__Host-sg_session"))),
        );
    }
}

/// Says of each operation that it may refuse, and that a refusal is a problem document.
pub(crate) fn add_refusals(document: &mut Document) {
    let items = document.paths.paths.values_mut();
    let operations = items.flat_map(|item| {
        [
            &mut item.get,
            &mut item.put,
            &mut item.post,
            &mut item.patch,
            &mut item.delete,
        ]
    });
    for operation in operations.flatten() {
        let responses = &mut operation.responses.responses;
        for (status, response) in responses.iter_mut() {
            if let (true, RefOr::T(response)) = (status.starts_with(['4', '5']), response) {
                response.content.clear();
                response.content.insert(PROBLEM.to_owned(), content());
            }
        }
        for (status, words) in [
            ("4XX", "The request is refused; `code` says why."),
            (
                "503",
                "It cannot be answered now; `Retry-After` says when to come again.",
            ),
        ] {
            responses
                .entry(status.to_owned())
                .or_insert_with(|| RefOr::T(refusal(words)));
        }
    }
}

/// Lets the parts of a composed schema (`allOf`) have properties of each other: one that is closed for itself refuses those of the rest, and nothing would fit.
pub(crate) fn open_parts(document: &mut Document) {
    let Some(components) = &mut document.components else {
        return;
    };
    let mut parts = Vec::new();
    for schema in components.schemas.values() {
        find_parts(schema, &mut parts);
    }
    for part in parts {
        let name = part.rsplit_once('/').map_or("", |(_, name)| name);
        if let Some(RefOr::T(Schema::Object(object))) = components.schemas.get_mut(name) {
            object.additional_properties = None;
        }
    }
}

fn find_parts(schema: &RefOr<Schema>, parts: &mut Vec<String>) {
    match schema {
        RefOr::T(Schema::OneOf(one_of)) => {
            for item in &one_of.items {
                find_parts(item, parts);
            }
        }
        RefOr::T(Schema::AllOf(all_of)) => parts.extend(all_of.items.iter().filter_map(|item| match item {
            RefOr::Ref(part) => Some(part.ref_location.clone()),
            RefOr::T(_) => None,
        })),
        RefOr::Ref(_) | RefOr::T(_) => {}
    }
}

fn refusal(words: &str) -> Response {
    let mut response = ResponseBuilder::new().description(words).build();
    response.content.insert(PROBLEM.to_owned(), content());
    response
}

fn content() -> RefOr<Content> {
    RefOr::T(Content::new(Some(Ref::from_schema_name("Problem"))))
}
