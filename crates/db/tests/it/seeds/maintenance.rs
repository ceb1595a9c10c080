//! Figures of a day, a report, and a maintenance run of each tenant's, although only the installation has runs.

use super::Seed;

pub(super) fn seed(of: &Seed) -> String {
    let (t, admin, run, report) = (of.id(0), of.id(1), of.id(97), of.id(98));
    format!(
        "insert into monitoring.kpi_samples (tenant_id, day, measured_at, sign_ins, failed_sign_ins, lockouts, confirmed_incidents, false_incidents, people,
            compliant_people)
        values ({t}, (now() at time zone 'UTC')::date, now(), 3, 1, 0, 1, 0, 2, 2);
        insert into monitoring.maintenance_runs (run_id, tenant_id, period, state, node, is_by_hand, from_at, to_at, started_at)
        values ({run}, {t}, 'daily', 'running', 'node', false, now() - interval '1 day', now(), now());
        insert into monitoring.maintenance_tasks (tenant_id, run_id, position, task, state)
        values ({t}, {run}, 1, 'failed_sign_ins', 'waiting');
        insert into monitoring.reports (report_id, tenant_id, kind, run_id, from_at, to_at, created_at, finished_at, content)
        values ({report}, {t}, 'daily', {run}, now() - interval '1 day', now(), now(), now(), '{{\"sections\": []}}');
        insert into monitoring.report_subscriptions (tenant_id, user_id, of_installation, kind, mode, updated_at)
        values ({t}, {admin}, false, 'weekly', 'always', now());"
    )
}
