//! Identity providers of each kind, who is linked to them, and what they keep.

use super::Seed;

pub(super) fn seed(of: &Seed) -> String {
    let tenant = of.0;
    let id = |number| of.id(number);
    let (t, user, oidc, ldap, scim, run, group) = (id(0), id(2), id(71), id(72), id(73), id(74), id(75));
    let (state, browser) = (of.token_hash("a sign-in"), of.token_hash("a browser"));
    format!(
        "
        insert into users.identity_providers (provider_id, tenant_id, kind, name, is_enabled, creates_users, default_role, highest_role,
            settings, created_at, updated_at)
        values
            ({oidc}, {t}, 'oidc', 'OpenID of {tenant}', true, true, 'user', 'admin', '{{}}', now(), now()),
            ({ldap}, {t}, 'ldap', 'Directory of {tenant}', true, true, 'user', 'admin', '{{}}', now(), now()),
            ({scim}, {t}, 'scim', 'Provisioning of {tenant}', true, true, 'user', 'admin', '{{}}', now(), now());
        insert into users.provider_domains (domain, tenant_id, provider_id) values ('{tenant}.example', {t}, {oidc});
        insert into users.external_identities (tenant_id, provider_id, subject, user_id, linked_at)
        values ({t}, {oidc}, 'subject of {tenant}', {user}, now());
        insert into users.pending_sign_ins (state_hash, browser_hash, tenant_id, provider_id, return_to, created_at, expires_at)
        values ({state}, {browser}, {t}, {oidc}, '/', now(), now() + interval '10 minutes');
        insert into users.directory_syncs (sync_id, tenant_id, provider_id, started_at, finished_at, is_dry_run, outcome, report)
        values ({run}, {t}, {ldap}, now(), now(), false, 'done', '{{}}');
        insert into users.provisioned_groups (group_id, tenant_id, provider_id, display_name, created_at, updated_at)
        values ({group}, {t}, {scim}, 'Analysts of {tenant}', now(), now());
        insert into users.provisioned_group_members (tenant_id, group_id, user_id) values ({t}, {group}, {user});"
    )
}
