-- Rules of the installation for standbys (how far they are behind or away, and how much of the write-ahead log is kept for them) and for the certificate of the server.

grant create on schema monitoring to sg_auth;
set local role sg_auth;
create or replace function monitoring.create_default_rules(p_tenant uuid) returns void
language sql volatile security definer set search_path = pg_catalog, pg_temp as $$
    insert into monitoring.alert_rules (tenant_id, kind, severity, comparison, threshold, window_seconds, for_seconds)
    select p_tenant, d.kind, d.severity, d.comparison, d.threshold, d.window_seconds, d.for_seconds
    from (values
        ('failed_sign_ins', 'medium', 'above', 10, 60, 0, false),
        ('account_lockouts', 'high', 'above', 5, 3600, 0, false),
        ('password_policy_violations', 'low', 'above', 0, 0, 0, false),
        -- Missed intervals; the window is that within which many at once are one outage.
        ('endpoint_offline', 'medium', 'above', 2, 900, 0, false),
        ('unauthorized_database_access', 'critical', 'above', 0, 3600, 0, true),
        ('slow_queries', 'medium', 'above', 1, 60, 300, true),
        ('database_connections', 'high', 'above', 80, 0, 60, true),
        ('storage_usage', 'high', 'above', 85, 0, 300, true),
        ('backup_failure', 'critical', 'above', 0, 0, 0, true),
        -- Seconds that a standby is behind or away.
        ('standby_lag', 'high', 'above', 60, 0, 0, true),
        -- Percent of what a replication slot may keep.
        ('replication_slots', 'high', 'above', 50, 0, 0, true),
        -- Days until the server's certificate ends.
        ('certificate_expiry', 'high', 'below', 14, 0, 0, true),
        ('partitions_ahead', 'high', 'below', 3, 0, 0, true),
        ('default_partition_rows', 'medium', 'above', 0, 0, 0, true)
    ) as d (kind, severity, comparison, threshold, window_seconds, for_seconds, of_installation)
    where not d.of_installation or p_tenant = '00000000-0000-0000-0000-000000000000'
    on conflict (tenant_id, kind) do nothing
$$;
select monitoring.create_default_rules(t.tenant_id) from users.tenants t;
set local role sg_owner;
revoke create on schema monitoring from sg_auth;
