//! Completions and manual pages, from the definition of the command line.

use std::path::Path;

use anyhow::{Context, Result};
use clap_complete::Shell;

use crate::output;

/// Prints a shell's completion script.
pub(crate) fn complete(command: &mut clap::Command, shell: Shell) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(shell, command, "sgctl", &mut script);
    output::line(String::from_utf8(script)?.trim_end())
}

/// Writes `sgctl.1`, `sgctl-incidents.1`, `sgctl-incidents-list.1` and so on.
pub(crate) fn write_pages(command: clap::Command, folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    clap_mangen::generate_to(command, folder)
        .with_context(|| format!("cannot write into {}", folder.display()))?;
    output::line(&format!("written to {}", folder.display()))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn each_command_has_a_page() {
        let folder = tempfile::tempdir().unwrap();
        write_pages(crate::Arguments::command(), &folder.path().join("man1")).unwrap();
        for page in ["sgctl.1", "sgctl-incidents-list.1", "sgctl-threats-triage.1"] {
            let text = std::fs::read_to_string(folder.path().join("man1").join(page)).unwrap();
            assert!(text.contains(".SH NAME"), "{page}");
        }
    }
}
