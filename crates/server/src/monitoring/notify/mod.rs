//! Telling people: channels, routes, silences, and the sender of what is in the outbox.

mod channels;
mod deliver;
mod letter;
mod routes;
mod rules;
mod sender;
mod target;
mod template;

use crate::AppState;
use crate::error::{ApiError, ApiResult};
use crate::users::is_display_name;

pub(crate) use letter::clean as clean_text;
pub use routes::routes;
pub use sender::{run, spawn};

/// Characters of a name.
const MAX_NAME_CHARS: usize = 100;

/// Where the console is, without a slash at its end.
fn console(state: &AppState) -> &str {
    state.public_url.trim_end_matches('/')
}

fn check_name(field: &'static str, name: &str) -> ApiResult<()> {
    if is_display_name(name, MAX_NAME_CHARS) {
        return Ok(());
    }
    Err(ApiError::invalid_field(
        field,
        format!("is 1–{MAX_NAME_CHARS} characters"),
    ))
}
