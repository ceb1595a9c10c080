//! The collectors: health of the machine, programs that are started, files that change.

pub mod files;
pub mod metrics;
pub mod process;
mod services;
mod users;

pub use users::UserNames;

use sg_types::agent::MAX_TEXT_CHARS;

/// Cuts a text to what the protocol takes.
pub(crate) fn cut_text(mut text: String) -> String {
    if text.len() > MAX_TEXT_CHARS
        && let Some((end, _)) = text.char_indices().nth(MAX_TEXT_CHARS)
    {
        text.truncate(end);
    }
    text
}
