//! `docs/errors.md` against the program: every SQLSTATE by a real failure of PostgreSQL, every code by the source.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use axum::http::StatusCode;
use sg_db::DbError;
use sg_server::error::ApiError;
use sg_testkit::TestDb;
use sqlx::AssertSqlSafe;

const DOCUMENT: &str = include_str!("../../../../docs/errors.md");

/// The rows of the table below `heading`, cell by cell.
fn table(heading: &str) -> Vec<Vec<&'static str>> {
    let (_, below) = DOCUMENT
        .split_once(heading)
        .unwrap_or_else(|| panic!("no {heading}"));
    below
        .lines()
        .skip_while(|line| !line.starts_with('|'))
        .take_while(|line| line.starts_with('|'))
        .skip(2)
        .map(|line| {
            line.trim_matches('|')
                .split('|')
                .map(|cell| cell.trim().trim_matches('`'))
                .collect()
        })
        .collect()
}

/// What a caller gets for it, and the name of the variant.
fn answer(error: DbError) -> (String, String, String) {
    let variant = variant(&error);
    let answer = ApiError::from(error);
    (
        variant,
        answer.status().as_u16().to_string(),
        answer.code().to_owned(),
    )
}

fn variant(error: &DbError) -> String {
    let text = format!("{error:?}");
    text.chars().take_while(char::is_ascii_alphanumeric).collect()
}

#[tokio::test]
async fn every_sqlstate_has_the_documented_answer() {
    let test = TestDb::new().await.unwrap();
    let mut conn = test.connect("sg_system").await.unwrap();
    let rows = table("## From the database");
    assert!(rows.len() >= 14, "{rows:?}");
    for row in rows {
        let states: &[&str] = match row[0] {
            "22…" => &["22001", "22003", "22007", "22P02", "22P05", "22021"],
            "08…" => &["08000", "08003", "08006", "08P01"],
            "53…" => &["53000", "53100", "53200", "53300"],
            "57P…" => &["57P01", "57P02", "57P03"],
            "others" => &["42601", "42703", "42P01", "42P13", "XX000", "P0001", "25P02"],
            one => &[one],
        };
        for state in states {
            // The detail that the check of a subscription gives along.
            let detail = r#"{"resource": "users", "limit": 1, "used": 1}"#;
            let raise = format!(
                "do $$ begin raise exception 'x' using errcode = '{state}', detail = '{detail}'; end $$"
            );
            let error = sqlx::raw_sql(AssertSqlSafe(raise))
                .execute(&mut conn)
                .await
                .unwrap_err();
            let expected = (row[2].to_owned(), row[3].to_owned(), row[4].to_owned());
            assert_eq!(answer(error.into()), expected, "{state}");
        }
    }
    // Every state that the program tells apart is in the table.
    for word in include_str!("../../../db/src/error.rs").split('"') {
        let is_state = word.len() == 5 && word.chars().all(|c| c.is_ascii_digit() || c.is_ascii_uppercase());
        assert!(
            !is_state || DOCUMENT.contains(&format!("| `{word}` |")),
            "{word} is not documented"
        );
    }
}

#[test]
fn every_variant_has_the_documented_answer() {
    let constraint = String::new();
    let all = [
        DbError::AlreadyExists {
            constraint: constraint.clone(),
        },
        DbError::MissingReference {
            constraint: constraint.clone(),
        },
        DbError::InvalidValue { constraint },
        DbError::LimitReached {
            resource: "users".to_owned(),
            limit: 1,
            used: 1,
        },
        DbError::SubscriptionEnded {
            status: "suspended".to_owned(),
        },
        DbError::Denied,
        DbError::ContextRefused,
        DbError::Busy,
        DbError::Unavailable(sqlx::Error::PoolTimedOut),
        DbError::Migration(sqlx::migrate::MigrateError::VersionMissing(1)),
        DbError::TooNew("x".to_owned()),
        DbError::Inconsistent("x".to_owned()),
        DbError::Other(sqlx::Error::RowNotFound),
    ];
    let source = include_str!("../../../db/src/error.rs");
    let (_, body) = source.split_once("pub enum DbError {").unwrap();
    let (body, _) = body.split_once("\n}").unwrap();
    let variants = body
        .lines()
        .filter(|line| line.starts_with("    ") && line.trim_start().starts_with(char::is_uppercase))
        .count();
    assert_eq!(variants, all.len(), "a variant is missing here");
    let mut documented: BTreeMap<&str, (&str, &str)> = BTreeMap::new();
    for row in table("## From the database") {
        documented.insert(row[2], (row[3], row[4]));
    }
    for row in table("What has no SQLSTATE") {
        documented.insert(row[0], (row[2], row[3]));
    }
    for error in all {
        let (variant, status, code) = answer(error);
        assert_eq!(
            documented.get(variant.as_str()),
            Some(&(status.as_str(), code.as_str())),
            "{variant}"
        );
    }
}

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The codes that a source file makes errors with, each with its status. Constructors that hand on a code of their caller's name none.
fn codes(path: &Path, text: &str) -> Vec<(String, u16)> {
    let text = text.split("#[cfg(test)]").next().unwrap_or_default();
    let in_error = path == Path::new("src/error.rs");
    let mut found = Vec::new();
    for (constructor, fixed) in [
        ("new", None),
        ("bad_request", Some(StatusCode::BAD_REQUEST)),
        ("forbidden", Some(StatusCode::FORBIDDEN)),
        ("conflict", Some(StatusCode::CONFLICT)),
        ("unprocessable", Some(StatusCode::UNPROCESSABLE_ENTITY)),
    ] {
        let owner = if in_error { "Self" } else { "ApiError" };
        for (start, call) in text.match_indices(&format!("{owner}::{constructor}(")) {
            let arguments = text[start + call.len()..].trim_start();
            let (status, rest) = match fixed {
                Some(status) => (status, arguments),
                None => {
                    let (status, rest) = arguments.split_once(',').unwrap();
                    let Some(name) = status.trim().split_once("StatusCode::").map(|(_, name)| name) else {
                        panic!("{}: {status} is no constant", path.display())
                    };
                    (status_of(name), rest.trim_start())
                }
            };
            match rest.strip_prefix('"').and_then(|rest| rest.split_once('"')) {
                Some((code, _)) => found.push((code.to_owned(), status.as_u16())),
                None => assert!(
                    in_error && rest.starts_with("code,"),
                    "{}: a code that is no literal: {}",
                    path.display(),
                    rest.lines().next().unwrap_or_default()
                ),
            }
        }
    }
    found
}

fn status_of(name: &str) -> StatusCode {
    (400..600)
        .filter_map(|number| StatusCode::from_u16(number).ok())
        .find(|status| {
            let words = status.canonical_reason().unwrap_or_default();
            words.to_uppercase().replace([' ', '-'], "_") == name
        })
        .unwrap_or_else(|| panic!("no status {name}"))
}

#[test]
fn every_code_is_documented_with_its_status() {
    let mut files = Vec::new();
    sources(Path::new("src"), &mut files);
    assert!(files.len() > 100);
    let mut used: BTreeMap<String, u16> = BTreeMap::new();
    for path in &files {
        let text = std::fs::read_to_string(path).unwrap();
        for (code, status) in codes(path, &text) {
            let before = used.insert(code.clone(), status);
            assert!(
                before.is_none_or(|before| before == status),
                "{code} has the statuses {before:?} and {status} ({})",
                path.display()
            );
        }
        let mut made = text.match_indices("Problem {");
        let is_longer_name = |at: usize| text[..at].ends_with(char::is_alphanumeric);
        assert!(
            path.ends_with("src/error.rs") || made.all(|(at, _)| is_longer_name(at)),
            "{} makes a problem by itself",
            path.display()
        );
    }
    let documented: BTreeMap<String, u16> = table("## All codes")
        .iter()
        .map(|row| (row[0].to_owned(), row[1].parse().unwrap()))
        .collect();
    assert_eq!(documented, used);
}
