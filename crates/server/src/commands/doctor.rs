//! `secureguard doctor`: what is wrong, and what to do about it.

use std::path::Path;

use secrecy::ExposeSecret;
use sg_db::audit::list_unexported;
use sg_db::monitoring::read_backup_state;
use sg_db::users::count_secrets_by_key;
use sg_db::{Db, SchemaFit};
use sg_postgres::Search;
use sg_types::{Clock, SystemClock};

use crate::audit::export::Sink;
use crate::audit::read_known_heads;
use crate::config::Config;
use crate::listen::Port;
use crate::secrets::SecretBox;
use crate::signing::{AuditSigner, RulesSigner};
use crate::up::{connect, read_urls};
use crate::{console, files};

/// One finding of the doctor.
#[derive(Debug)]
pub struct Finding {
    /// What was looked at.
    pub about: &'static str,
    /// What was found, or what is wrong and what to do.
    pub result: Result<String, String>,
}

/// Looks at everything that the server needs. Changes nothing.
pub async fn doctor(config: &Config) -> Vec<Finding> {
    let mut findings = vec![
        Finding {
            about: "data directory",
            result: check_data_dir(&config.data_dir),
        },
        Finding {
            about: "PostgreSQL programs",
            result: check_postgres(config),
        },
        Finding {
            about: "listen address",
            result: check_listen(config).await,
        },
        Finding {
            about: "rules signing key",
            result: check_signing_key(config),
        },
        Finding {
            about: "keys of sealed secrets",
            result: check_secret_keys(config),
        },
        Finding {
            about: "audit signing key",
            result: check_audit_key(config),
        },
        Finding {
            about: "audit sinks",
            result: check_audit_sinks(config),
        },
        Finding {
            about: "backups",
            result: crate::backup::check_setup(config).map_err(|error| format!("{error:#}")),
        },
        Finding {
            about: "console",
            result: check_console(),
        },
    ];
    findings.extend(check_database(config).await);
    findings
}

fn check_data_dir(dir: &Path) -> Result<String, String> {
    match files::is_readable_by_others(dir) {
        Ok(false) => Ok(format!("{} is private", dir.display())),
        Ok(true) => Err(format!(
            "others can enter {}; run: chmod 0700 {}",
            dir.display(),
            dir.display()
        )),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Ok(format!("{} does not exist yet; `up` makes it", dir.display()))
        }
        Err(error) => Err(format!("{} cannot be looked at: {error}", dir.display())),
    }
}

fn check_postgres(config: &Config) -> Result<String, String> {
    let search = Search {
        explicit: config.database.pg_bin().map(Path::to_owned),
        data_dir: Some(config.data_dir.clone()),
        ..Search::default()
    };
    search
        .run()
        .map(|found| format!("version {} in {}", found.version, found.bin_dir.display()))
        .map_err(|error| error.to_string())
}

async fn check_listen(config: &Config) -> Result<String, String> {
    let tls = config.tls.applies_to(config.http.listen)?;
    let speaks = if tls { "TLS" } else { "plain HTTP" };
    match Port::bind(config.http.listen).await {
        Ok(_) => Ok(format!("{} is free, {speaks}", config.http.listen)),
        Err(error) => Err(format!("{error} (fine when it is this server that runs there)")),
    }
}

fn check_signing_key(config: &Config) -> Result<String, String> {
    let path = config.rules.key_file(&config.data_dir);
    if !path.exists() {
        return Ok(format!(
            "{} does not exist yet; it is made at the first start",
            path.display()
        ));
    }
    RulesSigner::load_or_create(&path)
        .map(|_| format!("{} is usable", path.display()))
        .map_err(|error| error.to_string())
}

fn check_secret_keys(config: &Config) -> Result<String, String> {
    let path = config.secrets.keys_file(&config.data_dir);
    if !path.exists() {
        return Ok(format!(
            "{} does not exist yet; it is made at the first start",
            path.display()
        ));
    }
    SecretBox::load_or_create(&path, SystemClock.now())
        .and_then(|secrets| secrets.key_ids())
        .map(|keys| format!("{} is usable, it holds {}", path.display(), keys.len()))
        .map_err(|error| error.to_string())
}

fn check_audit_key(config: &Config) -> Result<String, String> {
    let path = config.audit.key_file(&config.data_dir);
    if !path.exists() {
        return Ok(format!(
            "{} does not exist yet; it is made at the first start",
            path.display()
        ));
    }
    let signer = AuditSigner::load_or_create(&path).map_err(|error| error.to_string())?;
    read_known_heads(&config.data_dir).map_err(|error| format!("{error:#}"))?;
    Ok(format!(
        "{} is usable, key id {}",
        path.display(),
        signer.verifier().key_id()
    ))
}

fn check_audit_sinks(config: &Config) -> Result<String, String> {
    let sinks = Sink::all(&config.audit).map_err(|error| format!("{error:#}"))?;
    if sinks.is_empty() {
        return Ok("the audit log is told to nobody else; [audit.file], [audit.syslog] or [audit.webhook] would keep it safe from this machine".to_owned());
    }
    let names: Vec<&str> = sinks.iter().map(Sink::name).collect();
    Ok(format!("{} can be used", names.join(" and ")))
}

/// Whether a sink waits for what was signed long ago.
async fn check_audit_exports(config: &Config, db: &Db) -> Result<String, String> {
    let unreadable = |error: sg_db::DbError| format!("cannot be read: {error}");
    let mut tx = db.system("doctor").await.map_err(unreadable)?;
    let late = SystemClock.now() - chrono::Duration::minutes(1);
    for name in Sink::names(&config.audit) {
        let waiting = list_unexported(&mut tx, name).await.map_err(unreadable)?;
        if let Some(oldest) = waiting.first().filter(|chain| chain.checkpoint_at < late) {
            return Err(format!(
                "the {name} has not been told entries that were signed at {}; a running server tells them within seconds, its log says why not",
                oldest.checkpoint_at
            ));
        }
    }
    Ok("every sink has been told everything".to_owned())
}

/// What the watch over backups last saw.
async fn check_backup_state(config: &Config, db: &Db) -> Result<String, String> {
    let read = async {
        let mut tx = db.system("doctor").await?;
        read_backup_state(&mut tx).await
    };
    let seen = read.await.map_err(|error| format!("cannot be read: {error}"))?;
    if !config.backup.is_on() {
        return Ok("nothing is to be said without a repository".to_owned());
    }
    if !seen.problems.is_empty() {
        let words: Vec<String> = seen
            .problems
            .iter()
            .map(|problem| format!("{}: {}", problem.subject, problem.words))
            .collect();
        return Err(words.join("\n"));
    }
    match seen.last_backup {
        Some(run) => Ok(format!("the last one is of {}", run.started_at.to_rfc3339())),
        None => Err("none was made yet; run `secureguard backup full`".to_owned()),
    }
}

fn check_console() -> Result<String, String> {
    if console::is_built() {
        return Ok("is part of this program".to_owned());
    }
    Err("is not part of this program; build it with `cargo xtask build`".to_owned())
}

async fn check_database(config: &Config) -> Vec<Finding> {
    let urls = if config.database.missing_urls().is_empty() {
        Ok((config.database.url.clone(), config.database.system_url.clone()))
    } else if config.database.url.expose_secret().is_empty() {
        read_urls(&config.data_dir).map_err(|_| {
            "no database URL is set and no `up` has made a database here; start one of them".to_owned()
        })
    } else {
        Err(format!(
            "{} is missing",
            config.database.missing_urls().join(" and ")
        ))
    };
    let db =
        urls.and_then(|(app, system)| connect(config, &app, &system).map_err(|error| format!("{error:#}")));
    match db {
        Ok(db) => {
            let mut findings = ask_database(&db).await;
            if findings.len() > 1 {
                findings.push(Finding {
                    about: "sealed secrets",
                    result: check_sealed_secrets(config, &db).await,
                });
            }
            findings.push(Finding {
                about: "state of backups",
                result: check_backup_state(config, &db).await,
            });
            findings.push(Finding {
                about: "audit exports",
                result: check_audit_exports(config, &db).await,
            });
            db.close().await;
            findings
        }
        Err(problem) => vec![Finding {
            about: "database",
            result: Err(problem),
        }],
    }
}

async fn ask_database(db: &Db) -> Vec<Finding> {
    if let Err(error) = db.ping().await {
        let problem = format!(
            "does not answer ({:#}); is it running, and are user, password and host of the URL right?",
            anyhow::Error::from(error)
        );
        return vec![Finding {
            about: "database",
            result: Err(problem),
        }];
    }
    let schema = match db.schema_fit().await {
        Ok(SchemaFit::Same(version)) => Ok(format!("version {version}, as this program needs it")),
        Ok(SchemaFit::Newer { applied, known }) => Ok(format!(
            "version {applied}, of a later release than this program's {known}, which can work beside it; update it soon"
        )),
        Ok(fit) => Err(fit.problem().unwrap_or_default()),
        Err(error) => Err(format!("cannot be read ({error}); run `secureguard migrate`")),
    };
    let roles = match db.check_roles().await {
        Ok(checks) => match checks
            .iter()
            .find_map(|check| check.problem.as_ref().map(|problem| (check, problem)))
        {
            Some((check, problem)) => Err(format!(
                "`{}` must not serve requests: {problem}; connect as sg_app and sg_system",
                check.role
            )),
            None => Ok(checks
                .iter()
                .map(|check| check.role.as_str())
                .collect::<Vec<_>>()
                .join(" and ")
                + " cannot get around row security"),
        },
        Err(error) => Err(format!("cannot be checked: {error}")),
    };
    let guard = match db.has_contract_guard().await {
        Ok(true) => Ok("refuses the functions of the schema document, which would undo the lockout".to_owned()),
        Ok(false) => Err(
            "is missing: somebody could replay the functions of the schema document, which lock nobody; run `secureguard migrate` once as a superuser"
                .to_owned(),
        ),
        Err(error) => Err(format!("cannot be checked: {error}")),
    };
    vec![
        Finding {
            about: "contract guard",
            result: guard,
        },
        Finding {
            about: "database",
            result: Ok("answers, PL/pgSQL included".to_owned()),
        },
        Finding {
            about: "schema",
            result: schema,
        },
        Finding {
            about: "database roles",
            result: roles,
        },
    ]
}

/// Whether every secret was sealed under a key that is there.
async fn check_sealed_secrets(config: &Config, db: &Db) -> Result<String, String> {
    let used = async {
        let mut tx = db.system("doctor").await?;
        count_secrets_by_key(&mut tx).await
    };
    let used = used
        .await
        .map_err(|error| format!("cannot be counted: {error}"))?;
    let path = config.secrets.keys_file(&config.data_dir);
    let keys = if path.exists() {
        SecretBox::load_or_create(&path, SystemClock.now())
            .and_then(|secrets| secrets.key_ids())
            .map_err(|error| error.to_string())?
    } else {
        Vec::new()
    };
    match used.iter().find(|(key_id, _)| !keys.contains(key_id)) {
        Some((key_id, secrets)) => Err(format!(
            "{secrets} of them are sealed under key {key_id}, which {} lacks: restore that file from your backup",
            path.display()
        )),
        None => Ok(format!(
            "{} are there, and the key of each",
            used.iter().map(|(_, secrets)| secrets).sum::<i64>()
        )),
    }
}
