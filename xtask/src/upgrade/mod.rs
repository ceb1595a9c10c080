//! `cargo xtask upgrade-test --from REV`: a server and an agent of an earlier revision with data, then the present ones on the same data; with `--nodes`, nodes of either side
//! by side.

mod site;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::build::{self, BINARIES, Profile, TO_RUN, cargo};
use crate::options::Options;
use crate::tools::postgres::Postgres;
use crate::{Result, paths, shell, tools, tree, ui};
use site::Site;

const USAGE: &str = "usage: cargo xtask upgrade-test --from REV|--earlier DIR [--present DIR] [--nodes]";
const ROLLING: &str = "sg-rolling";
/// The anti-virus industry's test file, in two halves so that no scanner takes this program for it.
const EICAR: [&str; 2] = [
    "X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR",
    "-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*",
];
/// How long something that has to happen may take.
const PATIENCE: Duration = Duration::from_secs(90);

/// Holes that the spool tells of: records that were lost.
const LOST: &str = "select count(*) from agents.events where kind = 'gap' and detail ->> 'reason' in ('spool_full', 'spool_damaged', 'record_refused')";
const ENDPOINTS: &str = "select count(*) from agents.endpoints";
const SCHEMA: &str = "select max(version) from _sqlx_migrations";

pub(crate) fn test(arguments: &[String]) -> Result {
    let options = Options::parse(
        arguments,
        &["--from", "--earlier", "--present"],
        &["--nodes"],
        USAGE,
    )?;
    let postgres = tools::postgres::ensure()?;
    let earlier = match (options.value("--from"), options.value("--earlier")) {
        (Some(revision), None) => build_earlier(revision)?,
        (None, Some(dir)) => PathBuf::from(dir),
        _ => {
            return Err(format!(
                "either --from REV, a revision or tag, or --earlier DIR, a folder of its programs\n{USAGE}"
            ));
        }
    };
    let present = match options.value("--present") {
        Some(dir) => PathBuf::from(dir),
        None => build_present()?,
    };
    if options.has("--nodes") {
        return upgrade_nodes(&postgres, &earlier, &present);
    }
    Site::new(postgres, earlier, present)?.run(upgrade)
}

/// Nodes over one PostgreSQL, one after the other, by `sg-rolling` of the testkit.
fn upgrade_nodes(postgres: &Postgres, earlier: &Path, present: &Path) -> Result {
    build::binaries(Profile::Dev, &[("sg-testkit", ROLLING)])?;
    let folder = std::env::temp_dir().join(format!("secureguard-rolling-{}", std::process::id()));
    let mut command = Command::new(Profile::Dev.dir().join(ROLLING));
    command
        .args([Path::new("--earlier"), earlier, Path::new("--present"), present])
        .arg("--folder")
        .arg(&folder)
        .env("PG_BIN", &postgres.bin_dir);
    shell::run(&mut command)?;
    let _ = std::fs::remove_dir_all(folder);
    Ok(())
}

fn build_present() -> Result<PathBuf> {
    tools::compiler::check()?;
    build::console(&tools::node::ensure()?)?;
    build::binaries(Profile::Dev, TO_RUN)?;
    Ok(Profile::Dev.dir())
}

/// Builds the programs of a revision in a work tree and a target folder of their own, and gives their folder.
fn build_earlier(revision: &str) -> Result<PathBuf> {
    let base = paths::target_dir().join("upgrade");
    let tree = base.join("source");
    paths::make_dir(&base)?;
    tree::check_out(revision, &tree)?;
    let target = base.join("target");
    ui::step(&format!("building the programs of {revision}"), || {
        let mut command = cargo();
        command
            .current_dir(&tree)
            .args(["build", "--locked"])
            .env("CARGO_TARGET_DIR", &target)
            .env_remove("CARGO_MANIFEST_DIR");
        for (package, binary) in &BINARIES[..TO_RUN.len()] {
            command.args(["-p", package, "--bin", binary]);
        }
        shell::run(&mut command)
    })?;
    Ok(target.join("debug"))
}

/// What has to be there afterwards.
struct Before {
    queries: String,
    rows: Vec<String>,
    keys: Vec<(PathBuf, Vec<u8>)>,
}

fn upgrade(site: &mut Site) -> Result {
    let ready = ui::step("starting the earlier server", || site.start_server(Site::EARLIER))?;
    let key = ready
        .enrolment_key
        .as_deref()
        .ok_or("the first start gave no enrolment key")?;
    site.enrol(key)?;
    site.start_agent(Site::EARLIER)?;
    find_something(site, "before")?;
    let (queries, schema) = (site.key_queries()?, site.number(SCHEMA)?);
    let before = Before {
        rows: site.rows(&queries)?,
        queries,
        keys: site.keys()?,
    };
    ui::say(&format!(
        "{} rows under schema {schema}; the server stops, the agent stays",
        before.rows.len()
    ));
    site.stop_server()?;
    site.drop_file("between", &EICAR.concat())?;
    std::thread::sleep(Duration::from_secs(5));

    let ready = ui::step("starting the present server on the same data", || {
        site.start_server(Site::PRESENT)
    })?;
    if ready.admin.is_some() || ready.enrolment_key.is_some() {
        return Err("the present server took the data for a new installation".to_owned());
    }
    ui::say(&format!("schema {schema} became {}", site.number(SCHEMA)?));
    nothing_is_missing(site, &before)?;
    wait_for_finding(site, "between")?;
    find_something(site, "after")?;
    site.stop_agent()?;
    let endpoints = site.number(ENDPOINTS)?;
    site.start_agent(Site::PRESENT)?;
    find_something(site, "renewed")?;
    if site.number(ENDPOINTS)? != endpoints {
        return Err("the present agent became another endpoint".to_owned());
    }
    let lost = site.number(LOST)?;
    if lost != 0 {
        return Err(format!("{lost} gaps tell of lost records"));
    }
    nothing_is_missing(site, &before)?;
    site.verify_audit()?;
    ui::say("everything is there, the audit log holds, and both agents report");
    Ok(())
}

/// Puts a file where the agent looks, and waits until the server has heard of it.
fn find_something(site: &mut Site, name: &str) -> Result {
    site.drop_file(name, &EICAR.concat())?;
    wait_for_finding(site, name)
}

fn wait_for_finding(site: &Site, name: &str) -> Result {
    let query = format!(
        "select count(*) from threats.findings where subject::text || evidence::text like '%watched/{name}%'"
    );
    site.wait(&format!("the finding in the file `{name}`"), PATIENCE, |site| {
        Ok(site.number(&query)? > 0)
    })
}

fn nothing_is_missing(site: &Site, before: &Before) -> Result {
    let after: std::collections::HashSet<String> = site.rows(&before.queries)?.into_iter().collect();
    let missing: Vec<&String> = before.rows.iter().filter(|row| !after.contains(*row)).collect();
    if !missing.is_empty() {
        return Err(format!(
            "{} rows are gone, such as {:?}",
            missing.len(),
            &missing[..missing.len().min(5)]
        ));
    }
    for (file, content) in &before.keys {
        if std::fs::read(file).ok().as_ref() != Some(content) {
            return Err(format!("{} is not what it was", file.display()));
        }
    }
    Ok(())
}

/// A file with its content, in a folder.
fn write_in(dir: &Path, name: &str, text: &str) -> Result {
    paths::write(&dir.join(name), text)
}
