//! Who is at the database that should not be: sessions of strangers, changes of the schema outside a migration, and what PostgreSQL's log tells of
//! connections that were refused and statements that were denied. A tripwire: whoever knows the product can take the name of its programs.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use chrono::{DateTime, NaiveDateTime, Utc};
use serde_json::json;
use sg_db::SystemTx;
use sg_db::monitoring::{
    DatabaseSession, SecurityEvent, count_security_events, describe_alert, judge_figure,
    list_database_sessions, record_security_event,
};
use sg_types::{Severity, TenantId};

use crate::AppState;
use crate::config::SessionPattern;

/// The alert rule.
pub(crate) const RULE: &str = "unauthorized_database_access";
/// Sessions that belong to the product: its roles and, at `up`, the superuser of its own cluster, by its programs; whoever migrates, from wherever;
/// pgBackRest and Patroni.
const OWN_SESSIONS: [&str; 5] = [
    "sg_*@*/secureguard*",
    "*@local/secureguard*",
    "*@*/secureguard-migrate",
    "*@local/pgBackRest*",
    "*@*/Patroni*",
];
/// How much of the end of PostgreSQL's log is read.
const LOG_TAIL: u64 = 4 * 1024 * 1024;
/// What PostgreSQL says to whom it does not let in; its messages are English, since `up` starts it with the C locale.
const REFUSED: [&str; 5] = [
    "authentication failed for user",
    "no pg_hba.conf entry for",
    "pg_hba.conf rejects connection",
    "is not permitted to log in",
    "permission denied for database",
];
/// What it says to whoever tries to get past row security, or takes what a role has not been granted.
const DENIED: [&str; 9] = [
    "query would be affected by row-level security policy",
    "new row violates row-level security policy",
    "permission denied for table",
    "permission denied for schema",
    "permission denied for function",
    "permission denied for view",
    "permission denied to set role",
    "permission denied to set parameter",
    "must be owner of",
];

/// Compares what is found with the rule; raises or clears an alert about each kind of it, and says in the alert what it is about. How many are raised.
///
/// # Errors
/// What the database says.
pub(crate) async fn watch(
    state: &AppState,
    tx: &mut SystemTx,
    window: chrono::Duration,
    now: DateTime<Utc>,
) -> anyhow::Result<i32> {
    let mut raised = 0;
    let since = now - window;
    let strangers = find_strangers(state, tx, now).await?;
    let (recorded, latest) = count_security_events(tx, "unexpected_session", since, now).await?;
    let present = i64::try_from(strangers.len()).unwrap_or(i64::MAX);
    let words = match strangers.first() {
        Some(stranger) => Some(format!("{stranger} is at the database")),
        None => latest.map(|latest| format!("{latest} was at the database")),
    };
    raised += judge(tx, "sessions", recorded.max(present), words, now).await?;
    let (changes, latest) = count_security_events(tx, "schema_changed", since, now).await?;
    raised += judge(tx, "schema", changes, latest, now).await?;
    // Only `up` has PostgreSQL's log at hand.
    let log = state.config.data_dir.join("log/postgresql.log");
    let told = tokio::task::spawn_blocking(move || read_log(&log, since)).await?;
    match told {
        Ok(told) => {
            for (subject, lines) in [("connections", told.refused), ("statements", told.denied)] {
                let count = i64::try_from(lines.len()).unwrap_or(i64::MAX);
                raised += judge(tx, subject, count, lines.into_iter().last(), now).await?;
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => tracing::warn!(%error, "PostgreSQL's log is not to be read"),
    }
    Ok(raised)
}

async fn judge(
    tx: &mut SystemTx,
    subject: &str,
    count: i64,
    words: Option<String>,
    now: DateTime<Utc>,
) -> anyhow::Result<i32> {
    #[expect(clippy::cast_precision_loss, reason = "there are fewer than 2^53")]
    let is_raised = judge_figure(tx, TenantId::SYSTEM, RULE, subject, count as f64, now).await?;
    if let (true, Some(words)) = (is_raised, words) {
        describe_alert(tx, TenantId::SYSTEM, RULE, subject, &words).await?;
    }
    Ok(i32::from(is_raised))
}

/// Sessions that nobody expects, as `role@address/program`; each is put on record once in an hour.
async fn find_strangers(
    state: &AppState,
    tx: &mut SystemTx,
    now: DateTime<Utc>,
) -> anyhow::Result<BTreeSet<String>> {
    let own = OWN_SESSIONS.iter().map(|text| text.parse());
    let mut expected: Vec<SessionPattern> = own.collect::<Result<_, _>>().map_err(anyhow::Error::msg)?;
    expected.extend(state.config.database.expected_sessions.iter().cloned());
    let mut strangers = BTreeSet::new();
    for session in list_database_sessions(tx).await? {
        let DatabaseSession {
            role,
            application,
            address,
        } = &session;
        if expected
            .iter()
            .any(|pattern| pattern.matches(role, address, application))
        {
            continue;
        }
        let name = format!("{role}@{address}/{application}");
        let event = SecurityEvent {
            tenant_id: TenantId::SYSTEM,
            at: now,
            kind: "unexpected_session",
            severity: Severity::Critical,
            subject: &name,
            detail: &json!({}),
        };
        if record_security_event(tx, &event).await? {
            tracing::warn!(session = name, "an unexpected session is at the database");
        }
        strangers.insert(name);
    }
    Ok(strangers)
}

/// What the log tells, by line without its time.
#[derive(Debug, Default, PartialEq)]
struct Told {
    refused: Vec<String>,
    denied: Vec<String>,
}

/// What the end of PostgreSQL's log tells since a time.
fn read_log(log: &Path, since: DateTime<Utc>) -> io::Result<Told> {
    let mut file = File::open(log)?;
    let start = file.metadata()?.len().saturating_sub(LOG_TAIL);
    file.seek(SeekFrom::Start(start))?;
    let mut tail = Vec::new();
    file.take(LOG_TAIL).read_to_end(&mut tail)?;
    let mut told = Told::default();
    for line in String::from_utf8_lossy(&tail)
        .lines()
        .filter(|line| is_after(line, since))
    {
        // After the time and the process: `user@database`, whom it was said to, and what.
        let said = line.split_once("] ").and_then(|(_, said)| said.split_once(' '));
        let Some((who, said)) = said else { continue };
        let (list, message, words) = if let Some(message) = said.strip_prefix("FATAL:  ") {
            (&mut told.refused, message, &REFUSED[..])
        } else if let Some(message) = said.strip_prefix("ERROR:  ") {
            (&mut told.denied, message, &DENIED[..])
        } else {
            continue;
        };
        if words.iter().any(|words| message.contains(words)) {
            list.push(format!("{who}: {message}"));
        }
    }
    Ok(told)
}

/// `log_line_prefix` begins with the time: `2026-01-31 12:00:00.000 UTC`.
fn is_after(line: &str, since: DateTime<Utc>) -> bool {
    let time = line
        .get(..23)
        .and_then(|text| NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.3f").ok());
    time.is_some_and(|time| time.and_utc() >= since)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "\
2026-01-31 10:00:00.000 UTC [1] LOG:  database system is ready to accept connections
2026-01-31 10:59:59.999 UTC [2] sg_app@secureguard FATAL:  password authentication failed for user \"sg_app\"
2026-01-31 11:00:00.000 UTC [3] sg_app@secureguard FATAL:  password authentication failed for user \"sg_app\"
2026-01-31 11:10:00.000 UTC [4] eve@postgres FATAL:  no pg_hba.conf entry for host \"192.0.2.1\", user \"eve\", database \"postgres\", no encryption
2026-01-31 11:20:00.000 UTC [5] sg_owner@secureguard FATAL:  role \"sg_owner\" is not permitted to log in
2026-01-31 11:30:00.000 UTC [6] sg_app@secureguard FATAL:  terminating connection due to administrator command
2026-01-31 11:30:00.000 UTC [7] sg_app@secureguard LOG:  the words authentication failed for user are no refusal
2026-01-31 11:40:00.000 UTC [8] sg_app@secureguard ERROR:  query would be affected by row-level security policy for table \"users\"
2026-01-31 11:40:00.000 UTC [8] sg_app@secureguard STATEMENT:  select 1 -- ERROR:  permission denied for table
2026-01-31 11:41:00.000 UTC [8] sg_app@secureguard ERROR:  division by zero
not a line of the log FATAL:  password authentication failed for user
";

    #[test]
    fn the_log_tells_from_a_time_on_who_was_refused_what() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("postgresql.log");
        std::fs::write(&log, LOG).unwrap();
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let told = read_log(&log, at("2026-01-31T11:00:00Z")).unwrap();
        assert_eq!(told.refused.len(), 3);
        assert_eq!(
            told.refused[2],
            "sg_owner@secureguard: role \"sg_owner\" is not permitted to log in"
        );
        assert_eq!(
            told.denied,
            ["sg_app@secureguard: query would be affected by row-level security policy for table \"users\""]
        );
        assert_eq!(
            read_log(&log, at("2026-01-31T10:00:00Z")).unwrap().refused.len(),
            4
        );
        assert_eq!(
            read_log(&log, at("2026-01-31T12:00:00Z")).unwrap(),
            Told::default()
        );
        assert!(read_log(&dir.path().join("none"), at("2026-01-31T12:00:00Z")).is_err());
    }

    #[test]
    fn the_product_expects_itself_and_nobody_else() {
        let own = OWN_SESSIONS.map(|text| text.parse::<SessionPattern>().unwrap());
        for (role, address, program, is_own) in [
            ("sg_app", "192.0.2.1", "secureguard", true),
            ("postgres", "192.0.2.1", "secureguard-migrate", true),
            ("postgres", "local", "pgBackRest [check]", true),
            ("sg_app", "local", "psql", false),
            ("postgres", "192.0.2.1", "", false),
            ("eve", "192.0.2.1", "secureguard-system", false),
        ] {
            let found = own.iter().any(|pattern| pattern.matches(role, address, program));
            assert_eq!(found, is_own, "{role}@{address}/{program}");
        }
    }
}
