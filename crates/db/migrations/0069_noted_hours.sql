-- A sample of an hour that is noted locks the note, so that no roll-up takes it before the sample is there, and no longer writes it anew.
create or replace function agents.note_hours_to_roll_up() returns trigger
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
begin
    -- Rows in conflict are locked whether the condition holds or not.
    insert into agents.rollup_queue as q (tenant_id, agent_id, hour_at)
    select distinct a.tenant_id, a.agent_id, date_trunc('hour', a.collected_at, 'UTC') from added a order by 2, 3
    on conflict (agent_id, hour_at) do update set marked_at = q.marked_at where false;
    return null;
end
$$;
comment on column agents.rollup_queue.marked_at is 'When the hour was noted.';
