//! What `up` tells automation, or the person at the terminal, once it serves.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::files;

/// The ready file's content; its keys are an interface.
#[derive(Debug, Serialize, Deserialize)]
pub struct ReadyFile {
    /// Where the server is.
    pub url: String,
    /// libpq URI as `sg_admin`.
    pub database_url: String,
    /// The first administrator, at the first start only.
    pub admin: Option<Admin>,
    /// The first enrolment key, at the first start only.
    pub enrolment_key: Option<String>,
    /// The certificate to trust; none without TLS or with a given certificate.
    pub ca_file: Option<String>,
}

/// The first administrator.
#[derive(Debug, Serialize, Deserialize)]
pub struct Admin {
    /// Sign-in name.
    pub username: String,
    /// One-time password.
    pub password: String,
}

impl ReadyFile {
    /// Writes the file whole, for the owner only.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn write(&self, path: &Path) -> std::io::Result<()> {
        files::write_private(path, &serde_json::to_vec_pretty(self)?)
    }

    /// What a person needs, in lines; holds the one-time secrets.
    pub fn describe(&self) -> String {
        let mut lines = vec![format!("SecureGuard serves {}", self.url)];
        lines.extend(self.admin.as_ref().map(|admin| {
            format!(
                "first sign-in: user {}, password {} (has to be changed at once)",
                admin.username, admin.password
            )
        }));
        lines.extend(
            self.enrolment_key
                .as_ref()
                .map(|key| format!("enrolment key: {key}")),
        );
        lines.extend(
            self.ca_file
                .as_ref()
                .map(|ca| format!("clients trust the server by {ca}")),
        );
        lines.join("\n")
    }
}
