//! Who is believed: signatures under rule sets, remote commands, approvals, trust sets and results.
//!
//! The server signs, the agent checks; both do it here, so that they cannot mean different bytes. Everything is Ed25519 (RFC 8032) over a context
//! that names the kind of message, followed by the bytes of its JSON text. Nothing does input or output.

mod approval;
mod command;
mod key;
mod result;
mod trust_set;

#[cfg(test)]
mod tests;

pub use approval::{approve, certify, verify_approval, verify_certificate};
pub use command::{CommandRefused, Recipient, read_order, sign_order, verify_command};
pub use key::{KeyError, PublicKey, SecretKey};
pub use result::{sign_result, verify_result};
pub use trust_set::{TrustRefused, sign_trust_set, verify_trust_set};
