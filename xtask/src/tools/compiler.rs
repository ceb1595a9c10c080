//! The C compiler that a few dependencies are built with.

use crate::{Result, shell};

/// Rust itself links with `cc`, so it is nearly always there. It cannot be unpacked into a folder: compilers look for
/// their parts in fixed places.
pub(crate) fn check() -> Result {
    if ["cc", "gcc", "clang"]
        .iter()
        .any(|compiler| shell::answers(compiler, "--version"))
    {
        return Ok(());
    }
    Err("no C compiler was found; the cryptography and compression libraries are built with one. As root: apt-get install gcc libc6-dev".to_owned())
}
