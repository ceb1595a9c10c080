//! `[sessions]`.

use chrono::Duration;
use serde::Deserialize;
use sg_types::Role;

/// Life of sessions, in seconds (NIST SP 800-63B-4 §2.2.3: at most 24 h and 1 h idle; §2.3.3: 12 h and 15 min).
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionsConfig {
    /// After the last request.
    pub idle_seconds: u32,
    /// After the start.
    pub absolute_seconds: u32,
    /// After an administrator's last request.
    pub admin_idle_seconds: u32,
    /// After the start of an administrator's session.
    pub admin_absolute_seconds: u32,
}

impl SessionsConfig {
    /// How long a session of somebody with `role` lives without a request.
    pub fn idle(&self, role: Role) -> Duration {
        Duration::seconds(i64::from(if is_admin(role) {
            self.admin_idle_seconds
        } else {
            self.idle_seconds
        }))
    }

    /// How long a session of somebody with `role` lives at most.
    pub fn absolute(&self, role: Role) -> Duration {
        Duration::seconds(i64::from(if is_admin(role) {
            self.admin_absolute_seconds
        } else {
            self.absolute_seconds
        }))
    }
}

fn is_admin(role: Role) -> bool {
    role >= Role::Admin
}
