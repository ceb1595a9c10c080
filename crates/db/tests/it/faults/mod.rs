//! The 31 faults of the document's printed SQL. Each probe runs against a database made of that SQL, where it has to show the fault, and against
//! ours, made from nothing and adopted, where it must not.

mod passwords;
mod rules;
mod sign_in;
mod tenants;
mod volume;

use sg_testkit::TestDb;
use sqlx::{Connection, PgConnection};

use crate::{migration::printed, seeds, support::*};

/// What a probe runs against.
struct Subject {
    test: TestDb,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Printed,
    New,
    Adopted,
}

impl Subject {
    async fn make(kind: Kind) -> anyhow::Result<Self> {
        let test = match kind {
            Kind::Printed => printed().await?,
            Kind::New => TestDb::new().await?,
            Kind::Adopted => {
                TestDb::copy_of("sg_adopted", async |test| {
                    let mut conn = test.connect("postgres").await?;
                    for part in PRINTED {
                        run(&mut conn, part).await?;
                    }
                    conn.close().await?;
                    test.migrate().await?;
                    Ok(())
                })
                .await?
            }
        };
        Ok(Self { test, kind })
    }

    fn is_printed(&self) -> bool {
        self.kind == Kind::Printed
    }

    /// Whoever administers at the prompt: the document names no role, so its owner does.
    async fn administrator(&self) -> anyhow::Result<PgConnection> {
        self.connect("sg_admin").await
    }

    /// The program that signs people in.
    async fn program(&self) -> anyhow::Result<PgConnection> {
        self.connect("sg_system").await
    }

    async fn connect(&self, role: &str) -> anyhow::Result<PgConnection> {
        self.test
            .connect(if self.is_printed() { "postgres" } else { role })
            .await
    }

    /// An administrator's connection to a database with one user and a policy by the documented defaults, which the printed SQL never makes.
    async fn with_user(&self, name: &str) -> anyhow::Result<PgConnection> {
        let mut conn = self.administrator().await?;
        if self.is_printed() {
            run(&mut conn, "insert into users.password_policies default values").await?;
        }
        add_user(&mut conn, name).await?;
        Ok(conn)
    }

    /// Two tenants, each with an administrator, an endpoint, a key and an incident.
    async fn with_two_tenants(&self) -> anyhow::Result<()> {
        let mut root = self.test.connect("postgres").await?;
        for letter in ["a", "b"] {
            let seed = seeds::Seed(letter);
            if self.is_printed() {
                let (t, admin, user, own, incident, key) = (
                    seed.id(0),
                    seed.id(1),
                    seed.id(2),
                    seed.id(11),
                    seed.id(21),
                    seed.id(51),
                );
                run(
                    &mut root,
                    format!(
                        "insert into users.users (user_id, username, email, password_hash, role, tenant_id) values
                            ({admin}, 'admin-{letter}', 'admin@{letter}.example', 'x', 'admin', {t}),
                            ({user}, 'user-{letter}', 'user@{letter}.example', 'x', 'user', {t});
                         insert into users.api_keys (key_id, user_id, key_hash, key_name, key_prefix)
                         values ({key}, {admin}, 'hash of {letter}', 'key of {letter}', 'sg_key');
                         insert into agents.endpoints (agent_id, tenant_id, user_id, hostname) values ({own}, {t}, {user}, 'own-{letter}');
                         insert into threats.incidents (threat_id, agent_id, threat_type, severity, title)
                         values ({incident}, {own}, 'malware', 'high', 'own incident of {letter}')"
                    ),
                )
                .await?;
            } else {
                for seed_of in seeds::ALL {
                    run(&mut root, seed_of(&seed)).await?;
                }
            }
        }
        if self.is_printed() {
            run(&mut root, CLAIMED_ROW_SECURITY).await?;
        }
        Ok(())
    }

    /// A transaction in which a request of tenant B's administrator runs.
    async fn as_tenant_b(&self) -> anyhow::Result<PgConnection> {
        let mut conn = self.test.connect("sg_app").await?;
        run(&mut conn, "begin").await?;
        if self.is_printed() {
            run(&mut conn, format!("set local app.tenant_id = '{TENANT_B}'")).await?;
        } else {
            run(&mut conn, open_context(ADMIN_B)).await?;
        }
        Ok(conn)
    }
}

/// The document says "row-level security for multi-tenant isolation" and prints none: this is what its columns allow, on the two tables that
/// name a tenant.
const CLAIMED_ROW_SECURITY: &str = "
    alter table users.users enable row level security, force row level security;
    alter table agents.endpoints enable row level security, force row level security;
    create policy tenant on users.users using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);
    create policy tenant on agents.endpoints using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);
    grant usage on schema users, agents, threats to sg_app, sg_admin;
    grant select, insert, update on all tables in schema users, agents, threats to sg_app, sg_admin;";

async fn add_user(conn: &mut PgConnection, name: &str) -> anyhow::Result<()> {
    let statement = format!(
        "insert into users.users (username, email, password_hash) values ('{name}', '{name}@example.org', 'hash of {name}')"
    );
    Ok(run(conn, statement).await?)
}

async fn add_endpoint(conn: &mut PgConnection, hostname: &str) -> anyhow::Result<()> {
    Ok(run(
        conn,
        format!("insert into agents.endpoints (hostname) values ('{hostname}')"),
    )
    .await?)
}

async fn fail(conn: &mut PgConnection, name: &str, times: usize) -> anyhow::Result<()> {
    for _ in 0..times {
        run(conn, format!("select users.handle_failed_login('{name}')")).await?;
    }
    Ok(())
}

async fn is(conn: &mut PgConnection, condition: impl AsRef<str>) -> anyhow::Result<bool> {
    let yes = text(conn, format!("select ({})::text", condition.as_ref())).await?;
    Ok(yes.as_deref() == Some("true"))
}

async fn is_locked(conn: &mut PgConnection, name: &str) -> anyhow::Result<bool> {
    is(
        conn,
        format!("select account_locked_until > now() from users.users where username = '{name}'"),
    )
    .await
}

/// Whether every one of the statements is accepted (the fault) or refused with one of the codes; anything between is an error.
async fn all_accepted(conn: &mut PgConnection, statements: &[&str], codes: &[&str]) -> anyhow::Result<bool> {
    let mut accepted = Vec::new();
    for statement in statements {
        run(conn, "begin").await?;
        let result = run(conn, *statement).await;
        run(conn, "rollback").await?;
        match result {
            Ok(()) => accepted.push(*statement),
            Err(sqlx::Error::Database(failure))
                if codes.contains(&failure.code().unwrap_or_default().as_ref()) => {}
            Err(other) => anyhow::bail!("{statement}: {other}"),
        }
    }
    one_answer(accepted.len(), statements.len())
        .map_err(|why| why.context(format!("accepted: {accepted:#?}")))
}

/// True when all of several signs show, false when none does.
fn one_answer(shown: usize, of: usize) -> anyhow::Result<bool> {
    anyhow::ensure!(shown == 0 || shown == of, "{shown} of {of} signs show");
    Ok(shown == of)
}

/// What `explain (analyze, wal)` counts for a statement, in bytes of write-ahead log.
async fn wal_bytes(conn: &mut PgConnection, statement: &str) -> anyhow::Result<i64> {
    let plan: serde_json::Value = sqlx::query_scalar(sqlx::AssertSqlSafe(format!(
        "explain (analyze, wal, timing off, format json) {statement}"
    )))
    .fetch_one(conn)
    .await?;
    plan[0]["Plan"]["WAL Bytes"]
        .as_i64()
        .ok_or_else(|| anyhow::anyhow!("no WAL figure in {plan}"))
}

async fn prove(number: u8, probe: impl AsyncFn(&Subject) -> anyhow::Result<bool>) -> anyhow::Result<()> {
    for kind in [Kind::Printed, Kind::New, Kind::Adopted] {
        let subject = Subject::make(kind).await?;
        let shows = probe(&subject)
            .await
            .map_err(|why| why.context(format!("fault {number}, {kind:?}")))?;
        assert_eq!(
            shows,
            kind == Kind::Printed,
            "fault {number} on the {kind:?} database: shown or not"
        );
    }
    Ok(())
}

macro_rules! faults {
    ($($number:literal $name:ident by $probe:path;)*) => {
        const NUMBERS: &[u8] = &[$($number),*];
        $(
            #[tokio::test]
            async fn $name() -> anyhow::Result<()> {
                prove($number, $probe).await
            }
        )*
    };
}

faults! {
    1 no_policy_no_lockout by sign_in::nothing_ever_locks;
    2 parallel_guesses_pass_the_limit by sign_in::more_guesses_than_the_policy;
    3 row_security_switches_the_lockout_off by sign_in::nothing_counts_without_a_tenant;
    4 another_tenants_rows_are_read by tenants::foreign_rows_are_readable;
    5 a_foreign_key_reaches_another_tenant by tenants::foreign_endpoint_takes_an_incident;
    6 anybody_keeps_somebody_out by sign_in::a_lock_is_extended;
    7 a_null_counter_never_locks by sign_in::null_counts_nothing;
    8 any_of_several_policies_rules by sign_in::the_ruling_policy_changes_by_itself;
    9 null_is_a_strong_password by passwords::judged_wrongly;
    10 passwords_reach_the_server_log by passwords::plaintext_is_logged;
    11 a_success_unlocks_who_may_not_sign_in by sign_in::inactive_is_unlocked;
    12 failures_of_nobody_leave_nothing by sign_in::no_trace_of_unknown_names;
    13 the_latest_metrics_need_the_whole_table by volume::latest_metrics_scan;
    14 ids_in_random_order by volume::ids_split_pages;
    15 expiry_is_a_delete by volume::expiry_writes_as_much_as_it_removes;
    16 no_heartbeat_is_a_hot_update by volume::heartbeats_rewrite_indexes;
    17 the_use_of_a_key_overflows by volume::usage_count_ends;
    18 two_keys_of_one_hash by rules::key_hash_twice;
    19 one_name_for_two by rules::names_collide;
    20 values_without_meaning by rules::impossible_values;
    21 values_that_do_not_fit by rules::too_short_columns;
    22 deletes_are_blocked_or_slow by rules::references_in_the_way;
    23 updated_at_stands_still by rules::updated_at_is_not_kept;
    24 indexes_that_serve_nothing by rules::useless_indexes;
    25 policies_without_meaning by passwords::impossible_policies;
    26 no_incident_without_an_endpoint by rules::no_place_for_server_incidents;
    27 a_refusal_names_the_other_tenants_user by tenants::refusals_tell_the_key;
    28 the_sample_hash_against_a_strict_check by passwords::sample_hash_is_judged_by_its_form;
    29 administration_touches_nothing by tenants::administration_is_blind;
    30 a_success_destroys_evidence by sign_in::evidence_is_lost;
    31 no_way_to_the_nist_profile by passwords::nist_profile_has_no_effect;
}

#[test]
fn every_fault_has_its_test() {
    assert!(
        NUMBERS.iter().copied().eq(1..=31),
        "the faults are numbered 1 to 31: {NUMBERS:?}"
    );
}
