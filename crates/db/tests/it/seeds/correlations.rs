//! What counts for a correlation of each tenant's, and an episode of it.

use super::Seed;

pub(super) fn seed(of: &Seed) -> String {
    let (t, own, event) = (of.id(0), of.id(11), of.id(85));
    format!(
        "insert into threats.correlation_matches (tenant_id, rule_id, group_key, occurred_at, event_id, position, group_values, agent_id,
            matched_rule, summary, due_at, keep_until)
        values ({t}, 'many', sha256('g'), now(), {event}, 0, '[]', {own}, 'Rule', 'what', now() + interval '1 year', now() + interval '1 day');
        insert into threats.correlation_episodes (tenant_id, rule_id, group_key, from_at, to_at, episode_id, held, figure, keep_until)
        values ({t}, 'many', sha256('g'), now(), now(), {event}, true, 3, now() + interval '1 day');"
    )
}
