//! Makes requests from an OpenAPI document and checks what comes back, for `cargo xtask conformance`.

use std::path::PathBuf;

use super::python::{self, Packages};
use crate::Result;

/// A program that runs Python with it.
pub(crate) fn ensure() -> Result<PathBuf> {
    python::install(&Packages {
        what: "what checks the API against its document",
        folder: "schemathesis",
        program: "schemathesis-python",
        packages: &["schemathesis==4.32.5"],
        megabytes: 95,
    })
}
