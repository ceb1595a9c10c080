//! `cargo xtask run`: from a checkout to a console with this machine in it.

use std::net::{TcpListener, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use crate::build::{self, Profile};
use crate::server::{self, Ready, Server};
use crate::stop::{self, StopRequest};
use crate::tools::{self, postgres::Postgres};
use crate::{Result, paths, shell, ui};

const DEFAULT_LISTEN: &str = "127.0.0.1:8080";
/// How often an agent that ended is started again.
const RESTART_PAUSE: Duration = Duration::from_secs(10);

/// How the agent is told its key.
pub(crate) const KEY_VARIABLE: &str = "SECUREGUARD_ENROLMENT_KEY";
/// Below the data directory: the address of the first start, where the agent looks for its server ever after.
const LISTEN_FILE: &str = "listen";

struct Options {
    data_dir: PathBuf,
    listen: String,
}

pub(crate) fn run(arguments: &[String]) -> Result {
    let options = parse(arguments)?;
    let stop = StopRequest::catch()?;
    tools::compiler::check()?;
    let postgres = tools::postgres::ensure()?;
    ui::say(&format!(
        "PostgreSQL {} in {}",
        postgres.version,
        postgres.bin_dir.display()
    ));
    let node = tools::node::ensure()?;
    ui::say(&format!("Node {} in {}", node.version, node.program.display()));
    build::console(&node)?;
    build::binaries(Profile::Release, build::TO_RUN)?;
    if stop.is_set() {
        return Err("stopped before anything was started".to_owned());
    }
    serve(&options, &postgres, &stop)
}

fn serve(options: &Options, postgres: &Postgres, stop: &StopRequest) -> Result {
    let mut server = Server::start(Profile::Release, postgres, &options.data_dir, &options.listen)?;
    let ready = ui::step("starting the server", || server.wait(|| stop.is_set()))?;
    if !options.data_dir.join(LISTEN_FILE).exists() {
        paths::write(&options.data_dir.join(LISTEN_FILE), &options.listen)?;
    }
    let mut agent = match Agent::start(options, &ready) {
        Ok(agent) => Some(agent),
        Err(why) => {
            ui::fail(&why);
            None
        }
    };
    welcome(options, &ready, agent.as_ref());
    let outcome = watch(&mut server, agent.as_mut(), stop);
    if let Some(agent) = &mut agent {
        ui::say("stopping the agent");
        if let Err(why) = stop::end(&mut agent.child, Duration::from_secs(20)) {
            ui::fail(&why);
        }
    }
    let stopped = ui::step("stopping the server", || server.stop());
    outcome.and(stopped)
}

/// Returns when Ctrl-C was pressed, and with an error when the server ended on its own.
fn watch(server: &mut Server, mut agent: Option<&mut Agent>, stop: &StopRequest) -> Result {
    while !stop.is_set() {
        if let Ok(Some(status)) = server.child.try_wait() {
            return Err(format!(
                "the server ended ({status}); {} ends with:\n{}",
                server.log.display(),
                server::log_tail(&server.log)
            ));
        }
        if let Some(agent) = &mut agent {
            agent.keep_running();
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

/// The agent on this machine.
struct Agent {
    child: Child,
    state_dir: PathBuf,
    watched: Vec<PathBuf>,
    log: PathBuf,
    ended: Option<Instant>,
}

impl Agent {
    fn start(options: &Options, ready: &Ready) -> Result<Self> {
        let state_dir = options.data_dir.join("agent");
        let enrolled = shell::output(program().arg("status").arg("--state-dir").arg(&state_dir)).is_ok();
        if !enrolled {
            let key = ready.enrolment_key.as_deref().ok_or(
                "the agent on this machine is not enrolled, and the server shows its enrolment key only at its first start; \
                 create one in the console (API keys) and run the command that it shows",
            )?;
            ui::step("enrolling the agent on this machine", || {
                enrol(ready, key, &state_dir)
            })?;
        }
        let watched = watched_folders(&options.data_dir)?;
        let log = server::fresh_log(&options.data_dir, "agent.log");
        let child = spawn(&state_dir, &watched, &log)?;
        Ok(Self {
            child,
            state_dir,
            watched,
            log,
            ended: None,
        })
    }

    /// Starts it again a while after it ended.
    fn keep_running(&mut self) {
        match self.ended {
            None => {
                if let Ok(Some(status)) = self.child.try_wait() {
                    ui::fail(&format!(
                        "the agent ended ({status}); {} ends with:\n{}",
                        self.log.display(),
                        server::log_tail(&self.log)
                    ));
                    self.ended = Some(Instant::now());
                }
            }
            Some(since) if since.elapsed() >= RESTART_PAUSE => {
                match spawn(&self.state_dir, &self.watched, &self.log) {
                    Ok(child) => {
                        ui::say("started the agent again");
                        self.child = child;
                        self.ended = None;
                    }
                    Err(why) => {
                        ui::fail(&why);
                        self.ended = Some(Instant::now());
                    }
                }
            }
            Some(_) => {}
        }
    }
}

fn program() -> Command {
    Command::new(Profile::Release.dir().join("secureguard-agent"))
}

fn enrol(ready: &Ready, key: &str, state_dir: &Path) -> Result {
    let mut command = program();
    // Other users of this machine can read the arguments of a process, but not its environment.
    command
        .args(["enrol", "--server", &ready.url])
        .arg("--state-dir")
        .arg(state_dir);
    command.env(KEY_VARIABLE, key);
    if let Some(ca) = &ready.ca_file {
        command.args(["--ca", ca]);
    }
    shell::output(&mut command).map(drop)
}

fn spawn(state_dir: &Path, watched: &[PathBuf], log: &Path) -> Result<Child> {
    let mut command = server::bound(&Profile::Release.dir().join("secureguard-agent"));
    command.arg("run").arg("--state-dir").arg(state_dir);
    for dir in watched {
        command.arg("--watch").arg(dir);
    }
    server::spawn(&mut command, log)
}

/// A folder to try things in, and the user's downloads.
fn watched_folders(data_dir: &Path) -> Result<Vec<PathBuf>> {
    let own = data_dir.join("watched");
    paths::make_dir(&own)?;
    let downloads = paths::home()
        .map(|home| home.join("Downloads"))
        .ok()
        .filter(|dir| dir.is_dir());
    Ok(std::iter::once(own).chain(downloads).collect())
}

fn welcome(options: &Options, ready: &Ready, agent: Option<&Agent>) {
    println!("\n  SecureGuard is running.\n\n    Console    {}", ready.url);
    match &ready.admin {
        Some((user, password)) => {
            println!(
                "    User       {user}\n    Password   {password}   (once only: you choose your own at the first sign-in)"
            );
        }
        None => println!(
            "    Sign in with the password you chose; `secureguard admin reset-password USER` makes a new one."
        ),
    }
    println!(
        "    Data       {}\n    Logs       {0}/server.log, {0}/agent.log",
        options.data_dir.display()
    );
    if let Some(watched) = agent.and_then(|agent| agent.watched.first()) {
        let (one, two) = (
            "X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR",
            "-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*",
        );
        println!(
            "    Watched    {}",
            agent.map(|a| list(&a.watched)).unwrap_or_default()
        );
        println!(
            "\n  Try: the harmless test file that every scanner knows becomes an incident within seconds:"
        );
        println!("    printf '%s' '{one}''{two}' > {}/eicar.com", watched.display());
    }
    println!("\n  Ctrl-C stops everything; running it again finds the same data.\n");
}

fn list(dirs: &[PathBuf]) -> String {
    dirs.iter()
        .map(|d| d.display().to_string())
        .collect::<Vec<_>>()
        .join(", ")
}

fn parse(arguments: &[String]) -> Result<Options> {
    let (mut data_dir, mut listen) = (None, None);
    let mut rest = arguments.iter();
    while let Some(name) = rest.next() {
        let slot = match name.as_str() {
            "--data-dir" => &mut data_dir,
            "--listen" => &mut listen,
            other => return Err(format!("run knows --data-dir DIR and --listen ADDR, not {other}")),
        };
        *slot = Some(
            rest.next()
                .ok_or_else(|| format!("{name} needs a value"))?
                .clone(),
        );
    }
    let data_dir = match data_dir {
        Some(dir) => std::path::absolute(dir).map_err(|e| format!("--data-dir: {e}"))?,
        None => paths::default_data_dir()?,
    };
    let listen = choose_address(listen, &data_dir)?;
    Ok(Options { data_dir, listen })
}

/// The address asked for; else that of the first start; else the default one or the next free port.
fn choose_address(asked: Option<String>, data_dir: &Path) -> Result<String> {
    let saved = std::fs::read_to_string(data_dir.join(LISTEN_FILE))
        .ok()
        .map(|text| text.trim().to_owned());
    if let (Some(asked), Some(saved)) = (&asked, &saved)
        && asked != saved
    {
        ui::say(&format!(
            "the agent on this machine is enrolled at {saved} and will not find the server at {asked}"
        ));
    }
    match asked.or(saved) {
        Some(address) if is_free(&address)? => Ok(address),
        Some(address) => Err(format!(
            "another program listens on {address} (an earlier `cargo xtask run`, perhaps): stop it or choose another address with --listen"
        )),
        None => free_default(),
    }
}

/// The default address, or the next free port after it.
fn free_default() -> Result<String> {
    if is_free(DEFAULT_LISTEN)? {
        return Ok(DEFAULT_LISTEN.to_owned());
    }
    for port in 8081..8180 {
        let address = format!("127.0.0.1:{port}");
        if is_free(&address)? {
            ui::say(&format!(
                "another program listens on {DEFAULT_LISTEN}, taking {address}"
            ));
            return Ok(address);
        }
    }
    Err(format!(
        "another program listens on {DEFAULT_LISTEN} and on every port up to 8179; choose one with --listen"
    ))
}

fn is_free(address: &str) -> Result<bool> {
    let mut addresses = address
        .to_socket_addrs()
        .map_err(|e| format!("--listen {address}: {e}"))?;
    let first = addresses
        .next()
        .ok_or_else(|| format!("--listen {address} names no address"))?;
    match TcpListener::bind(first) {
        Ok(_) => Ok(true),
        Err(e) if e.kind() == std::io::ErrorKind::AddrInUse => Ok(false),
        Err(e) => Err(format!("cannot listen on {address}: {e}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_address_is_refused_and_named() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let arguments = [
            "--listen".to_owned(),
            address.clone(),
            "--data-dir".to_owned(),
            "/no/such/dir".to_owned(),
        ];
        let error = parse(&arguments).err().unwrap();
        assert!(error.contains(&address), "{error}");
        drop(listener);
        let options = parse(&arguments).unwrap();
        assert_eq!(
            (options.listen, options.data_dir),
            (address, PathBuf::from("/no/such/dir"))
        );
        assert!(parse(&["--color".to_owned()]).err().unwrap().contains("--color"));
        assert!(
            parse(&["--listen".to_owned()])
                .err()
                .unwrap()
                .contains("needs a value")
        );
    }
}
