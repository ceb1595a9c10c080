-- What makes row security cheap to ask, and what every object is for: docs/database-reference.md is made of these words.

-- Each of these runs once for each policy of each table of a statement. One function that does all of it takes two thirds of the time that three
-- nested ones take: entering a definer function with a pinned search path costs as much as the hashes.
grant create on schema users to sg_auth;
set local role sg_auth;
do $$
declare
    one record;
begin
    for one in
        select * from (values ('current_tenant', 'uuid', 1), ('current_user_id', 'uuid', 2), ('current_scope', 'text', 3),
            ('current_member_role', 'text', 4)) as c (name, type, place)
    loop
        execute format($function$
create or replace function users.%1$I() returns %2$s
language plpgsql stable parallel restricted security definer set search_path = pg_catalog, pg_temp as $body$
declare
    given constant text := current_setting('sg.context', true);
    -- The seal is a bar and 64 hexadecimal digits.
    claims constant text := left(given, -65);
    holds boolean;
begin
    if given is null or given = '' then
        return null;
    end if;
    -- Hashing both sides makes the time of the comparison tell nothing about the seal. The seal itself: see users.context_mac.
    select sha256(convert_to(right(given, 65), 'UTF8')) = sha256(convert_to('|' || encode(
            sha256(k.outer_pad || sha256(k.inner_pad || convert_to(
                claims || '|' || pg_backend_pid() || '|' || (extract(epoch from transaction_timestamp()) * 1000000)::bigint, 'UTF8'))),
            'hex'), 'UTF8'))
    into holds
    from users.context_keys k;
    if holds then
        return split_part(claims, '|', %3$s)::%2$s;
    end if;
    return null;
end
$body$ $function$, one.name, one.type, one.place);
    end loop;
end
$$;
set local role sg_owner;
revoke create on schema users from sg_auth;

-- What later files have described, or dropped, stays as they left it.
do $$
declare
    described record;
begin
    for described in
        select * from (values
            ('schema', 'users', 'Tenants, people, where they may work, and how they prove who they are.'),
            ('schema', 'agents', 'Endpoints: who they are and what they send.'),
            ('schema', 'threats', 'What was detected, and what became of it.'),
            ('schema', 'audit', 'Who did what, and which rows changed by it; append-only.'),
            ('table', 'users.tenants', 'The customers of an installation. Two always exist: the default one and the system''s.'),
            ('table', 'users.users', 'People. The tenant is their home; users.memberships says where they may work.'),
            ('table', 'users.memberships', 'Where a person may work, by which role and until when. The home tenant is always one of them.'),
            ('table', 'users.password_policies', 'The rules for passwords and lockout, one row for each tenant, made with it.'),
            ('table', 'users.api_keys', 'Keys of people for programs and for enrolling endpoints, by their SHA-256.'),
            ('table', 'users.sessions', 'Who is signed in, by the SHA-256 of the session''s token.'),
            ('table', 'users.context_keys', 'The key that seals tenant contexts. Only sg_auth reads it.'),
            ('table', 'agents.endpoints', 'The registered endpoints of each tenant.'),
            ('table', 'agents.agent_tokens', 'By what an agent proves which endpoint it is: the SHA-256 of its token.'),
            ('table', 'agents.heartbeats', 'The last check-in of each endpoint; one narrow row, updated in place.'),
            ('table', 'agents.streams', 'How far each stream of records was acknowledged, and the turns by which a copy of an agent is noticed.'),
            ('table', 'agents.gaps', 'Holes in what an endpoint told, as the agent or the server noticed them.'),
            ('table', 'agents.system_info', 'Measures of endpoints over time.'),
            ('table', 'agents.events', 'What endpoints observed: processes, files, connections, sign-ins.'),
            ('table', 'agents.partition_schemes', 'Which tables are partitioned by time, how, and for how long a partition is kept.'),
            ('table', 'threats.incidents', 'Threats, one for each subject, and their resolution.'),
            ('table', 'threats.findings', 'One rule that matched one subject within one incident; repeats count up.'),
            ('table', 'threats.occurrences', 'Every single match by its id, so that a repeated report is known.'),
            ('table', 'threats.incident_subjects', 'What an incident is about; a finding that shares one of them joins the incident.'),
            ('table', 'threats.incident_timeline', 'What happened to an incident, in order.'),
            ('table', 'threats.rule_packages', 'The rule sets that this installation handed out.'),
            ('table', 'audit.events', 'Who did what, to which object, with which outcome.'),
            ('table', 'audit.row_changes', 'Each changed row before and after, secrets left out; tied to audit.events by the transaction.'),
            ('table', 'audit.login_attempts', 'Every attempt to sign in and its outcome.'),
            ('table', 'audit.adoption_report', 'What had to be repaired in a database that was built before.'),
            ('function', 'agents.create_partition(text, text, date)', 'Makes one partition and moves rows into it that waited in the default one.'),
            ('function', 'agents.partition_column(text)', 'The column by which a table''s partitions are told apart.'),
            ('function', 'users.context_mac(text)', 'The seal of a tenant context: an HMAC over its claims, the backend and the transaction''s start.'),
            ('function', 'users.create_default_policy()', 'Trigger: a new tenant gets a password policy with the documented defaults.'),
            ('function', 'users.find_caller(text, bytea, uuid, timestamp with time zone)', 'Who holds a proof and what they may do in a tenant; no row when anything of it has ended.'),
            ('function', 'users.handle_failed_login(text)', 'Documented: counts a failed sign-in and locks the account at the policy''s limit.'),
            ('function', 'users.handle_successful_login(text)', 'Documented: resets the count and the lock after a sign-in.'),
            ('function', 'users.keep_home_membership()', 'Trigger: everybody is a member of their home tenant by their own role.'),
            ('function', 'users.role_rank(text)', 'Orders the roles: 1 for the least; null for an unknown one.'),
            ('function', 'users.rotate_context_key()', 'Replaces the key that seals tenant contexts. Open transactions lose theirs.'),
            ('function', 'users.tenant_default()', 'The tenant of a row that names none: that of the open context, else the default one.'),
            ('function', 'users.time_ordered_uuid()', 'A UUID of version 7 (RFC 9562), ordered by time.'),
            ('function', 'users.touch_updated_at()', 'Trigger: keeps updated_at.'),
            ('function', 'users.validate_password_strength(text, integer, boolean, boolean, boolean, boolean)',
                'Documented: whether a password meets length and character rules. Null is weak.'),
            ('function', 'users.verified_claims()', 'The claims of the open context when its seal holds, else null.'),
            ('function', 'audit.record_row_change()', 'Trigger: records a row before and after. Arguments: the key column, then columns to leave out.'),
            ('function', 'audit.refuse_change()', 'Trigger: refuses to change or remove audit records.')
        ) as d (kind, name, words)
    loop
        if described.kind = 'schema' and obj_description(to_regnamespace(described.name), 'pg_namespace') is null then
            execute format('comment on schema %I is %L', described.name, described.words);
        elsif described.kind = 'table' and obj_description(to_regclass(described.name), 'pg_class') is null
            and to_regclass(described.name) is not null
        then
            execute format('comment on table %s is %L', described.name, described.words);
        elsif described.kind = 'function' and obj_description(to_regprocedure(described.name), 'pg_proc') is null
            and to_regprocedure(described.name) is not null
        then
            -- Each function is described by its owner.
            execute format('set local role %I', (select pg_get_userbyid(p.proowner) from pg_proc p where p.oid = to_regprocedure(described.name)));
            execute format('comment on function %s is %L', described.name, described.words);
            set local role sg_owner;
        end if;
    end loop;
end
$$;

-- The rules for passwords are the tenant's: who sees a part of it only does not change them. Last, since it locks what every sign-in reads.
create policy tenant_scope_only on users.password_policies as restrictive for update to sg_app
    using ((select users.current_scope()) = 'tenant');
