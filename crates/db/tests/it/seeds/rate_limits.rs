//! A limit of each tenant's own, and what its user has used.

use super::Seed;

pub(super) fn seed(of: &Seed) -> String {
    let (t, user) = (of.id(0), of.id(2));
    format!(
        "insert into users.rate_limits (tenant_id, subject_kind, requests_per_minute) values ({t}, 'user', 600);
        insert into users.rate_usage (subject_kind, subject, window_start, tenant_id, reserved, served, refused)
        values ('user', {user}::text, date_trunc('minute', now()), {t}, 24, 3, 0);"
    )
}
