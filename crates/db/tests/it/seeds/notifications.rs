//! A channel of each tenant's own, what it is told of, and what is muted.

use super::Seed;

pub(super) fn seed(of: &Seed) -> String {
    let id = |number| of.id(number);
    let (t, admin, own, incident) = (id(0), id(1), id(11), id(21));
    let (channel, route, silence, notification) = (id(91), id(92), id(93), id(94));
    let tenant = of.0;
    format!(
        "insert into monitoring.channels (channel_id, tenant_id, name, kind, settings, created_by, created_at, updated_at)
        values ({channel}, {t}, 'channel of {tenant}', 'email', '{{\"kind\": \"email\", \"addresses\": [\"a@example.org\"]}}', {admin}, now(), now());
        insert into monitoring.routes (route_id, tenant_id, name, channel_id, source, min_severity, created_by, created_at)
        values ({route}, {t}, 'route of {tenant}', {channel}, 'incident', 'high', {admin}, now());
        insert into monitoring.silences (silence_id, tenant_id, reason, owner_id, agent_id, created_by, created_at, expires_at)
        values ({silence}, {t}, 'silence of {tenant}', {admin}, {own}, {admin}, now(), now() + interval '1 hour');
        insert into monitoring.notifications (notification_id, tenant_id, channel_id, route_id, cause, threat_id, severity, dedup_key, created_at,
            next_attempt_at, expires_at, attempts)
        values ({notification}, {t}, {channel}, {route}, 'incident_opened', {incident}, 'high', 'incident:1:opened', now(), now(),
            now() + interval '1 day', 1);
        insert into monitoring.delivery_attempts (tenant_id, notification_id, attempt, started_at, milliseconds, is_delivered, answer_code, error)
        values ({t}, {notification}, 1, now(), 5, false, 503, 'the receiver answered 503');"
    )
}
