//! `/api/v1/threats/`.

mod exceptions;
mod list;
mod merge;
mod rules;
mod work;
