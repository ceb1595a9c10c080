//! kill -9 of the real agent, and a server that is away for a while.

use std::path::Path;
use std::time::Duration;

use sg_testkit::fault::{Installation, Machine};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::fleet::connect;
use crate::{count, wait_for};

/// The test file that every scanner knows, in two parts, so that no scanner finds it here.
fn eicar() -> String {
    [
        "X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR",
        "-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*",
    ]
    .concat()
}

async fn wait_for_rules(machine: &Machine) {
    wait_for("the agent has rules", Duration::from_secs(20), async || {
        (machine.status().unwrap()["agent"]["rules_version"].as_u64() > Some(0)).then_some(())
    })
    .await;
}

/// How often each file below the watched folder was reported as written.
async fn written(conn: &mut PgConnection, machine: &Machine) -> Vec<(String, i64)> {
    sqlx::query_as(
        "select v.detail ->> 'path', count(*) from agents.events v
         where v.agent_id = $1 and v.kind = 'file_written' group by 1 order by 1",
    )
    .bind(Uuid::from(machine.agent_id))
    .fetch_all(conn)
    .await
    .unwrap()
}

/// One incident, by the rule and the hash indicator, about the file.
async fn verify_eicar_incident(conn: &mut PgConnection, machine: &Machine, path: &str) {
    let incidents: Vec<(String, i64)> = sqlx::query_as(
        "select i.file_path, count(distinct f.engine) from threats.incidents i join threats.findings f on f.threat_id = i.threat_id
         where i.agent_id = $1 and i.file_path like '%/watched/%' group by i.threat_id",
    )
    .bind(Uuid::from(machine.agent_id))
    .fetch_all(conn)
    .await
    .unwrap();
    assert_eq!(incidents, [(path.to_owned(), 2)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_agent_goes_on_where_it_was_and_repeats_harmlessly() {
    let installation = Installation::start().await.unwrap();
    let mut machine = Machine::enrol(&installation).unwrap();
    machine.start().unwrap();
    wait_for_rules(&machine).await;
    let path = machine.write_file("eicar.com", &eicar()).unwrap();
    let mut conn = installation.connect().await.unwrap();
    let mut files = 0;
    for round in 0..6_u64 {
        // Until it watches, which takes as long as loading its rules does, nothing is seen.
        let first = machine.watched().join(format!("file-{files:05}"));
        wait_for("the agent watches", Duration::from_secs(60), async || {
            machine.write_file(&format!("file-{files:05}"), "x").unwrap();
            files += 1;
            let reported = written(&mut conn, &machine).await;
            reported
                .iter()
                .any(|(path, _)| path.contains("/file-") && Path::new(path) >= first.as_path())
                .then_some(())
        })
        .await;
        // At another moment of the check-in each time.
        for _ in 0..40 + 7 * round {
            machine.write_file(&format!("file-{files:05}"), "x").unwrap();
            files += 1;
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
        machine.kill().unwrap();
        machine.start().unwrap();
    }
    let last = machine.write_file("last", "x").unwrap();
    wait_for("the last file is reported", Duration::from_secs(60), async || {
        // Until the agent watches again, nobody is told of a file; so it is written again.
        machine.write_file("last", "x").unwrap();
        written(&mut conn, &machine)
            .await
            .iter()
            .any(|(path, _)| *path == last)
            .then_some(())
    })
    .await;
    machine.stop().await.unwrap();
    assert_eq!(machine.status().unwrap()["agent"]["backlog_records"], 0);
    machine.verify(&mut connect(&installation).await).await.unwrap();
    verify_eicar_incident(&mut conn, &machine, &path).await;
    let reported = written(&mut conn, &machine).await;
    assert!(
        reported.len() > 100,
        "check-ins ran all the time: {} files",
        reported.len()
    );
    assert!(
        reported.iter().all(|(path, times)| *times == 1 || *path == last),
        "{reported:?}"
    );
    let streams = count(
        &mut conn,
        "select count(*) from agents.streams t where t.agent_id = $1",
        machine.agent_id,
    )
    .await;
    assert_eq!(streams, 1, "a kill is no reason for a new stream");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_happens_while_the_server_is_away_arrives_once() {
    let mut installation = Installation::start().await.unwrap();
    let mut machine = Machine::enrol(&installation).unwrap();
    machine.start().unwrap();
    wait_for_rules(&machine).await;
    installation.stop_server().await.unwrap();
    let mut expected = Vec::new();
    for number in 0..50 {
        expected.push((machine.write_file(&format!("file-{number:02}"), "x").unwrap(), 1));
        tokio::time::sleep(Duration::from_millis(60)).await;
    }
    let eicar = machine.write_file("eicar.com", &eicar()).unwrap();
    expected.push((eicar.clone(), 1));
    expected.sort();
    tokio::time::sleep(Duration::from_secs(2)).await;
    installation.start_server().await.unwrap();
    let mut conn = installation.connect().await.unwrap();
    wait_for("everything has arrived", Duration::from_secs(40), async || {
        (written(&mut conn, &machine).await.len() >= expected.len()).then_some(())
    })
    .await;
    machine.stop().await.unwrap();
    assert_eq!(machine.status().unwrap()["agent"]["backlog_records"], 0);
    assert_eq!(written(&mut conn, &machine).await, expected);
    verify_eicar_incident(&mut conn, &machine, &eicar).await;
    let matches = count(
        &mut conn,
        "select sum(i.occurrence_count)::bigint from threats.incidents i where i.agent_id = $1 and i.file_path like '%/watched/%'",
        machine.agent_id,
    )
    .await;
    assert_eq!(matches, 2, "each rule matched once");
    machine.verify(&mut connect(&installation).await).await.unwrap();
}
