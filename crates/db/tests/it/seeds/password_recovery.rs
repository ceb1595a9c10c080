//! Outgoing mail, links for setting a password, and known devices.

use super::Seed;

pub(super) fn seed(of: &Seed) -> String {
    let (t, admin, user) = (of.id(0), of.id(1), of.id(2));
    let (link, device) = (of.token_hash("the link"), of.token_hash("the device"));
    format!(
        "
        insert into users.outgoing_mail (mail_id, tenant_id, user_id, kind, created_at, next_attempt_at, expires_at)
        values ({user}, {t}, {user}, 'password_reset', now(), now(), now() + interval '30 minutes');
        insert into users.password_links (link_id, tenant_id, user_id, mail_id, purpose, token_hash, account_state, created_at, expires_at)
        values ({user}, {t}, {user}, {user}, 'reset', {link}, {link}, now(), now() + interval '30 minutes');
        insert into users.known_devices (device_id, tenant_id, user_id, token_hash, created_at, last_used_at)
        values ({admin}, {t}, {admin}, {device}, now(), now());"
    )
}
