//! OpenLDAP's server with a few people, by TLS and plainly, on this machine.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use ldap3::{Ldap, LdapConnAsync, Mod};
use serde_json::{Value, json};

const ROOT_DN: &str = "cn=root,dc=example,dc=org";
pub(crate) const ROOT_PASSWORD: &str = "the directory's own secret";

/// A directory that runs until this is dropped, or until the test's process ends: its keeper's standard input ends then.
pub(crate) struct Directory {
    keeper: Child,
    input: Option<ChildStdin>,
    folder: tempfile::TempDir,
    plain: u16,
    tls: u16,
    ca_pem: String,
}

impl Directory {
    /// Starts one whose answers without paging end at 50 entries, with the people `uid=…` and their password `<uid>'s word`.
    pub(crate) async fn start(people: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = find_root();
        let ca_pem = write_files(&folder, &root);
        let (plain, tls) = free_ports();
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        // The keeper ends the server when its own input ends, so that no test that is killed leaves one behind.
        let script = "\"$0\" -h \"$1\" -f \"$2\" -d stats & pid=$!; cat >/dev/null; kill $pid; wait $pid";
        let mut keeper = Command::new("sh")
            .args(["-c", script])
            .arg(root.join("usr/sbin/slapd"))
            .arg(format!("ldap://127.0.0.1:{plain} ldaps://127.0.0.1:{tls}"))
            .arg(folder.path().join("slapd.conf"))
            .env("LD_LIBRARY_PATH", libraries(&root))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("a shell starts");
        let input = keeper.stdin.take();
        let directory = Self {
            keeper,
            input,
            folder,
            plain,
            tls,
            ca_pem,
        };
        directory.wait_until_ready().await;
        for (dn, class) in [
            ("dc=example,dc=org", "domain"),
            ("ou=people,dc=example,dc=org", "organizationalUnit"),
            ("ou=groups,dc=example,dc=org", "organizationalUnit"),
        ] {
            directory.add(dn, &[("objectClass", class)]).await;
        }
        for uid in people {
            directory.add_person(uid).await;
        }
        directory
    }

    /// The settings of a provider that asks this directory by TLS.
    pub(crate) fn settings(&self) -> Value {
        json!({
            "kind": "ldap", "url": format!("ldaps://127.0.0.1:{}", self.tls), "ca_pem": self.ca_pem, "bind_dn": ROOT_DN,
            "base_dn": "ou=people,dc=example,dc=org", "user_filter": "(&(objectClass=inetOrgPerson)(employeeType=staff))",
            "group_base_dn": "ou=groups,dc=example,dc=org", "highest_loss_percent": 50
        })
    }

    /// Its address without TLS.
    pub(crate) fn plain_url(&self) -> String {
        format!("ldap://127.0.0.1:{}", self.plain)
    }

    pub(crate) async fn add_person(&self, uid: &str) {
        self.add(
            &person(uid),
            &[
                ("objectClass", "inetOrgPerson"),
                ("uid", uid),
                ("cn", &format!("{uid} of the directory")),
                ("sn", uid),
                ("mail", &format!("{uid}@example.org")),
                ("employeeType", "staff"),
                ("userPassword", &format!("{uid}'s word")),
            ],
        )
        .await;
    }

    /// Makes a group of people.
    pub(crate) async fn add_group(&self, name: &str, members: &[&str]) {
        let dn = format!("cn={name},ou=groups,dc=example,dc=org");
        let members: Vec<String> = members.iter().map(|uid| person(uid)).collect();
        let mut attributes = vec![("objectClass", "groupOfNames"), ("cn", name)];
        attributes.extend(members.iter().map(|dn| ("member", dn.as_str())));
        self.add(&dn, &attributes).await;
    }

    /// Changes an attribute of a person.
    pub(crate) async fn set(&self, uid: &str, attribute: &str, value: &str) {
        let values = std::collections::HashSet::from([value]);
        let mut ldap = self.connect().await;
        ldap.modify(&person(uid), vec![Mod::Replace(attribute, values)])
            .await
            .unwrap()
            .success()
            .unwrap();
    }

    /// How often somebody's password was really tried here.
    pub(crate) fn binds_of(&self, uid: &str) -> usize {
        let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap();
        let wanted = format!("BIND dn=\"{}\" method=128", person(uid));
        log.lines().filter(|line| line.contains(&wanted)).count()
    }

    /// Every name that a password was tried for.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    /// Ends it.
    pub(crate) fn stop(&mut self) {
        self.input.take();
        let _ = self.keeper.wait();
    }

    async fn add(&self, dn: &str, attributes: &[(&str, &str)]) {
        let mut grouped: Vec<(&str, std::collections::HashSet<&str>)> = Vec::new();
        for (name, value) in attributes {
            match grouped.iter_mut().find(|(known, _)| known == name) {
                Some((_, values)) => {
                    values.insert(value);
                }
                None => grouped.push((name, std::collections::HashSet::from([*value]))),
            }
        }
        if dn.starts_with("dc=") {
            grouped.push(("dc", std::collections::HashSet::from(["example"])));
        }
        let mut ldap = self.connect().await;
        ldap.add(dn, grouped).await.unwrap().success().unwrap();
    }

    #[expect(clippy::disallowed_methods, reason = "the connection ends with the test")]
    async fn connect(&self) -> Ldap {
        let (connection, mut ldap) = LdapConnAsync::new(&self.plain_url()).await.unwrap();
        ldap3::drive!(connection);
        ldap.simple_bind(ROOT_DN, ROOT_PASSWORD)
            .await
            .unwrap()
            .success()
            .unwrap();
        ldap
    }

    async fn wait_until_ready(&self) {
        for _ in 0..200 {
            if tokio::net::TcpStream::connect(("127.0.0.1", self.tls))
                .await
                .is_ok()
            {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("slapd does not start: {}", self.log());
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        self.stop();
    }
}

fn person(uid: &str) -> String {
    format!("uid={uid},ou=people,dc=example,dc=org")
}

/// Two ports below those that the system hands out by itself (from 32,768), so that no connection of another test takes them
/// between this look and the directory's start. Tests that run at once are processes of their own and begin elsewhere.
fn free_ports() -> (u16, u16) {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = u16::try_from(std::process::id() % 1_000).unwrap() * 20;
    let mut free =
        std::iter::repeat_with(|| 10_000 + (start + NEXT.fetch_add(1, Ordering::Relaxed)) % 20_000)
            .filter(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok());
    (free.next().unwrap(), free.next().unwrap())
}

/// The folder that holds `usr/sbin/slapd`: the system's, or the one that Debian's package was unpacked into.
#[expect(clippy::disallowed_methods, reason = "the test run's own switches")]
fn find_root() -> PathBuf {
    let home = std::env::var("HOME").unwrap_or_default();
    let candidates = [
        std::env::var("SECUREGUARD_TEST_SLAPD_ROOT").unwrap_or_default(),
        "/".to_owned(),
        "/var/cache/secureguard/debian".to_owned(),
        format!("{home}/.cache/secureguard/debian"),
    ];
    candidates
        .iter()
        .filter(|root| !root.is_empty())
        .map(PathBuf::from)
        .find(|root| root.join("usr/sbin/slapd").is_file() && root.join("etc/ldap/schema").is_dir())
        .expect("slapd is missing: `cargo xtask tools` installs it")
}

fn libraries(root: &std::path::Path) -> String {
    if root == std::path::Path::new("/") {
        return String::new();
    }
    let folders = std::fs::read_dir(root.join("usr/lib")).unwrap().flatten();
    let folders: Vec<String> = folders
        .map(|entry| entry.path().to_string_lossy().into_owned())
        .filter(|path| path.ends_with("-linux-gnu"))
        .collect();
    folders.join(":")
}

/// Writes the configuration and a certificate for 127.0.0.1; yields the authority that signed it.
fn write_files(folder: &tempfile::TempDir, root: &std::path::Path) -> String {
    let path = |name: &str| folder.path().join(name);
    let key = rcgen::KeyPair::generate().unwrap();
    let mut authority = rcgen::CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    authority
        .distinguished_name
        .push(rcgen::DnType::CommonName, "Authority of a test");
    let authority_cert = authority.self_signed(&key).unwrap();
    let issuer = rcgen::Issuer::new(authority, &key);
    let own_key = rcgen::KeyPair::generate().unwrap();
    let own = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()])
        .unwrap()
        .signed_by(&own_key, &issuer)
        .unwrap();
    std::fs::write(path("ca.pem"), authority_cert.pem()).unwrap();
    std::fs::write(path("cert.pem"), own.pem()).unwrap();
    std::fs::write(path("key.pem"), own_key.serialize_pem()).unwrap();
    std::fs::create_dir(path("db")).unwrap();
    let schema = root.join("etc/ldap/schema");
    let (schema, modules, folder) = (
        schema.display(),
        root.join("usr/lib/ldap").display().to_string(),
        folder.path().display(),
    );
    let text = format!(
        "include {schema}/core.schema
include {schema}/cosine.schema
include {schema}/inetorgperson.schema
modulepath {modules}
moduleload back_mdb
TLSCertificateFile {folder}/cert.pem
TLSCertificateKeyFile {folder}/key.pem
allow bind_anon_cred bind_anon_dn
database mdb
maxsize 16777216
suffix dc=example,dc=org
rootdn {ROOT_DN}
rootpw \"{ROOT_PASSWORD}\"
directory {folder}/db
sizelimit size.soft=50 size.hard=50 size.pr=50 size.prtotal=unlimited
access to attrs=userPassword by anonymous auth
access to * by * read
"
    );
    std::fs::write(path("slapd.conf"), text).unwrap();
    authority_cert.pem()
}
