//! What holds for every object of the product, as queries that name whatever breaks a rule; and the proof that each of them does.

use sg_testkit::TestDb;
use sqlx::PgConnection;

use crate::support::*;

/// A rule: its query yields the names of the objects that break it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rule(&'static str);

impl Rule {
    /// The objects that break the rule.
    pub(crate) async fn violations(self, conn: &mut PgConnection) -> Result<Vec<String>, sqlx::Error> {
        let own = "pg_get_userbyid(n.nspowner) = 'sg_owner'";
        texts(conn, self.0.replace("{OWN}", own)).await
    }
}

/// Tables without a tenant.
pub(crate) const TENANT: Rule = Rule(
    "select c.oid::regclass::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where {OWN} and c.relkind in ('r', 'p', 'f') and not exists (
        select 1 from pg_attribute a where a.attrelid = c.oid and a.attname = 'tenant_id' and a.attnotnull) order by 1",
);

/// Tables whose rows belong to tenants, without forced row security; partitions too.
pub(crate) const FORCED: Rule = Rule(
    "select c.oid::regclass::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
     join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id'
     where {OWN} and c.relkind in ('r', 'p') and not (c.relrowsecurity and c.relforcerowsecurity) order by 1",
);

/// Policies that open a table in another way than every table is opened.
pub(crate) const POLICIES: Rule = Rule(
    "select c.oid::regclass::text || '.' || p.polname
     from pg_policy p join pg_class c on c.oid = p.polrelid join pg_namespace n on n.oid = c.relnamespace
     where {OWN} and p.polpermissive and not (
        (p.polname = 'tenant_isolation' and p.polroles = array['sg_app'::regrole::oid])
        or (p.polname = 'own_rows' and p.polroles = array['sg_app_own'::regrole::oid])
        or (p.polname = 'system_access' and p.polroles = array['sg_system'::regrole::oid])
        or (p.polname = 'admin_access' and p.polroles = array['sg_admin'::regrole::oid])
        or (p.polname = 'backup_access' and p.polroles = array['sg_backup'::regrole::oid] and p.polcmd = 'r')
        or (p.polname = 'auth_access' and p.polroles = array['sg_auth'::regrole::oid])) order by 1",
);

/// Tables whose rows belong to tenants, without the policy that shows requests their own.
pub(crate) const ISOLATED: Rule = Rule(
    "select c.oid::regclass::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
     join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id'
     where {OWN} and c.relkind in ('r', 'p') and not c.relispartition and not exists (
        select 1 from pg_policy p where p.polrelid = c.oid and p.polname = 'tenant_isolation' and p.polcmd = '*'
            and p.polroles = array['sg_app'::regrole::oid]
            and pg_get_expr(p.polwithcheck, p.polrelid) = '(tenant_id = ( SELECT users.whole_tenant() AS whole_tenant))'
            and pg_get_expr(p.polqual, p.polrelid) = pg_get_expr(p.polwithcheck, p.polrelid)) order by 1",
);

/// Policies for who sees their own that do not ask for the tenant first, or check something else than they show.
pub(crate) const OWN_ROWS: Rule = Rule(
    "select c.oid::regclass::text from pg_policy p join pg_class c on c.oid = p.polrelid join pg_namespace n on n.oid = c.relnamespace
     where {OWN} and p.polname = 'own_rows' and not (
        pg_get_expr(p.polwithcheck, p.polrelid) like '%(tenant_id = ( SELECT users.current_tenant() AS current_tenant))%'
        and pg_get_expr(p.polwithcheck, p.polrelid) not like '% OR %'
        and pg_get_expr(p.polqual, p.polrelid) is not distinct from case p.polcmd when '*' then pg_get_expr(p.polwithcheck, p.polrelid) end)
     order by 1",
);

/// Tables of which who sees their own is shown all that the tenant has.
pub(crate) const SHARED: Rule = Rule(
    "select c.oid::regclass::text from pg_policy p join pg_class c on c.oid = p.polrelid join pg_namespace n on n.oid = c.relnamespace
     where {OWN} and p.polname = 'own_rows' and pg_get_expr(p.polqual, p.polrelid) not like '%current_user_id()%'
        and pg_get_expr(p.polqual, p.polrelid) not like '%own_endpoints()%' and pg_get_expr(p.polqual, p.polrelid) not like '%IN ( SELECT %'
     order by 1",
);

/// Restrictions of one of the two roles of requests alone.
pub(crate) const RESTRICTED_BOTH: Rule = Rule(
    "select c.oid::regclass::text || '.' || p.polname
     from pg_policy p join pg_class c on c.oid = p.polrelid join pg_namespace n on n.oid = c.relnamespace
     where {OWN} and not p.polpermissive
        and 2 <> (select count(*) from unnest(p.polroles) r where r in ('sg_app'::regrole, 'sg_app_own'::regrole)) order by 1",
);

/// What one of the two roles of requests was granted and the other was not.
pub(crate) const SAME_GRANTS: Rule = Rule(
    "select h.object from (
        select 'schema ' || n.nspname as object, g.privilege_type, g.grantee from pg_namespace n cross join lateral aclexplode(n.nspacl) g where {OWN}
        union all
        select c.oid::regclass::text, g.privilege_type, g.grantee
        from pg_class c join pg_namespace n on n.oid = c.relnamespace cross join lateral aclexplode(c.relacl) g where {OWN}
        union all
        select c.oid::regclass || '.' || a.attname, g.privilege_type, g.grantee
        from pg_attribute a join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace
        cross join lateral aclexplode(a.attacl) g where {OWN} and not a.attisdropped
        union all
        select p.oid::regprocedure::text, g.privilege_type, g.grantee
        from pg_proc p join pg_namespace n on n.oid = p.pronamespace cross join lateral aclexplode(p.proacl) g where {OWN}) h
     where h.grantee in ('sg_app'::regrole, 'sg_app_own'::regrole)
     group by h.object, h.privilege_type having count(distinct h.grantee) = 1 order by 1",
);

/// Tables whose rows belong to tenants, without an index that finds a tenant's.
pub(crate) const TENANT_INDEX: Rule = Rule(
    "select c.oid::regclass::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
     join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id'
     where {OWN} and c.relkind in ('r', 'p') and not c.relispartition and not exists (
        select 1 from pg_index i where i.indrelid = c.oid and i.indkey[0] = a.attnum) order by 1",
);

/// Partitions that somebody may reach past their parent.
pub(crate) const PARTITIONS: Rule = Rule(
    "select distinct c.oid::regclass::text || ' to ' || case x.grantee when 0 then 'public' else pg_get_userbyid(x.grantee) end
     from pg_class c join pg_namespace n on n.oid = c.relnamespace
     cross join lateral (
        select g.grantee from aclexplode(c.relacl) g
        union all
        select g.grantee from pg_attribute a cross join lateral aclexplode(a.attacl) g where a.attrelid = c.oid) x
     where {OWN} and c.relispartition and c.relkind in ('r', 'p')
        and (x.grantee = 0 or pg_get_userbyid(x.grantee) not in ('sg_owner', 'sg_backup')) order by 1",
);

/// Views that show what their owner sees, and copies that no policy guards.
pub(crate) const VIEWS: Rule = Rule(
    "select c.oid::regclass::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where {OWN} and (c.relkind in ('m', 'f') or (c.relkind = 'v' and not exists (
        select 1 from pg_options_to_table(c.reloptions) o where o.option_name = 'security_invoker' and o.option_value in ('true', 'on', '1', 'yes'))))
     order by 1",
);

/// Functions that run with their owner's rights.
pub(crate) const DEFINERS: Rule = Rule(
    "select format('%s.%s', n.nspname, p.proname) from pg_proc p join pg_namespace n on n.oid = p.pronamespace
     where p.prosecdef and n.nspname not in ('pg_catalog', 'information_schema') order by 1",
);

/// Functions with a loose search path, open to everybody, or of another owner.
pub(crate) const FUNCTIONS: Rule = Rule(
    "select p.oid::regprocedure::text from pg_proc p join pg_namespace n on n.oid = p.pronamespace
     where {OWN} and (
        not coalesce(p.proconfig @> array['search_path=pg_catalog, pg_temp'], false) and (p.prosqlbody is null or p.prosecdef)
        or p.proacl is null
        or exists (select 1 from aclexplode(p.proacl) x where x.grantee = 0)
        or pg_get_userbyid(p.proowner) not in ('sg_owner', 'sg_auth')) order by 1",
);

/// Foreign keys that no index serves.
pub(crate) const KEYS_INDEXED: Rule = Rule(
    "select c.conrelid::regclass || '.' || c.conname from pg_constraint c join pg_class t on t.oid = c.conrelid
     join pg_namespace n on n.oid = t.relnamespace
     where {OWN} and c.contype = 'f' and not t.relispartition
        -- Tenants are never deleted and their ids never change: nothing looks from a tenant to its rows by this key.
        and not (c.confrelid = 'users.tenants'::regclass and cardinality(c.conkey) = 1)
        and not exists (
            select 1 from pg_index i where i.indrelid = c.conrelid
                -- The leading columns of the index are those of the key, in any order.
                and (select array_agg(k order by k) from unnest((i.indkey::smallint[])[0:cardinality(c.conkey) - 1]) k)
                    = (select array_agg(k order by k) from unnest(c.conkey) k)) order by 1",
);

/// Foreign keys to tables of tenants that do not carry the tenant: their checks ignore row security.
pub(crate) const KEYS_CARRY_TENANT: Rule = Rule(
    "select c.conrelid::regclass || '.' || c.conname from pg_constraint c join pg_class t on t.oid = c.conrelid
     join pg_namespace n on n.oid = t.relnamespace
     where {OWN} and c.contype = 'f' and not t.relispartition
        and exists (select 1 from pg_attribute a where a.attrelid = c.confrelid and a.attname = 'tenant_id')
        and not exists (select 1 from unnest(c.conkey) k join pg_attribute a on a.attrelid = c.conrelid and a.attnum = k
            where a.attname = 'tenant_id') order by 1",
);

/// Foreign keys whose `set null` names no column, and would null the tenant.
pub(crate) const KEYS_KEEP_TENANT: Rule = Rule(
    "select c.conname::text from pg_constraint c where c.contype = 'f' and c.confdeltype = 'n' and cardinality(c.conkey) > 1
        and c.confdelsetcols is null order by 1",
);

/// What everybody may do, whoever they are.
pub(crate) const PUBLIC: Rule = Rule(
    "select 'relation ' || c.oid::regclass from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where {OWN} and (exists (select 1 from aclexplode(c.relacl) x where x.grantee = 0)
        or exists (select 1 from pg_attribute a cross join lateral aclexplode(a.attacl) x where a.attrelid = c.oid and x.grantee = 0))
     union all
     select 'schema ' || n.nspname from pg_namespace n cross join lateral aclexplode(n.nspacl) x where {OWN} and x.grantee = 0
     order by 1",
);

/// Objects of the product's owner outside of its schemas, where no rule looks.
pub(crate) const OUTSIDE: Rule = Rule(
    "select c.oid::regclass::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where not {OWN} and n.nspname !~ '^pg_toast' and pg_get_userbyid(c.relowner) in ('sg_owner', 'sg_auth') and c.relkind <> 'i'
        and c.relname not in ('_sqlx_migrations', 'schema_steps')
     union all
     select p.oid::regprocedure::text from pg_proc p join pg_namespace n on n.oid = p.pronamespace
     where not {OWN} and pg_get_userbyid(p.proowner) in ('sg_owner', 'sg_auth') order by 1",
);

/// Tables, functions and views that do not say what they are for; the reference is made of what they say.
pub(crate) const COMMENTS: Rule = Rule(
    "select c.oid::regclass::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where {OWN} and c.relkind in ('r', 'p', 'v', 'm', 'f') and not c.relispartition and obj_description(c.oid, 'pg_class') is null
     union all
     select p.oid::regprocedure::text from pg_proc p join pg_namespace n on n.oid = p.pronamespace
     where {OWN} and obj_description(p.oid, 'pg_proc') is null
     union all
     select 'schema ' || n.nspname from pg_namespace n where {OWN} and obj_description(n.oid, 'pg_namespace') is null order by 1",
);

/// Tables of tenants that the tests' seeds leave empty for one of the two: no test would notice a leak there.
pub(crate) async fn unseeded_tables(conn: &mut PgConnection) -> anyhow::Result<Vec<String>> {
    let tables = texts(
        conn,
        "select c.oid::regclass::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
         join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id' and not a.attisdropped
         where pg_get_userbyid(n.nspowner) = 'sg_owner' and c.relkind in ('r', 'p') and not c.relispartition order by 1",
    )
    .await?;
    let mut unseeded = Vec::new();
    for table in tables {
        for tenant in [TENANT_A, TENANT_B] {
            let rows = format!("select count(*) from {table} where tenant_id = '{tenant}'");
            if count(conn, rows).await? == 0 {
                unseeded.push(format!("{table} of {tenant}"));
            }
        }
    }
    Ok(unseeded)
}

/// A rule, an object that breaks it, and the name by which the rule has to report it.
const BROKEN: &[(Rule, &str, &str)] = &[
    (TENANT, "create table users.bad (tenant_id uuid)", "users.bad"),
    (FORCED, "create table users.bad (tenant_id uuid not null); alter table users.bad enable row level security", "users.bad"),
    (
        FORCED,
        "create table agents.events_bad partition of agents.events_class_30 for values from ('2999-01-01') to ('2999-01-02')",
        "agents.events_bad",
    ),
    (
        POLICIES,
        "create policy more on threats.incidents for select to sg_app using (true)",
        "threats.incidents.more",
    ),
    (
        POLICIES,
        "create table users.bad (tenant_id uuid not null); create policy system_access on users.bad using (true)",
        "users.bad.system_access",
    ),
    (ISOLATED, "create table users.bad (tenant_id uuid not null)", "users.bad"),
    (
        ISOLATED,
        "create table users.bad (tenant_id uuid not null);
         create policy tenant_isolation on users.bad to sg_app using (tenant_id = (select users.whole_tenant())) with check (true)",
        "users.bad",
    ),
    (
        OWN_ROWS,
        "drop policy own_rows on agents.endpoints;
         create policy own_rows on agents.endpoints to sg_app_own using (user_id = (select users.current_user_id()))",
        "agents.endpoints",
    ),
    (
        OWN_ROWS,
        "alter policy own_rows on agents.endpoints with check (tenant_id = (select users.current_tenant()))",
        "agents.endpoints",
    ),
    (
        SHARED,
        "alter policy own_rows on agents.endpoints using (tenant_id = (select users.current_tenant()))",
        "agents.endpoints",
    ),
    (
        RESTRICTED_BOTH,
        "create policy narrow on users.users as restrictive for select to sg_app using (true)",
        "users.users.narrow",
    ),
    (SAME_GRANTS, "grant select (look_at) on agents.deadlines to sg_app", "agents.deadlines.look_at"),
    (SAME_GRANTS, "grant delete on users.users to sg_app_own", "users.users"),
    (
        TENANT_INDEX,
        "create table users.bad (tenant_id uuid not null, id uuid); create index on users.bad (id, tenant_id)",
        "users.bad",
    ),
    (PARTITIONS, "grant select on agents.events_class_30_default to sg_app", "agents.events_class_30_default to sg_app"),
    (PARTITIONS, "grant update (detail) on agents.events_class_30_default to public", "agents.events_class_30_default to public"),
    (VIEWS, "create view users.bad as select 1 as one", "users.bad"),
    (VIEWS, "create view users.bad with (security_invoker = false) as select 1 as one", "users.bad"),
    (VIEWS, "create materialized view users.bad as select 1 as one", "users.bad"),
    (
        DEFINERS,
        "create function users.bad() returns int language sql security definer set search_path = pg_catalog, pg_temp as 'select 1'",
        "users.bad",
    ),
    (FUNCTIONS, "create function users.bad() returns int language sql as 'select 1'", "users.bad()"),
    (
        FUNCTIONS,
        "create function users.bad() returns int language sql set search_path = users as 'select 1'",
        "users.bad()",
    ),
    (
        FUNCTIONS,
        "create function users.bad() returns int language sql security definer return 1",
        "users.bad()",
    ),
    (
        FUNCTIONS,
        "create function users.bad() returns int language sql set search_path = pg_catalog, pg_temp as 'select 1';
         grant execute on function users.bad() to public",
        "users.bad()",
    ),
    (
        KEYS_INDEXED,
        "create table users.bad (tenant_id uuid not null, user_id uuid,
            constraint bad_key foreign key (tenant_id, user_id) references users.users (tenant_id, user_id))",
        "users.bad.bad_key",
    ),
    (
        KEYS_CARRY_TENANT,
        "create table users.bad (tenant_id uuid not null, user_id uuid constraint bad_key references users.users)",
        "users.bad.bad_key",
    ),
    (
        KEYS_KEEP_TENANT,
        "create table users.bad (tenant_id uuid not null, user_id uuid,
            constraint bad_key foreign key (tenant_id, user_id) references users.users (tenant_id, user_id) on delete set null)",
        "bad_key",
    ),
    (PUBLIC, "grant select on users.tenants to public", "relation users.tenants"),
    (PUBLIC, "grant select (name) on users.tenants to public", "relation users.tenants"),
    (PUBLIC, "grant usage on schema users to public", "schema users"),
    (OUTSIDE, "create table public.bad (a int)", "bad"),
    (OUTSIDE, "create function public.bad() returns int language sql as 'select 1'", "bad()"),
    (COMMENTS, "create table users.bad (a int)", "users.bad"),
    (COMMENTS, "create function users.bad() returns int language sql as 'select 1'", "users.bad()"),
    (
        COMMENTS,
        "reset role; create schema bad authorization sg_owner",
        "schema bad",
    ),
];

#[tokio::test]
async fn each_rule_names_what_breaks_it() -> anyhow::Result<()> {
    let test = TestDb::new().await?;
    let mut root = test.connect("postgres").await?;
    // Where no superuser has migrated, nothing else stops a loose function.
    run(&mut root, "drop event trigger sg_refuse_loose_function").await?;
    for (rule, statement, name) in BROKEN {
        let before = rule.violations(&mut root).await?;
        assert!(
            !before.contains(&(*name).to_owned()),
            "{name} is named before: {before:?}"
        );
        run(
            &mut root,
            format!("begin; set local role sg_owner; {statement}; reset role"),
        )
        .await?;
        let with = rule.violations(&mut root).await?;
        assert!(
            with.contains(&(*name).to_owned()),
            "not named: {statement}\n{with:?}"
        );
        run(&mut root, "rollback").await?;
        assert_eq!(rule.violations(&mut root).await?, before, "after the rollback");
    }
    Ok(())
}

#[tokio::test]
async fn a_table_that_the_seeds_forget_is_named() -> anyhow::Result<()> {
    let test = two_tenants().await?;
    let mut root = test.connect("postgres").await?;
    assert_eq!(unseeded_tables(&mut root).await?, Vec::<String>::new());
    run(
        &mut root,
        format!(
            "create table users.forgotten (tenant_id uuid not null); alter table users.forgotten owner to sg_owner;
             insert into users.forgotten values ('{TENANT_A}')"
        ),
    )
    .await?;
    assert_eq!(
        unseeded_tables(&mut root).await?,
        [format!("users.forgotten of {TENANT_B}")]
    );
    Ok(())
}
