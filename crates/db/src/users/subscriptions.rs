//! Plans and subscriptions.

use chrono::{DateTime, Utc};
use sg_types::{
    TenantId, UserId,
    api::subscriptions::{
        Limits, PlanView, SubscriptionChange, SubscriptionStatus, SubscriptionView, UpdateSubscription, Usage,
    },
};
use sqlx::{Row, postgres::PgRow};
use uuid::Uuid;

use super::After;
use crate::{DbError, ReadTx, Reads, SystemTx, tx::Connection};

/// The plans of the installation, smallest first.
///
/// # Errors
/// As every query.
pub async fn list_plans(tx: &mut SystemTx) -> Result<Vec<PlanView>, DbError> {
    sqlx::query(
        "select plan, name, description, max_endpoints, max_users, retention_class, is_default
         from users.plans order by max_endpoints nulls last, retention_class, plan",
    )
    .fetch_all(tx.conn())
    .await?
    .iter()
    .map(|row| {
        Ok(PlanView {
            plan: row.try_get("plan")?,
            name: row.try_get("name")?,
            description: row.try_get("description")?,
            max_endpoints: row.try_get("max_endpoints")?,
            max_users: row.try_get("max_users")?,
            retention_days: row.try_get("retention_class")?,
            is_default: row.try_get("is_default")?,
        })
    })
    .collect()
}

/// The subscription of the caller's tenant.
///
/// # Errors
/// As every query.
pub async fn find_own_subscription(
    tx: &mut ReadTx,
    at: DateTime<Utc>,
) -> Result<Option<SubscriptionView>, DbError> {
    sqlx::query(
        "select tenant_id, plan, plan_name, status, is_live, trial_ends_at, period_start, period_end, max_endpoints, max_users,
            retention_class, own_max_endpoints, own_max_users, own_retention_class, endpoints_used, users_used, updated_at
         from users.own_subscription($1)",
    )
    .bind(at)
    .fetch_optional(tx.conn())
    .await?
    .as_ref()
    .map(view)
    .transpose()
}

/// Any tenant's subscription.
///
/// # Errors
/// As every query.
pub async fn find_subscription(
    tx: &mut SystemTx,
    tenant_id: TenantId,
    at: DateTime<Utc>,
) -> Result<Option<SubscriptionView>, DbError> {
    sqlx::query(
        "select tenant_id, plan, plan_name, status, is_live, trial_ends_at, period_start, period_end, max_endpoints, max_users,
            retention_class, own_max_endpoints, own_max_users, own_retention_class, endpoints_used, users_used, updated_at
         from users.subscription_of($1, $2)",
    )
    .bind(tenant_id.0)
    .bind(at)
    .fetch_optional(tx.conn())
    .await?
    .as_ref()
    .map(view)
    .transpose()
}

/// Changes a tenant's subscription; the database adds the change to its history. False when there is no such tenant.
///
/// # Errors
/// [`DbError::MissingReference`] when there is no such plan, [`DbError::InvalidValue`] for limits and times that make no sense.
pub async fn change_subscription(
    tx: &mut SystemTx,
    tenant_id: TenantId,
    change: &UpdateSubscription,
    changed_by: UserId,
) -> Result<bool, DbError> {
    explain_change(tx, Some(changed_by), &change.reason).await?;
    let changed = sqlx::query(
        "update users.subscriptions
         set plan = $2, status = $3, trial_ends_at = $4, period_start = coalesce($5, period_start), period_end = $6, max_endpoints = $7,
            max_users = $8, retention_class = $9
         where tenant_id = $1",
    )
    .bind(tenant_id.0)
    .bind(&change.plan)
    .bind(change.status.as_str())
    .bind(change.trial_ends_at)
    .bind(change.period_start)
    .bind(change.period_end)
    .bind(change.own_limits.endpoints)
    .bind(change.own_limits.users)
    .bind(change.own_limits.retention_days)
    .execute(tx.conn())
    .await?;
    Ok(changed.rows_affected() == 1)
}

/// A subscription that a job moved on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdvancedSubscription {
    /// The tenant.
    pub tenant_id: TenantId,
    /// The state that ended.
    pub before: SubscriptionStatus,
    /// The state that began.
    pub after: SubscriptionStatus,
}

/// Ends the trials and periods that are over at `at`.
///
/// # Errors
/// As every query.
pub async fn advance_subscriptions(
    tx: &mut SystemTx,
    at: DateTime<Utc>,
) -> Result<Vec<AdvancedSubscription>, DbError> {
    explain_change(tx, None, "the trial or period has ended").await?;
    sqlx::query("select tenant_id, status_before, status_after from users.advance_subscriptions($1)")
        .bind(at)
        .fetch_all(tx.conn())
        .await?
        .iter()
        .map(|row| {
            Ok(AdvancedSubscription {
                tenant_id: row.try_get::<Uuid, _>("tenant_id")?.into(),
                before: row.try_get::<String, _>("status_before")?.parse()?,
                after: row.try_get::<String, _>("status_after")?.parse()?,
            })
        })
        .collect()
}

/// The states that a tenant's subscription was in, the newest first.
///
/// # Errors
/// As every query.
pub async fn list_subscription_changes(
    tx: &mut impl Reads,
    tenant_id: TenantId,
    after: Option<After>,
    limit: u32,
) -> Result<Vec<SubscriptionChange>, DbError> {
    sqlx::query(
        "select change_id, changed_at, plan, status, trial_ends_at, period_start, period_end, max_endpoints, max_users, retention_class,
            changed_by, reason
         from users.subscription_changes
         where tenant_id = $1 and ($2::timestamptz is null or (changed_at, change_id) < ($2, $3))
         order by changed_at desc, change_id desc
         limit $4",
    )
    .bind(tenant_id.0)
    .bind(after.map(|a| a.at))
    .bind(after.map(|a| a.id))
    .bind(i64::from(limit))
    .fetch_all(tx.conn())
    .await?
    .iter()
    .map(|row| {
        Ok(SubscriptionChange {
            change_id: row.try_get("change_id")?,
            changed_at: row.try_get("changed_at")?,
            plan: row.try_get("plan")?,
            status: row.try_get::<String, _>("status")?.parse()?,
            trial_ends_at: row.try_get("trial_ends_at")?,
            period_start: row.try_get("period_start")?,
            period_end: row.try_get("period_end")?,
            own_limits: Limits {
                endpoints: row.try_get("max_endpoints")?,
                users: row.try_get("max_users")?,
                retention_days: row.try_get("retention_class")?,
            },
            changed_by: row.try_get::<Option<Uuid>, _>("changed_by")?.map(UserId),
            reason: row.try_get("reason")?,
        })
    })
    .collect()
}

/// Tells the history's trigger who changes and why.
async fn explain_change(tx: &mut SystemTx, by: Option<UserId>, reason: &str) -> Result<(), DbError> {
    sqlx::query("select set_config('sg.changed_by', $1, true), set_config('sg.change_reason', $2, true)")
        .bind(by.map(|by| by.to_string()).unwrap_or_default())
        .bind(reason)
        .execute(tx.conn())
        .await?;
    Ok(())
}

fn view(row: &PgRow) -> Result<SubscriptionView, DbError> {
    Ok(SubscriptionView {
        tenant_id: row.try_get::<Uuid, _>("tenant_id")?.into(),
        plan: row.try_get("plan")?,
        plan_name: row.try_get("plan_name")?,
        status: row.try_get::<String, _>("status")?.parse()?,
        can_grow: row.try_get("is_live")?,
        trial_ends_at: row.try_get("trial_ends_at")?,
        period_start: row.try_get("period_start")?,
        period_end: row.try_get("period_end")?,
        limits: Limits {
            endpoints: row.try_get("max_endpoints")?,
            users: row.try_get("max_users")?,
            retention_days: row.try_get("retention_class")?,
        },
        own_limits: Limits {
            endpoints: row.try_get("own_max_endpoints")?,
            users: row.try_get("own_max_users")?,
            retention_days: row.try_get("own_retention_class")?,
        },
        usage: Usage {
            endpoints: row.try_get("endpoints_used")?,
            users: row.try_get("users_used")?,
        },
        updated_at: row.try_get("updated_at")?,
    })
}
