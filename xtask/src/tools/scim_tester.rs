//! A client of SCIM 2.0 that checks a server against the standard, which the tests of provisioning run.

use std::path::PathBuf;

use super::python::{self, Packages};
use crate::Result;

/// A program that runs Python with the client.
pub(crate) fn ensure() -> Result<PathBuf> {
    python::install(&Packages {
        what: "the client that checks provisioning by SCIM",
        folder: "scim-tester",
        program: "scim-python",
        packages: &[
            "scim2-tester==0.5.2",
            "scim2-client==0.13.2",
            "scim2-models==0.12.3",
            "httpx2==2.16.2",
        ],
        megabytes: 15,
    })
}
