//! Commands, alerts, roll-ups and legal holds.

use super::Seed;

pub(super) fn seed(of: &Seed) -> String {
    let id = |number| of.id(number);
    let (t, admin, own) = (id(0), id(1), id(11));
    let (command, hold, alert, event) = (id(61), id(62), id(63), id(64));
    let measures = "date_trunc('day', now(), 'UTC'), 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1";
    format!(
        "
        insert into agents.commands (command_id, tenant_id, agent_id, kind, nonce, idempotency_key, requested_by, requested_at, reason,
            expires_at, order_text)
        values ({command}, {t}, {own}, 'list_processes', uuid_send({command}), 'seed', {admin}, now(), 'to see', now() + interval '1 day', '{{}}');
        insert into agents.command_output (tenant_id, command_id, piece_offset, piece, received_at) values ({t}, {command}, 0, 'so far', now());
        insert into agents.command_results (command_id, tenant_id, outcome, finished_at, received_at)
        values ({command}, {t}, 'succeeded', now(), now());
        insert into agents.legal_holds (hold_id, tenant_id, agent_id, from_at, to_at, reason, placed_by, placed_at)
        values ({hold}, {t}, {own}, '2000-01-01', '2000-01-02', 'a case', {admin}, now());
        insert into agents.events_held (event_id, tenant_id, agent_id, kind, occurred_at, received_at, detail)
        values ({event}, {t}, {own}, 'process_started', '2000-01-01', now(), '{{}}');
        insert into agents.system_info_hourly values ({t}, {own}, {measures});
        insert into agents.system_info_daily values ({t}, {own}, {measures});
        insert into monitoring.security_events (event_id, tenant_id, occurred_at, kind, severity, subject)
        values ({event}, {t}, now(), 'account_locked', 'medium', 'somebody');
        insert into monitoring.alerts (alert_id, tenant_id, rule_id, state, since, fired_at, last_seen_at, last_value)
        select {alert}, {t}, rule_id, 'firing', now(), now(), now(), 11 from monitoring.alert_rules
        where tenant_id = {t} and kind = 'failed_sign_ins';"
    )
}
