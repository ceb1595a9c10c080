//! What every database role can do to every object of the product, tried out: each relation, sequence and function, with and without a tenant's
//! context, on rows of the context's tenant and on rows of others. The catalog says what there is, so that later objects appear by themselves.

mod functions;
mod objects;
mod relations;
mod render;

use std::collections::BTreeMap;

use sg_testkit::TestDb;
use sqlx::{Connection, PgConnection};

use crate::support::*;

use objects::{Objects, find_objects};

/// Everybody who may meet the database; the last one was granted nothing.
const ROLES: [&str; 9] = [
    "sg_app",
    "sg_app_own",
    "sg_system",
    "sg_admin",
    "sg_auth",
    "sg_owner",
    "sg_backup",
    "sg_monitor",
    "nobody",
];

/// Relations without a tenant that requests may read, with the reason. Nobody changes them by a request.
const READ_BY_ALL: &[(&str, &str)] = &[];

/// Whose context is open while a statement runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Context {
    NoTenant,
    /// The administrator of the first tenant.
    Tenant,
    /// A plain user of the first tenant.
    PlainUser,
}

impl Context {
    fn open(self) -> String {
        match self {
            Self::NoTenant => "select 1".to_owned(),
            Self::Tenant => open_context_only(ADMIN_A),
            Self::PlainUser => open_context_only(USER_A),
        }
    }

    fn label(self) -> &'static str {
        match self {
            Self::NoTenant => "no tenant",
            Self::Tenant => "tenant",
            Self::PlainUser => "plain user",
        }
    }

    /// Plain users differ from others for requests only.
    fn of(role: &str) -> &'static [Self] {
        match role {
            "sg_app" | "sg_app_own" => &[Self::NoTenant, Self::Tenant, Self::PlainUser],
            _ => &[Self::NoTenant, Self::Tenant],
        }
    }
}

/// What a statement did.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Cell {
    /// Its SQLSTATE.
    Refused(String),
    /// Rows of the first tenant, and others, that it saw or changed.
    Rows { own: i64, other: i64 },
    /// It ran, and rows are not what it is about.
    Ran,
    /// There is no row to try it with.
    NoRow,
}

/// A column of the matrix: the operation's name and what became of it.
type Cells = Vec<(&'static str, Cell)>;

/// What a role did with a context.
type Line = (&'static str, Context, Cells);

/// Everything that was tried.
#[derive(Debug, Default)]
struct Matrix {
    /// By object and its kind, then by role and context.
    lines: BTreeMap<(String, &'static str), Vec<Line>>,
    /// What must not be, in words.
    leaks: Vec<String>,
}

impl Matrix {
    /// Tries the objects whose name passes `wanted`.
    async fn of(test: &TestDb, wanted: impl Fn(&str) -> bool) -> anyhow::Result<Self> {
        let mut conn = test.connect("postgres").await?;
        let nobody = format!("nobody_{}", test.name());
        run(&mut conn, format!("create role {nobody} nologin noinherit")).await?;
        let found = find_objects(&mut conn, wanted).await?;
        let mut matrix = Self {
            leaks: found.odd_partitions.clone(),
            ..Self::default()
        };
        for role in ROLES {
            for context in Context::of(role) {
                let database_role = if role == "nobody" { &nobody } else { role };
                matrix
                    .try_all(&mut conn, &found, role, database_role, *context)
                    .await?;
            }
        }
        matrix.judge(&found);
        run(&mut conn, format!("drop role {nobody}")).await?;
        conn.close().await?;
        Ok(matrix)
    }

    async fn try_all(
        &mut self,
        conn: &mut PgConnection,
        found: &Objects,
        role: &'static str,
        database_role: &str,
        context: Context,
    ) -> anyhow::Result<()> {
        run(conn, "begin; set local statement_timeout = '10s'").await?;
        run(conn, context.open()).await?;
        let probe = Probe::new(conn, database_role).await?;
        for relation in &found.relations {
            let cells = relations::try_relation(conn, &probe, relation).await?;
            self.put(relation.class.clone(), relation.kind, role, context, cells);
        }
        for sequence in &found.sequences {
            let cells = relations::try_sequence(conn, &probe, sequence).await?;
            self.put(sequence.clone(), "sequence", role, context, cells);
        }
        for function in &found.functions {
            let cell = functions::try_function(conn, &probe, function).await?;
            if matches!(role, "sg_app" | "sg_app_own") && cell != Cell::Refused("42501".to_owned()) {
                self.leaks.extend(
                    functions::try_on_another_tenant(conn, &probe, function, &found.relations).await?,
                );
            }
            self.put(
                function.name.clone(),
                "function",
                role,
                context,
                vec![("execute", cell)],
            );
        }
        Ok(run(conn, "rollback").await?)
    }

    fn put(
        &mut self,
        object: String,
        kind: &'static str,
        role: &'static str,
        context: Context,
        cells: Cells,
    ) {
        self.lines
            .entry((object, kind))
            .or_default()
            .push((role, context, cells));
    }

    /// What no cell may say, whatever the golden file holds.
    fn judge(&mut self, found: &Objects) {
        for relation in &found.relations {
            let key = (relation.class.clone(), relation.kind);
            for (role, context, cells) in self.lines.get(&key).into_iter().flatten() {
                for (operation, cell) in cells {
                    let &Cell::Rows { own, other } = cell else {
                        continue;
                    };
                    let readable = *operation == "select"
                        && !relation.has_tenant
                        && READ_BY_ALL.iter().any(|(name, _)| *name == relation.name);
                    let touched = match *role {
                        "sg_app" | "sg_app_own" if readable => false,
                        "sg_app" | "sg_app_own" => other > 0 || (own > 0 && *context == Context::NoTenant),
                        "sg_backup" => *operation != "select" && own + other > 0,
                        "sg_monitor" | "nobody" => own + other > 0,
                        _ => false,
                    };
                    if touched {
                        self.leaks.push(format!(
                            "{}: {operation} as {role} with {}: {own} own rows, {other} others",
                            relation.class,
                            context.label()
                        ));
                    }
                }
            }
        }
    }
}

/// How statements run as a role, in a transaction whose context is open.
struct Probe {
    role: String,
    /// The transaction's id: rows that it changed carry this one or a later one.
    transaction: i64,
}

impl Probe {
    async fn new(conn: &mut PgConnection, role: &str) -> anyhow::Result<Self> {
        let transaction = count(conn, "select pg_current_xact_id()::text::bigint % 4294967296").await?;
        Ok(Self {
            role: role.to_owned(),
            transaction,
        })
    }

    /// Runs `statement` as the role, `prepare` before it and `measure` after it as the superuser; nothing of it stays.
    async fn attempt(
        &self,
        conn: &mut PgConnection,
        prepare: &str,
        statement: &str,
        measure: Option<&str>,
    ) -> anyhow::Result<Cell> {
        run(
            conn,
            format!(
                "savepoint attempt; {prepare}; set local session authorization {}",
                self.role
            ),
        )
        .await?;
        let outcome = run(conn, statement).await;
        let cell = match (outcome, measure) {
            (Ok(()), None) => Cell::Ran,
            (Ok(()), Some(measure)) => {
                run(conn, "set local session authorization default").await?;
                let (own, other) = sqlx::query_as(sqlx::AssertSqlSafe(measure.to_owned()))
                    .fetch_one(&mut *conn)
                    .await?;
                Cell::Rows { own, other }
            }
            (Err(sqlx::Error::Database(failure)), _) => {
                Cell::Refused(failure.code().unwrap_or_default().into_owned())
            }
            (Err(other), _) => return Err(other.into()),
        };
        run(conn, "rollback to savepoint attempt; release savepoint attempt").await?;
        Ok(cell)
    }
}

#[tokio::test]
async fn every_role_reaches_what_it_may_and_nothing_else() -> anyhow::Result<()> {
    let test = two_tenants().await?;
    let matrix = Matrix::of(&test, |_| true).await?;
    assert_eq!(matrix.leaks, Vec::<String>::new());
    assert!(matrix.lines.len() > 70, "only {} objects", matrix.lines.len());
    // From 16 on the owner reaches a few functions of sg_auth without `set role`: the text is that of PostgreSQL 15.
    let mut root = test.connect("postgres").await?;
    if count(
        &mut root,
        "select current_setting('server_version_num')::bigint / 10000",
    )
    .await?
        == 15
    {
        insta::assert_snapshot!("matrix", matrix.to_string());
    }
    Ok(())
}

#[tokio::test]
async fn the_matrix_sees_a_leak_of_each_kind() -> anyhow::Result<()> {
    let test = two_tenants().await?;
    let mut root = test.connect("postgres").await?;
    run(
        &mut root,
        format!(
            "drop event trigger sg_refuse_loose_function;
             set role sg_owner;
             create table threats.open_notes (tenant_id uuid not null, note text);
             insert into threats.open_notes values ('{TENANT_A}', 'a'), ('{TENANT_B}', 'b');
             grant select, insert, update, delete on threats.open_notes to sg_app;
             create view threats.open_view as select tenant_id, note from threats.open_notes;
             grant select on threats.open_view to sg_monitor;
             create table threats.open_settings (note text);
             insert into threats.open_settings values ('x');
             grant select on threats.open_settings to sg_app;
             create table threats.half_open (tenant_id uuid not null, note text);
             insert into threats.half_open values ('{TENANT_A}', 'a'), ('{TENANT_B}', 'b');
             alter table threats.half_open enable row level security;
             create policy mine on threats.half_open for select to sg_app using (tenant_id = (select users.current_tenant()));
             create policy theirs on threats.half_open for insert to sg_app with check (true);
             grant select, insert on threats.half_open to sg_app;
             create function threats.open_read(p_tenant uuid) returns setof text language sql security definer
                as 'select note || tenant_id from threats.open_notes where tenant_id = p_tenant';
             create function threats.open_write(p_tenant uuid) returns void language sql security definer
                as 'update threats.open_notes set note = note where tenant_id = p_tenant';
             grant execute on function threats.open_read(uuid), threats.open_write(uuid) to sg_app;
             reset role;
             grant select on agents.system_info_class_90_default to sg_app;
             alter table agents.system_info_class_90_default disable row level security;
             insert into agents.system_info (agent_id, tenant_id, collected_at)
             select agent_id, tenant_id, '2001-01-01' from agents.endpoints;
             create table agents.events_class_30_29990101 partition of agents.events_class_30 for values from ('2999-01-01') to ('2999-01-02')"
        ),
    )
    .await?;
    let objects = [
        "threats.open_notes",
        "threats.open_view",
        "threats.open_settings",
        "threats.half_open",
        "threats.open_read(uuid)",
        "threats.open_write(uuid)",
        "agents.system_info_class_90_default",
    ];
    let wanted = |name: &str| objects.contains(&name) || name.starts_with("agents.events_class_30_2");
    let leaks = Matrix::of(&test, wanted).await?.leaks;
    for expected in [
        "agents.events_class_30_29990101 differs",
        "threats.open_notes: select as sg_app with no tenant",
        "threats.open_notes: insert as sg_app with tenant",
        "threats.open_notes: update as sg_app with tenant",
        "threats.open_notes: delete as sg_app with plain user",
        "threats.open_view: select as sg_monitor",
        "threats.open_settings: select as sg_app",
        "threats.half_open: insert as sg_app with tenant",
        "threats.open_read(uuid) shows",
        "threats.open_write(uuid) changes",
        "agents.system_info_class_90_default: select as sg_app with tenant",
    ] {
        assert!(
            leaks.iter().any(|leak| leak.starts_with(expected)),
            "not found: {expected}\n{leaks:#?}"
        );
    }
    assert!(
        !leaks
            .iter()
            .any(|leak| leak.starts_with("threats.half_open: select")),
        "{leaks:#?}"
    );
    Ok(())
}
