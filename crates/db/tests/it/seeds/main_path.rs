//! People, endpoints, telemetry, incidents and the audit log.

use sg_db::TokenHash;

use super::Seed;

pub(super) fn seed(of: &Seed) -> String {
    let tenant = of.0;
    let id = |number| of.id(number);
    let token = |who: &str| of.token_hash(who);
    let (t, admin, user) = (id(0), id(1), id(2));
    let (own, other, incident, other_incident, finding) = (id(11), id(12), id(21), id(22), id(31));
    let (admin_token, user_token, agent_token) =
        (token("the administrator"), token("a user"), token("the agent"));
    let key_hash = TokenHash::of(&format!("sg_key_of_{tenant}")).to_hex();
    let (epoch, key) = (id(41), id(51));
    format!(
        "
        insert into users.tenants (tenant_id, name, slug) values ({t}, 'Tenant {tenant}', 'tenant-{tenant}');
        insert into users.users (user_id, username, email, password_hash, role, tenant_id) values
            ({admin}, 'admin-{tenant}', 'admin@{tenant}.example', '$argon2id$', 'admin', {t}),
            ({user}, 'user-{tenant}', 'user@{tenant}.example', '$argon2id$', 'user', {t});
        insert into users.sessions (session_id, tenant_id, user_id, token_hash, created_at, last_seen_at, idle_seconds, expires_at)
        values
            ({admin}, {t}, {admin}, {admin_token}, now(), now(), 3600, now() + interval '1 day'),
            ({user}, {t}, {user}, {user_token}, now(), now(), 3600, now() + interval '1 day');
        insert into users.api_keys (key_id, user_id, key_hash, key_name, key_prefix)
        values ({key}, {admin}, '{key_hash}', 'key of {tenant}', 'sg_key');
        insert into agents.endpoints (agent_id, tenant_id, user_id, hostname, registered_via_key_id)
        values ({own}, {t}, {user}, 'own-{tenant}', {key}), ({other}, {t}, null, 'other-{tenant}', null);
        insert into agents.agent_tokens (token_hash, tenant_id, agent_id, created_at)
        values ({agent_token}, {t}, {own}, now());
        insert into agents.heartbeats (agent_id, tenant_id, last_seen_at) values ({own}, {t}, now()), ({other}, {t}, now());
        insert into agents.streams (agent_id, epoch, tenant_id, turn, previous_turn, created_at, last_seen_at)
        values ({own}, {epoch}, {t}, {epoch}, {epoch}, now(), now());
        insert into agents.gaps (gap_id, tenant_id, agent_id, noticed_by, reason, from_at, to_at, recorded_at)
        values ({own}, {t}, {own}, 'agent', 'spool_full', now(), now(), now());
        insert into agents.system_info (agent_id, cpu_usage) values ({own}, 11.5), ({other}, 12.5);
        insert into agents.events (event_id, tenant_id, agent_id, kind, occurred_at, received_at, detail)
        values ({own}, {t}, {own}, 'process_started', now(), now(), '{{}}');
        insert into threats.incidents (threat_id, agent_id, threat_type, severity, title) values
            ({incident}, {own}, 'malware', 'high', 'own incident of {tenant}'),
            ({other_incident}, {other}, 'malware', 'low', 'other incident of {tenant}');
        insert into threats.findings (finding_id, tenant_id, threat_id, agent_id, rule_id, rule_name, engine, severity, confidence,
            explanation, evidence, subject, fingerprint, first_seen_at, last_seen_at)
        values ({finding}, {t}, {incident}, {own}, 'rule', 'Rule', 'yara', 'high', 0.9, 'why', '{{}}', '{{}}', 'print', now(), now());
        insert into threats.occurrences (occurrence_id, tenant_id, finding_id, occurred_at, received_at)
        values ({own}, {t}, {finding}, now(), now());
        insert into threats.incident_subjects (tenant_id, agent_id, subject_key, threat_id, last_seen_at)
        values ({t}, {own}, 'file:/x', {incident}, now());
        insert into threats.incident_timeline (entry_id, tenant_id, threat_id, at, kind, summary)
        values ({own}, {t}, {incident}, now(), 'note', 'note of {tenant}');
        insert into audit.login_attempts (attempt_id, tenant_id, occurred_at, username_or_digest, outcome, method)
        values ({own}, {t}, now(), 'admin-{tenant}', 'success', 'password');
        insert into audit.events (event_id, tenant_id, occurred_at, actor_kind, actor_id, action, outcome)
        values ({own}, {t}, now(), 'user', {admin}::text, 'session.create', 'success');"
    )
}
