//! Completions and manual pages, from the definition of the command line.

use std::path::Path;

use anyhow::Context;
use clap::CommandFactory;
use clap_complete::Shell;

use crate::{Arguments, print_line};

/// Prints a shell's completion script.
pub(crate) fn complete(shell: Shell) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "secureguard", &mut script);
    print_line(String::from_utf8(script)?.trim_end());
    Ok(())
}

/// Writes `secureguard.1`, `secureguard-up.1` and so on.
pub(crate) fn write_pages(folder: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    clap_mangen::generate_to(Arguments::command(), folder)
        .with_context(|| format!("cannot write into {}", folder.display()))
}
