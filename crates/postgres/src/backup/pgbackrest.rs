//! pgBackRest: its configuration, what it is told, and its answers.

use std::fmt::Write as _;
use std::path::Path;

use secrecy::{ExposeSecret, SecretString};

use super::stanza::{SOCKET_NUMBER, Stanza, Work};
use super::{Place, RepositoryPlace, S3};
use crate::process::{CLUSTER_NUMBER, REPOSITORY_NUMBER};

/// pgBackRest's name for the cluster.
pub(super) const NAME: &str = "secureguard";
pub(super) const CONFIGURATION: &str = "pgbackrest.conf";
/// Copies of the store's authorities: the account of PostgreSQL may not read where they are from.
pub(super) const AUTHORITIES: &str = "s3-ca.pem";

/// What is put on its command line; `other_dir` takes the cluster's place.
pub(super) fn arguments(work: &Work<'_>, other_dir: Option<&Path>) -> Vec<String> {
    let of = |repository: u8| format!("--repo={repository}");
    let mut arguments: Vec<String> = other_dir
        .map(|dir| format!("--pg1-path={}", dir.display()))
        .into_iter()
        .collect();
    match work {
        Work::Init => arguments.push("stanza-create".to_owned()),
        Work::Backup { kind, repository } => arguments.extend([
            "--log-level-console=detail".to_owned(),
            format!("--type={}", kind.as_str()),
            of(*repository),
            "backup".to_owned(),
        ]),
        Work::List => arguments.extend(["--output=json", "info"].map(str::to_owned)),
        Work::Verify { repository } => arguments.extend([
            "--log-level-console=info".to_owned(),
            of(*repository),
            "verify".to_owned(),
        ]),
        Work::Archived { repository } => arguments.extend([
            "--output=json".to_owned(),
            "--recurse".to_owned(),
            of(*repository),
            "repo-ls".to_owned(),
            format!("archive/{NAME}"),
        ]),
        Work::Restore { label, repository } => arguments.extend([
            "--log-level-console=detail".to_owned(),
            format!("--set={label}"),
            of(*repository),
            "--type=preserve".to_owned(),
            "restore".to_owned(),
        ]),
    }
    arguments
}

/// Segments in the answer of `repo-ls`: `<segment>-<checksum>.zst`; histories and labels have another form.
pub(super) fn read_archived(text: &str) -> Result<Vec<String>, serde_json::Error> {
    let files: serde_json::Map<String, serde_json::Value> = serde_json::from_str(text)?;
    Ok(files
        .keys()
        .filter_map(|path| Some(path.rsplit('/').next()?.split_once('-')?.0.to_owned()))
        .collect())
}

pub(super) fn render(stanza: &Stanza) -> String {
    let options = &stanza.options;
    let mut text = String::from("# Written by SecureGuard. Holds the pass of the repositories.\n[global]\n");
    for ((number, place), fd) in (1..).zip(&options.repositories).zip(REPOSITORY_NUMBER..) {
        match place {
            RepositoryPlace::Folder(dir) => {
                let _ = writeln!(text, "repo{number}-path={}", stanza.path(dir, fd).display());
            }
            RepositoryPlace::S3(s3) => render_s3(&mut text, number, s3, &stanza.work_path()),
        }
        let _ = writeln!(text, "repo{number}-cipher-type=aes-256-cbc");
        let _ = writeln!(text, "repo{number}-cipher-pass={}", options.pass.expose_secret());
        let _ = writeln!(text, "repo{number}-retention-full={}", options.keep_full.max(1));
        let _ = writeln!(text, "repo{number}-bundle=y");
    }
    let _ = write!(
        text,
        "lock-path={}\nspool-path={}\nlog-level-file=off\nlog-level-stderr=warn\ncompress-type=zst\nstart-fast=y\nprocess-max={}\narchive-timeout={}\n\n[{NAME}]\n",
        stanza.work_path().join("lock").display(),
        // The package's own, in /var/spool, is closed to everybody but the user postgres, and a restore looks into it.
        stanza.work_path().join("spool").display(),
        options.processes.max(1),
        options.archive_timeout_seconds.max(1)
    );
    let cluster = stanza.path(&stanza.cluster_dir(), CLUSTER_NUMBER);
    let _ = writeln!(text, "pg1-path={}", cluster.display());
    match &options.place {
        Place::Own {
            socket_dir,
            port,
            login,
            ..
        } => {
            let socket = stanza.path(socket_dir, SOCKET_NUMBER);
            let _ = writeln!(text, "pg1-socket-path={}\npg1-port={port}", socket.display());
            if let Some(login) = login {
                let _ = writeln!(text, "pg1-user={}\npg1-database={}", login.user, login.database);
            }
        }
        Place::Other {
            socket_dir,
            port,
            user,
            ..
        } => {
            let _ = writeln!(
                text,
                "pg1-socket-path={}\npg1-port={port}\npg1-user={user}",
                socket_dir.display()
            );
        }
    }
    text
}

fn render_s3(text: &mut String, number: u32, s3: &S3, work: &Path) {
    let secret = |secret: &SecretString| secret.expose_secret().to_owned();
    let _ = write!(
        text,
        "repo{number}-type=s3\nrepo{number}-path={}\nrepo{number}-s3-bucket={}\nrepo{number}-s3-endpoint={}\nrepo{number}-s3-region={}\n\
         repo{number}-s3-key={}\nrepo{number}-s3-key-secret={}\n",
        s3.path,
        s3.bucket,
        s3.endpoint,
        s3.region,
        secret(&s3.key),
        secret(&s3.key_secret)
    );
    if s3.path_style {
        let _ = writeln!(text, "repo{number}-s3-uri-style=path");
    }
    if s3.authorities.is_some() {
        let _ = writeln!(
            text,
            "repo{number}-storage-ca-file={}",
            work.join(AUTHORITIES).display()
        );
    }
}
