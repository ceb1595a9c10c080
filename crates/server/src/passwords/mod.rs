//! Password hashing in a bounded pool, and the rules for new passwords.

mod blocklist;
mod generate;
mod hasher;
mod policy;

pub use generate::generate_initial_password;
pub use hasher::{Admission, PasswordHasher, PoolFull, Verdict};
pub use policy::{MAX_PASSWORD_CHARS, PasswordContext, Requirements, check_new_password};
