//! Running other programs.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;

use crate::Result;

/// Runs a program with our terminal; an error names it.
pub(crate) fn run(command: &mut Command) -> Result {
    let status = command.status().map_err(|e| cannot_start(command, &e))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("{} failed ({status})", describe(command)))
    }
}

/// Runs a program and returns what it printed to stdout; on failure the error holds the end of all its output.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|e| cannot_start(command, &e))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(text);
    }
    let all = text + &String::from_utf8_lossy(&output.stderr);
    Err(format!(
        "{} failed ({}):\n{}",
        describe(command),
        output.status,
        tail(&all, 25)
    ))
}

/// Runs a program, passes its output on line by line, and returns the lines that `keep` wants and whether it succeeded.
pub(crate) fn tee(command: &mut Command, keep: impl Fn(&str) -> bool + Sync) -> Result<(Vec<String>, bool)> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| cannot_start(command, &e))?;
    let kept = Mutex::new(Vec::new());
    let pass_on = |stream: &mut dyn Read| {
        for line in BufReader::new(stream)
            .split(b'\n')
            .map_while(std::result::Result::ok)
        {
            let line = String::from_utf8_lossy(&line).into_owned();
            println!("{line}");
            let plain = strip_colours(&line);
            if keep(&plain)
                && let Ok(mut kept) = kept.lock()
            {
                kept.push(plain.trim().to_owned());
            }
        }
    };
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    std::thread::scope(|scope| {
        let pass_on = &pass_on;
        scope.spawn(move || stdout.map(|mut s| pass_on(&mut s)));
        scope.spawn(move || stderr.map(|mut s| pass_on(&mut s)));
    });
    let status = child.wait().map_err(|e| cannot_start(command, &e))?;
    Ok((kept.into_inner().unwrap_or_default(), status.success()))
}

/// Whether a program is on PATH, by running it with the given argument.
pub(crate) fn answers(program: impl AsRef<Path>, argument: &str) -> bool {
    let mut command = Command::new(program.as_ref());
    let command = command
        .arg(argument)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.status().is_ok_and(|s| s.success())
}

/// The last lines of a text.
pub(crate) fn tail(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.trim_end().lines().collect();
    all.get(all.len().saturating_sub(lines)..)
        .unwrap_or_default()
        .join("\n")
}

fn describe(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let name = program
        .file_name()
        .unwrap_or(program.as_os_str())
        .to_string_lossy()
        .into_owned();
    let arguments = command
        .get_args()
        .take(4)
        .map(|a| a.to_string_lossy().into_owned());
    std::iter::once(name)
        .chain(arguments)
        .collect::<Vec<_>>()
        .join(" ")
}

fn cannot_start(command: &Command, error: &std::io::Error) -> String {
    format!("cannot run {}: {error}", describe(command))
}

fn strip_colours(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((before, after)) = rest.split_once("\u{1b}[") {
        plain.push_str(before);
        let end = after
            .find(|c: char| c.is_ascii_alphabetic())
            .map_or(after.len(), |i| i + 1);
        rest = after.get(end..).unwrap_or_default();
    }
    plain.push_str(rest);
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_stripped() {
        assert_eq!(
            strip_colours("\u{1b}[2m Tests \u{1b}[22m \u{1b}[32m3 passed\u{1b}[39m"),
            " Tests  3 passed"
        );
        assert_eq!(strip_colours("plain"), "plain");
    }

    #[test]
    fn tee_keeps_the_wanted_lines_of_both_streams() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo one; echo two wanted; echo three wanted >&2; exit 3"]);
        let (mut kept, ok) = tee(&mut command, |line| line.contains("wanted")).unwrap();
        kept.sort();
        assert_eq!(
            (kept, ok),
            (vec!["three wanted".to_owned(), "two wanted".to_owned()], false)
        );
    }

    #[test]
    fn failures_carry_the_end_of_the_output() {
        let error = output(Command::new("sh").args(["-c", "echo reason >&2; exit 1"])).unwrap_err();
        assert!(error.contains("sh -c") && error.contains("reason"), "{error}");
        assert!(
            output(&mut Command::new("/no/such/program"))
                .unwrap_err()
                .contains("cannot run program")
        );
    }
}
