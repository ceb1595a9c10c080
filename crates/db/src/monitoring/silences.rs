//! What nobody is told of for a while.

use chrono::{DateTime, Utc};
use sg_types::api::notifications::{CreateSilence, SilenceView};
use sg_types::{AgentId, Severity, SilenceId, TenantId, UserId};
use sqlx::{Row, postgres::PgRow};
use uuid::Uuid;

use crate::{DbError, Reads, SystemTx, tx::Connection, users::After};

/// Stores a silence; it holds for what happens from now on. `created_by` is a member of the tenant, none for the installation's.
///
/// # Errors
/// [`DbError::MissingReference`] for an endpoint or owner that is not the tenant's.
pub async fn insert_silence(
    tx: &mut SystemTx,
    tenant_id: TenantId,
    silence_id: SilenceId,
    new: &CreateSilence,
    created_by: Option<UserId>,
    at: DateTime<Utc>,
) -> Result<(), DbError> {
    sqlx::query(
        "insert into monitoring.silences (tenant_id, silence_id, reason, owner_id, rule, agent_id, max_severity, created_by, created_at,
            expires_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(tenant_id.0)
    .bind(silence_id.0)
    .bind(new.reason.trim())
    .bind(new.owner_id.or(created_by).map(|id| id.0))
    .bind(new.rule.as_deref())
    .bind(new.agent_id.map(|agent| agent.0))
    .bind(new.max_severity.map(Severity::as_str))
    .bind(created_by.map(|id| id.0))
    .bind(at)
    .bind(new.expires_at)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Ends a silence. False when the tenant has none that has not ended.
///
/// # Errors
/// As every query.
pub async fn end_silence(
    tx: &mut SystemTx,
    tenant_id: TenantId,
    silence_id: SilenceId,
    by: Option<UserId>,
    at: DateTime<Utc>,
) -> Result<bool, DbError> {
    let ended = sqlx::query(
        "update monitoring.silences set ended_at = $4, ended_by = $3
         where tenant_id = $1 and silence_id = $2 and ended_at is null",
    )
    .bind(tenant_id.0)
    .bind(silence_id.0)
    .bind(by.map(|id| id.0))
    .bind(at)
    .execute(tx.conn())
    .await?;
    Ok(ended.rows_affected() == 1)
}

/// The query for views at the time `$1`.
macro_rules! view_query {
    ($rest:literal) => {
        concat!(
            "select s.silence_id, s.reason, s.rule, s.agent_id, p.hostname, s.max_severity, s.owner_id, o.username as owner_username,
                s.created_at, s.expires_at, s.ended_at, s.ended_at is null and s.expires_at > $1 as is_active
             from monitoring.silences s
             left join users.users o on o.user_id = s.owner_id
             left join agents.endpoints p on p.tenant_id = s.tenant_id and p.agent_id = s.agent_id ",
            $rest
        )
    };
}

/// The tenant's silences, newest first, ended ones too.
///
/// # Errors
/// As every query.
pub async fn list_silences(
    tx: &mut impl Reads,
    tenant_id: TenantId,
    now: DateTime<Utc>,
    after: Option<After>,
    limit: u32,
) -> Result<Vec<SilenceView>, DbError> {
    sqlx::query(view_query!(
        "where s.tenant_id = $2 and ($3::timestamptz is null or (s.created_at, s.silence_id) < ($3, $4))
         order by s.created_at desc, s.silence_id desc limit $5"
    ))
    .bind(now)
    .bind(tenant_id.0)
    .bind(after.map(|after| after.at))
    .bind(after.map(|after| after.id))
    .bind(i64::from(limit))
    .fetch_all(tx.conn())
    .await?
    .iter()
    .map(view)
    .collect()
}

/// One silence of the tenant.
///
/// # Errors
/// As every query.
pub async fn find_silence(
    tx: &mut impl Reads,
    tenant_id: TenantId,
    silence_id: SilenceId,
    now: DateTime<Utc>,
) -> Result<Option<SilenceView>, DbError> {
    sqlx::query(view_query!("where s.tenant_id = $2 and s.silence_id = $3"))
        .bind(now)
        .bind(tenant_id.0)
        .bind(silence_id.0)
        .fetch_optional(tx.conn())
        .await?
        .as_ref()
        .map(view)
        .transpose()
}

fn view(row: &PgRow) -> Result<SilenceView, DbError> {
    let severity: Option<String> = row.try_get("max_severity")?;
    Ok(SilenceView {
        silence_id: SilenceId(row.try_get("silence_id")?),
        reason: row.try_get("reason")?,
        rule: row.try_get("rule")?,
        agent_id: row.try_get::<Option<Uuid>, _>("agent_id")?.map(AgentId),
        hostname: row.try_get("hostname")?,
        max_severity: severity.map(|word| word.parse()).transpose()?,
        owner_id: row.try_get::<Option<Uuid>, _>("owner_id")?.map(UserId),
        owner_username: row.try_get("owner_username")?,
        created_at: row.try_get("created_at")?,
        expires_at: row.try_get("expires_at")?,
        ended_at: row.try_get("ended_at")?,
        is_active: row.try_get("is_active")?,
    })
}
