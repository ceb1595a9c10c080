//! Puts the layers together and says where a refused value came from.

use std::path::{Path, PathBuf};

use figment::Figment;
use figment::providers::{Env, Format, Serialized, Toml};

use super::Config;

/// The defaults, as text for people and as the lowest layer.
pub const DEFAULTS: &str = include_str!("../../secureguard.default.toml");

/// The file that is read when none is named.
const SYSTEM_FILE: &str = "/etc/secureguard/secureguard.toml";

/// Variables that are not named after their setting, and the setting that each one is.
const PLAIN_VARIABLES: [(&str, &str); 5] = [
    ("SECUREGUARD_LOG", "log.filter"),
    ("DATABASE_URL", "database.url"),
    ("DATABASE_SYSTEM_URL", "database.system_url"),
    ("DATABASE_MIGRATE_URL", "database.migrate_url"),
    ("PG_BIN", "database.pg_bin"),
];

/// Variables with our prefix that other programs of the product read; these in whole, and all that begin with `test_`.
const FOREIGN_VARIABLES: [&str; 5] = ["enrolment_key", "bin_dir", "chromium", "tools_dir", "log"];

/// The verb whose defaults apply: some differ between one machine and a fleet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// `up`: one machine with its own database.
    Up,
    /// Everything else.
    Other,
}

/// A configuration that cannot be used, in words for the person who wrote it.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct ConfigError(pub Vec<String>);

/// Reads the configuration: defaults, then `file` (else the system's file, where it exists), then the environment.
///
/// # Errors
/// [`ConfigError`] naming every refused setting and where it was set.
pub fn load(file: Option<&Path>, verb: Verb) -> Result<Config, ConfigError> {
    let mut layers = Figment::from(Toml::string(DEFAULTS));
    if verb == Verb::Up {
        layers = layers.merge(Serialized::default("ingest.check_in_seconds", 30));
    }
    let file = file_to_read(file)?;
    if let Some(path) = &file {
        layers = layers.merge(Toml::file_exact(path));
    }
    let layers = layers.merge(plain_environment()).merge(prefixed_environment());
    let mut config: Config = layers
        .extract()
        .map_err(|error| ConfigError(error.into_iter().map(|e| describe(&e)).collect()))?;
    config.file = file;
    let mut wrong = config.mail.load_files(config.http.public_url.is_some());
    wrong.extend(config.passwords.load_files());
    wrong.extend(config.traces.check());
    if let Err(ConfigError(more)) = check(&config) {
        wrong.extend(more);
    }
    if wrong.is_empty() {
        Ok(config)
    } else {
        Err(ConfigError(wrong))
    }
}

fn file_to_read(named: Option<&Path>) -> Result<Option<PathBuf>, ConfigError> {
    match named {
        Some(path) if path.is_file() => Ok(Some(path.to_owned())),
        Some(path) => Err(ConfigError(vec![format!(
            "the configuration file {} does not exist or is no file",
            path.display()
        )])),
        None => Ok(Some(PathBuf::from(SYSTEM_FILE)).filter(|path| path.is_file())),
    }
}

fn prefixed_environment() -> Env {
    Env::prefixed("SECUREGUARD_")
        .ignore(&FOREIGN_VARIABLES)
        .filter(|name| !name.starts_with("test_"))
        .split("__")
}

fn plain_environment() -> Env {
    Env::raw()
        .only(&PLAIN_VARIABLES.map(|(variable, _)| variable))
        .map(|name| {
            let found = PLAIN_VARIABLES.iter().find(|(variable, _)| name == *variable);
            found.map_or_else(|| name.into(), |(_, setting)| (*setting).into())
        })
}

fn describe(error: &figment::Error) -> String {
    let source = error.metadata.as_ref().map(|metadata| match &metadata.source {
        Some(figment::Source::File(path)) => format!(", set in {}", path.display()),
        _ if metadata.name.contains("environment") => ", set in the environment".to_owned(),
        _ => String::new(),
    });
    let mut path = error.path.join(".");
    if let figment::error::Kind::UnknownField(field, expected) = &error.kind {
        if !path.is_empty() && !path.ends_with(field.as_str()) {
            path = format!("{path}.{field}");
        } else if path.is_empty() {
            path.clone_from(field);
        }
        return format!(
            "unknown setting `{path}`{}; known here: {}",
            source.unwrap_or_default(),
            expected.join(", ")
        );
    }
    format!("setting `{path}`{}: {}", source.unwrap_or_default(), error.kind)
}

fn check(config: &Config) -> Result<(), ConfigError> {
    let mut wrong = Vec::new();
    if !(5..=86_400).contains(&config.ingest.check_in_seconds) {
        wrong.push("setting `ingest.check_in_seconds`: must be between 5 and 86400".to_owned());
    }
    if config.database.max_connections < 2 {
        wrong.push("setting `database.max_connections`: must be at least 2".to_owned());
    }
    if config.http.max_connections == 0 || config.ingest.concurrency == 0 {
        wrong.push("settings `http.max_connections` and `ingest.concurrency`: must be at least 1".to_owned());
    }
    let sessions = &config.sessions;
    if [
        sessions.idle_seconds,
        sessions.absolute_seconds,
        sessions.admin_idle_seconds,
        sessions.admin_absolute_seconds,
    ]
    .contains(&0)
    {
        wrong.push("settings of `sessions`: must be at least 1 second".to_owned());
    }
    if config.second_factors.totp_drift_steps > 1 {
        wrong.push("setting `second_factors.totp_drift_steps`: must be 0 or 1".to_owned());
    }
    if let Err(reason) = config.tls.applies_to(config.http.listen) {
        wrong.push(reason);
    }
    wrong.extend(config.audit.problems());
    wrong.extend(config.backup.problems());
    wrong.extend(config.standby.problems());
    wrong.extend(config.maintenance.problems());
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(ConfigError(wrong))
    }
}

#[cfg(test)]
#[expect(
    clippy::result_large_err,
    reason = "the signature that figment's Jail asks for"
)]
mod tests {
    use figment::Jail;
    use secrecy::ExposeSecret;

    use super::*;

    fn clear(jail: &mut Jail) {
        jail.clear_env();
    }

    #[test]
    fn the_defaults_are_a_whole_configuration() {
        Jail::expect_with(|jail| {
            clear(jail);
            let config = load(None, Verb::Other).unwrap();
            assert_eq!(config.http.listen.to_string(), "127.0.0.1:8080");
            assert_eq!(config.ingest.check_in_seconds, 300);
            assert_eq!(load(None, Verb::Up).unwrap().ingest.check_in_seconds, 30);
            Ok(())
        });
    }

    #[test]
    fn the_environment_overrides_the_file() {
        Jail::expect_with(|jail| {
            clear(jail);
            jail.create_file(
                "sg.toml",
                "[http]\nlisten = \"127.0.0.1:1\"\nmax_body_bytes = 10\n[ingest]\ncheck_in_seconds = 60",
            )?;
            jail.set_env("SECUREGUARD_HTTP__LISTEN", "127.0.0.1:2");
            jail.set_env("SECUREGUARD_HTTP__TRUSTED_PROXIES", "[\"10.0.0.0/8\"]");
            jail.set_env("DATABASE_URL", "postgres://u:p@h/d");
            jail.set_env("SECUREGUARD_ENROLMENT_KEY", "the agent's");
            jail.set_env("SECUREGUARD_TEST_ROLE_PASSWORD", "the tests'");
            let config = load(Some(Path::new("sg.toml")), Verb::Up).unwrap();
            jail.set_env("SECUREGUARD_LOG", "debug");
            assert_eq!(load(None, Verb::Up).unwrap().log.filter, "debug");
            assert_eq!(config.http.listen.port(), 2);
            assert_eq!(config.http.max_body_bytes, 10);
            assert_eq!(config.ingest.check_in_seconds, 60);
            assert!(config.http.trusts("10.1.2.3".parse().unwrap()));
            assert_eq!(config.database.url.expose_secret(), "postgres://u:p@h/d");
            assert!(!format!("{config:?}").contains("u:p@h"));
            Ok(())
        });
    }

    #[test]
    fn unknown_names_are_told_with_their_origin() {
        Jail::expect_with(|jail| {
            clear(jail);
            jail.create_file("sg.toml", "[http]\nlissten = \"127.0.0.1:1\"")?;
            let message = load(Some(Path::new("sg.toml")), Verb::Other)
                .unwrap_err()
                .to_string();
            assert!(
                message.contains("unknown setting `http.lissten`") && message.contains("sg.toml"),
                "{message}"
            );
            jail.set_env("SECUREGUARD_SESSION__IDLE_SECONDS", "1");
            let message = load(None, Verb::Other).unwrap_err().to_string();
            assert!(
                message.contains("unknown setting `session`") && message.contains("environment"),
                "{message}"
            );
            Ok(())
        });
    }

    #[test]
    fn refused_values_are_told_with_their_name() {
        Jail::expect_with(|jail| {
            clear(jail);
            jail.set_env("SECUREGUARD_HTTP__LISTEN", "nowhere");
            let message = load(None, Verb::Other).unwrap_err().to_string();
            assert!(message.contains("`http.listen`"), "{message}");
            jail.set_env("SECUREGUARD_HTTP__LISTEN", "0.0.0.0:80");
            jail.set_env("SECUREGUARD_TLS__MODE", "off");
            let message = load(None, Verb::Other).unwrap_err().to_string();
            assert!(
                message.contains("plain HTTP is refused on 0.0.0.0:80"),
                "{message}"
            );
            assert!(load(Some(Path::new("missing.toml")), Verb::Other).is_err());
            Ok(())
        });
    }
}
