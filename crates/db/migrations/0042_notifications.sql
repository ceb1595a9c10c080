-- Notifications: where people of a tenant are told of incidents and alerts, what goes where, what is muted, and the outbox that is written by the
-- transaction that it tells of.

-- Rows that hang on an alert carry its tenant.
alter table monitoring.alerts add constraint alerts_tenant_id_alert_id_key unique (tenant_id, alert_id);

alter table users.secrets drop constraint secrets_purpose_check;
alter table users.secrets add constraint secrets_purpose_check
    check (purpose in ('sign_in_digest', 'totp', 'ldap_bind', 'oidc_client', 'webhook_signing', 'notification_channel'));

create table monitoring.channels (
    channel_id uuid primary key,
    tenant_id uuid not null references users.tenants (tenant_id),
    name text not null,
    kind text not null,
    -- What may be shown of where it leads to. Addresses with tokens in them, keys and signing secrets are in users.secrets.
    settings jsonb not null,
    secret_id uuid,
    is_enabled boolean not null default true,
    -- Messages in a minute at most; what is beyond becomes one digest.
    per_minute integer not null default 10,
    created_by uuid,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    constraint channels_tenant_id_channel_id_key unique (tenant_id, channel_id),
    constraint channels_name_check check (length(btrim(name)) between 1 and 100),
    constraint channels_kind_check check (kind in ('email', 'slack', 'webhook', 'syslog', 'pagerduty')),
    constraint channels_settings_check check (jsonb_typeof(settings) = 'object'),
    constraint channels_per_minute_check check (per_minute between 1 and 600),
    constraint channels_times_check check (isfinite(created_at) and isfinite(updated_at)),
    constraint channels_secret_id_fkey foreign key (tenant_id, secret_id) references users.secrets (tenant_id, secret_id),
    constraint channels_created_by_fkey foreign key (tenant_id, created_by)
        references users.memberships (tenant_id, user_id) on delete set null (created_by)
);
create unique index channels_tenant_id_name_key on monitoring.channels (tenant_id, lower(name));
create index channels_tenant_id_secret_id_idx on monitoring.channels (tenant_id, secret_id);
create index channels_tenant_id_created_by_idx on monitoring.channels (tenant_id, created_by);
comment on table monitoring.channels is 'Where people of a tenant are told of incidents and alerts.';

create table monitoring.routes (
    route_id uuid primary key,
    tenant_id uuid not null,
    name text not null,
    channel_id uuid not null,
    source text not null,
    min_severity text not null,
    -- Each list restricts what is sent; an empty one does not. Rules of detections, or kinds of alert rules.
    rules text[] not null default '{}',
    tags text[] not null default '{}',
    agents uuid[] not null default '{}',
    is_enabled boolean not null default true,
    muted_until timestamptz,
    -- An incident that nobody has taken up after this time is told to another channel too.
    escalate_after_minutes integer,
    escalate_to uuid,
    created_by uuid,
    created_at timestamptz not null,
    constraint routes_tenant_id_route_id_key unique (tenant_id, route_id),
    constraint routes_name_check check (length(btrim(name)) between 1 and 100),
    constraint routes_source_check check (source in ('incident', 'alert')),
    constraint routes_min_severity_check check (min_severity in ('low', 'medium', 'high', 'critical')),
    constraint routes_lists_check check (cardinality(rules) <= 100 and cardinality(tags) <= 100 and cardinality(agents) <= 100
        and (source = 'incident' or (cardinality(tags) = 0 and cardinality(agents) = 0))),
    constraint routes_escalation_check check ((escalate_to is null or escalate_after_minutes is not null)
        and escalate_after_minutes between 1 and 10080 and (source = 'incident' or escalate_to is null)),
    constraint routes_times_check check (isfinite(created_at) and isfinite(muted_until)),
    constraint routes_channel_id_fkey foreign key (tenant_id, channel_id)
        references monitoring.channels (tenant_id, channel_id) on delete cascade,
    constraint routes_escalate_to_fkey foreign key (tenant_id, escalate_to)
        references monitoring.channels (tenant_id, channel_id) on delete set null (escalate_to),
    constraint routes_created_by_fkey foreign key (tenant_id, created_by)
        references users.memberships (tenant_id, user_id) on delete set null (created_by)
);
create index routes_tenant_id_channel_id_idx on monitoring.routes (tenant_id, channel_id);
create index routes_tenant_id_escalate_to_idx on monitoring.routes (tenant_id, escalate_to);
create index routes_tenant_id_created_by_idx on monitoring.routes (tenant_id, created_by);
comment on table monitoring.routes is 'What goes to which channel.';

create table monitoring.silences (
    silence_id uuid primary key,
    tenant_id uuid not null references users.tenants (tenant_id),
    reason text not null,
    owner_id uuid,
    -- A rule of detections or a kind of alert rules; everything when null.
    rule text,
    agent_id uuid,
    -- Up to this severity; every one when null.
    max_severity text,
    created_by uuid,
    created_at timestamptz not null,
    expires_at timestamptz not null,
    ended_by uuid,
    ended_at timestamptz,
    constraint silences_tenant_id_silence_id_key unique (tenant_id, silence_id),
    constraint silences_reason_check check (length(btrim(reason)) between 1 and 2000),
    constraint silences_rule_check check (length(rule) between 1 and 200),
    constraint silences_max_severity_check check (max_severity in ('low', 'medium', 'high', 'critical')),
    constraint silences_times_check check (isfinite(created_at) and isfinite(expires_at) and isfinite(ended_at) and expires_at > created_at),
    constraint silences_agent_id_fkey foreign key (tenant_id, agent_id)
        references agents.endpoints (tenant_id, agent_id) on delete cascade,
    constraint silences_owner_id_fkey foreign key (tenant_id, owner_id)
        references users.memberships (tenant_id, user_id) on delete set null (owner_id),
    constraint silences_created_by_fkey foreign key (tenant_id, created_by)
        references users.memberships (tenant_id, user_id) on delete set null (created_by),
    constraint silences_ended_by_fkey foreign key (tenant_id, ended_by)
        references users.memberships (tenant_id, user_id) on delete set null (ended_by)
);
create index silences_tenant_id_created_at_idx on monitoring.silences (tenant_id, created_at desc, silence_id desc);
create index silences_tenant_id_agent_id_idx on monitoring.silences (tenant_id, agent_id);
create index silences_tenant_id_owner_id_idx on monitoring.silences (tenant_id, owner_id);
create index silences_tenant_id_created_by_idx on monitoring.silences (tenant_id, created_by);
create index silences_tenant_id_ended_by_idx on monitoring.silences (tenant_id, ended_by);
comment on table monitoring.silences is 'What nobody is told of for a while, why, and whose decision it is.';

create table monitoring.notifications (
    notification_id uuid primary key,
    tenant_id uuid not null,
    channel_id uuid not null,
    route_id uuid,
    cause text not null,
    threat_id uuid,
    alert_id uuid,
    severity text not null,
    -- What it tells of: each channel is told of it once.
    dedup_key text not null,
    created_at timestamptz not null,
    -- Also how long a sender has this row to itself.
    next_attempt_at timestamptz not null,
    expires_at timestamptz not null,
    attempts integer not null default 0,
    last_attempt_at timestamptz,
    finished_at timestamptz,
    outcome text,
    -- The digest that told of it together with others.
    digest_id uuid,
    -- When it goes to the second channel of its route, unless somebody has taken up the incident.
    escalate_at timestamptz,
    -- The receiver has something open, which is to be closed there once it is closed here.
    is_open boolean not null default false,
    constraint notifications_tenant_id_notification_id_key unique (tenant_id, notification_id),
    constraint notifications_cause_check check (cause in ('incident_opened', 'incident_raised', 'incident_waiting', 'incident_closed',
        'alert_firing', 'alert_resolved', 'digest', 'test')),
    constraint notifications_subject_check check (num_nonnulls(threat_id, alert_id) <= 1),
    constraint notifications_severity_check check (severity in ('low', 'medium', 'high', 'critical')),
    constraint notifications_dedup_key_check check (length(dedup_key) between 1 and 200),
    constraint notifications_attempts_check check (attempts >= 0),
    constraint notifications_outcome_check check (outcome in ('sent', 'refused', 'expired', 'silenced', 'merged')),
    constraint notifications_finished_check check ((finished_at is null) = (outcome is null)),
    constraint notifications_times_check check (isfinite(created_at) and isfinite(next_attempt_at) and isfinite(expires_at)),
    constraint notifications_channel_id_fkey foreign key (tenant_id, channel_id)
        references monitoring.channels (tenant_id, channel_id) on delete cascade,
    constraint notifications_route_id_fkey foreign key (tenant_id, route_id)
        references monitoring.routes (tenant_id, route_id) on delete set null (route_id),
    constraint notifications_threat_id_fkey foreign key (tenant_id, threat_id)
        references threats.incidents (tenant_id, threat_id) on delete cascade,
    constraint notifications_alert_id_fkey foreign key (tenant_id, alert_id)
        references monitoring.alerts (tenant_id, alert_id) on delete cascade,
    constraint notifications_digest_id_fkey foreign key (tenant_id, digest_id)
        references monitoring.notifications (tenant_id, notification_id) on delete set null (digest_id)
);
create unique index notifications_dedup_key on monitoring.notifications (tenant_id, channel_id, dedup_key);
create index notifications_next_attempt_at_idx on monitoring.notifications (next_attempt_at) where finished_at is null;
create index notifications_tenant_id_channel_id_last_attempt_at_idx
    on monitoring.notifications (tenant_id, channel_id, last_attempt_at desc);
create index notifications_tenant_id_created_at_idx on monitoring.notifications (tenant_id, created_at desc, notification_id desc);
create index notifications_tenant_id_route_id_idx on monitoring.notifications (tenant_id, route_id);
create index notifications_tenant_id_threat_id_idx on monitoring.notifications (tenant_id, threat_id);
create index notifications_tenant_id_alert_id_idx on monitoring.notifications (tenant_id, alert_id);
create index notifications_tenant_id_digest_id_idx on monitoring.notifications (tenant_id, digest_id);
create index notifications_escalate_at_idx on monitoring.notifications (escalate_at) where escalate_at is not null;
create index notifications_open_idx on monitoring.notifications (tenant_id, notification_id) where is_open;
create index notifications_finished_at_idx on monitoring.notifications (finished_at) where finished_at is not null;
comment on table monitoring.notifications is 'The outbox: what each channel is told of, and for some months what became of it.';

create table monitoring.delivery_attempts (
    tenant_id uuid not null,
    notification_id uuid not null,
    attempt integer not null,
    started_at timestamptz not null,
    milliseconds integer not null,
    is_delivered boolean not null,
    -- The receiver's answer: an HTTP or SMTP status; null where it has none.
    answer_code integer,
    error text,
    constraint delivery_attempts_pkey primary key (tenant_id, notification_id, attempt),
    constraint delivery_attempts_attempt_check check (attempt >= 1),
    constraint delivery_attempts_milliseconds_check check (milliseconds >= 0),
    constraint delivery_attempts_error_check check (length(error) <= 500 and is_delivered = (error is null)),
    constraint delivery_attempts_notification_id_fkey foreign key (tenant_id, notification_id)
        references monitoring.notifications (tenant_id, notification_id) on delete cascade
);
comment on table monitoring.delivery_attempts is 'Each attempt to deliver a notification, with the receiver''s answer.';

select users.enable_tenant_isolation(t) from unnest(array['monitoring.channels', 'monitoring.routes', 'monitoring.silences',
    'monitoring.notifications', 'monitoring.delivery_attempts']) t;
create policy own_scope on monitoring.channels as restrictive for all to sg_app using ((select users.current_scope()) = 'tenant');
create policy own_scope on monitoring.routes as restrictive for all to sg_app using ((select users.current_scope()) = 'tenant');
create policy own_scope on monitoring.silences as restrictive for all to sg_app using ((select users.current_scope()) = 'tenant');
create policy own_scope on monitoring.notifications as restrictive for all to sg_app using ((select users.current_scope()) = 'tenant');
create policy own_scope on monitoring.delivery_attempts as restrictive for all to sg_app using ((select users.current_scope()) = 'tenant');
-- Requests only read these tables: whoever runs SQL in an opened context must not be able to mute what they do.
grant select on monitoring.channels, monitoring.routes, monitoring.silences, monitoring.notifications, monitoring.delivery_attempts
    to sg_app, sg_backup;
grant select, insert, update, delete on monitoring.channels, monitoring.routes, monitoring.silences, monitoring.notifications
    to sg_system, sg_admin;
grant select, insert, delete on monitoring.delivery_attempts to sg_system, sg_admin;
-- A tenant's first channel brings the rule that watches deliveries.
grant insert on monitoring.alert_rules to sg_system;

create trigger record_row_change after insert or update or delete on monitoring.channels
    for each row execute function audit.record_row_change('channel_id');
create trigger record_row_change after insert or update or delete on monitoring.routes
    for each row execute function audit.record_row_change('route_id');
create trigger record_row_change after insert or update or delete on monitoring.silences
    for each row execute function audit.record_row_change('silence_id');

create function monitoring.severity_rank(p_severity text) returns integer
language sql immutable parallel safe set search_path = pg_catalog, pg_temp as $$
    select array_position(array['low', 'medium', 'high', 'critical'], p_severity)
$$;
comment on function monitoring.severity_rank(text) is 'Severities in order, 1 to 4.';

-- Whether somebody has muted this for the moment: every rule of it, so that a noisy rule does not mute what else is found beside it.
create function monitoring.is_silenced(p_tenant uuid, p_rules text[], p_agent uuid, p_severity text, p_at timestamptz) returns boolean
language sql stable set search_path = pg_catalog, pg_temp as $$
    select bool_and(exists (
        select from monitoring.silences s
        where s.tenant_id = p_tenant and s.ended_at is null and s.created_at <= p_at and s.expires_at > p_at
            and (s.rule is null or s.rule = r.rule) and (s.agent_id is null or s.agent_id = p_agent)
            and (s.max_severity is null or monitoring.severity_rank(p_severity) <= monitoring.severity_rank(s.max_severity))))
    from unnest(case when cardinality(p_rules) > 0 then p_rules else array[null::text] end) as r (rule)
$$;
comment on function monitoring.is_silenced(uuid, text[], uuid, text, timestamptz) is 'Whether a silence holds for what happened.';

-- Puts what happened into the outbox, once for each channel that a route leads to. The transaction that made it happen calls this, so that it is told
-- exactly when it is true. The senders are woken by its commit.
create function monitoring.enqueue_notification(
    p_tenant uuid, p_cause text, p_threat uuid, p_alert uuid, p_agent uuid, p_severity text, p_rules text[], p_tags text[], p_subject text,
    p_key text, p_at timestamptz
) returns integer
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
    waiting integer;
begin
    with told as (
        insert into monitoring.notifications (notification_id, tenant_id, channel_id, route_id, cause, threat_id, alert_id, severity, dedup_key,
            created_at, next_attempt_at, expires_at, escalate_at, finished_at, outcome)
        select distinct on (r.channel_id) users.time_ordered_uuid(), p_tenant, r.channel_id, r.route_id, p_cause, p_threat, p_alert, p_severity,
            p_key, p_at, p_at, p_at + interval '24 hours',
            case when not m.is_muted and p_cause in ('incident_opened', 'incident_raised') then p_at + make_interval(mins => r.escalate_after_minutes) end,
            case when m.is_muted then p_at end, case when m.is_muted then 'silenced' end
        from monitoring.routes r
        join monitoring.channels c on c.tenant_id = r.tenant_id and c.channel_id = r.channel_id and c.is_enabled
        cross join lateral (select coalesce(r.muted_until > p_at, false)
            or monitoring.is_silenced(p_tenant, p_rules, p_agent, p_severity, p_at) as is_muted) m
        where r.tenant_id = p_tenant and r.is_enabled and r.source = split_part(p_cause, '_', 1)
            and monitoring.severity_rank(p_severity) >= monitoring.severity_rank(r.min_severity)
            and (cardinality(r.rules) = 0 or r.rules && p_rules) and (cardinality(r.tags) = 0 or r.tags && p_tags)
            and (cardinality(r.agents) = 0 or p_agent = any (r.agents))
            -- A channel that does not answer is not told about itself.
            and not ('notification_failure' = any (p_rules) and p_alert is not null and p_subject = c.name)
        order by r.channel_id, m.is_muted, r.escalate_after_minutes, r.created_at
        on conflict (tenant_id, channel_id, dedup_key) do nothing
        returning outcome)
    select count(*) filter (where t.outcome is null) into waiting from told t;
    if waiting > 0 then
        perform pg_notify('sg_live', '{"kind":"notification"}');
    end if;
    return waiting;
end
$$;
comment on function monitoring.enqueue_notification(uuid, text, uuid, uuid, uuid, text, text[], text[], text, text, timestamptz) is
    'Puts what happened into the outbox for each channel that a route leads to; returns how many wait to be sent.';

-- An alert that begins to fire or is over is told of, whoever raises it.
create function monitoring.notify_of_alert() returns trigger
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
    rule record;
    waiting integer;
begin
    select r.kind, r.severity into rule from monitoring.alert_rules r where r.tenant_id = new.tenant_id and r.rule_id = new.rule_id;
    if new.state = 'firing' then
        perform monitoring.enqueue_notification(new.tenant_id, 'alert_firing', null, new.alert_id, null, rule.severity, array[rule.kind], '{}',
            new.subject, 'alert:' || new.alert_id || ':firing', new.fired_at);
        return null;
    end if;
    -- Whoever heard of the beginning hears of the end.
    insert into monitoring.notifications (notification_id, tenant_id, channel_id, route_id, cause, alert_id, severity, dedup_key, created_at,
        next_attempt_at, expires_at)
    select users.time_ordered_uuid(), n.tenant_id, n.channel_id, n.route_id, 'alert_resolved', n.alert_id, n.severity,
        'alert:' || new.alert_id || ':resolved', new.resolved_at, new.resolved_at, new.resolved_at + interval '24 hours'
    from monitoring.notifications n
    join monitoring.channels c on c.tenant_id = n.tenant_id and c.channel_id = n.channel_id and c.is_enabled
    where n.tenant_id = new.tenant_id and n.alert_id = new.alert_id and n.cause = 'alert_firing'
        and n.outcome is distinct from 'silenced' and n.outcome is distinct from 'merged'
    on conflict (tenant_id, channel_id, dedup_key) do nothing;
    get diagnostics waiting = row_count;
    if waiting > 0 then
        perform pg_notify('sg_live', '{"kind":"notification"}');
    end if;
    return null;
end
$$;
comment on function monitoring.notify_of_alert() is 'Trigger: puts an alert that fires or is resolved into the outbox.';
create trigger notify_of_alert after insert on monitoring.alerts
    for each row when (new.state = 'firing') execute function monitoring.notify_of_alert();
create trigger notify_of_alert_change after update of state on monitoring.alerts
    for each row when (new.state <> old.state and new.state in ('firing', 'resolved')) execute function monitoring.notify_of_alert();

revoke execute on function monitoring.severity_rank(text), monitoring.is_silenced(uuid, text[], uuid, text, timestamptz),
    monitoring.enqueue_notification(uuid, text, uuid, uuid, uuid, text, text[], text[], text, text, timestamptz),
    monitoring.notify_of_alert() from public;
grant execute on function monitoring.severity_rank(text), monitoring.is_silenced(uuid, text[], uuid, text, timestamptz),
    monitoring.enqueue_notification(uuid, text, uuid, uuid, uuid, text, text[], text[], text, text, timestamptz) to sg_system, sg_admin;
grant execute on function monitoring.notify_of_alert() to sg_system, sg_admin;

insert into users.permissions (permission, description, least_role)
values ('channels_manage', 'Set up where people are told of incidents and alerts, and what goes where.', 'admin'),
    ('silences_manage', 'Mute notifications for a while, and end that.', 'manager');
