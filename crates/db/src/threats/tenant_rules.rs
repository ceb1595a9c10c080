//! A tenant's own rules, and which rules of the pack it has switched off. Every change is a version that stays.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use sg_types::agent::RuleText;
use sg_types::api::rules::{
    RuleChange, RuleDiagnostic, RuleOrigin, RuleRecord, RuleVersionDetail, RuleVersionView,
};
use sg_types::{RuleKind, Severity, TenantId, UserId};
use sqlx::{Row, postgres::PgRow, types::Json};

use super::load_placeholders;
use crate::{DbError, Reads, SystemTx, tx::Connection};

/// A rule as it is stored, without its text.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredRule {
    /// Its id.
    pub rule_id: String,
    /// Every id that its matches may have.
    pub finding_ids: Vec<String>,
    /// Whose it is.
    pub origin: RuleOrigin,
    /// Its kind.
    pub kind: RuleKind,
    /// Its title.
    pub name: String,
    /// How bad a match is.
    pub severity: Severity,
    /// What it looks for.
    pub description: Option<String>,
    /// ATT&CK techniques and other tags.
    pub tags: Vec<String>,
    /// SHA-256 of the text; none for a rule of the pack.
    pub digest: Option<Vec<u8>>,
    /// What the compiler warned of.
    pub diagnostics: Vec<RuleDiagnostic>,
    /// Whether agents evaluate it.
    pub is_enabled: bool,
    /// Its version.
    pub version: i32,
    /// When it was changed last.
    pub changed_at: DateTime<Utc>,
    /// Who did.
    pub changed_by_username: Option<String>,
    /// When it was removed.
    pub removed_at: Option<DateTime<Utc>>,
    /// What it takes of the limits.
    pub weight: RuleWeight,
}

/// What rules take of what a tenant may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RuleWeight {
    /// Rules.
    pub rules: i64,
    /// Bytes of their texts.
    pub bytes: i64,
    /// Bytes that Sigma rules look for.
    pub literal_bytes: i64,
    /// Regular expressions.
    pub regexes: i64,
    /// Positions of YARA strings.
    pub yara_positions: i64,
    /// Indicators.
    pub indicators: i64,
}

/// A text to be stored as a rule, under the id that it names.
#[derive(Debug, Clone)]
pub struct NewRule<'a> {
    /// Its id.
    pub rule_id: &'a str,
    /// Every id that its matches may have.
    pub finding_ids: &'a [String],
    /// Its kind.
    pub kind: RuleKind,
    /// Its title.
    pub name: &'a str,
    /// How bad a match is.
    pub severity: Severity,
    /// What it looks for.
    pub description: Option<&'a str>,
    /// ATT&CK techniques and other tags.
    pub tags: &'a [String],
    /// The text.
    pub text: &'a str,
    /// Its SHA-256.
    pub digest: [u8; 32],
    /// What the compiler warned of.
    pub diagnostics: &'a [RuleDiagnostic],
    /// Whether agents evaluate it.
    pub is_enabled: bool,
    /// What it takes of the limits; the number of rules is one.
    pub weight: RuleWeight,
    /// `create` or `update`.
    pub change: RuleChange,
    /// Why.
    pub reason: Option<&'a str>,
    /// Who.
    pub by: UserId,
    /// When.
    pub at: DateTime<Utc>,
}

/// A rule to be switched on or off, or removed.
#[derive(Debug, Clone)]
pub struct SwitchRule<'a> {
    /// Its id.
    pub rule_id: &'a str,
    /// For a rule of the pack that the tenant has not touched yet: what it is.
    pub pack: Option<PackRule<'a>>,
    /// `enable`, `disable` or `remove`.
    pub change: RuleChange,
    /// Why.
    pub reason: Option<&'a str>,
    /// Who.
    pub by: UserId,
    /// When.
    pub at: DateTime<Utc>,
}

/// What is noted of a rule of the pack.
pub type PackRule<'a> = (RuleKind, &'a str, Severity);

/// What a tenant's package has beyond the pack.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OwnTexts {
    /// The tenant's own rules that are switched on; the names are their ids.
    pub rules: Vec<RuleText>,
    /// Rules of the pack that are switched off.
    pub switched_off: Vec<String>,
    /// What stands in the place of `%name%`.
    pub placeholders: BTreeMap<String, Vec<String>>,
}

const COLUMNS: &str = "r.rule_id, r.finding_ids, r.origin, r.kind, r.name, r.severity, r.description, r.tags,
    r.text_digest, r.diagnostics, r.is_enabled, r.version, r.changed_at, u.username, r.removed_at,
    octet_length(r.text)::bigint as bytes, r.literal_bytes, r.regexes::bigint as regexes, r.yara_positions, r.indicators::bigint as indicators";

/// Lets one change of the tenant's rules go on at a time, until the end of the transaction.
///
/// # Errors
/// What a query may meet.
pub async fn lock_rules(tx: &mut SystemTx, tenant_id: TenantId) -> Result<(), DbError> {
    sqlx::query("select pg_advisory_xact_lock(hashtextextended('threats.rules ' || $1, 0))")
        .bind(tenant_id.to_string())
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// The tenant's rules by id, removed ones too where `with_removed` says so.
///
/// # Errors
/// What a query may meet.
pub async fn list_rules(
    tx: &mut impl Reads,
    tenant_id: TenantId,
    with_removed: bool,
) -> Result<Vec<StoredRule>, DbError> {
    let statement = format!(
        "select {COLUMNS} from threats.rules r left join users.users u on u.user_id = r.changed_by
         where r.tenant_id = $1 and ($2 or r.removed_at is null) order by r.rule_id collate \"C\""
    );
    let rows = sqlx::query(sqlx::AssertSqlSafe(statement))
        .bind(tenant_id.0)
        .bind(with_removed)
        .fetch_all(tx.conn())
        .await?;
    rows.iter().map(stored).collect()
}

/// A rule with its text, a removed one too.
///
/// # Errors
/// What a query may meet.
pub async fn find_rule(
    tx: &mut impl Reads,
    tenant_id: TenantId,
    rule_id: &str,
) -> Result<Option<(StoredRule, Option<String>)>, DbError> {
    let statement = format!(
        "select {COLUMNS}, r.text from threats.rules r left join users.users u on u.user_id = r.changed_by
         where r.tenant_id = $1 and r.rule_id = $2"
    );
    let row = sqlx::query(sqlx::AssertSqlSafe(statement))
        .bind(tenant_id.0)
        .bind(rule_id)
        .fetch_optional(tx.conn())
        .await?;
    row.map(|row| Ok((stored(&row)?, row.try_get("text")?)))
        .transpose()
}

/// What the tenant's own rules take of the limits, those that are switched off too.
///
/// # Errors
/// What a query may meet.
pub async fn weigh_rules(tx: &mut impl Reads, tenant_id: TenantId) -> Result<RuleWeight, DbError> {
    let row = sqlx::query(
        "select count(*) as rules, coalesce(sum(octet_length(text)), 0)::bigint as bytes, coalesce(sum(literal_bytes), 0)::bigint as literal_bytes,
            coalesce(sum(regexes), 0)::bigint as regexes, coalesce(sum(yara_positions), 0)::bigint as yara_positions,
            coalesce(sum(indicators), 0)::bigint as indicators
         from threats.rules where tenant_id = $1 and origin = 'tenant' and removed_at is null",
    )
    .bind(tenant_id.0)
    .fetch_one(tx.conn())
    .await?;
    Ok(RuleWeight {
        rules: row.try_get("rules")?,
        ..weight(&row)?
    })
}

/// Stores a text and its version, over what was stored under its id.
///
/// # Errors
/// What a query may meet.
pub async fn save_rule(tx: &mut SystemTx, tenant_id: TenantId, rule: &NewRule<'_>) -> Result<i32, DbError> {
    let row = sqlx::query(
        "insert into threats.rules as r (tenant_id, rule_id, finding_ids, origin, kind, name, severity, description, tags, text, diagnostics,
            is_enabled, version, literal_bytes, regexes, yara_positions, indicators, created_at, changed_at, changed_by, text_digest)
         values ($1, $2, $3, 'tenant', $4, $5, $6, $7, $8, $9, $10, $11, 1, $12, $13, $14, $15, $16, $16, $17, $18)
         on conflict (tenant_id, rule_id) do update set finding_ids = excluded.finding_ids, origin = 'tenant', kind = excluded.kind,
            name = excluded.name, severity = excluded.severity, description = excluded.description, tags = excluded.tags, text = excluded.text, text_digest = excluded.text_digest,
            diagnostics = excluded.diagnostics, is_enabled = excluded.is_enabled, version = r.version + 1,
            literal_bytes = excluded.literal_bytes, regexes = excluded.regexes, yara_positions = excluded.yara_positions,
            indicators = excluded.indicators, changed_at = excluded.changed_at, changed_by = excluded.changed_by, removed_at = null
         returning version",
    )
    .bind(tenant_id.0)
    .bind(rule.rule_id)
    .bind(rule.finding_ids)
    .bind(rule.kind.as_str())
    .bind(rule.name)
    .bind(rule.severity.as_str())
    .bind(rule.description)
    .bind(rule.tags)
    .bind(rule.text)
    .bind(Json(rule.diagnostics))
    .bind(rule.is_enabled)
    .bind(rule.weight.literal_bytes)
    .bind(i32::try_from(rule.weight.regexes).unwrap_or(i32::MAX))
    .bind(rule.weight.yara_positions)
    .bind(i32::try_from(rule.weight.indicators).unwrap_or(i32::MAX))
    .bind(rule.at)
    .bind(rule.by.0)
    .bind(rule.digest.as_slice())
    .fetch_one(tx.conn())
    .await?;
    let version = row.try_get("version")?;
    let entry = Entry {
        rule_id: rule.rule_id,
        version,
        change: rule.change,
        text: Some(rule.text),
        is_enabled: rule.is_enabled,
        diagnostics: rule.diagnostics,
        reason: rule.reason,
        by: rule.by,
        at: rule.at,
    };
    insert_version(tx, tenant_id, &entry).await?;
    Ok(version)
}

/// Switches a rule on or off, or removes it. False when there is none to be changed.
///
/// # Errors
/// What a query may meet.
pub async fn switch_rule(
    tx: &mut SystemTx,
    tenant_id: TenantId,
    switch: &SwitchRule<'_>,
) -> Result<bool, DbError> {
    let is_enabled = switch.change == RuleChange::Enable;
    if let Some((kind, name, severity)) = switch.pack {
        sqlx::query(
            "insert into threats.rules (tenant_id, rule_id, origin, kind, name, severity, is_enabled, version, created_at, changed_at)
             values ($1, $2, 'pack', $3, $4, $5, true, 1, $6, $6) on conflict (tenant_id, rule_id) do nothing",
        )
        .bind(tenant_id.0)
        .bind(switch.rule_id)
        .bind(kind.as_str())
        .bind(name)
        .bind(severity.as_str())
        .bind(switch.at)
        .execute(tx.conn())
        .await?;
    }
    let row = sqlx::query(
        "update threats.rules r set is_enabled = $3, removed_at = case when $4 then $5::timestamptz end, changed_at = $5, changed_by = $6,
            version = coalesce((select max(v.version) from threats.rule_versions v where v.tenant_id = $1 and v.rule_id = $2), 0) + 1
         where r.tenant_id = $1 and r.rule_id = $2 and r.removed_at is null returning version",
    )
    .bind(tenant_id.0)
    .bind(switch.rule_id)
    .bind(is_enabled)
    .bind(switch.change == RuleChange::Remove)
    .bind(switch.at)
    .bind(switch.by.0)
    .fetch_optional(tx.conn())
    .await?;
    let Some(row) = row else {
        return Ok(false);
    };
    let entry = Entry {
        rule_id: switch.rule_id,
        version: row.try_get("version")?,
        change: switch.change,
        text: None,
        is_enabled,
        diagnostics: &[],
        reason: switch.reason,
        by: switch.by,
        at: switch.at,
    };
    insert_version(tx, tenant_id, &entry).await?;
    Ok(true)
}

/// The versions of a rule, the latest first; at most `limit` below `before`.
///
/// # Errors
/// What a query may meet.
pub async fn list_rule_versions(
    tx: &mut impl Reads,
    tenant_id: TenantId,
    rule_id: &str,
    before: Option<i32>,
    limit: u32,
) -> Result<Vec<RuleVersionView>, DbError> {
    sqlx::query(
        "select v.version, v.change, v.is_enabled, v.reason, u.username, v.changed_at, v.text is not null as has_text
         from threats.rule_versions v left join users.users u on u.user_id = v.changed_by
         where v.tenant_id = $1 and v.rule_id = $2 and ($3::integer is null or v.version < $3)
         order by v.version desc limit $4",
    )
    .bind(tenant_id.0)
    .bind(rule_id)
    .bind(before)
    .bind(i64::from(limit))
    .fetch_all(tx.conn())
    .await?
    .iter()
    .map(version_view)
    .collect()
}

/// A version of a rule with the text that it had.
///
/// # Errors
/// What a query may meet.
pub async fn find_rule_version(
    tx: &mut impl Reads,
    tenant_id: TenantId,
    rule_id: &str,
    version: i32,
) -> Result<Option<RuleVersionDetail>, DbError> {
    let row = sqlx::query(
        "select v.version, v.change, v.is_enabled, v.reason, u.username, v.changed_at, v.text is not null as has_text, t.text, t.diagnostics
         from threats.rule_versions v
         left join users.users u on u.user_id = v.changed_by
         left join lateral (
            select o.text, o.diagnostics from threats.rule_versions o
            where o.tenant_id = v.tenant_id and o.rule_id = v.rule_id and o.version <= v.version and o.text is not null
            order by o.version desc limit 1) t on true
         where v.tenant_id = $1 and v.rule_id = $2 and v.version = $3",
    )
    .bind(tenant_id.0)
    .bind(rule_id)
    .bind(version)
    .fetch_optional(tx.conn())
    .await?;
    row.map(|row| {
        Ok(RuleVersionDetail {
            version: version_view(&row)?,
            text: row.try_get("text")?,
            diagnostics: row
                .try_get::<Option<Json<_>>, _>("diagnostics")?
                .map(|json| json.0)
                .unwrap_or_default(),
        })
    })
    .transpose()
}

/// What the tenant's agents get beyond the pack.
///
/// # Errors
/// What a query may meet.
pub async fn load_own_texts(tx: &mut impl Reads, tenant_id: TenantId) -> Result<OwnTexts, DbError> {
    let rows = sqlx::query(
        "select rule_id, origin, kind, text from threats.rules
         where tenant_id = $1 and removed_at is null and (origin = 'tenant') = is_enabled order by rule_id collate \"C\"",
    )
    .bind(tenant_id.0)
    .fetch_all(tx.conn())
    .await?;
    let mut own = OwnTexts {
        placeholders: load_placeholders(tx, tenant_id).await?,
        ..OwnTexts::default()
    };
    for row in rows {
        let name: String = row.try_get("rule_id")?;
        match row.try_get("text")? {
            Some(text) => own.rules.push(RuleText {
                kind: row.try_get::<String, _>("kind")?.parse()?,
                name,
                text,
            }),
            None => own.switched_off.push(name),
        }
    }
    Ok(own)
}

/// What rules have found in the tenant and how it was judged. `ids` pairs each rule with each id that its matches may have.
///
/// # Errors
/// What a query may meet.
pub async fn record_of_rules(
    tx: &mut impl Reads,
    tenant_id: TenantId,
    ids: &[(String, String)],
) -> Result<HashMap<String, RuleRecord>, DbError> {
    let (rules, findings): (Vec<&str>, Vec<&str>) = ids
        .iter()
        .map(|(rule, finding)| (rule.as_str(), finding.as_str()))
        .unzip();
    let rows = sqlx::query(
        "select k.rule_id, sum(f.occurrence_count)::bigint as matches, max(f.last_seen_at) as last_match_at, count(distinct f.threat_id) as incidents,
            count(distinct f.threat_id) filter (where i.status = 'resolved') as confirmed,
            count(distinct f.threat_id) filter (where i.status = 'false_positive') as false_positives
         from unnest($2::text[], $3::text[]) k (rule_id, finding_id)
         join threats.findings f on f.tenant_id = $1 and f.rule_id = k.finding_id
         join threats.incidents i on i.tenant_id = f.tenant_id and i.threat_id = f.threat_id
         group by k.rule_id",
    )
    .bind(tenant_id.0)
    .bind(rules)
    .bind(findings)
    .fetch_all(tx.conn())
    .await?;
    rows.iter()
        .map(|row| {
            let (confirmed, false_positives): (i64, i64) =
                (row.try_get("confirmed")?, row.try_get("false_positives")?);
            let record = RuleRecord {
                matches: row.try_get("matches")?,
                last_match_at: row.try_get("last_match_at")?,
                incidents: row.try_get("incidents")?,
                confirmed,
                false_positives,
                precision: precision(confirmed, false_positives),
            };
            Ok((row.try_get("rule_id")?, record))
        })
        .collect()
}

#[expect(
    clippy::cast_precision_loss,
    reason = "numbers of incidents are far below 2^52"
)]
fn precision(confirmed: i64, false_positives: i64) -> Option<f64> {
    let judged = confirmed + false_positives;
    (judged > 0).then(|| confirmed as f64 / judged as f64)
}

struct Entry<'a> {
    rule_id: &'a str,
    version: i32,
    change: RuleChange,
    text: Option<&'a str>,
    is_enabled: bool,
    diagnostics: &'a [RuleDiagnostic],
    reason: Option<&'a str>,
    by: UserId,
    at: DateTime<Utc>,
}

async fn insert_version(tx: &mut SystemTx, tenant_id: TenantId, entry: &Entry<'_>) -> Result<(), DbError> {
    sqlx::query(
        "insert into threats.rule_versions (tenant_id, rule_id, version, change, text, is_enabled, diagnostics, reason, changed_by, changed_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(tenant_id.0)
    .bind(entry.rule_id)
    .bind(entry.version)
    .bind(entry.change.as_str())
    .bind(entry.text)
    .bind(entry.is_enabled)
    .bind(Json(entry.diagnostics))
    .bind(entry.reason)
    .bind(entry.by.0)
    .bind(entry.at)
    .execute(tx.conn())
    .await?;
    Ok(())
}

fn stored(row: &PgRow) -> Result<StoredRule, DbError> {
    Ok(StoredRule {
        rule_id: row.try_get("rule_id")?,
        finding_ids: row.try_get("finding_ids")?,
        origin: row.try_get::<String, _>("origin")?.parse()?,
        kind: row.try_get::<String, _>("kind")?.parse()?,
        name: row.try_get("name")?,
        severity: row.try_get::<String, _>("severity")?.parse()?,
        description: row.try_get("description")?,
        tags: row.try_get("tags")?,
        digest: row.try_get("text_digest")?,
        diagnostics: row.try_get::<Json<_>, _>("diagnostics")?.0,
        is_enabled: row.try_get("is_enabled")?,
        version: row.try_get("version")?,
        changed_at: row.try_get("changed_at")?,
        changed_by_username: row.try_get("username")?,
        removed_at: row.try_get("removed_at")?,
        weight: RuleWeight {
            rules: 1,
            bytes: row.try_get::<Option<i64>, _>("bytes")?.unwrap_or(0),
            ..weight(row)?
        },
    })
}

fn weight(row: &PgRow) -> Result<RuleWeight, DbError> {
    Ok(RuleWeight {
        rules: 0,
        bytes: row.try_get::<Option<i64>, _>("bytes")?.unwrap_or(0),
        literal_bytes: row.try_get("literal_bytes")?,
        regexes: row.try_get("regexes")?,
        yara_positions: row.try_get("yara_positions")?,
        indicators: row.try_get("indicators")?,
    })
}

fn version_view(row: &PgRow) -> Result<RuleVersionView, DbError> {
    Ok(RuleVersionView {
        version: row.try_get("version")?,
        change: row.try_get::<String, _>("change")?.parse()?,
        is_enabled: row.try_get("is_enabled")?,
        reason: row.try_get("reason")?,
        changed_by_username: row.try_get("username")?,
        changed_at: row.try_get("changed_at")?,
        has_text: row.try_get("has_text")?,
    })
}
