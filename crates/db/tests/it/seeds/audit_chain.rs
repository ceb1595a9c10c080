//! The chain of the audit log: a link, its end, a signature, a record, a sink's place.

use super::Seed;

pub(super) fn seed(of: &Seed) -> String {
    let (t, record) = (of.id(0), of.id(61));
    let hash = "sha256('link')";
    format!(
        "
        insert into audit.chain_records (record_id, tenant_id, occurred_at, kind, body, key_id, signature)
        values ({record}, {t}, now(), 'fork', '{{}}', 'key', sha512('signature'));
        insert into audit.chain (tenant_id, position, table_code, row_id, row_time, row_hash, link)
        values ({t}, 1, 4, {record}, now(), {hash}, {hash});
        insert into audit.chain_heads (tenant_id, position, link) values ({t}, 1, {hash});
        insert into audit.checkpoints (tenant_id, position, link, signed_at, key_id, signature)
        values ({t}, 1, {hash}, now(), 'key', sha512('signature'));
        insert into audit.export_positions (tenant_id, sink, position, exported_at) values ({t}, 'file', 1, now());"
    )
}
