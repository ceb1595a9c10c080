//! `secureguard doctor`: what is wrong, and what to do about it.

use std::path::Path;

use secrecy::ExposeSecret;
use sg_db::Db;
use sg_postgres::Search;

use crate::config::Config;
use crate::listen::Port;
use crate::signing::RulesSigner;
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
            let findings = ask_database(&db).await;
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
    let schema = match db.schema_versions().await {
        Ok((applied, needed)) if applied == needed => {
            Ok(format!("version {applied}, as this program needs it"))
        }
        Ok((applied, needed)) => Err(format!(
            "version {applied}, this program needs {needed}; run `secureguard migrate`"
        )),
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
    vec![
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
