//! What the chain of the audit log costs a writer, and how fast the log is searched. Both run in a scratch cluster of their own, which keeps what
//! it commits as a real one does.

use std::process::Command;

use super::{median, report};
use crate::build::cargo;
use crate::tools::postgres::Postgres;
use crate::{Result, shell, tools, ui};

/// The scratch cluster's address, in the environment of the process that measures inside it.
const SUPERUSER_URL: &str = "SECUREGUARD_TEST_SUPERUSER_URL";
const DATABASE: &str = "audit_bench";
const WRITERS: &str = "16";
const ROUNDS: usize = 5;
const SECONDS: &str = "10";
const SEARCH_ROWS: u64 = 5_000_000;
const SEARCHES: &str = "200";

/// One event by one of a hundred tenants, committed: the least that a write can be, so that the hash weighs the most.
const WRITE: &str = r"\set n random(1, 100)
insert into audit.events (event_id, tenant_id, occurred_at, actor_kind, actor_id, actor_name, action, object_kind, object_id, outcome,
    request_id, address)
values (gen_random_uuid(), ('aaaaaaaa-0000-4000-8000-' || lpad(:n::text, 12, '0'))::uuid, now(), 'user', 'aaaaaaaa-0000-4000-8000-000000000001',
    'somebody', 'incident.update', 'incident', 'aaaaaaaa-0000-4000-8000-000000000002', 'success', 'aaaaaaaa-0000-4000-8000-000000000003',
    '192.0.2.1');
";

/// The trigger as it is, without the hash: the row waits for its place in the chain all the same.
const UNHASHED: &str = r"do $do$
    declare
        body constant text := pg_get_functiondef('audit.seal_event()'::regprocedure);
        begins constant integer := position('new.row_hash :=' in body);
        ends constant integer := position('insert into audit.unsealed' in body);
    begin
        execute replace(overlay(body placing '' from begins for ends - begins), 'audit.seal_event()', 'audit.seal_unhashed()');
        alter function audit.seal_unhashed() owner to sg_auth;
        create trigger seal_unhashed before insert on audit.events for each row execute function audit.seal_unhashed();
        alter table audit.events disable trigger seal_unhashed;
    end
    $do$";

const TENANTS: &str = "insert into users.tenants (tenant_id, name, slug)
    select ('aaaaaaaa-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid, 'Tenant ' || n, 'tenant-' || n from generate_series(1, 100) n";

pub(super) fn measure_writes(arguments: &[String]) -> Result {
    let Some(url) = inside() else {
        return again_inside("audit-write", arguments);
    };
    let postgres = tools::postgres::ensure()?;
    let database = Scratch::make(&postgres, &url)?;
    database.sql(TENANTS)?;
    let (mut with, mut without, mut unhashed) = (Vec::new(), Vec::new(), Vec::new());
    database.sql(UNHASHED)?;
    for round in 1..=ROUNDS {
        ui::step(&format!("round {round} of {ROUNDS}"), || {
            database.sql("alter table audit.events disable trigger seal_row")?;
            without.push(database.writes()?);
            database.sql("alter table audit.events enable trigger seal_row")?;
            with.push(database.writes()?);
            database.sql("alter table audit.events disable trigger seal_row; alter table audit.events enable trigger seal_unhashed")?;
            unhashed.push(database.writes()?);
            database.sql("alter table audit.events disable trigger seal_unhashed")?;
            // As the sealing does: what waits does not pile up.
            database.sql("set session_replication_role = replica; delete from audit.unsealed; delete from audit.events")?;
            database.sql("vacuum audit.unsealed")?;
            database.sql("vacuum audit.events")
        })?;
    }
    report(
        "audit-write",
        median(with.clone()),
        Some(median(without)),
        "commits/s",
    );
    report(
        "audit-write-hash",
        median(with),
        Some(median(unhashed)),
        "commits/s",
    );
    database.remove()
}

pub(super) fn measure_search(arguments: &[String]) -> Result {
    let Some(url) = inside() else {
        return again_inside("audit-search", arguments);
    };
    let postgres = tools::postgres::ensure()?;
    let database = Scratch::make(&postgres, &url)?;
    database.sql(TENANTS)?;
    // Nothing here is about writing.
    database.sql_in("postgres", "alter system set fsync = off")?;
    database.sql_in("postgres", "select pg_reload_conf()")?;
    for (step, statements) in fill(rows(arguments)?) {
        ui::step(step, || database.sql(&statements))?;
    }
    ui::step("vacuum and analyze", || {
        database.sql("vacuum (analyze) audit.events")
    })?;
    for (name, condition) in [
        ("newest", ""),
        ("actor", "and actor_name = 'person 78'"),
        ("action", "and action collate \"C\" = 'action8.rare'"),
        ("noun", "and action collate \"C\" = n.noun_action"),
        ("object", "and object_id = 'object 4242'"),
        ("request-id", "and request_id = 'request 400000'"),
        ("address", "and address = '10.0.8.8'"),
        (
            "time",
            "and occurred_at >= now() - interval '20 days' and occurred_at < now() - interval '19 days'",
        ),
    ] {
        let query = |tenant: &str| {
            let select = format!(
                "select event_id, occurred_at, transaction_id::text, actor_kind, actor_id, actor_name, action, object_kind, object_id, outcome,
                    reason, request_id, address from audit.events where true {tenant} {condition} order by occurred_at desc, event_id desc limit 51"
            );
            if name != "noun" {
                return select;
            }
            format!(
                "select e.* from unnest(array['action8.rare', 'action8.update']) as n (noun_action) cross join lateral ({select}) e
                 order by e.occurred_at desc, e.event_id desc limit 51"
            )
        };
        let open =
            "set local role sg_app;\nselect users.open_context('session', sha256('bench'), null, now());";
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..3 {
            theirs.push(database.search(
                "",
                &query("and tenant_id = 'aaaaaaaa-0000-4000-8000-000000000001'"),
            )?);
            ours.push(database.search(open, &query(""))?);
        }
        report(
            &format!("audit-search-{name}"),
            median(ours),
            Some(median(theirs)),
            "ms",
        );
    }
    database.remove()
}

/// Half of the rows, the even ones, are of one tenant, whom everybody in the search is of; it has a row of all that is searched. The indexes are built afterwards, which takes a small part of the time. No
/// trigger hashes these rows, but each has something of a hash's size, so that it takes as much room as a real one.
fn fill(rows: u64) -> [(&'static str, String); 3] {
    let begin = "set session_replication_role = replica; set maintenance_work_mem = '512MB'; set client_min_messages = warning;";
    [
        (
            "making partitions and putting the indexes aside",
            format!(
                "{begin}
                 select agents.ensure_partitions(now() - make_interval(days => d), 1) from generate_series(0, {days}, 5) d;
                 create table public.put_aside as select i.indexrelid::regclass::text as name, replace(pg_get_indexdef(i.indexrelid), ' ON ONLY ', ' ON ')
                    as definition from pg_index i where i.indrelid = 'audit.events'::regclass and not i.indisprimary;
                 do $$ declare k record; begin
                    for k in select name from public.put_aside loop execute 'drop index ' || k.name; end loop;
                 end $$;
                 alter table audit.events drop constraint events_pkey",
                days = rows / 172_800 + 10,
            ),
        ),
        (
            "writing the events",
            format!(
                "{begin}
                 insert into audit.events (event_id, tenant_id, occurred_at, transaction_id, actor_kind, actor_id, actor_name, action, object_kind,
                    object_id, outcome, request_id, address, row_hash)
                 select users.time_ordered_uuid(), case when n % 2 = 0 then 'aaaaaaaa-0000-4000-8000-000000000001'::uuid
                        else ('aaaaaaaa-0000-4000-8000-' || lpad((2 + n % 99)::text, 12, '0'))::uuid end,
                    now() - make_interval(secs => n * 0.5), n::text::xid8, 'user', md5((n % 500)::text)::uuid::text, 'person ' || n % 500,
                    'action' || n % 20 || case when n % 20011 = 8 then '.rare' else '.update' end, 'incident', 'object ' || n % 50000, 'success',
                    'request ' || n, ('10.0.' || n % 20 || '.' || n % 250)::inet, sha256(int4send(n::integer))
                 from generate_series(1, {rows}) n"
            ),
        ),
        (
            "building the indexes",
            format!(
                "{begin}
                 alter table audit.events add constraint events_pkey primary key (event_id, occurred_at);
                 do $$ declare k record; begin
                    for k in select definition from public.put_aside loop execute k.definition; end loop;
                 end $$;
                 drop table public.put_aside;
                 set session_replication_role = origin;
                 insert into users.users (user_id, username, email, password_hash, role, tenant_id) values (
                    'aaaaaaaa-0000-4000-8000-00000000ffff', 'searcher', 's@example.org', 'x', 'admin', 'aaaaaaaa-0000-4000-8000-000000000001');
                 insert into users.sessions (session_id, tenant_id, user_id, token_hash, created_at, last_seen_at, idle_seconds, expires_at)
                 values ('aaaaaaaa-0000-4000-8000-00000000ffff', 'aaaaaaaa-0000-4000-8000-000000000001', 'aaaaaaaa-0000-4000-8000-00000000ffff',
                    sha256('bench'), now(), now(), 86400, now() + interval '1 day')"
            ),
        ),
    ]
}

/// How many rows to search in: `--rows N`, else 5 million.
fn rows(arguments: &[String]) -> Result<u64> {
    match arguments.iter().position(|word| word == "--rows") {
        Some(place) => arguments
            .get(place + 1)
            .and_then(|text| text.parse().ok())
            .ok_or_else(|| "--rows takes a number".to_owned()),
        None => Ok(SEARCH_ROWS),
    }
}

fn inside() -> Option<String> {
    crate::paths::set(SUPERUSER_URL).and_then(|url| url.into_string().ok())
}

/// Runs this command again as the child of a scratch cluster.
fn again_inside(name: &str, arguments: &[String]) -> Result {
    let postgres = tools::postgres::ensure()?;
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut command = cargo();
    command
        .args([
            "run",
            "--quiet",
            "-p",
            "sg-testkit",
            "--bin",
            "sg-test-cluster",
            "--",
        ])
        .arg(program)
        .args(["bench", name])
        .args(arguments)
        .env("PG_BIN", &postgres.bin_dir);
    shell::run(&mut command)
}

/// A migrated database in the scratch cluster.
struct Scratch<'a> {
    postgres: &'a Postgres,
    server: String,
}

impl<'a> Scratch<'a> {
    fn make(postgres: &'a Postgres, server: &str) -> Result<Self> {
        let this = Self {
            postgres,
            server: server.to_owned(),
        };
        // Clusters for tests forget what they committed when they crash; here it has to reach the disk.
        for statement in [
            "alter system set fsync = on",
            "alter system set synchronous_commit = on",
            "alter system set full_page_writes = on",
            "alter system set max_wal_size = '4GB'",
            "select pg_reload_conf()",
        ] {
            this.sql_in("postgres", statement)?;
        }
        this.sql_in(
            "postgres",
            &format!("create database {DATABASE} template sg_template"),
        )?;
        Ok(this)
    }

    fn url(&self, database: &str) -> String {
        self.server.replacen("/postgres?", &format!("/{database}?"), 1)
    }

    fn sql(&self, statements: &str) -> Result {
        self.sql_in(DATABASE, statements)
    }

    fn sql_in(&self, database: &str, statements: &str) -> Result {
        let mut command = self.postgres.command("psql")?;
        command.args([
            "--no-psqlrc",
            "--quiet",
            "--output=/dev/null",
            "--set=ON_ERROR_STOP=1",
        ]);
        shell::output(
            command
                .arg(format!("--dbname={}", self.url(database)))
                .args(["--command", statements]),
        )?;
        Ok(())
    }

    /// Commits per second of 16 writers.
    fn writes(&self) -> Result<f64> {
        let script = self.script("write", WRITE)?;
        let text = self.pgbench(
            &["-n", "-c", WRITERS, "-j", "2", "-T", SECONDS, "-M", "prepared"],
            &script,
        )?;
        figure(&text, "tps = ")
    }

    /// Milliseconds of a search in a transaction of its own, as a request does it.
    fn search(&self, open: &str, query: &str) -> Result<f64> {
        let query = query.replace('\n', " ");
        let text = format!("begin isolation level repeatable read read only;\n{open}\n{query};\ncommit;\n");
        let script = self.script("search", &text)?;
        let text = self.pgbench(&["-n", "-c", "1", "-t", SEARCHES, "-M", "prepared"], &script)?;
        figure(&text, "latency average = ")
    }

    fn script(&self, name: &str, text: &str) -> Result<std::path::PathBuf> {
        let path = std::env::temp_dir().join(format!("secureguard-bench-{}-{name}.sql", std::process::id()));
        crate::paths::write(&path, text)?;
        Ok(path)
    }

    fn pgbench(&self, arguments: &[&str], script: &std::path::Path) -> Result<String> {
        let mut command: Command = self.postgres.command("pgbench")?;
        // As the server's connections have it.
        command.env("PGOPTIONS", "-c plan_cache_mode=force_generic_plan");
        let output = shell::output(
            command
                .args(arguments)
                .arg("-f")
                .arg(script)
                .arg(self.url(DATABASE)),
        );
        let _ = std::fs::remove_file(script);
        output
    }

    fn remove(self) -> Result {
        self.sql_in("postgres", &format!("drop database {DATABASE} with (force)"))
    }
}

/// The number after a label of pgbench's report.
fn figure(text: &str, label: &str) -> Result<f64> {
    text.lines()
        .find_map(|line| line.trim().strip_prefix(label))
        .and_then(|rest| rest.split_whitespace().next())
        .and_then(|number| number.parse().ok())
        .ok_or_else(|| format!("pgbench reported no `{label}`:\n{text}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read_from_the_report() {
        let text = "number of clients: 16\nlatency average = 7.25 ms\ntps = 5093.2 (without initial connection time)\n";
        assert!((figure(text, "tps = ").unwrap() - 5093.2).abs() < 1e-9);
        assert!((figure(text, "latency average = ").unwrap() - 7.25).abs() < 1e-9);
        assert!(figure("", "tps = ").is_err());
    }
}
