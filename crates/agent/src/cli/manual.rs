//! Completions and manual pages, from the definition of the command line.

use std::path::Path;

use anyhow::{Context, Result};
use clap::CommandFactory;
use clap_complete::Shell;

use super::{Cli, say};

/// Prints a shell's completion script.
pub(super) fn complete(shell: Shell) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "secureguard-agent", &mut script);
    say(String::from_utf8(script)?.trim_end());
    Ok(())
}

/// Writes `secureguard-agent.1`, `secureguard-agent-run.1` and so on.
pub(super) fn write_pages(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    clap_mangen::generate_to(Cli::command(), folder)
        .with_context(|| format!("cannot write into {}", folder.display()))
}
