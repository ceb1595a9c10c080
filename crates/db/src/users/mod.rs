//! Queries on the schema `users`.

mod api_keys;
mod passwords;
mod people;
mod sessions;
mod sign_in;
mod tenants;

pub use api_keys::{
    KeyOwner, KeyUse, NewApiKey, count_key_uses, find_api_key, insert_api_key, list_api_keys, revoke_api_key,
};
pub use passwords::{PasswordFacts, PasswordPolicy, lock_password, rehash_password, store_password};
pub use people::{
    NewUser, Person, count_users, find_user_id, insert_user, list_users, lock_user, set_member_role,
    set_user_active, set_user_role, view_user,
};
pub use sessions::{EndReason, NewSession, end_session, end_user_sessions, insert_session};
pub use sign_in::{
    AttemptOutcome, LoginAttempt, LoginGate, begin_login_attempt, complete_login, record_login_attempt,
    require_password_change,
};
pub use tenants::{find_tenant_name, insert_tenant, list_own_tenants, list_tenants};

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
