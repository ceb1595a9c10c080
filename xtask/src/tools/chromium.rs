//! The browser that the console is tested with.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::apt;
use crate::{Result, paths, shell, ui};

/// A browser that renders pages on this machine.
pub(crate) struct Chromium {
    pub(crate) program: PathBuf,
    pub(crate) version: String,
}

/// Takes `SECUREGUARD_CHROMIUM`, Chromium from PATH, or unpacks Debian's with its libraries and a font.
pub(crate) fn ensure() -> Result<Chromium> {
    if let Some(program) = paths::set("SECUREGUARD_CHROMIUM") {
        return probe(Path::new(&program)).map_err(|e| format!("SECUREGUARD_CHROMIUM does not work: {e}"));
    }
    let own = paths::tools_dir()?.join("bin/chromium");
    for name in ["chromium", "chromium-browser", "google-chrome"] {
        let found =
            shell::output(Command::new("sh").args(["-c", &format!("command -v {name}")])).unwrap_or_default();
        if let Ok(chromium) = probe(Path::new(found.trim())) {
            return Ok(chromium);
        }
    }
    if apt::unpacked_root()?.join("usr/lib/chromium/chromium").is_file() {
        write_wrapper(&own)?;
        if let Ok(chromium) = probe(&own) {
            return Ok(chromium);
        }
    }
    apt::install(
        &["chromium", "fonts-liberation", "fontconfig-config"],
        "Chromium is missing (the browser tests drive it)",
    )?;
    write_wrapper(&own)?;
    ui::step("trying the browser", || probe(&own))
}

/// The browser has to say its version and to render a page: missing libraries or fonts show up in the second.
fn probe(program: &Path) -> Result<Chromium> {
    if !program.is_file() {
        return Err(format!("{} is not a program", program.display()));
    }
    let version = shell::output(Command::new(program).arg("--version"))?
        .trim()
        .to_owned();
    let profile = std::env::temp_dir().join(format!("secureguard-chromium-{}", std::process::id()));
    let mut command = Command::new("timeout");
    command.args(["-k", "5", "60"]).arg(program).args([
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
    ]);
    command.arg(format!("--user-data-dir={}", profile.display()));
    let page = shell::output(command.args([
        "--dump-dom",
        "data:text/html,<p id=a></p><script>a.textContent=40+2</script>",
    ]));
    let _ = std::fs::remove_dir_all(&profile);
    if page?.contains(">42<") {
        return Ok(Chromium {
            program: program.to_owned(),
            version,
        });
    }
    Err(format!("{} renders no page", program.display()))
}

fn write_wrapper(path: &Path) -> Result {
    let tools = paths::tools_dir()?;
    let root = apt::unpacked_root()?;
    paths::make_dir(&tools.join("bin"))?;
    let fonts = format!(
        "<?xml version=\"1.0\"?>\n<!DOCTYPE fontconfig SYSTEM \"fonts.dtd\">\n<fontconfig>\n\
         <dir>{0}/usr/share/fonts</dir>\n<dir>/usr/share/fonts</dir>\n<cachedir prefix=\"xdg\">fontconfig</cachedir>\n</fontconfig>\n",
        root.display()
    );
    let configuration = tools.join("fonts.conf");
    paths::write(&configuration, &fonts)?;
    let script = format!(
        "#!/bin/sh\nexport LD_LIBRARY_PATH='{}'\nexport FONTCONFIG_FILE='{}'\nexport CHROME_WRAPPER=\"$0\"\nexec '{}/usr/lib/chromium/chromium' \"$@\"\n",
        apt::library_path()?,
        configuration.display(),
        root.display()
    );
    paths::write_script(path, &script)
}
