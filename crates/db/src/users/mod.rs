//! Queries on the schema `users`.

mod api_keys;
mod devices;
pub mod factors;
mod links;
mod mail;
mod memberships;
mod passwords;
mod people;
mod policies;
pub mod providers;
mod rate_limits;
mod roles;
mod secrets;
mod sessions;
mod sign_in;
mod subscriptions;
mod tenant_export;
mod tenants;

pub use api_keys::{
    KeyOwner, KeyUse, NewApiKey, count_key_uses, end_api_key_by, find_api_key, insert_api_key, list_api_keys,
    revoke_api_key,
};
pub use devices::{KNOWN_DEVICE_DAYS, forget_known_devices, insert_known_device, is_known_device};
pub use links::{
    INVITED, LinkPurpose, NewLink, OpenLink, find_open_link, insert_link, request_password_reset,
    unlock_user, use_link,
};
pub use mail::{
    ClaimedMail, FIRST_RETRY_SECONDS, MailOutcome, NewMail, claim_mail, enqueue_mail,
    enqueue_mail_at_most_every, finish_mail, note_mail_failure,
};
pub use memberships::{
    MembershipChange, find_grantee, list_memberships, put_membership, revoke_keys_of, view_membership,
};
pub use passwords::{
    PasswordFacts, PasswordPolicy, has_password, lock_password, rehash_password, store_password,
};
pub use people::{
    NewUser, Person, count_users, find_user_id, insert_user, list_users, lock_user, set_user_active,
    set_user_role, view_user,
};
pub use policies::{
    find_own_password_expiry, find_password_expiry, find_password_policy, update_password_policy,
};
pub use rate_limits::{
    Counted, Reserved, list_rate_limits, list_rate_usage, report_requests, reserve_requests, set_rate_limit,
};
pub use roles::{
    count_roles, delete_role, find_role, insert_role, list_permissions, list_roles, lock_role,
    replace_role_permissions, update_role,
};
pub use secrets::{
    SealedSecret, SecretLabel, SecretPurpose, claim_secret_keys, count_secrets_by_key, find_secret,
    hold_secret_keys, insert_secret, lock_secrets_of_other_keys, reseal_secret,
};
pub use sessions::{EndReason, NewSession, end_session, end_user_sessions, insert_session, list_sessions};
pub use sign_in::{
    AttemptOutcome, LoginAttempt, LoginGate, begin_password_attempt, complete_password_attempt,
    record_login_attempt, release_password_attempt, require_password_change,
};
pub use subscriptions::{
    AdvancedSubscription, advance_subscriptions, change_subscription, find_own_subscription,
    find_subscription, list_plans, list_subscription_changes,
};
pub use tenant_export::{ExportTable, allow_long_reads, export_rows, list_export_tables};
pub use tenants::{
    find_tenant_name, insert_tenant, list_due_erasures, list_own_tenants, list_tenants, schedule_erasure,
    update_tenant,
};

use chrono::{DateTime, Utc};
use uuid::Uuid;

/// A place in a list that is ordered by time, then id: the last row of the page before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct After {
    /// That row's time.
    pub at: DateTime<Utc>,
    /// That row's id.
    pub id: Uuid,
}
