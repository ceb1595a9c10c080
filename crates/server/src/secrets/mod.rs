//! Secrets that the server has to read again: sealed into the database, with keys in a file beside it.

mod ring;
pub mod rotate;
mod seal;
mod sign_in_digest;

pub use ring::KeyRingError;
pub use seal::{OpenError, SecretBox};
pub use sign_in_digest::SignInDigest;
