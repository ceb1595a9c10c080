//! Roles, access for people of other tenants, and subscriptions.

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use clap::Subcommand;
use sg_client::Client;
use sg_types::{
    Permission, Role, RoleName, Scope, TenantId, UserId,
    api::{
        roles::{CreateRole, GrantMembership, MembershipView, RoleView, UpdateMembership, UpdateRole},
        subscriptions::{Limits, SubscriptionStatus, SubscriptionView, UpdateSubscription},
    },
};

use crate::output::{self, Format, optional, printable, time};

#[derive(Debug, Subcommand)]
pub(crate) enum Roles {
    /// List the tenant's roles.
    List,
    /// List what a role can be allowed to do.
    Permissions,
    /// Make a role.
    Create {
        /// Its name for good: a–z, 0–9 and _.
        name: RoleName,
        /// The documented role that bounds it: user, manager, admin, system_admin.
        #[arg(long)]
        based_on: Role,
        /// What it may do, separated by commas.
        #[arg(long, value_delimiter = ',')]
        permissions: Vec<Permission>,
        /// own or tenant [default: as the base].
        #[arg(long)]
        scope: Option<Scope>,
        /// What it is for.
        #[arg(long, default_value = "")]
        description: String,
    },
    /// Change a role; whoever has it has the change at their next request.
    Update {
        name: RoleName,
        /// Everything that it may do, separated by commas.
        #[arg(long, value_delimiter = ',')]
        permissions: Option<Vec<Permission>>,
        /// own or tenant.
        #[arg(long)]
        scope: Option<Scope>,
        /// What it is for.
        #[arg(long)]
        description: Option<String>,
    },
    /// Remove a role that nobody has.
    Delete { name: RoleName },
}

impl Roles {
    pub(crate) async fn run(self, client: &Client, format: Format) -> Result<()> {
        match self {
            Self::List => {
                let headers = ["ROLE", "BASED ON", "SEES", "MAY", "MEMBERS"];
                output::list(format, &client.list_roles().await?, &headers, row_of_role)
            }
            Self::Permissions => {
                let permissions = client.list_permissions().await?;
                output::list(format, &permissions, &["PERMISSION", "FROM", "ALLOWS"], |one| {
                    vec![
                        one.permission.to_string(),
                        one.least_role.to_string(),
                        one.description.clone(),
                    ]
                })
            }
            Self::Create {
                name,
                based_on,
                permissions,
                scope,
                description,
            } => {
                let role = CreateRole {
                    role: name,
                    based_on,
                    scope,
                    description,
                    permissions,
                };
                show_role(format, &client.create_role(&role).await?)
            }
            Self::Update {
                name,
                permissions,
                scope,
                description,
            } => {
                let update = UpdateRole {
                    scope,
                    description,
                    permissions,
                };
                show_role(format, &client.update_role(&name, &update).await?)
            }
            Self::Delete { name } => {
                client.delete_role(&name).await?;
                output::line("removed")
            }
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Access {
    /// List the people of other tenants who have or had access to this one.
    List,
    /// Give somebody of another tenant access to this one.
    Grant {
        /// Their exact sign-in name.
        username: String,
        /// Their role here.
        #[arg(long)]
        role: RoleName,
        /// When it ends, such as 2027-01-31T00:00:00Z; at most 366 days ahead.
        #[arg(long)]
        until: String,
        /// Why, for the audit log.
        #[arg(long)]
        reason: String,
    },
    /// Change role, end or reason.
    Update {
        /// Their id.
        id: UserId,
        #[arg(long)]
        role: Option<RoleName>,
        /// When it ends, such as 2027-01-31T00:00:00Z.
        #[arg(long)]
        until: Option<String>,
        #[arg(long)]
        reason: Option<String>,
    },
    /// End access at once.
    End {
        /// Their id.
        id: UserId,
    },
}

impl Access {
    pub(crate) async fn run(self, client: &Client, format: Format) -> Result<()> {
        match self {
            Self::List => {
                let members = client.list_memberships(usize::MAX).await?;
                let headers = ["ID", "USER NAME", "ROLE", "IN FORCE", "UNTIL", "REASON"];
                output::list(format, &members, &headers, |member| {
                    vec![
                        member.user_id.to_string(),
                        printable(&member.username),
                        member.role.to_string(),
                        if member.is_active { "yes" } else { "no" }.to_owned(),
                        optional(member.expires_at.map(time)),
                        printable(&optional(member.reason.as_deref())),
                    ]
                })
            }
            Self::Grant {
                username,
                role,
                until,
                reason,
            } => {
                let grant = GrantMembership {
                    username,
                    role,
                    expires_at: read_time(&until)?,
                    reason,
                };
                show_member(format, &client.grant_membership(&grant).await?)
            }
            Self::Update {
                id,
                role,
                until,
                reason,
            } => {
                let update = UpdateMembership {
                    role,
                    expires_at: until.as_deref().map(read_time).transpose()?,
                    reason,
                };
                show_member(format, &client.update_membership(id, &update).await?)
            }
            Self::End { id } => {
                client.end_membership(id).await?;
                output::line("ended")
            }
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Subscription {
    /// Show plan, state, limits and use of this tenant, or of another one.
    Show {
        /// Another tenant's id; needs tenants_manage.
        #[arg(long)]
        tenant: Option<TenantId>,
    },
    /// List the plans of the installation.
    Plans,
    /// List the states that the subscription was in, the newest first.
    History {
        /// Another tenant's id; needs tenants_manage.
        #[arg(long)]
        tenant: Option<TenantId>,
    },
    /// Change a tenant's subscription as a whole; what is not given is as the plan says.
    Set {
        /// The tenant's id.
        tenant: TenantId,
        #[arg(long)]
        plan: String,
        /// trial, active, past_due, suspended or cancelled.
        #[arg(long, default_value = "active")]
        status: SubscriptionStatus,
        /// When the trial ends, such as 2027-01-31T00:00:00Z.
        #[arg(long)]
        trial_until: Option<String>,
        /// When the period ends; open-ended when absent.
        #[arg(long)]
        until: Option<String>,
        /// Endpoints at most, instead of the plan's limit.
        #[arg(long)]
        endpoints: Option<i32>,
        /// People at most, instead of the plan's limit.
        #[arg(long)]
        users: Option<i32>,
        /// Days that telemetry is kept, instead of the plan's: 30, 90, 400.
        #[arg(long)]
        retention_days: Option<i16>,
        /// Why, for the history.
        #[arg(long)]
        reason: String,
    },
}

impl Subscription {
    pub(crate) async fn run(self, client: &Client, format: Format) -> Result<()> {
        match self {
            Self::Show { tenant } => show_subscription(format, &client.find_subscription(tenant).await?),
            Self::Plans => {
                let headers = ["PLAN", "NAME", "ENDPOINTS", "PEOPLE", "KEPT", "DEFAULT"];
                output::list(format, &client.list_plans().await?, &headers, |plan| {
                    vec![
                        plan.plan.clone(),
                        printable(&plan.name),
                        limit(plan.max_endpoints),
                        limit(plan.max_users),
                        format!("{} days", plan.retention_days),
                        if plan.is_default { "yes" } else { "" }.to_owned(),
                    ]
                })
            }
            Self::History { tenant } => {
                let changes = client.list_subscription_changes(tenant, usize::MAX).await?;
                output::list(format, &changes, &["SINCE", "PLAN", "STATE", "WHY"], |change| {
                    vec![
                        time(change.changed_at),
                        change.plan.clone(),
                        change.status.to_string(),
                        printable(&optional(change.reason.as_deref())),
                    ]
                })
            }
            Self::Set {
                tenant,
                plan,
                status,
                trial_until,
                until,
                endpoints,
                users,
                retention_days,
                reason,
            } => {
                let change = UpdateSubscription {
                    plan,
                    status,
                    trial_ends_at: trial_until.as_deref().map(read_time).transpose()?,
                    period_start: None,
                    period_end: until.as_deref().map(read_time).transpose()?,
                    own_limits: Limits {
                        endpoints,
                        users,
                        retention_days,
                    },
                    reason,
                };
                show_subscription(format, &client.change_subscription(tenant, &change).await?)
            }
        }
    }
}

fn row_of_role(role: &RoleView) -> Vec<String> {
    vec![
        role.role.to_string(),
        role.based_on.to_string(),
        role.scope.to_string(),
        permissions(role),
        role.members.to_string(),
    ]
}

fn permissions(role: &RoleView) -> String {
    let words: Vec<_> = role.permissions.iter().map(|one| one.as_str()).collect();
    words.join(", ")
}

fn show_role(format: Format, role: &RoleView) -> Result<()> {
    let fields = [
        ("role", role.role.to_string()),
        ("based on", role.based_on.to_string()),
        ("sees", role.scope.to_string()),
        ("may", permissions(role)),
    ];
    output::record(format, role, &fields)
}

fn show_member(format: Format, member: &MembershipView) -> Result<()> {
    let fields = [
        ("id", member.user_id.to_string()),
        ("user name", member.username.clone()),
        ("role", member.role.to_string()),
        ("until", optional(member.expires_at.map(time))),
    ];
    output::record(format, member, &fields)
}

fn show_subscription(format: Format, view: &SubscriptionView) -> Result<()> {
    let fields = [
        ("plan", format!("{} ({})", view.plan_name, view.plan)),
        ("state", view.status.to_string()),
        ("trial until", optional(view.trial_ends_at.map(time))),
        ("period until", optional(view.period_end.map(time))),
        (
            "endpoints",
            format!("{} of {}", view.usage.endpoints, limit(view.limits.endpoints)),
        ),
        (
            "people",
            format!("{} of {}", view.usage.users, limit(view.limits.users)),
        ),
        (
            "telemetry kept",
            format!("{} days", optional(view.limits.retention_days)),
        ),
        ("can grow", if view.can_grow { "yes" } else { "no" }.to_owned()),
    ];
    output::record(format, view, &fields)
}

fn limit(limit: Option<i32>) -> String {
    limit.map_or_else(|| "unlimited".to_owned(), |limit| limit.to_string())
}

fn read_time(text: &str) -> Result<DateTime<Utc>> {
    text.parse()
        .with_context(|| format!("{text} is no time like 2027-01-31T00:00:00Z"))
}
