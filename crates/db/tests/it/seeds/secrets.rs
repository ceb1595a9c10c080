//! Sealed secrets: one of the tenant, one of its plain user.

use super::Seed;

pub(super) fn seed(of: &Seed) -> String {
    let id = |number| of.id(number);
    let (t, user, of_tenant, of_user) = (id(0), id(2), id(61), id(62));
    format!(
        "
        insert into users.secrets (secret_id, tenant_id, user_id, purpose, key_id, nonce, ciphertext, created_at, sealed_at)
        values
            ({of_tenant}, {t}, null, 'webhook_signing', '00112233aabbccdd', decode(repeat('01', 12), 'hex'), decode(repeat('02', 48), 'hex'),
                now(), now()),
            ({of_user}, {t}, {user}, 'totp', '00112233aabbccdd', decode(repeat('03', 12), 'hex'), decode(repeat('04', 36), 'hex'), now(), now());"
    )
}
