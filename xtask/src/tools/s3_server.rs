//! A server of S3 over TLS that checks signatures and keys, which the tests of backups into a bucket run.

use std::path::PathBuf;

use super::python::{self, Packages};
use crate::Result;

/// A program that runs Python with the server, moto.
pub(crate) fn ensure() -> Result<PathBuf> {
    python::install(&Packages {
        what: "the S3 server that backups are tested with",
        folder: "s3-server",
        program: "s3-python",
        packages: &[
            "moto[s3]==5.2.5",
            "cheroot==11.1.2",
            "flask==3.1.3",
            "flask-cors==6.0.5",
            "boto3==1.44.8",
            "botocore==1.44.8",
            "cryptography==50.0.2",
            "werkzeug==3.1.9",
            "responses==0.26.3",
        ],
        megabytes: 120,
    })
}
