//! An exception of each tenant's own, and what it has hidden.

use super::Seed;

pub(super) fn seed(of: &Seed) -> String {
    let (t, admin, own, exception) = (of.id(0), of.id(1), of.id(11), of.id(81));
    let tenant = of.0;
    format!(
        "insert into threats.exceptions (exception_id, tenant_id, name, reason, owner_id, rule_id, created_by, created_at)
        values ({exception}, {t}, 'exception of {tenant}', 'known', {admin}, 'rule', {admin}, now());
        insert into threats.excepted_findings (tenant_id, exception_id, agent_id, fingerprint, day, rule_id, rule_name, severity, subject,
            occurrence_count, first_seen_at, last_seen_at)
        values ({t}, {exception}, {own}, 'print', current_date, 'rule', 'Rule', 'high', '{{}}', 1, now(), now());"
    )
}
