//! Directories (LDAP v3, RFC 4511): they check passwords, and accounts follow them.

mod connection;
mod people;
mod routes;
mod sign_in;
mod sync;

pub(super) use connection::check_url;
pub(super) use people::try_out;
pub(super) use routes::routes;
pub(crate) use sign_in::{Directories, DirectoryAnswer, find_directory_account};
pub(crate) use sync::run_due;
