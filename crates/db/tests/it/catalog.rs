//! Rules that hold for every object of the schema, also for those that come later.

use sg_testkit::TestDb;

use crate::{rules, support::*};

/// Tables of the product without a tenant: what belongs to the installation. No request reads them.
const WITHOUT_TENANT: &[&str] = &[
    "agents.liveness_watch",
    "agents.partition_schemes",
    "agents.rollup_backfill",
    "audit.adoption_report",
    "threats.rule_packages",
    "users.context_keys",
    "users.permissions",
    "users.plans",
    "users.rate_limit_defaults",
];

/// Functions that run with their owner's rights, who may call them, and why they need to.
const DEFINER_FUNCTIONS: &[(&str, &[&str], &str)] = &[
    (
        "agents.begin_heartbeat",
        &[],
        "a trigger that writes what its statement's role may not",
    ),
    (
        "agents.drop_expired_partitions",
        &["sg_system"],
        "only the owner drops a partition",
    ),
    (
        "agents.ensure_partition_of",
        &["sg_system"],
        "only the owner makes a partition",
    ),
    (
        "agents.ensure_partitions",
        &["sg_system"],
        "only the owner makes a partition",
    ),
    (
        "agents.own_endpoints",
        &["sg_app", "sg_app_own"],
        "reads the caller's endpoints past the policy that asks it",
    ),
    (
        "audit.drop_partition",
        &["sg_system"],
        "only the owner drops a partition",
    ),
    (
        "audit.erase_rows",
        &["sg_system"],
        "removes what is append-only for everybody else",
    ),
    (
        "audit.record_row_change",
        &[],
        "a trigger that writes what its statement's role may not",
    ),
    (
        "audit.seal_chain_record",
        &[],
        "a trigger that queues what nobody may queue by hand",
    ),
    (
        "audit.seal_event",
        &[],
        "a trigger that queues what nobody may queue by hand",
    ),
    (
        "audit.seal_login_attempt",
        &[],
        "a trigger that queues what nobody may queue by hand",
    ),
    (
        "audit.seal_row_change",
        &[],
        "a trigger that queues what nobody may queue by hand",
    ),
    (
        "monitoring.analyze_table",
        &["sg_system"],
        "only a table's owner renews its statistics",
    ),
    (
        "monitoring.create_default_rules",
        &[],
        "writes the rules of a tenant that nobody works in yet",
    ),
    ("monitoring.create_default_rules_of_tenant", &[], "a trigger"),
    (
        "monitoring.list_sessions",
        &["sg_system"],
        "reads what other roles' sessions are",
    ),
    (
        "monitoring.list_standbys",
        &["sg_system"],
        "only who may read all statistics sees how far a standby is",
    ),
    (
        "monitoring.note_schema_change",
        &[],
        "an event trigger that writes what its statement's role may not",
    ),
    (
        "monitoring.notify_of_reopening",
        &[],
        "a trigger on what its statement's role may not write",
    ),
    (
        "users.apply_retention",
        &[],
        "a trigger on what its statement's role may not write",
    ),
    (
        "users.authenticate",
        &["sg_app", "sg_app_own", "sg_system"],
        "looks up a proof before a tenant is known",
    ),
    (
        "users.begin_login_attempt",
        &["sg_system"],
        "counts before a tenant is known",
    ),
    (
        "users.check_subscription",
        &[],
        "counts every row of the tenant for the trigger",
    ),
    (
        "users.complete_login",
        &["sg_system"],
        "resets before a tenant is known",
    ),
    ("users.context_mac", &[], "reads the key"),
    ("users.create_default_policy", &[], "a trigger"),
    ("users.create_default_subscription", &[], "a trigger"),
    ("users.create_documented_roles", &[], "a trigger"),
    (
        "users.derive_tenant",
        &[],
        "a trigger that looks up the tenant of a reference",
    ),
    (
        "users.enforce_subscription",
        &[],
        "a trigger that counts what its statement's role does not see",
    ),
    (
        "users.find_caller",
        &[],
        "looks up a proof before a tenant is known",
    ),
    (
        "users.find_grantee",
        &["sg_app", "sg_app_own"],
        "finds people of other homes, by the exact name, for who may give them access",
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
    (
        "users.home_role",
        &["sg_app", "sg_app_own"],
        "a policy on memberships asks about people whom the caller may not see",
    ),
    ("users.keep_home_membership", &[], "a trigger"),
    (
        "users.list_default_rate_limits",
        &["sg_app", "sg_app_own"],
        "limits of the installation, in a table without a tenant that requests do not read",
    ),
    (
        "users.list_guests",
        &["sg_app", "sg_app_own"],
        "reads memberships past the policy that asks it",
    ),
    (
        "users.list_own_tenants",
        &["sg_app", "sg_app_own"],
        "names the tenants of the context's own user",
    ),
    (
        "users.open_context",
        &["sg_admin", "sg_app", "sg_app_own"],
        "seals a context from proof",
    ),
    (
        "users.own_password_expiry",
        &["sg_app", "sg_app_own"],
        "reads the policy of the home tenant of the context's own user",
    ),
    (
        "users.own_subscription",
        &["sg_app", "sg_app_own"],
        "counts every row of the context's own tenant, plans included",
    ),
    (
        "users.record_plan_change",
        &[],
        "a trigger that writes what its statement's role may not",
    ),
    (
        "users.record_subscription",
        &[],
        "a trigger that writes what its statement's role may not",
    ),
    (
        "users.refuse_borrowed_name",
        &[],
        "a trigger that looks at the people of every tenant",
    ),
    ("users.rotate_context_key", &[], "writes the key"),
    (
        "users.spread_permission",
        &[],
        "a trigger that writes for every tenant",
    ),
    (
        "users.store_password",
        &["sg_system"],
        "writes a hash, which no other role may",
    ),
    (
        "users.subscription_of",
        &["sg_admin", "sg_system"],
        "counts every row of a tenant",
    ),
    (
        "users.verified_claims",
        &["sg_admin", "sg_app", "sg_app_own", "sg_system"],
        "verifies the seal",
    ),
];

const OWN: &str = "n.nspname in ('users', 'agents', 'threats', 'audit', 'monitoring')";

#[tokio::test]
async fn every_table_is_of_a_tenant_and_behind_forced_row_security() -> anyhow::Result<()> {
    let test = TestDb::new().await?;
    let mut root = test.connect("postgres").await?;
    let without = rules::TENANT.violations(&mut root).await?;
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
    let open = rules::FORCED.violations(&mut root).await?;
    assert_eq!(open, Vec::<String>::new(), "tables without forced row security");
    // A permissive policy of any other shape would open the table wider.
    let unusual = rules::POLICIES.violations(&mut root).await?;
    // The owner has to see what its drop of partitions must not take.
    assert_eq!(
        unusual,
        [
            "agents.legal_holds.owner_access",
            "users.users.member_visibility",
            "users.users.own_visibility"
        ]
    );
    let isolated = rules::ISOLATED.violations(&mut root).await?;
    assert_eq!(
        isolated,
        Vec::<String>::new(),
        "tables without the tenant's policy"
    );
    Ok(())
}

#[tokio::test]
async fn who_sees_their_own_works_in_a_role_that_shows_nothing_else() -> anyhow::Result<()> {
    let test = TestDb::new().await?;
    let mut root = test.connect("postgres").await?;
    for (rule, meaning) in [
        (rules::OWN_ROWS, "policies of another shape"),
        (
            rules::RESTRICTED_BOTH,
            "restrictions that one of the roles escapes",
        ),
        (rules::SAME_GRANTS, "grants of one role alone"),
    ] {
        assert_eq!(
            rule.violations(&mut root).await?,
            Vec::<String>::new(),
            "{meaning}"
        );
    }
    // The tenant's name, its rules, its roles and how long a password has to be are everybody's.
    assert_eq!(
        rules::SHARED.violations(&mut root).await?,
        [
            "threats.rule_sets",
            "threats.rule_versions",
            "threats.rules",
            "users.password_policies",
            "users.role_permissions",
            "users.roles",
            "users.tenants"
        ]
    );
    Ok(())
}

#[tokio::test]
async fn nothing_is_reached_past_the_policies() -> anyhow::Result<()> {
    let test = TestDb::new().await?;
    let mut root = test.connect("postgres").await?;
    // A queue that is empty within seconds, and would pay for an index with each write.
    assert_eq!(
        rules::TENANT_INDEX.violations(&mut root).await?,
        ["audit.unsealed"],
        "tables without an index that finds a tenant's rows"
    );
    for (rule, meaning) in [
        (rules::PARTITIONS, "partitions that are reached past their parent"),
        (rules::VIEWS, "views that show what their owner sees"),
        (rules::PUBLIC, "what everybody may do"),
        (rules::OUTSIDE, "objects outside of the product's schemas"),
        (rules::COMMENTS, "objects that do not say what they are for"),
    ] {
        assert_eq!(
            rule.violations(&mut root).await?,
            Vec::<String>::new(),
            "{meaning}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn every_definer_function_is_pinned_and_granted_by_name() -> anyhow::Result<()> {
    let test = TestDb::new().await?;
    let mut root = test.connect("postgres").await?;
    let functions = rules::DEFINERS.violations(&mut root).await?;
    let listed: Vec<_> = DEFINER_FUNCTIONS.iter().map(|(name, _, _)| *name).collect();
    assert_eq!(functions, listed);
    for (name, callers, reason) in DEFINER_FUNCTIONS {
        assert!(!reason.is_empty(), "{name}");
        let actual = texts(
            &mut root,
            format!(
                "select r.rolname::text from pg_roles r, pg_proc p where p.oid = '{name}'::regproc
                    and r.rolname in ('sg_app', 'sg_app_own', 'sg_system', 'sg_admin', 'sg_backup', 'sg_monitor')
                    and has_function_privilege(r.oid, p.oid, 'execute') order by 1"
            ),
        )
        .await?;
        assert_eq!(actual, *callers, "who may call {name}");
    }
    let loose = rules::FUNCTIONS.violations(&mut root).await?;
    assert_eq!(
        loose,
        Vec::<String>::new(),
        "functions with a loose search path, open to everybody, or of another owner"
    );
    // What a later migration makes is closed too.
    run(
        &mut root,
        "set role sg_owner;
         create function users.later() returns int language sql set search_path = pg_catalog, pg_temp as 'select 1'; reset role",
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
    let unindexed = rules::KEYS_INDEXED.violations(&mut root).await?;
    assert_eq!(unindexed, Vec::<String>::new(), "foreign keys without an index");
    let without_tenant = rules::KEYS_CARRY_TENANT.violations(&mut root).await?;
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
    let nulls_tenant = rules::KEYS_KEEP_TENANT.violations(&mut root).await?;
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
            and (rolsuper or rolbypassrls or rolcreaterole or rolcreatedb or rolreplication
                -- They have what pg_read_all_settings and pg_read_all_stats let them read, and are in no other role.
                or rolinherit and rolname not in ('sg_auth', 'sg_backup'))",
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
            "sg_app in sg_app_own",
            "sg_auth in pg_read_all_stats",
            "sg_backup in pg_read_all_settings",
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
             join pg_attribute a on a.attrelid = c.oid and a.attname in ('password_hash', 'password_history', 'key_hash', 'token_hash', 'code_hash', 'credential_id', 'public_key',
                'inner_pad', 'outer_pad', 'nonce', 'ciphertext')
             where {OWN} and has_column_privilege('sg_app', c.oid, a.attnum, 'select')"
        ),
    )
    .await?;
    assert_eq!(secrets, Vec::<String>::new());
    Ok(())
}
