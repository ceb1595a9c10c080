use std::time::Duration;

use futures_util::StreamExt;
use sg_types::{Role, TenantId};

use crate::fleet::{TestAgent, TestServer, event, file_finding, metrics};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_check_ins_at_once_are_counted_exactly() {
    let server = TestServer::start_with(|config| {
        config.rate_limits.enrol_per_address_burst = 1_000.try_into().unwrap()
    })
    .await;
    let admin = server.caller(TenantId::DEFAULT, Role::Admin).await;
    let other = server.caller(server.tenant("other").await, Role::Admin).await;
    let agents: Vec<TestAgent> = futures_util::stream::iter(0..100)
        .map(|n| {
            let (server, caller) = (&server, if n % 2 == 0 { &admin } else { &other });
            async move { TestAgent::enrol(server, caller, &format!("web-{n}")).await }
        })
        .buffer_unordered(8)
        .collect()
        .await;

    // 100 agents, ten check-ins each, one after the other for each agent and all agents at once; every third is sent twice.
    let now = server.state.now();
    let runs = agents.into_iter().enumerate().map(|(n, mut agent)| {
        let server = &server;
        async move {
            for round in 0..10 {
                let mut records = vec![metrics(now, 1.0), event(now, "/a")];
                if round == 5 {
                    records.push(file_finding(now, "r", "yara", "/a"));
                }
                if (n + round) % 3 == 0 {
                    agent
                        .try_send(server, &records)
                        .await
                        .expect::<serde_json::Value>(200);
                }
                agent.send(server, &records).await;
            }
        }
    });
    let runs = futures_util::future::join_all(runs);
    tokio::time::timeout(Duration::from_secs(120), runs)
        .await
        .unwrap();

    assert_eq!(
        server.count("select count(*) from agents.system_info").await,
        1_000
    );
    assert_eq!(server.count("select count(*) from agents.events").await, 1_000);
    assert_eq!(server.count("select count(*) from threats.incidents").await, 100);
    assert_eq!(
        server.count("select count(*) from threats.occurrences").await,
        100
    );
    assert_eq!(server.count("select count(*) from agents.gaps").await, 0);
    assert_eq!(server.count("select count(*) from agents.system_info s join agents.endpoints e using (agent_id) where e.tenant_id <> s.tenant_id").await, 0);
    assert_eq!(
        server
            .count("select sum(acknowledged_through)::bigint from agents.streams")
            .await,
        2_100
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strangers_in_a_group_do_not_hurt_the_others() {
    let server = TestServer::start().await;
    let admin = server.caller(TenantId::DEFAULT, Role::Admin).await;
    let agent = TestAgent::enrol(&server, &admin, "web-1").await;
    let stranger = TestAgent {
        token: format!("sga_{}", "B".repeat(43)),
        ..agent.clone()
    };
    let wave = (0..50).map(|n| {
        let (server, mut agent, stranger) = (&server, agent.clone(), &stranger);
        async move {
            agent.epoch = uuid::Uuid::from_u128(n);
            let now = server.state.now();
            let records = [metrics(now, 1.0)];
            let (good, bad) = tokio::join!(agent.try_send(server, &records), stranger.try_send(server, &[]));
            (good.status.as_u16(), bad.status.as_u16())
        }
    });
    let answers = futures_util::future::join_all(wave).await;
    assert!(answers.iter().all(|answer| *answer == (200, 401)), "{answers:?}");
    assert_eq!(server.count("select count(*) from agents.system_info").await, 50);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn check_ins_that_come_while_others_are_stored_share_the_next_transaction() {
    // Nobody gives up waiting in the time that this takes.
    let server = TestServer::start_with(|config| config.ingest.group_commit_milliseconds = 60_000).await;
    let admin = server.caller(TenantId::DEFAULT, Role::Admin).await;
    let mut agents = Vec::new();
    for n in 0..20 {
        agents.push(TestAgent::enrol(&server, &admin, &format!("web-{n}")).await);
    }
    for agent in &mut agents[..3] {
        agent.send(&server, &[metrics(server.state.now(), 1.0)]).await;
    }
    let transactions = "select count(distinct xmin::text) from agents.system_info";
    assert_eq!(server.count(transactions).await, 3);

    // The first one's row is taken, so that its transaction waits, and the others wait behind it.
    let mut holder = server.test_db.connect("postgres").await.unwrap();
    sqlx::raw_sql("begin; select from agents.heartbeats for update")
        .execute(&mut holder)
        .await
        .unwrap();
    let wave = agents.iter_mut().enumerate().map(|(n, agent)| {
        let server = &server;
        async move {
            while n > 0 && server.state.ingest.running() == 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            agent.send(server, &[metrics(server.state.now(), 2.0)]).await
        }
    });
    let release = async {
        while server.state.ingest.waiting() < 20 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        sqlx::raw_sql("rollback").execute(&mut holder).await.unwrap();
    };
    tokio::join!(futures_util::future::join_all(wave), release);
    assert_eq!(server.count("select count(*) from agents.system_info").await, 23);
    assert_eq!(server.count(transactions).await, 5);
}

/// Makes the database refuse what no check of ours foresees.
const REFUSE_POISON: &str = "
    create function agents.refuse_poison() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
    begin
        if new.detail ->> 'path' = '/poison' then raise exception 'unforeseen'; end if;
        return new;
    end $$;
    create trigger refuse_poison before insert on agents.events for each row execute function agents.refuse_poison();";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_that_the_database_refuses_harms_neither_its_group_nor_its_stream() {
    let server = TestServer::start_with(|config| config.ingest.group_commit_milliseconds = 100).await;
    let admin = server.caller(TenantId::DEFAULT, Role::Admin).await;
    server.test_db.execute(REFUSE_POISON).await.unwrap();
    let mut agents = Vec::new();
    for n in 0..10 {
        agents.push(TestAgent::enrol(&server, &admin, &format!("web-{n}")).await);
    }
    let now = server.state.now();
    let wave = agents.iter_mut().enumerate().map(|(n, agent)| {
        let server = &server;
        async move {
            let middle = if n == 4 { "/poison" } else { "/fine" };
            let records = [
                event(now, "/first"),
                event(now, middle),
                file_finding(now, "r", "yara", "/last"),
            ];
            for _ in 0..2 {
                assert_eq!(
                    agent
                        .try_send(server, &records)
                        .await
                        .expect::<sg_types::agent::CheckInReply>(200)
                        .acknowledged_through,
                    3
                );
            }
            agent.send(server, &records).await;
            // The stream goes on where it was, with its turn.
            assert_eq!(
                agent
                    .send(server, &[event(now, "/after")])
                    .await
                    .acknowledged_through,
                4
            );
        }
    });
    futures_util::future::join_all(wave).await;
    assert_eq!(server.count("select count(*) from agents.events").await, 29);
    assert_eq!(server.count("select count(*) from threats.occurrences").await, 10);
    assert_eq!(
        server
            .count("select count(*) from agents.gaps where reason = 'record_refused'")
            .await,
        1
    );
    assert_eq!(server.count("select count(*) from agents.streams").await, 10);
}

/// Makes the database fail at whatever an endpoint tells, as with a full or broken disk.
const FAIL: &str = "
    create table public.failure (code text);
    grant select on public.failure to public;
    create function agents.fail() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
    declare
        failure text := (select f.code from public.failure f);
    begin
        if failure is not null then raise exception 'could not write' using errcode = failure; end if;
        return new;
    end $$;
    create trigger fail before insert on agents.events for each row execute function agents.fail();";

#[tokio::test]
async fn what_is_wrong_with_the_database_itself_is_no_fault_of_a_record() {
    let server = TestServer::start().await;
    let admin = server.caller(TenantId::DEFAULT, Role::Admin).await;
    let mut agent = TestAgent::enrol(&server, &admin, "web-1").await;
    server.test_db.execute(FAIL).await.unwrap();
    let records = [event(server.state.now(), "/kept")];
    for failure in [
        // An internal error, a page that is damaged, an error of the disk.
        "delete from public.failure; insert into public.failure values ('XX000')",
        "delete from public.failure; insert into public.failure values ('XX001')",
        "delete from public.failure; insert into public.failure values ('58030')",
    ] {
        server.sql(failure).await;
        assert_eq!(agent.try_send(&server, &records).await.status, 503, "{failure}");
    }
    server.sql("delete from public.failure").await;
    assert_eq!(agent.send(&server, &records).await.acknowledged_through, 1);
    assert_eq!(server.count("select count(*) from agents.events").await, 1);
    assert_eq!(server.count("select count(*) from agents.gaps").await, 0);
}
