//! `/api/v1/threats/`.

mod list;
mod merge;
mod work;
