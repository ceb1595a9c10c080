-- Standbys and replication slots for whoever manages the installation. Only who may read all statistics sees more of a standby than that it is there, so
-- the function belongs to sg_auth, which may (where a superuser migrates; elsewhere those columns are null), and the server may call it.

grant create on schema monitoring to sg_auth;
set local role sg_auth;
create function monitoring.list_standbys() returns table (
    name text,
    slot text,
    is_active boolean,
    -- Of pg_stat_replication: startup, catchup, streaming; null when none is connected, or when it is not known.
    state text,
    address text,
    is_synchronous boolean,
    -- Bytes of the log that the standby has not stored, and that it does not show.
    behind_bytes bigint,
    replay_bytes bigint,
    replay_seconds double precision,
    -- Bytes of the log that the slot keeps on the primary's disk, and may keep; null where there is no limit.
    kept_bytes bigint,
    kept_limit_bytes bigint,
    is_lost boolean)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select coalesce(s.slot_name::text, r.application_name), s.slot_name::text, coalesce(s.active, true), r.state, host(r.client_addr),
        coalesce(r.sync_state in ('sync', 'quorum'), false),
        greatest(coalesce(pg_wal_lsn_diff(l.written, coalesce(r.flush_lsn, s.restart_lsn)), 0), 0)::bigint,
        greatest(coalesce(pg_wal_lsn_diff(l.written, coalesce(r.replay_lsn, s.restart_lsn)), 0), 0)::bigint,
        extract(epoch from r.replay_lag)::float8,
        greatest(pg_wal_lsn_diff(l.written, s.restart_lsn), 0)::bigint,
        (select nullif(c.setting::bigint, -1) * 1048576 from pg_settings c where c.name = 'max_slot_wal_keep_size'),
        coalesce(s.wal_status = 'lost', false)
    from (select case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_lsn() end as written) l
    cross join ((select * from pg_replication_slots where not temporary) s full join pg_stat_replication r on r.pid = s.active_pid)
    -- pg_basebackup and pg_receivewal stream too, and follow nothing.
    where s.slot_name is not null or r.state in ('startup', 'catchup', 'streaming') and r.application_name not in ('pg_basebackup', 'pg_receivewal')
    order by 1
$$;
comment on function monitoring.list_standbys() is 'Replication slots and connected standbys, with how far they are behind.';
revoke all on function monitoring.list_standbys() from public;
grant execute on function monitoring.list_standbys() to sg_system;
set local role sg_owner;
revoke create on schema monitoring from sg_auth;
