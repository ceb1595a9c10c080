//! Signing in, out, and asking who one is.

use std::{
    fs,
    io::{BufRead, IsTerminal, stdin},
    path::PathBuf,
};

use anyhow::{Context, Result, bail};
use clap::Args;
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
use sg_client::Client;

use crate::{
    output::{self, Format},
    profile::{Profile, Profiles},
};

#[derive(Debug, Args)]
pub(crate) struct Login {
    /// The server's address, such as https://guard.example:8443.
    #[arg(long, env = "SGCTL_SERVER")]
    server: String,
    /// The server's certificate authority (ca.pem), where it made its own.
    #[arg(long, env = "SGCTL_CA", value_name = "FILE")]
    ca: Option<PathBuf>,
    /// File with the API key; else the variable SGCTL_KEY, else it is asked for. Not an argument, since arguments can be seen by others.
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
}

impl Login {
    pub(crate) async fn run(self, profiles: &Profiles, format: Format) -> Result<()> {
        let key = self.read_key()?;
        if key.is_empty() {
            bail!("no key given; make one in the console under API keys, with the scope api");
        }
        let ca_pem = match &self.ca {
            Some(file) => {
                Some(fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?)
            }
            None => None,
        };
        let profile = Profile {
            server: self.server,
            key,
            ca_pem,
        };
        let client = profile.client()?;
        // Kept only when it works.
        client.current_session().await?;
        profiles.keep(profile)?;
        whoami(&client, format).await
    }

    #[expect(clippy::disallowed_methods, reason = "the program's configuration")]
    fn read_key(&self) -> Result<String> {
        let text = if let Some(file) = &self.key_file {
            fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?
        } else if let Ok(key) = std::env::var("SGCTL_KEY") {
            key
        } else {
            prompt("API key: ")?
        };
        Ok(text.trim().to_owned())
    }
}

pub(crate) fn logout(profiles: &Profiles) -> Result<()> {
    output::line(if profiles.forget(None)? {
        "signed out; the key itself still works until it is revoked"
    } else {
        "not signed in"
    })
}

pub(crate) async fn whoami(client: &Client, format: Format) -> Result<()> {
    let session = client.current_session().await?;
    output::record(
        format,
        &session,
        &[
            ("user", session.username.clone()),
            ("role", session.role.to_string()),
            ("tenant", session.tenant.name.clone()),
            ("server", client.base_url().to_string()),
        ],
    )
}

/// Reads a line; from a terminal without showing it.
fn prompt(question: &str) -> Result<String> {
    let input = stdin();
    let mut line = String::new();
    if !input.is_terminal() {
        input.lock().read_line(&mut line)?;
        return Ok(line);
    }
    output::ask(question)?;
    let before = tcgetattr(&input)?;
    let mut silent = before.clone();
    silent.local_modes.remove(LocalModes::ECHO);
    tcsetattr(&input, OptionalActions::Flush, &silent)?;
    let read = input.lock().read_line(&mut line);
    tcsetattr(&input, OptionalActions::Flush, &before)?;
    output::ask("\n")?;
    read?;
    Ok(line)
}
