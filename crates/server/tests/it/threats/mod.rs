//! `/api/v1/threats/`.

mod correlations;
mod exceptions;
mod list;
mod merge;
mod rules;
mod work;
