//! An installation in a folder of its own: data directory, an agent's state, a watched folder.

use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::server::{self, Ready, Server};
use crate::tools::postgres::Postgres;
use crate::{Result, paths, shell, stop, ui};

/// Writes a query for each table of the product that gives its rows by their primary keys, a line each. Left out is what comes and goes by its nature: shares of rate limits, partitions'
/// bookkeeping and audit rows that wait for their seal.
const KEY_QUERIES: &str = r"
    select format('select %L || '' '' || concat_ws('','', %s) from %s', i.indrelid::regclass, string_agg(quote_ident(a.attname), ', '), i.indrelid::regclass)
    from pg_index i join pg_class c on c.oid = i.indrelid join pg_namespace n on n.oid = c.relnamespace
    join pg_attribute a on a.attrelid = c.oid and a.attnum = any (i.indkey)
    where i.indisprimary and not c.relispartition and n.nspname in ('users', 'agents', 'threats', 'audit')
        and c.relname !~ '(quota|rate|partition|unsealed|pending|waiting|reset|challenge|session)'
    group by i.indrelid
";

pub(super) struct Site {
    dir: PathBuf,
    postgres: Postgres,
    /// Folders of the programs: the earlier and the present.
    programs: [PathBuf; 2],
    listen: String,
    url: String,
    server: Option<Server>,
    agent: Option<Child>,
}

impl Site {
    pub(super) const EARLIER: usize = 0;
    pub(super) const PRESENT: usize = 1;

    pub(super) fn new(postgres: Postgres, earlier: PathBuf, present: PathBuf) -> Result<Self> {
        let dir = std::env::temp_dir().join(format!("secureguard-upgrade-{}", std::process::id()));
        for part in ["data", "watched"] {
            paths::make_dir(&dir.join(part))?;
        }
        // The agent knows one address, so both servers need the same.
        let port = TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .map_err(|e| format!("no free port: {e}"))?
            .port();
        Ok(Self {
            dir,
            postgres,
            programs: [earlier, present],
            listen: format!("127.0.0.1:{port}"),
            url: format!("http://localhost:{port}"),
            server: None,
            agent: None,
        })
    }

    /// Does the work and ends everything, however the work ended.
    pub(super) fn run(mut self, work: impl FnOnce(&mut Self) -> Result) -> Result {
        let outcome = work(&mut self);
        let stopped = self.stop_agent().and(self.stop_server());
        match &outcome {
            Ok(()) => fs::remove_dir_all(&self.dir)
                .map_err(|e| format!("cannot remove {}: {e}", self.dir.display()))?,
            Err(_) => ui::say(&format!("what is left to look at is in {}", self.dir.display())),
        }
        outcome.and(stopped)
    }

    fn data_dir(&self) -> PathBuf {
        self.dir.join("data")
    }

    pub(super) fn start_server(&mut self, which: usize) -> Result<Ready> {
        let dir = &self.programs[which];
        let mut server = Server::start_from(dir, &self.postgres, &self.data_dir(), &self.listen, &[])?;
        let ready = server.wait(|| false);
        self.server = Some(server);
        ready
    }

    pub(super) fn stop_server(&mut self) -> Result {
        self.server.take().map_or(Ok(()), |mut server| server.stop())
    }

    pub(super) fn enrol(&self, key: &str) -> Result {
        let mut command = Command::new(self.programs[Self::EARLIER].join("secureguard-agent"));
        command
            .args(["enrol", "--server", &self.url, "--state-dir"])
            .arg(self.dir.join("agent"))
            .env(crate::run::KEY_VARIABLE, key);
        shell::output(&mut command).map(drop)
    }

    pub(super) fn start_agent(&mut self, which: usize) -> Result {
        let mut command = server::bound(&self.programs[which].join("secureguard-agent"));
        command
            .args(["run", "--metrics-interval", "2", "--state-dir"])
            .arg(self.dir.join("agent"))
            .arg("--watch")
            .arg(self.dir.join("watched"));
        self.agent = Some(server::spawn(&mut command, &self.dir.join("agent.log"))?);
        Ok(())
    }

    pub(super) fn stop_agent(&mut self) -> Result {
        let Some(mut agent) = self.agent.take() else {
            return Ok(());
        };
        let status = stop::end(&mut agent, Duration::from_secs(30))?;
        if status.success() {
            Ok(())
        } else {
            Err(format!("the agent ended with {status}"))
        }
    }

    pub(super) fn drop_file(&self, name: &str, text: &str) -> Result {
        super::write_in(&self.dir.join("watched"), name, text)
    }

    /// Looks until it is so.
    pub(super) fn wait(
        &self,
        what: &str,
        patience: Duration,
        look: impl Fn(&Self) -> Result<bool>,
    ) -> Result {
        let began = Instant::now();
        while !look(self)? {
            if began.elapsed() > patience {
                return Err(format!("{what} did not arrive within {} s", patience.as_secs()));
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        ui::say(&format!(
            "{what}: there after {:.1} s",
            began.elapsed().as_secs_f64()
        ));
        Ok(())
    }

    /// A query for each table, which gives every row by the key that the table has at this moment.
    pub(super) fn key_queries(&self) -> Result<String> {
        Ok(self.psql(&["-c", KEY_QUERIES])?.trim().replace('\n', ";\n"))
    }

    /// Every row, by queries that an earlier schema gave: a later one may add columns to a key.
    pub(super) fn rows(&self, queries: &str) -> Result<Vec<String>> {
        let script = self.dir.join("rows.sql");
        paths::write(&script, queries)?;
        let text = self.psql(&["-f", &script.display().to_string()])?;
        Ok(text
            .lines()
            .filter(|line| !line.is_empty())
            .map(str::to_owned)
            .collect())
    }

    pub(super) fn number(&self, query: &str) -> Result<u64> {
        let text = self.psql(&["-c", query])?;
        text.trim()
            .parse()
            .map_err(|e| format!("`{query}` gave `{text}`: {e}"))
    }

    /// Files of keys that have to outlast an upgrade.
    pub(super) fn keys(&self) -> Result<Vec<(PathBuf, Vec<u8>)>> {
        let dir = self.data_dir().join("keys");
        let unreadable = |e: std::io::Error| format!("cannot read {}: {e}", dir.display());
        let mut keys = Vec::new();
        for entry in fs::read_dir(&dir).map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            let is_key = ["pem", "json", "pass"]
                .iter()
                .any(|end| path.extension().is_some_and(|e| e == *end));
            if path.is_file() && is_key {
                keys.push((path.clone(), fs::read(&path).map_err(unreadable)?));
            }
        }
        if keys.len() < 3 {
            return Err(format!("only {} keys are in {}", keys.len(), dir.display()));
        }
        Ok(keys)
    }

    /// The present program judges the whole log, that of the earlier one included.
    pub(super) fn verify_audit(&self) -> Result {
        let mut command = Command::new(self.programs[Self::PRESENT].join("secureguard"));
        command
            .args(["audit", "verify", "--data-dir"])
            .arg(self.data_dir())
            .env("PG_BIN", &self.postgres.bin_dir)
            .stderr(Stdio::inherit());
        let words = shell::output(&mut command)?;
        ui::say(words.trim().lines().last().unwrap_or_default());
        Ok(())
    }

    fn psql(&self, arguments: &[&str]) -> Result<String> {
        self.postgres.psql(&self.data_dir(), arguments)
    }
}
