//! `cargo xtask test`: everything that can fail, and at the end what the runners themselves said.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::build::{self, Profile, cargo};
use crate::tools::{self, chromium::Chromium, node::Node, postgres::Postgres};
use crate::{Result, chaos, conformance, npm, paths, shell, ui};

/// One runner's verdict.
struct Part {
    name: &'static str,
    passed: bool,
    summary: Vec<String>,
}

pub(crate) fn test(arguments: &[String]) -> Result {
    let known = ["rust", "web", "e2e"];
    if let Some(other) = arguments.iter().find(|a| !known.contains(&a.as_str())) {
        return Err(format!("test knows the parts {}, not {other}", known.join(", ")));
    }
    let wanted = |part: &str| arguments.is_empty() || arguments.iter().any(|a| a == part);
    tools::compiler::check()?;
    let postgres = tools::postgres::ensure()?;
    ui::say(&format!(
        "PostgreSQL {} in {}",
        postgres.version,
        postgres.bin_dir.display()
    ));
    let node = tools::node::ensure()?;
    ui::say(&format!("Node {} in {}", node.version, node.program.display()));
    let browser = if wanted("e2e") {
        Some(tools::chromium::ensure()?)
    } else {
        None
    };
    let newest = if wanted("rust") {
        Some(tools::postgres_18::ensure(&node)?)
    } else {
        None
    };
    build::console(&node)?;
    if wanted("rust") || wanted("e2e") {
        compile()?;
    }

    let mut parts = Vec::new();
    if wanted("rust") {
        npm::install(&node, "e2e")?;
        let slapd = tools::slapd::ensure()?;
        let scim = tools::scim_tester::ensure()?;
        let s3 = tools::s3_server::ensure()?;
        let pgbackrest = tools::pgbackrest::ensure()?;
        let faketime = tools::faketime::find_or_install().ok_or(
            "libfaketime is needed by the test of a clock that jumps (Debian's package libfaketime)",
        )?;
        let environment = [
            ("SECUREGUARD_TEST_NODE", node.program.as_path()),
            ("SECUREGUARD_TEST_SLAPD_ROOT", slapd.root.as_path()),
            ("SECUREGUARD_TEST_SCIM_PYTHON", scim.as_path()),
            ("SECUREGUARD_TEST_S3_PYTHON", s3.as_path()),
            ("SECUREGUARD_TEST_PGBACKREST", pgbackrest.program.as_path()),
            ("SECUREGUARD_TEST_FAKETIME", faketime.as_path()),
        ];
        parts.push(rust("Rust tests", &postgres, "--workspace", &environment)?);
        parts.push(faults(&postgres)?);
        parts.push(api(&postgres)?);
        parts.push(referee()?);
    }
    if let Some(newest) = &newest {
        parts.push(rust(
            "database tests on PostgreSQL 18",
            newest,
            "--package=sg-db",
            &[],
        )?);
    }
    if wanted("web") {
        parts.extend(web(&node)?);
    }
    if let Some(browser) = &browser {
        parts.extend(end_to_end(&node, &postgres, browser)?);
    }
    report(&parts)
}

/// Binaries and tests with one set of features, so that nothing is compiled twice.
fn compile() -> Result {
    ui::step("building binaries and tests (dev profile)", || {
        shell::run(cargo().args(["build", "--workspace", "--all-targets"]))
    })
}

/// All test processes share one PostgreSQL, which `sg-test-cluster` starts before them and stops after them.
fn rust(
    name: &'static str,
    postgres: &Postgres,
    packages: &str,
    environment: &[(&str, &Path)],
) -> Result<Part> {
    let mut command = Command::new(Profile::Dev.dir().join("sg-test-cluster"));
    command.current_dir(paths::root()).arg(cargo().get_program());
    if shell::answers("cargo-nextest", "--version") {
        command.args(["nextest", "run", packages]);
    } else {
        command.args(["test", packages, "--no-fail-fast"]);
    }
    command
        .env("PG_BIN", &postgres.bin_dir)
        .envs(environment.iter().copied())
        .env("CARGO_TERM_COLOR", "never");
    let summary = |line: &str| {
        line.contains("tests run:")
            || (line.starts_with("test result:") && !line.contains(" 0 passed; 0 failed"))
    };
    part(name, &mut command, summary)
}

/// A minute of faults under load, always the same ones; it ends by itself, with everything that it started.
fn faults(postgres: &Postgres) -> Result<Part> {
    let (mut command, folder) = chaos::program(Profile::Dev, postgres);
    command.args(["--minutes", "1", "--seed", "1"]);
    let kept = [
        "chaos passed",
        "chaos FAILED",
        "FAULT ",
        "simulated endpoints: ",
        "the agent: ",
        "    skipped: ",
    ];
    let part = part("faults under load", &mut command, |line| {
        kept.iter().any(|start| line.starts_with(start))
    })?;
    if part.passed {
        let _ = fs::remove_dir_all(folder);
    }
    Ok(part)
}

/// Requests that follow the OpenAPI document and that do not, as each role, always the same ones.
fn api(postgres: &Postgres) -> Result<Part> {
    let python = tools::schemathesis::ensure()?;
    let (mut command, folder) = conformance::program(Profile::Dev, postgres, &python);
    let part = part("API against its document", &mut command, |line| {
        line.starts_with("conformance") || line.starts_with("error: ")
    })?;
    if part.passed {
        let _ = fs::remove_dir_all(folder);
    }
    Ok(part)
}

/// The Sigma engine beside another one, which is outside the workspace.
fn referee() -> Result<Part> {
    let mut command = cargo();
    command.args(["test", "--quiet", "--locked", "--manifest-path"]);
    command.arg(paths::root().join("tools/sigma-referee/Cargo.toml"));
    command.arg("--target-dir").arg(paths::target_dir());
    part("Sigma against rsigma-eval", &mut command, |line| {
        line.starts_with("test result:")
    })
}

fn web(node: &Node) -> Result<Vec<Part>> {
    let mut parts = Vec::new();
    for (name, script) in [("console types", "check"), ("console lint", "lint")] {
        parts.push(part(
            name,
            npm::npm(node, "web").args(["run", "--silent", script]),
            |line| line.contains(" errors and ") || line.starts_with("Checked "),
        )?);
    }
    parts.push(part(
        "console tests",
        npm::npm(node, "web").args(["run", "--silent", "test"]),
        |line| {
            let line = line.trim_start();
            line.starts_with("Tests ") || line.starts_with("Test Files ")
        },
    )?);
    Ok(parts)
}

fn end_to_end(node: &Node, postgres: &Postgres, browser: &Chromium) -> Result<Vec<Part>> {
    npm::install(node, "e2e")?;
    let mut command = npm::npm(node, "e2e");
    command.args(["run", "--silent", "test"]);
    command.env("PG_BIN", &postgres.bin_dir);
    command.env("SECUREGUARD_BIN_DIR", Profile::Dev.dir());
    command.env("SECUREGUARD_CHROMIUM", &browser.program);
    let browser_part = part("browser tests", &mut command, |line| {
        let line = line.trim();
        let ends = [" passed", " failed", " flaky", " skipped", " did not run"];
        line.starts_with(|c: char| c.is_ascii_digit())
            && ends
                .iter()
                .any(|end| line.ends_with(end) || line.contains(&format!("{end} (")))
    })?;
    let types = part(
        "browser test types",
        npm::npm(node, "e2e").args(["run", "--silent", "check"]),
        |_| false,
    )?;
    Ok(vec![types, browser_part])
}

fn part(name: &'static str, command: &mut Command, keep: impl Fn(&str) -> bool + Sync) -> Result<Part> {
    let (summary, passed) = ui::step(name, || shell::tee(command, keep))?;
    Ok(Part {
        name,
        passed,
        summary,
    })
}

fn report(parts: &[Part]) -> Result {
    println!();
    for part in parts {
        ui::say(&format!(
            "{}: {}",
            part.name,
            if part.passed { "passed" } else { "FAILED" }
        ));
        part.summary.iter().for_each(|line| println!("    {line}"));
    }
    let failed: Vec<&str> = parts.iter().filter(|p| !p.passed).map(|p| p.name).collect();
    if failed.is_empty() {
        Ok(())
    } else {
        Err(format!("failed: {}", failed.join(", ")))
    }
}
