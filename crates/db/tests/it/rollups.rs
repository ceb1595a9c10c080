//! Hours and days of metrics: right whatever order the rows come in, and there when the rows are gone.

use sg_db::agents::{Range, read_metrics};
use sg_testkit::TestDb;
use sg_types::AgentId;
use uuid::Uuid;

use crate::support::*;

const OWN: AgentId = AgentId(Uuid::from_u128(0xaaaa_aaaa_0000_4000_8000_0000_0000_0011));
const HOURS: &str = "select concat_ws(' ', to_char(hour_at at time zone 'UTC', 'DD\"T\"HH24'), sample_count, cpu_min, cpu_avg, cpu_max, cpu_count,
        coalesce(rx_avg::text, '-'), rx_count)
    from agents.system_info_hourly where hour_at between '2029-12-31' and '2030-02-01' order by hour_at";
const DAYS: &str =
    "select concat_ws(' ', to_char(day_at at time zone 'UTC', 'DD'), sample_count, cpu_min, cpu_avg, cpu_max)
    from agents.system_info_daily where day_at between '2029-12-31' and '2030-02-01' order by day_at";

fn sample(at: &str, cpu: &str, rx: &str) -> String {
    format!(
        "insert into agents.system_info (agent_id, tenant_id, cpu_usage, network_usage, collected_at, received_at)
         values ('{}', '{TENANT_A}', {cpu}, '{rx}', '{at}', '2030-01-20')",
        OWN.0
    )
}

async fn filled() -> anyhow::Result<TestDb> {
    let test = two_tenants().await?;
    let mut system = test.connect("sg_system").await?;
    for (at, cpu, rx) in [
        ("2030-01-10 00:00:00+00", "10", r#"{"rx_bytes_per_second": 100}"#),
        (
            "2030-01-10 00:59:59.999+00",
            "20",
            r#"{"rx_bytes_per_second": 300}"#,
        ),
        (
            "2030-01-10 01:00:00+00",
            "90",
            r#"{"rx_bytes_per_second": "many"}"#,
        ),
        ("2030-01-10 23:00:00+00", "null", "{}"),
    ] {
        run(&mut system, sample(at, cpu, rx)).await?;
    }
    Ok(test)
}

#[tokio::test]
async fn roll_ups_are_exact_idempotent_and_take_late_rows_in() -> anyhow::Result<()> {
    let test = filled().await?;
    let mut system = test.connect("sg_system").await?;
    let roll = |at: &str| format!("select agents.roll_up('{at}', 1000)::bigint");
    assert_eq!(
        count(&mut system, roll("2030-01-10 01:30:00+00")).await?,
        1 + 4,
        "an hour that runs waits; the seeds' have ended"
    );
    assert_eq!(texts(&mut system, HOURS).await?, ["10T00 2 10 15 20 2 200 2"]);
    assert_eq!(count(&mut system, roll("2030-01-11 00:00:00+00")).await?, 2);
    let all = [
        "10T00 2 10 15 20 2 200 2",
        "10T01 1 90 90 90 1 - 0",
        "10T23 1 0 - 0",
    ];
    assert_eq!(texts(&mut system, HOURS).await?, all);
    assert_eq!(texts(&mut system, DAYS).await?, ["10 4 10 40 90"]);
    assert_eq!(count(&mut system, roll("2030-01-11 00:00:00+00")).await?, 0);

    // Computed again from the same rows, they are the same.
    run(
        &mut system,
        "insert into agents.rollup_backfill (day) values ('2030-01-10')",
    )
    .await?;
    let backfilled = text(
        &mut system,
        "select min(agents.backfill_rollups()::text) from generate_series(1, 20)",
    )
    .await?;
    assert!(backfilled.is_some());
    assert!(count(&mut system, roll("2030-01-11 00:00:00+00")).await? >= 3);
    assert_eq!(texts(&mut system, HOURS).await?, all);
    assert_eq!(texts(&mut system, DAYS).await?, ["10 4 10 40 90"]);

    // A late row changes its hour and its day, and no other.
    run(&mut system, sample("2030-01-10 01:30:00+00", "30", "{}")).await?;
    assert_eq!(count(&mut system, roll("2030-01-20 00:00:00+00")).await?, 1);
    assert_eq!(
        texts(&mut system, HOURS).await?,
        [all[0], "10T01 2 30 60 90 2 - 0", all[2]]
    );
    assert_eq!(texts(&mut system, DAYS).await?, ["10 5 10 37.5 90"]);

    // What expired in between does not shrink what was computed from it.
    run(&mut system, "delete from agents.system_info where collected_at < '2030-01-10 01:15:00+00' and collected_at > '2030-01-01'").await?;
    run(
        &mut system,
        "insert into agents.rollup_queue (tenant_id, agent_id, hour_at)
        select tenant_id, agent_id, hour_at from agents.system_info_hourly on conflict do nothing",
    )
    .await?;
    count(&mut system, roll("2030-01-20 00:00:00+00")).await?;
    assert_eq!(
        texts(&mut system, HOURS).await?,
        [all[0], "10T01 2 30 60 90 2 - 0", all[2]]
    );
    Ok(())
}

#[tokio::test]
async fn an_hour_whose_rows_are_not_committed_is_not_lost() -> anyhow::Result<()> {
    let test = filled().await?;
    let (mut job, mut writer) = (test.connect("sg_system").await?, test.connect("sg_system").await?);
    let roll = "select agents.roll_up('2030-01-20', 1000)::bigint";
    run(&mut writer, "begin").await?;
    run(&mut writer, sample("2030-01-10 00:30:00+00", "90", "{}")).await?;
    let taken = count(&mut job, roll).await?;
    assert_eq!(taken, 2 + 4, "the hour that is being written to is passed over");
    run(&mut writer, "commit").await?;
    assert_eq!(count(&mut job, roll).await?, 1);
    assert_eq!(texts(&mut job, HOURS).await?[0], "10T00 3 10 40 90 3 200 2");
    Ok(())
}

#[tokio::test]
async fn the_chart_is_still_there_when_the_rows_are_gone() -> anyhow::Result<()> {
    let test = filled().await?;
    let mut system = test.connect("sg_system").await?;
    count(&mut system, "select agents.roll_up('2030-01-20', 1000)::bigint").await?;
    let admin = caller(&test, ADMIN_A).await?;
    let range = |step_seconds| Range {
        from: "2030-01-10T00:00:00Z".parse().unwrap_or_default(),
        to: "2030-01-11T00:00:00Z".parse().unwrap_or_default(),
        step_seconds,
    };
    let cpu = async |at: &str, step: i64| -> anyhow::Result<Vec<Option<f64>>> {
        let mut tx = test.db.read(&admin, now()).await?;
        let series = read_metrics(&mut tx, OWN, range(step), at.parse()?).await?;
        Ok(series.points.into_iter().map(|point| point.cpu_usage).collect())
    };
    let fine = [Some(10.0), Some(20.0), Some(90.0), None];
    assert_eq!(cpu("2030-01-11T00:00:00Z", 60).await?, fine, "from the rows");
    assert_eq!(
        cpu("2030-03-01T00:00:00Z", 86_400).await?,
        [Some(40.0)],
        "from the hours"
    );
    assert_eq!(
        cpu("2030-03-01T00:00:00Z", 3_600).await?,
        [Some(15.0), Some(90.0), None]
    );
    // A tenant that moves to another class goes on seeing what is there of the class before.
    run(
        &mut test.connect("postgres").await?,
        format!("update users.tenants set retention_class = 400 where tenant_id = '{TENANT_A}'"),
    )
    .await?;
    assert_eq!(cpu("2030-01-11T00:00:00Z", 60).await?, fine);

    run(
        &mut system,
        "delete from agents.system_info where collected_at > '2030-01-01'",
    )
    .await?;
    assert_eq!(
        cpu("2030-06-01T00:00:00Z", 60).await?,
        [Some(15.0), Some(90.0), None],
        "an hour for each point"
    );
    assert_eq!(cpu("2030-06-01T00:00:00Z", 86_400).await?, [Some(40.0)]);
    run(
        &mut system,
        "delete from agents.system_info_hourly where hour_at > '2030-01-01'",
    )
    .await?;
    assert_eq!(
        cpu("2034-01-01T00:00:00Z", 86_400).await?,
        [Some(40.0)],
        "from the days"
    );
    assert_eq!(cpu("2034-01-01T00:00:00Z", 60).await?, [Some(40.0)]);

    let mut tx = test.db.read(&caller(&test, ADMIN_B).await?, now()).await?;
    let foreign = read_metrics(&mut tx, OWN, range(60), "2030-06-01T00:00:00Z".parse()?).await?;
    assert_eq!(foreign.points, vec![]);
    Ok(())
}

#[tokio::test]
async fn roll_ups_expire_by_drop_long_after_the_rows() -> anyhow::Result<()> {
    let test = filled().await?;
    let mut system = test.connect("sg_system").await?;
    run(&mut system, "select agents.ensure_partition_of(t, '2030-01-10') from unnest(array['agents.system_info_hourly', 'agents.system_info_daily',
        'agents.system_info_class_90']) t").await?;
    count(&mut system, "select agents.roll_up('2030-01-20', 1000)::bigint").await?;
    let left =
        "select concat_ws(' ', (select count(*) from agents.system_info where collected_at > '2030-01-01'),
        (select count(*) from agents.system_info_hourly where hour_at > '2030-01-01'),
        (select count(*) from agents.system_info_daily where day_at > '2030-01-01'))";
    for (at, counts) in [
        ("2030-03-01", "4 3 1"),
        ("2030-05-01", "0 3 1"),
        ("2031-03-20", "0 0 1"),
        ("2034-12-01", "0 0 1"),
        ("2035-03-01", "0 0 0"),
    ] {
        texts(
            &mut system,
            format!("select agents.drop_expired_partitions('{at}')"),
        )
        .await?;
        assert_eq!(text(&mut system, left).await?.as_deref(), Some(counts), "{at}");
    }
    Ok(())
}
