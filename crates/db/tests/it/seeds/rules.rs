//! A rule of each tenant's own, one of the pack that it has switched off, and a placeholder.

use super::Seed;

pub(super) fn seed(of: &Seed) -> String {
    let (t, admin) = (of.id(0), of.id(1));
    let tenant = of.0;
    format!(
        "insert into threats.rule_sets (tenant_id, version, changed_at) values ({t}, 1, now());
        insert into threats.rules (tenant_id, rule_id, origin, kind, name, severity, text, text_digest, is_enabled, version, created_at, changed_at,
            changed_by)
        values ({t}, 'own', 'tenant', 'sigma', 'rule of {tenant}', 'high', 'text', sha256('text'), true, 1, now(), now(), {admin}),
            ({t}, 'pack', 'pack', 'sigma', 'rule of the pack', 'low', null, null, false, 1, now(), now(), {admin});
        insert into threats.rule_versions (tenant_id, rule_id, version, change, text, is_enabled, changed_by, changed_at)
        values ({t}, 'own', 1, 'create', 'text', true, {admin}, now());
        insert into threats.placeholders (tenant_id, name, placeholder_values, changed_at, changed_by)
        values ({t}, 'admins', '{{root,{tenant}}}', now(), {admin});"
    )
}
