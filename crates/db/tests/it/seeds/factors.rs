//! Second factors of the plain user: an app with the seed of `secrets`, a passkey, a backup code, a sign-in that waits; and the tenant's rule.

use super::Seed;

pub(super) fn seed(of: &Seed) -> String {
    let tenant = of.0;
    let id = |number| of.id(number);
    let (t, user, of_user) = (id(0), id(2), id(62));
    let (app, passkey, code, challenge, notice) = (id(71), id(72), id(73), id(74), id(75));
    let (code_hash, token_hash) = (of.token_hash("a backup code"), of.token_hash("a challenge"));
    format!(
        "
        insert into users.factors (factor_id, tenant_id, user_id, kind, name, created_at, confirmed_at, secret_id)
        values ({app}, {t}, {user}, 'totp', 'app of {tenant}', now(), now(), {of_user});
        insert into users.factors (factor_id, tenant_id, user_id, kind, name, created_at, confirmed_at, credential_id, public_key, sign_count)
        values ({passkey}, {t}, {user}, 'passkey', 'key of {tenant}', now(), now(), convert_to('credential of {tenant}', 'UTF8'),
            decode(repeat('05', 77), 'hex'), 0);
        insert into users.backup_codes (code_id, tenant_id, user_id, code_hash, created_at) values ({code}, {t}, {user}, {code_hash}, now());
        insert into users.sign_in_challenges (challenge_id, tenant_id, user_id, purpose, token_hash, passkey_challenge, password_digest,
            created_at, expires_at)
        values ({challenge}, {t}, {user}, 'second_factor', {token_hash}, decode(repeat('06', 32), 'hex'), decode(repeat('07', 32), 'hex'),
            now(), now() + interval '5 minutes');
        insert into users.factor_policies (tenant_id, role, grace_days, required_since) values ({t}, 'admin', 14, now());
        insert into users.notices (notice_id, tenant_id, user_id, kind, detail, created_at)
        values ({notice}, {t}, {user}, 'factor_added', 'app of {tenant}', now());"
    )
}
