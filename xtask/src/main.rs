//! The development commands: `cargo xtask help` lists them.

#![expect(clippy::print_stdout, reason = "a command-line program talks to its user")]

mod bench;
mod build;
mod chaos;
mod check;
mod conformance;
mod dist;
mod failover;
mod fuzz;
mod generate;
mod npm;
mod options;
mod paths;
mod run;
mod server;
mod shell;
mod stop;
mod test;
mod tools;
mod tree;
mod ui;
mod upgrade;

use std::process::ExitCode;

/// What went wrong, in words for the person at the terminal.
pub(crate) type Result<T = ()> = std::result::Result<T, String>;

const HELP: &str = "\
usage: cargo xtask <command>

  run [--data-dir DIR] [--listen ADDR]   install what is missing, build, start the server and an agent on this machine
  test [rust|web|e2e]...                 install what is missing, run every test (or only the named parts)
  build [--dev]                          console and binaries, in target/release
  check                                  formatting, lints, layering, sizes, licences, generated files
  gen [--check]                          OpenAPI document, schema.sql, database reference, the console's types
  bench NAME|all                         ready, console-size, login, rate-limits, notify, check-in [plain|tls] and bulk [--seconds N],
                                         agent-idle [--minutes N], audit-write, audit-search, rls and series [--large|--rows N],
                                         sigma [--rules FOLDER] [--windows FILE] [--linux FILE] [--seconds N],
                                         yara [FOLDER [RULES]]
  chaos [--minutes M] [--seed S]         kill, halt, starve and cut off everything under load; compare what was acknowledged with what is stored
  conformance [--examples N] [--seed S]  ask the API what its OpenAPI document says, as each role, and compare the answers with it
  failover [--mode sync|async|both]      take the primary of a PostgreSQL under Patroni away under load; say how long and what is missing
  fuzz [--minutes N] [TARGET]            give damaged inputs to every parser of what others have written, or to the named one
  dist [--out DIR] [--programs DIR] [--try] [--reproduce]
                                         Debian packages, static agent, SBOM and digests; --try installs, upgrades and purges them in chroots (root);
                                         --reproduce builds everything again elsewhere and compares the bytes
  upgrade-test --from REV|--earlier DIR  server and agent of an earlier revision, or of a folder, with data; then the present ones
    [--present DIR] [--nodes]            (or those of a folder) on the same data; --nodes: node by node over one PostgreSQL, under load
  tools                                  only install what is missing
  help                                   this text

Tools that are missing go into one folder and nowhere else; docs/development-setup.md says which and how to remove it.";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (verb, rest) = match arguments.split_first() {
        Some((verb, rest)) => (verb.as_str(), rest),
        None => ("help", &[][..]),
    };
    let outcome = match verb {
        "run" => run::run(rest),
        "test" => test::test(rest),
        "build" => build::command(rest),
        "check" => check::check(rest),
        "gen" => generate::command(rest),
        "bench" => bench::bench(rest),
        "chaos" => chaos::chaos(rest),
        "conformance" => conformance::conformance(rest),
        "failover" => failover::failover(rest),
        "fuzz" => fuzz::fuzz(rest),
        "dist" => dist::dist(rest),
        "upgrade-test" => upgrade::test(rest),
        "tools" => tools::install_all(),
        "help" | "--help" | "-h" => {
            println!("{HELP}");
            Ok(())
        }
        other => Err(format!("there is no command `{other}`\n\n{HELP}")),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            ui::fail(&message);
            ExitCode::FAILURE
        }
    }
}
