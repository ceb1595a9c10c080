//! Rules that hold for every object of the schema, also for those that come later.

use sg_testkit::TestDb;

use crate::support::*;

/// Tables of the product without a tenant: what belongs to the installation. No request reads them.
const WITHOUT_TENANT: &[&str] = &[
    "agents.partition_schemes",
    "audit.adoption_report",
    "threats.rule_packages",
    "users.context_keys",
];

/// Functions that run with their owner's rights, who may call them, and why they need to.
const DEFINER_FUNCTIONS: &[(&str, &[&str], &str)] = &[
    (
        "agents.drop_expired_partitions",
        &["sg_system"],
        "only the owner drops a partition",
    ),
    (
        "agents.ensure_partitions",
        &["sg_system"],
        "only the owner makes a partition",
    ),
    (
        "audit.record_row_change",
        &[],
        "a trigger that writes what its statement's role may not",
    ),
    (
        "users.authenticate",
        &["sg_app", "sg_system"],
        "looks up a proof before a tenant is known",
    ),
    (
        "users.begin_login_attempt",
        &["sg_system"],
        "counts before a tenant is known",
    ),
    (
        "users.complete_login",
        &["sg_system"],
        "resets before a tenant is known",
    ),
    ("users.context_mac", &[], "reads the key"),
    ("users.create_default_policy", &[], "a trigger"),
    (
        "users.current_member_role",
        &["sg_admin", "sg_app", "sg_system"],
        "verifies the seal",
    ),
    (
        "users.current_scope",
        &["sg_admin", "sg_app", "sg_system"],
        "verifies the seal",
    ),
    (
        "users.current_tenant",
        &["sg_admin", "sg_app", "sg_system"],
        "verifies the seal",
    ),
    (
        "users.current_user_id",
        &["sg_admin", "sg_app", "sg_system"],
        "verifies the seal",
    ),
    (
        "users.derive_tenant",
        &[],
        "a trigger that looks up the tenant of a reference",
    ),
    (
        "users.find_caller",
        &[],
        "looks up a proof before a tenant is known",
    ),
    (
        "users.handle_failed_login",
        &["sg_admin", "sg_system"],
        "documented; counts before a tenant is known",
    ),
    (
        "users.handle_successful_login",
        &["sg_admin", "sg_system"],
        "documented; resets before a tenant is known",
    ),
    ("users.keep_home_membership", &[], "a trigger"),
    (
        "users.list_own_tenants",
        &["sg_app"],
        "names the tenants of the context's own user",
    ),
    (
        "users.open_context",
        &["sg_admin", "sg_app"],
        "seals a context from proof",
    ),
    ("users.rotate_context_key", &[], "writes the key"),
    (
        "users.store_password",
        &["sg_system"],
        "writes a hash, which no other role may",
    ),
    ("users.verified_claims", &[], "verifies the seal"),
];

const OWN: &str = "n.nspname in ('users', 'agents', 'threats', 'audit')";

#[tokio::test]
async fn every_table_is_of_a_tenant_and_behind_forced_row_security() -> anyhow::Result<()> {
    let test = TestDb::new().await?;
    let mut root = test.connect("postgres").await?;
    let without = texts(
        &mut root,
        format!(
            "select c.oid::regclass::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
             where {OWN} and c.relkind in ('r', 'p') and not exists (
                select 1 from pg_attribute a where a.attrelid = c.oid and a.attname = 'tenant_id' and a.attnotnull) order by 1"
        ),
    )
    .await?;
    assert_eq!(without, WITHOUT_TENANT);
    for table in WITHOUT_TENANT {
        let grants =
            format!("select has_any_column_privilege('sg_app', '{table}', 'select, insert, update')::text");
        assert_eq!(
            text(&mut root, grants).await?.as_deref(),
            Some("false"),
            "{table}"
        );
    }
    let open = texts(
        &mut root,
        format!(
            "select c.oid::regclass::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
             join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id'
             where {OWN} and c.relkind in ('r', 'p') and not (c.relrowsecurity and c.relforcerowsecurity)"
        ),
    )
    .await?;
    assert_eq!(open, Vec::<String>::new(), "tables without forced row security");
    // A permissive policy of any other shape would open the table wider.
    let unusual = texts(
        &mut root,
        format!(
            "select c.oid::regclass::text || '.' || p.polname
             from pg_policy p join pg_class c on c.oid = p.polrelid join pg_namespace n on n.oid = c.relnamespace
             where {OWN} and p.polpermissive and p.polname not in ('tenant_isolation', 'system_access', 'admin_access', 'backup_access',
                'auth_access') order by 1"
        ),
    )
    .await?;
    assert_eq!(unusual, ["users.users.member_visibility"]);
    let isolated = texts(
        &mut root,
        format!(
            "select c.oid::regclass::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
             join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id'
             where {OWN} and c.relkind in ('r', 'p') and not c.relispartition and not exists (
                select 1 from pg_policy p where p.polrelid = c.oid and p.polname = 'tenant_isolation' and p.polcmd = '*'
                    and p.polroles = array['sg_app'::regrole::oid]
                    and pg_get_expr(p.polqual, p.polrelid) like '(tenant_id = ( SELECT users.current_tenant() AS current_tenant))'
                    and pg_get_expr(p.polwithcheck, p.polrelid) = pg_get_expr(p.polqual, p.polrelid))"
        ),
    )
    .await?;
    assert_eq!(
        isolated,
        Vec::<String>::new(),
        "tables without the tenant's policy"
    );
    Ok(())
}

#[tokio::test]
async fn every_definer_function_is_pinned_and_granted_by_name() -> anyhow::Result<()> {
    let test = TestDb::new().await?;
    let mut root = test.connect("postgres").await?;
    let functions = texts(
        &mut root,
        "select format('%s.%s', n.nspname, p.proname) from pg_proc p join pg_namespace n on n.oid = p.pronamespace
         where p.prosecdef and n.nspname not in ('pg_catalog', 'information_schema') order by 1",
    )
    .await?;
    let listed: Vec<_> = DEFINER_FUNCTIONS.iter().map(|(name, _, _)| *name).collect();
    assert_eq!(functions, listed);
    for (name, callers, reason) in DEFINER_FUNCTIONS {
        assert!(!reason.is_empty(), "{name}");
        let actual = texts(
            &mut root,
            format!(
                "select r.rolname::text from pg_roles r, pg_proc p where p.oid = '{name}'::regproc
                    and r.rolname in ('sg_app', 'sg_system', 'sg_admin', 'sg_backup', 'sg_monitor')
                    and has_function_privilege(r.oid, p.oid, 'execute') order by 1"
            ),
        )
        .await?;
        assert_eq!(actual, *callers, "who may call {name}");
    }
    let loose = texts(
        &mut root,
        format!(
            "select p.oid::regprocedure::text from pg_proc p join pg_namespace n on n.oid = p.pronamespace
             where {OWN} and (
                not coalesce(p.proconfig @> array['search_path=pg_catalog, pg_temp'], false)
                or p.proacl is null
                or exists (select 1 from aclexplode(p.proacl) x where x.grantee = 0)
                or pg_get_userbyid(p.proowner) not in ('sg_owner', 'sg_auth'))"
        ),
    )
    .await?;
    assert_eq!(
        loose,
        Vec::<String>::new(),
        "functions with a loose search path, open to everybody, or of another owner"
    );
    // What a later migration makes is closed too.
    run(
        &mut root,
        "set role sg_owner; create function users.later() returns int language sql as 'select 1'; reset role",
    )
    .await?;
    assert_eq!(
        text(
            &mut root,
            "select has_function_privilege('sg_app', 'users.later()', 'execute')::text"
        )
        .await?
        .as_deref(),
        Some("false")
    );
    Ok(())
}

#[tokio::test]
async fn every_foreign_key_is_indexed_and_carries_the_tenant() -> anyhow::Result<()> {
    let test = TestDb::new().await?;
    let mut root = test.connect("postgres").await?;
    let bare = texts(
        &mut root,
        format!(
            "select c.conrelid::regclass || '.' || c.conname from pg_constraint c join pg_class t on t.oid = c.conrelid
             join pg_namespace n on n.oid = t.relnamespace
             where {OWN} and c.contype = 'f' and not t.relispartition and not exists (
                select 1 from pg_index i where i.indrelid = c.conrelid
                    -- The leading columns of the index are those of the key, in any order.
                    and (select array_agg(k order by k) from unnest((i.indkey::smallint[])[0:cardinality(c.conkey) - 1]) k)
                        = (select array_agg(k order by k) from unnest(c.conkey) k)) order by 1"
        ),
    )
    .await?;
    // Tenants are never deleted and their ids never change: nothing looks from a tenant to its rows by this key.
    let unindexed: Vec<_> = bare
        .iter()
        .filter(|name| !name.ends_with("_tenant_id_fkey"))
        .collect();
    assert!(
        unindexed.is_empty(),
        "foreign keys without an index: {unindexed:?}"
    );
    let without_tenant = texts(
        &mut root,
        format!(
            "select c.conrelid::regclass || '.' || c.conname from pg_constraint c join pg_class t on t.oid = c.conrelid
             join pg_namespace n on n.oid = t.relnamespace
             where {OWN} and c.contype = 'f' and not t.relispartition
                and exists (select 1 from pg_attribute a where a.attrelid = c.confrelid and a.attname = 'tenant_id')
                and not exists (select 1 from unnest(c.conkey) k join pg_attribute a on a.attrelid = c.conrelid and a.attnum = k
                    where a.attname = 'tenant_id') order by 1"
        ),
    )
    .await?;
    // A membership is what says in which other tenants a user may be; it cannot carry the user's home. An occurrence is reached through its
    // finding only, and is written by ingest alone.
    assert_eq!(
        without_tenant,
        [
            "threats.occurrences.occurrences_finding_id_fkey",
            "users.memberships.memberships_granted_by_fkey",
            "users.memberships.memberships_user_id_fkey"
        ]
    );
    // `set null` must name its column, or it would null the tenant.
    let nulls_tenant = texts(
        &mut root,
        "select c.conname::text from pg_constraint c where c.contype = 'f' and c.confdeltype = 'n' and cardinality(c.conkey) > 1
            and c.confdelsetcols is null",
    )
    .await?;
    assert_eq!(nulls_tenant, Vec::<String>::new());
    Ok(())
}

#[tokio::test]
async fn the_roles_have_no_more_than_they_need() -> anyhow::Result<()> {
    let test = TestDb::new().await?;
    let mut root = test.connect("postgres").await?;
    let strong = texts(
        &mut root,
        "select rolname::text from pg_roles where rolname like 'sg\\_%'
            and (rolsuper or rolbypassrls or rolcreaterole or rolcreatedb or rolreplication or rolinherit)",
    )
    .await?;
    assert_eq!(strong, Vec::<String>::new());
    assert_eq!(
        texts(
            &mut root,
            "select m.member::regrole || ' in ' || m.roleid::regrole from pg_auth_members m
             where m.member::regrole::text like 'sg\\_%' order by 1"
        )
        .await?,
        [
            "sg_admin in sg_app",
            "sg_monitor in pg_monitor",
            "sg_owner in sg_auth"
        ]
    );
    for check in test.db.check_roles().await? {
        assert_eq!(check.problem, None, "{}", check.role);
    }
    // No table gives sg_app all of its columns where one of them is secret.
    let secrets = texts(
        &mut root,
        format!(
            "select c.oid::regclass || '.' || a.attname from pg_class c join pg_namespace n on n.oid = c.relnamespace
             join pg_attribute a on a.attrelid = c.oid and a.attname in ('password_hash', 'password_history', 'key_hash', 'token_hash',
                'inner_pad', 'outer_pad')
             where {OWN} and has_column_privilege('sg_app', c.oid, a.attnum, 'select')"
        ),
    )
    .await?;
    assert_eq!(secrets, Vec::<String>::new());
    Ok(())
}
