//! The kept sign-ins by name, and the one in use.

use anyhow::{Result, bail};
use clap::Subcommand;
use serde::Serialize;

use crate::{
    output::{self, Format, printable},
    profile::Profiles,
};

#[derive(Debug, Subcommand)]
pub(crate) enum Contexts {
    /// List the servers that one has signed in to; `*` marks the one in use.
    List,
    /// Use another one from here on.
    Use { name: String },
    /// Forget one. Its key still works until it is revoked.
    Remove { name: String },
}

/// A kept sign-in, without its key.
#[derive(Serialize)]
struct ContextView {
    name: String,
    server: String,
    is_current: bool,
}

impl Contexts {
    pub(crate) fn run(self, profiles: &Profiles, format: Format) -> Result<()> {
        match self {
            Self::List => {
                let kept = profiles.load()?;
                let views: Vec<ContextView> = kept
                    .contexts
                    .into_iter()
                    .map(|(name, profile)| ContextView {
                        is_current: name == kept.current,
                        server: profile.server,
                        name,
                    })
                    .collect();
                output::list(format, &views, &["", "NAME", "SERVER"], |one| {
                    let mark = if one.is_current { "*" } else { "" };
                    vec![mark.to_owned(), printable(&one.name), printable(&one.server)]
                })
            }
            Self::Use { name } => profiles.switch(&name),
            Self::Remove { name } if profiles.forget(Some(&name))? => Ok(()),
            Self::Remove { name } => bail!("there is no context `{name}`"),
        }
    }
}
