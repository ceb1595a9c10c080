//! PostgreSQL that fails over by itself, as `packaging/patroni` sets it up: three etcd, three members under Patroni and a HAProxy, all on loopback.

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rustix::process::{Pid, Signal, geteuid, kill_process};
use secrecy::SecretString;
use sg_load::bound;
use sqlx::{Connection, PgConnection};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::wait_for;

const PATRONI_YML: &str = include_str!("../../../../packaging/patroni/patroni.yml");
const BOOTSTRAP_SH: &str = include_str!("../../../../packaging/patroni/bootstrap.sh");
const HAPROXY_CFG: &str = include_str!("../../../../packaging/patroni/haproxy.cfg");

const MEMBERS: usize = 3;
/// A cluster is made, and copied twice.
const START: Duration = Duration::from_secs(120);
/// The password of every role of a cluster that lives for minutes.
const PASSWORD: &str = "for-a-test-on-loopback";

/// Where the programs are.
#[derive(Debug, Clone)]
pub struct PatroniTools {
    /// The folder that Debian's packages of Patroni, etcd and HAProxy were unpacked into; `/` where they are installed.
    pub root: PathBuf,
    /// Folders of libraries, for what was unpacked.
    pub libraries: String,
    /// PostgreSQL's programs.
    pub pg_bin: PathBuf,
}

/// The whole of it.
#[derive(Debug)]
pub struct PatroniCluster {
    folder: PathBuf,
    tools: PatroniTools,
    account: Option<(String, u32, u32)>,
    ports: Ports,
    is_synchronous: bool,
    others: Vec<Child>,
    patroni: [Option<Child>; MEMBERS],
}

#[derive(Debug)]
struct Ports {
    etcd: [u16; MEMBERS],
    etcd_peers: [u16; MEMBERS],
    api: [u16; MEMBERS],
    postgres: [u16; MEMBERS],
    proxy: u16,
}

impl PatroniCluster {
    /// Makes a cluster in `folder`, which the account of PostgreSQL can reach, and waits until every member follows the first.
    ///
    /// # Errors
    /// When a program does not start, or the members are not there in time; their logs are in the folder.
    pub async fn start(folder: &Path, tools: PatroniTools, is_synchronous: bool) -> Result<Self> {
        let mut cluster = Self {
            folder: folder.to_owned(),
            tools,
            account: account()?,
            ports: Ports::reserve()?,
            is_synchronous,
            others: Vec::new(),
            patroni: [None, None, None],
        };
        fs::create_dir_all(folder)?;
        cluster.write_files(is_synchronous)?;
        for number in 0..MEMBERS {
            let etcd = cluster.etcd(number)?;
            cluster.others.push(etcd);
        }
        for number in 0..MEMBERS {
            cluster.start_member(number)?;
        }
        let haproxy = cluster.haproxy()?;
        cluster.others.push(haproxy);
        wait_for("every member follows the primary", START, async || {
            let view = cluster.view().await?;
            let streaming = view["members"].as_array()?.iter().filter(|member| {
                member["state"] == "streaming" || (member["state"] == "running" && member["lag"] == 0)
            });
            (streaming.count() >= MEMBERS - 1).then_some(())
        })
        .await?;
        cluster.wait_until_guarded().await?;
        Ok(cluster)
    }

    /// How the password of every role is stored.
    pub fn verifier() -> String {
        sg_postgres::scram_verifier(&SecretString::from(PASSWORD))
    }

    /// Waits until another member could take over: where the cluster is synchronous, one for which commits wait.
    ///
    /// # Errors
    /// When there is none within two minutes.
    pub async fn wait_until_guarded(&self) -> Result<()> {
        if !self.is_synchronous {
            return Ok(());
        }
        wait_for("a member is synchronous", START, async || {
            let text = self.view().await?.to_string();
            text.contains("sync_standby").then_some(())
        })
        .await
    }

    /// How a role connects through HAProxy.
    pub fn url(&self, role: &str) -> SecretString {
        // The certificate is of the test's own, and known by its file.
        SecretString::from(format!(
            "postgresql://{role}:{PASSWORD}@127.0.0.1:{}/secureguard?sslmode=verify-ca&sslrootcert={}",
            self.ports.proxy,
            self.folder.join("server.crt").display()
        ))
    }

    /// A connection to the primary as a role, through HAProxy.
    ///
    /// # Errors
    /// What PostgreSQL says.
    pub async fn connect(&self, role: &str) -> Result<PgConnection> {
        use secrecy::ExposeSecret;

        Ok(PgConnection::connect(self.url(role).expose_secret()).await?)
    }

    /// The number of the primary, asked of the members themselves.
    pub async fn primary(&self) -> Option<usize> {
        for number in 0..MEMBERS {
            if self.patroni[number].is_some() && self.answers(number, "/primary").await == Some(200) {
                return Some(number);
            }
        }
        None
    }

    /// Kills a member's Patroni and all of its PostgreSQL.
    ///
    /// # Errors
    /// When it does not run.
    pub fn kill_member(&mut self, number: usize) -> Result<()> {
        let mut patroni = self.patroni[number].take().context("the member does not run")?;
        patroni.kill()?;
        patroni.wait()?;
        self.signal_postgres(number, Signal::KILL)
    }

    /// Takes the processor from a member, as when its machine hangs, or gives it back.
    ///
    /// # Errors
    /// When it does not run.
    pub fn signal_member(&self, number: usize, signal: Signal) -> Result<()> {
        let patroni = self.patroni[number].as_ref().context("the member does not run")?;
        kill_process(Pid::from_child(patroni), signal)?;
        self.signal_postgres(number, signal)
    }

    /// Starts a member's Patroni.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start_member(&mut self, number: usize) -> Result<()> {
        let name = format!("pg{}", number + 1);
        let etcd = self.ports.etcd.map(|port| format!("127.0.0.1:{port}")).join(",");
        let api = format!("127.0.0.1:{}", self.ports.api[number]);
        let postgres = format!("127.0.0.1:{}", self.ports.postgres[number]);
        let packages = self.tools.root.join("usr/lib/python3/dist-packages");
        let mut command = self.command(Path::new("/usr/bin/python3"), &name)?;
        command
            .arg(self.tools.root.join("usr/bin/patroni"))
            .arg(self.folder.join("patroni.yml"))
            .env("PYTHONPATH", packages)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("SECUREGUARD_PASSWORDS", self.folder.join("passwords"))
            .env("PATRONI_NAME", &name)
            .env("PATRONI_ETCD_HOSTS", etcd)
            .env("PATRONI_RESTAPI_LISTEN", &api)
            .env("PATRONI_RESTAPI_CONNECT_ADDRESS", &api)
            .env("PATRONI_RESTAPI_USERNAME", "patroni")
            .env("PATRONI_RESTAPI_PASSWORD", PASSWORD)
            .env("PATRONI_POSTGRESQL_LISTEN", &postgres)
            .env("PATRONI_POSTGRESQL_CONNECT_ADDRESS", &postgres)
            .env("PATRONI_POSTGRESQL_DATA_DIR", self.data_dir(number))
            .env("PATRONI_POSTGRESQL_BIN_DIR", &self.tools.pg_bin)
            .env(
                "PATRONI_POSTGRESQL_PGPASS",
                self.folder.join(format!("pgpass-{name}")),
            )
            .env("PATRONI_SUPERUSER_PASSWORD", PASSWORD)
            .env("PATRONI_REPLICATION_PASSWORD", PASSWORD)
            .env("PATRONI_REWIND_PASSWORD", PASSWORD);
        self.patroni[number] = Some(command.spawn()?);
        Ok(())
    }

    /// Waits until a member that came back follows the primary.
    ///
    /// # Errors
    /// When it does not within two minutes.
    pub async fn wait_until_follows(&self, number: usize) -> Result<()> {
        wait_for("the member follows again", START, async || {
            (self.answers(number, "/replica").await == Some(200)).then_some(())
        })
        .await
    }

    async fn view(&self) -> Option<serde_json::Value> {
        for number in 0..MEMBERS {
            if let Some((200, body)) = self.ask(number, "/cluster").await {
                return serde_json::from_str(&body).ok();
            }
        }
        None
    }

    async fn answers(&self, number: usize, path: &str) -> Option<u16> {
        Some(self.ask(number, path).await?.0)
    }

    /// A GET of a member's Patroni, which ends its answers by closing: the status and the body.
    async fn ask(&self, number: usize, path: &str) -> Option<(u16, String)> {
        let address = (Ipv4Addr::LOCALHOST, self.ports.api[number]);
        let asking = async {
            let mut stream = TcpStream::connect(address).await.ok()?;
            let request = format!("GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n");
            stream.write_all(request.as_bytes()).await.ok()?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.ok()?;
            let (head, body) = answer.split_once("\r\n\r\n")?;
            let status = head.split(' ').nth(1)?.parse().ok()?;
            Some((status, body.to_owned()))
        };
        tokio::time::timeout(Duration::from_secs(2), asking).await.ok()?
    }

    fn data_dir(&self, number: usize) -> PathBuf {
        self.folder.join(format!("data-{}", number + 1))
    }

    fn signal_postgres(&self, number: usize, signal: Signal) -> Result<()> {
        let data_dir = self.data_dir(number);
        for entry in fs::read_dir("/proc")?.flatten() {
            let pid = entry.file_name().to_str().and_then(|name| name.parse().ok());
            let Some(pid) = pid.and_then(Pid::from_raw) else {
                continue;
            };
            if fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd == data_dir) {
                // One that has just ended needs no signal.
                let _ = kill_process(pid, signal);
            }
        }
        Ok(())
    }

    fn write_files(&self, is_synchronous: bool) -> Result<()> {
        let folder = self.folder.to_string_lossy();
        let mut members = PATRONI_YML
            .replace("/etc/secureguard/patroni", &folder)
            .replace("/var/run/postgresql", &folder);
        if !is_synchronous {
            ensure!(
                members.contains("synchronous_mode: true"),
                "the profile is synchronous"
            );
            members = members.replace("synchronous_mode: true", "synchronous_mode: false");
        }
        let key = rcgen::KeyPair::generate()?;
        let certificate =
            rcgen::CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()])?
                .self_signed(&key)?;
        self.put("patroni.yml", &members, 0o600)?;
        self.put("bootstrap.sh", BOOTSTRAP_SH, 0o700)?;
        self.put("haproxy.cfg", HAPROXY_CFG, 0o600)?;
        self.put("server.key", &key.serialize_pem(), 0o600)?;
        self.put("server.crt", &certificate.pem(), 0o644)?;
        for role in ["sg_app", "sg_system", "sg_backup"] {
            self.put(&format!("passwords/{role}"), PASSWORD, 0o600)?;
        }
        fs::set_permissions(&self.folder, fs::Permissions::from_mode(0o755))?;
        self.give(&self.folder)
    }

    fn put(&self, name: &str, text: &str, mode: u32) -> Result<()> {
        let path = self.folder.join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
            self.give(parent)?;
        }
        fs::write(&path, text)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(mode))?;
        self.give(&path)
    }

    fn give(&self, path: &Path) -> Result<()> {
        match &self.account {
            Some((_, uid, gid)) => Ok(chown(path, Some(*uid), Some(*gid))?),
            None => Ok(()),
        }
    }

    fn etcd(&self, number: usize) -> Result<Child> {
        let name = |number: usize| format!("etcd{}", number + 1);
        let client = format!("http://127.0.0.1:{}", self.ports.etcd[number]);
        let peer = |number: usize| format!("http://127.0.0.1:{}", self.ports.etcd_peers[number]);
        let all: Vec<String> = (0..MEMBERS)
            .map(|number| format!("{}={}", name(number), peer(number)))
            .collect();
        let mut command = self.command(&self.tools.root.join("usr/bin/etcd"), &name(number))?;
        command
            .env("ETCD_NAME", name(number))
            .env("ETCD_DATA_DIR", self.folder.join(name(number)))
            .env("ETCD_LISTEN_PEER_URLS", peer(number))
            .env("ETCD_LISTEN_CLIENT_URLS", &client)
            .env("ETCD_INITIAL_ADVERTISE_PEER_URLS", peer(number))
            .env("ETCD_ADVERTISE_CLIENT_URLS", &client)
            .env("ETCD_INITIAL_CLUSTER", all.join(","))
            .env("ETCD_INITIAL_CLUSTER_TOKEN", "secureguard")
            .env("ETCD_INITIAL_CLUSTER_STATE", "new")
            .env("ETCD_ENABLE_V2", "true");
        Ok(command.spawn()?)
    }

    fn haproxy(&self) -> Result<Child> {
        let mut command = self.command(&self.tools.root.join("usr/sbin/haproxy"), "haproxy")?;
        command
            .args(["-db", "-f"])
            .arg(self.folder.join("haproxy.cfg"))
            .env("SECUREGUARD_LISTEN", format!("127.0.0.1:{}", self.ports.proxy));
        for number in 0..MEMBERS {
            let of = number + 1;
            command
                .env(
                    format!("SECUREGUARD_MEMBER_{of}"),
                    format!("127.0.0.1:{}", self.ports.postgres[number]),
                )
                .env(format!("SECUREGUARD_API_HOST_{of}"), "127.0.0.1")
                .env(
                    format!("SECUREGUARD_API_PORT_{of}"),
                    self.ports.api[number].to_string(),
                );
        }
        Ok(command.spawn()?)
    }

    /// A program as the account of PostgreSQL, which ends with this one, and logs into the folder.
    fn command(&self, program: &Path, name: &str) -> Result<Command> {
        let log = self.folder.join(format!("{name}.log"));
        let log = File::options().create(true).append(true).open(log)?;
        let mut command = match &self.account {
            None => bound(program, "KILL"),
            Some((user, _, gid)) => {
                let mut command = Command::new("/usr/bin/setpriv");
                command
                    .args(["--pdeathsig", "KILL", "--reuid", user, "--regid"])
                    .arg(gid.to_string())
                    .args(["--clear-groups", "--"])
                    .arg(program);
                command
            }
        };
        let path = format!("{}:/usr/bin:/bin", self.tools.pg_bin.display());
        command
            .current_dir(&self.folder)
            .env_clear()
            .env("PATH", path)
            .env("HOME", &self.folder)
            .env("LANG", "C.UTF-8")
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        if !self.tools.libraries.is_empty() {
            command.env("LD_LIBRARY_PATH", &self.tools.libraries);
        }
        Ok(command)
    }
}

impl Ports {
    /// Ports that nobody has at this moment, all of them held until the last is found.
    fn reserve() -> Result<Self> {
        let held = (0..4 * MEMBERS + 1)
            .map(|_| TcpListener::bind("127.0.0.1:0"))
            .collect::<std::io::Result<Vec<_>>>()?;
        let mut ports = held
            .iter()
            .map(|listener| Ok(listener.local_addr()?.port()))
            .collect::<Result<Vec<u16>>>()?
            .into_iter();
        let proxy = ports.next().unwrap_or_default();
        let mut three = || [0; MEMBERS].map(|_| ports.next().unwrap_or_default());
        Ok(Self {
            etcd: three(),
            etcd_peers: three(),
            api: three(),
            postgres: three(),
            proxy,
        })
    }
}

/// PostgreSQL and etcd run as `postgres`, or `nobody`, where this program runs as root.
fn account() -> Result<Option<(String, u32, u32)>> {
    if !geteuid().is_root() {
        return Ok(None);
    }
    let passwd = fs::read_to_string("/etc/passwd")?;
    let found = ["postgres", "nobody"].into_iter().find_map(|name| {
        let line = passwd.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2);
        Some((
            name.to_owned(),
            fields.next()?.parse().ok()?,
            fields.next()?.parse().ok()?,
        ))
    });
    found
        .context("there is no account that PostgreSQL could run as")
        .map(Some)
}

impl Drop for PatroniCluster {
    fn drop(&mut self) {
        // Standbys first, or they would take over.
        let mut running: Vec<Child> = self.patroni.iter_mut().filter_map(Option::take).collect();
        for number in 0..MEMBERS {
            let _ = self.signal_postgres(number, Signal::CONT);
        }
        for patroni in &mut running {
            let _ = kill_process(Pid::from_child(patroni), Signal::CONT);
            let _ = patroni.kill();
            let _ = patroni.wait();
        }
        for number in 0..MEMBERS {
            let _ = self.signal_postgres(number, Signal::QUIT);
        }
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_secs(5)
            && (0..MEMBERS).any(|number| self.data_dir(number).join("postmaster.pid").exists())
        {
            std::thread::sleep(Duration::from_millis(50));
        }
        for number in 0..MEMBERS {
            let _ = self.signal_postgres(number, Signal::KILL);
        }
        for other in &mut self.others {
            let _ = other.kill();
            let _ = other.wait();
        }
    }
}
