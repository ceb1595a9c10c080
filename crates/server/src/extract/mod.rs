//! Extractors for what a request carries. Their refusals are problems with 4xx and name the field.

mod cursor;
mod filter;
mod json;
mod params;

pub use cursor::{decode_cursor, encode_cursor, page_of};
pub use filter::{search_text, word_list};
pub(crate) use json::too_slow;
pub use json::{JsonBody, parse_json};
pub use params::{DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE, PageParams, PathParams, QueryParams, page_size};
