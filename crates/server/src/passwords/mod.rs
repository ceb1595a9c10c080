//! Password hashing in a bounded pool, and the rules for new passwords.

mod blocklist;
mod breached;
mod generate;
mod hasher;
mod memory;
mod pepper;
mod policy;
mod workers;

pub use breached::BreachedPasswords;
pub use generate::generate_initial_password;
pub use hasher::{Admission, PasswordHasher, PoolFull, Verdict};
pub use pepper::Pepper;
pub use policy::{MAX_PASSWORD_CHARS, PasswordContext, Requirements, check_new_password};
