//! Plans and subscriptions.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{TenantId, UserId, values::text_enum};

/// What state a subscription is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SubscriptionStatus {
    /// Full use until `trial_ends_at`.
    Trial,
    /// Full use.
    Active,
    /// The period has ended; full use for 14 days more.
    PastDue,
    /// Nothing can be added; what is there goes on.
    Suspended,
    /// Full use until `period_end`, then as suspended.
    Cancelled,
}
text_enum!(SubscriptionStatus {
    Trial => "trial",
    Active => "active",
    PastDue => "past_due",
    Suspended => "suspended",
    Cancelled => "cancelled",
});

/// A plan of the installation. A limit that is null is none.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
pub struct PlanView {
    /// Stable short name.
    pub plan: String,
    /// Name to show.
    pub name: String,
    /// One sentence.
    pub description: String,
    /// Endpoints in service at most.
    pub max_endpoints: Option<i32>,
    /// Active people at home in the tenant at most.
    pub max_users: Option<i32>,
    /// Days that telemetry is kept: 30, 90 or 400.
    pub retention_days: i16,
    /// Whether new tenants get it.
    pub is_default: bool,
}

/// Limits and what they limit; null is no limit, or where it says so, as the plan.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Endpoints in service.
    #[serde(default)]
    pub endpoints: Option<i32>,
    /// Active people at home in the tenant.
    #[serde(default)]
    pub users: Option<i32>,
    /// Days that telemetry is kept: 30, 90 or 400.
    #[serde(default)]
    pub retention_days: Option<i16>,
}

/// How much of a subscription is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
pub struct Usage {
    /// Endpoints in service; decommissioned ones do not count.
    pub endpoints: i64,
    /// Active people at home in the tenant; members from elsewhere do not count.
    pub users: i64,
}

/// A tenant's subscription.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
pub struct SubscriptionView {
    /// The tenant.
    pub tenant_id: TenantId,
    /// The plan's short name.
    pub plan: String,
    /// The plan's name to show.
    pub plan_name: String,
    /// Its state.
    pub status: SubscriptionStatus,
    /// Whether endpoints and people can be added.
    pub can_grow: bool,
    /// When the trial ends or ended.
    pub trial_ends_at: Option<DateTime<Utc>>,
    /// When the period began.
    pub period_start: DateTime<Utc>,
    /// When the period ends; null is open-ended.
    pub period_end: Option<DateTime<Utc>>,
    /// What holds: the plan's limits, or the tenant's own; null is no limit.
    pub limits: Limits,
    /// The tenant's own limits; null is as the plan says.
    pub own_limits: Limits,
    /// What is used.
    pub usage: Usage,
    /// Last change.
    pub updated_at: DateTime<Utc>,
}

/// `PUT /api/v1/users/tenants/{tenant_id}/subscription`: the whole of it; absent fields are null.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateSubscription {
    /// The plan's short name.
    pub plan: String,
    /// Its state.
    pub status: SubscriptionStatus,
    /// When the trial ends; needed for `trial`.
    #[serde(default)]
    pub trial_ends_at: Option<DateTime<Utc>>,
    /// When the period begins; unchanged when absent.
    #[serde(default)]
    pub period_start: Option<DateTime<Utc>>,
    /// When the period ends; null is open-ended.
    #[serde(default)]
    pub period_end: Option<DateTime<Utc>>,
    /// The tenant's own limits; null is as the plan says.
    #[serde(default)]
    pub own_limits: Limits,
    /// Why, for the history; 1–500 characters.
    pub reason: String,
}

/// A state that a subscription was in.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
pub struct SubscriptionChange {
    /// The entry's id.
    pub change_id: Uuid,
    /// Since when.
    pub changed_at: DateTime<Utc>,
    /// The plan's short name.
    pub plan: String,
    /// Its state.
    pub status: SubscriptionStatus,
    /// When the trial ends or ended.
    pub trial_ends_at: Option<DateTime<Utc>>,
    /// When the period began.
    pub period_start: DateTime<Utc>,
    /// When the period ends; null is open-ended.
    pub period_end: Option<DateTime<Utc>>,
    /// The tenant's own limits; null is as the plan says.
    pub own_limits: Limits,
    /// Who changed it through the server; null for the job and for SQL by hand.
    pub changed_by: Option<UserId>,
    /// Why.
    pub reason: Option<String>,
}
