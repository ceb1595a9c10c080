//! Remote commands: every step that the workflow has and none that it has not, two people for what is dangerous, results once.

use sg_db::agents::{
    MAX_OUTPUT_PIECES, NewCommand, NewResult, Step, append_output, approve_command, claim_commands,
    close_command, insert_command, mark_sent, record_result, start_command,
};
use sg_db::{DbError, cleanup};
use sg_types::response::{Approval, MAX_OUTPUT_BYTES, SignedText};
use sg_types::{AgentId, CommandId, CommandState, TenantId, UserId};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::support::*;

const TENANT: TenantId = TenantId(Uuid::from_u128(0xaaaa_aaaa_0000_4000_8000_0000_0000_0000));
const ADMIN: UserId = UserId(Uuid::from_u128(0xaaaa_aaaa_0000_4000_8000_0000_0000_0001));
const OWN: AgentId = AgentId(Uuid::from_u128(0xaaaa_aaaa_0000_4000_8000_0000_0000_0011));
const OTHER: AgentId = AgentId(Uuid::from_u128(0xaaaa_aaaa_0000_4000_8000_0000_0000_0012));
/// A second person who may agree.
const SECOND: &str = "
    insert into users.users (user_id, username, email, password_hash, role, tenant_id) values
        ('aaaaaaaa-0000-4000-8000-000000000003', 'second-a', 'second@a.example', 'x', 'manager', 'aaaaaaaa-0000-4000-8000-000000000000');
    insert into users.sessions (session_id, tenant_id, user_id, token_hash, created_at, last_seen_at, idle_seconds, expires_at)
    select user_id, tenant_id, user_id, sha256('token of the second of a'), now(), now(), 3600, now() + interval '1 day'
    from users.users where username = 'second-a'";
const SECOND_A: &str = "token of the second of a";
const SECOND_ID: UserId = UserId(Uuid::from_u128(0xaaaa_aaaa_0000_4000_8000_0000_0000_0003));

fn seeded() -> String {
    "where command_id = 'aaaaaaaa-0000-4000-8000-000000000061'".to_owned()
}

/// The statement that takes the seeded command to a state, with the columns that belong to the step.
fn step_to(state: CommandState) -> String {
    let columns = match state {
        CommandState::Pending => "",
        CommandState::Approved => {
            ", approved_by = 'aaaaaaaa-0000-4000-8000-000000000002', approved_at = now(), approval = '{}'"
        }
        CommandState::Sent => {
            ", sent_at = now(), signature = decode(repeat('ab', 64), 'hex'), signing_key_id = 'k'"
        }
        CommandState::Running => ", started_at = now()",
        CommandState::Succeeded | CommandState::Failed => ", finished_at = now()",
        CommandState::Expired => ", finished_at = expires_at",
        CommandState::Cancelled | CommandState::Rejected => {
            ", finished_at = now(), closed_by = case when state <> 'sent' then requested_by end, close_reason = 'no'"
        }
    };
    format!(
        "update agents.commands set state = '{state}'{columns} {}",
        seeded()
    )
}

fn way_to(state: CommandState) -> Vec<CommandState> {
    match state {
        CommandState::Pending => vec![],
        CommandState::Running | CommandState::Succeeded | CommandState::Failed => {
            vec![CommandState::Sent, state]
        }
        _ => vec![state],
    }
}

#[tokio::test]
async fn the_workflow_is_exactly_the_table_for_every_writer() -> anyhow::Result<()> {
    let test = two_tenants().await?;
    let mut root = test.connect("postgres").await?;
    let mut legal = 0;
    for from in CommandState::ALL {
        for to in CommandState::ALL {
            run(&mut root, "begin").await?;
            for step in way_to(*from) {
                run(&mut root, step_to(step)).await?;
            }
            run(&mut root, "savepoint before").await?;
            let taken = run(&mut root, step_to(*to)).await;
            if from == to {
                let harmless = format!("update agents.commands set state = state {}", seeded());
                run(&mut root, "rollback to savepoint before").await?;
                run(&mut root, harmless).await?;
            } else if from.successors().contains(to) {
                taken?;
                legal += 1;
            } else {
                assert_eq!(refusal(taken), "23514", "{from} to {to}");
            }
            run(&mut root, "rollback").await?;
            let known = text(
                &mut root,
                format!("select agents.command_may_become('{from}', '{to}')::text"),
            )
            .await?;
            assert_eq!(
                known.as_deref() == Some("true"),
                from.successors().contains(to),
                "{from} to {to}"
            );
        }
    }
    assert_eq!(legal, 17);
    Ok(())
}

#[tokio::test]
async fn nothing_else_of_a_command_changes_and_no_step_comes_without_its_proof() -> anyhow::Result<()> {
    let test = two_tenants().await?;
    let mut root = test.connect("postgres").await?;
    let seeded = seeded();
    let dangerous = "update agents.commands set dangerous = true where false;
        insert into agents.commands (command_id, tenant_id, agent_id, kind, nonce, idempotency_key, requested_by, requested_at, reason, expires_at)
        select 'aaaaaaaa-0000-4000-8000-000000000099', tenant_id, agent_id, 'kill_process', '\\x000102030405060708090a0b0c0d0e0f', 'd',
            requested_by, now(), 'x', now() + interval '1 hour' from agents.commands";
    for (statement, code) in [
        (format!("update agents.commands set arguments = '{{\"a\": 1}}' {seeded}"), "23514"),
        (format!("update agents.commands set expires_at = expires_at + interval '1 day' {seeded}"), "23514"),
        (format!("update agents.commands set dangerous = true {seeded}"), "23514"),
        (format!("update agents.commands set state = 'approved', approved_by = requested_by, approved_at = now(), approval = '{{}}' {seeded}"), "23514"),
        (format!("update agents.commands set state = 'approved', approved_by = 'bbbbbbbb-0000-4000-8000-000000000001',
            approved_at = now(), approval = '{{}}' {seeded}"), "23503"),
        (format!("update agents.commands set state = 'approved' {seeded}"), "23514"),
        (format!("update agents.commands set state = 'approved', approved_by = 'aaaaaaaa-0000-4000-8000-000000000002', approved_at = now() {seeded}"), "23514"),
        (format!("update agents.commands set order_text = '[]' {seeded}"), "23514"),
        (format!("update agents.commands set state = 'sent', sent_at = now() {seeded}"), "23514"),
        (format!("update agents.commands set state = 'sent', sent_at = expires_at, signature = decode(repeat('ab', 64), 'hex') {seeded}"), "23514"),
        (format!("update agents.commands set state = 'expired', finished_at = now() {seeded}"), "23514"),
        (format!("{} {seeded}; update agents.commands set state = 'rejected', finished_at = now(), closed_by = requested_by, close_reason = 'no' {seeded}",
            "update agents.commands set state = 'sent', sent_at = now(), signature = decode(repeat('ab', 64), 'hex')"), "23514"),
        (format!("update agents.commands set state = 'cancelled', finished_at = now(), kind = 'scan_path' {seeded}"), "23514"),
        (format!("{dangerous} {seeded}; update agents.commands set state = 'sent', sent_at = now(), signature = decode(repeat('ab', 64), 'hex')
            where kind = 'kill_process'"), "23514"),
        ("insert into agents.commands (tenant_id, agent_id, kind, nonce, idempotency_key, requested_by, requested_at, reason, expires_at)
            select tenant_id, agent_id, 'format_disk', uuid_send(gen_random_uuid()), 'f', requested_by, now(), 'x', now() + interval '1 hour'
            from agents.commands".to_owned(), "23502"),
        ("insert into agents.commands (tenant_id, agent_id, kind, nonce, idempotency_key, requested_by, requested_at, reason, expires_at)
            select tenant_id, agent_id, kind, uuid_send(gen_random_uuid()), 'f', requested_by, now(), 'x', now() + interval '32 days'
            from agents.commands".to_owned(), "23514"),
        ("insert into agents.commands (tenant_id, agent_id, kind, nonce, idempotency_key, requested_by, requested_at, reason, expires_at)
            select tenant_id, agent_id, kind, nonce, 'f', requested_by, now(), 'x', now() + interval '1 day' from agents.commands".to_owned(), "23505"),
        ("update agents.command_results set outcome = 'failed'".to_owned(), "42501"),
        ("delete from agents.command_results".to_owned(), "42501"),
        ("truncate agents.command_results".to_owned(), "42501"),
    ] {
        run(&mut root, "begin").await?;
        assert_eq!(refusal(run(&mut root, statement.clone()).await), code, "{statement}");
        run(&mut root, "rollback").await?;
    }
    Ok(())
}

fn command<'a>(
    key: &'a str,
    kind: &'a str,
    arguments: &'a serde_json::Value,
    nonce: &'a [u8],
) -> NewCommand<'a> {
    let at = now();
    NewCommand {
        command_id: CommandId(Uuid::from_u128(
            key.bytes().fold(7, |n, byte| n * 256 + u128::from(byte)),
        )),
        tenant_id: TENANT,
        agent_id: OWN,
        kind,
        arguments,
        secret_arguments: None,
        order_text: "{}",
        nonce,
        idempotency_key: key,
        requested_by: ADMIN,
        requested_at: at,
        reason: "a case",
        expires_at: at + chrono::Duration::hours(1),
    }
}

/// As long as one of Ed25519 in base64.
const SIGNATURE: &str =
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

fn approval() -> Approval {
    Approval {
        certificate: SignedText {
            text: "{}".to_owned(),
            signature: "c".to_owned(),
        },
        signature: "s".to_owned(),
    }
}

fn event(number: u128) -> sg_db::audit::AuditEvent {
    sg_db::audit::AuditEvent {
        event_id: Uuid::from_u128(number).into(),
        at: now(),
        actor: sg_db::audit::Actor::anonymous(),
        action: "command.request",
        object: None,
        outcome: sg_db::audit::Outcome::Success,
        reason: None,
        request_id: None,
        address: None,
    }
}

#[tokio::test]
async fn a_command_goes_its_way_and_repeats_change_nothing() -> anyhow::Result<()> {
    let test = two_tenants().await?;
    run(&mut test.connect("postgres").await?, SECOND).await?;
    run(
        &mut test.connect("postgres").await?,
        "delete from agents.commands",
    )
    .await?;
    let (admin, second) = (caller(&test, ADMIN_A).await?, caller(&test, SECOND_A).await?);
    let (arguments, secret) = (
        serde_json::json!({"pid": 7}),
        serde_json::json!({"password": "hunter2"}),
    );
    let dangerous = NewCommand {
        secret_arguments: Some(&secret),
        ..command("kill", "kill_process", &arguments, &[1; 16])
    };

    let mut tx = test.db.write(&admin, now()).await?;
    let (id, step) = insert_command(&mut tx, &dangerous).await?;
    assert_eq!(step, Step::Taken);
    assert_eq!(insert_command(&mut tx, &dangerous).await?, (id, Step::Repeated));
    let other = NewCommand {
        kind: "run_script",
        ..dangerous.clone()
    };
    assert!(matches!(
        insert_command(&mut tx, &other).await,
        Err(DbError::AlreadyExists { .. })
    ));
    let system_event = actor_event(&admin, 1);
    tx.commit(system_event).await?;

    let mut system = test.db.system("test").await?;
    assert_eq!(
        claim_commands(&mut system, OWN, now(), 10).await?,
        vec![],
        "it waits for a second person"
    );
    drop(system);
    let mut tx = test.db.write(&admin, now()).await?;
    let own = approve_command(&mut tx, id, ADMIN, &approval(), now()).await;
    assert!(
        matches!(own, Err(DbError::InvalidValue { ref constraint }) if constraint == "commands_two_people_check"),
        "{own:?}"
    );
    drop(tx);
    let mut tx = test.db.write(&second, now()).await?;
    assert_eq!(
        approve_command(&mut tx, id, SECOND_ID, &approval(), now()).await?,
        Some(Step::Taken)
    );
    assert_eq!(
        approve_command(&mut tx, id, SECOND_ID, &approval(), now()).await?,
        Some(Step::Repeated)
    );
    tx.commit(actor_event(&second, 2)).await?;

    let mut system = test.db.system("test").await?;
    let ready = claim_commands(&mut system, OWN, now(), 10).await?;
    assert_eq!(
        (ready.len(), &ready[0].approval, &ready[0].signature),
        (1, &Some(approval()), &None)
    );
    assert_eq!(
        mark_sent(&mut system, id, SIGNATURE, "key-1", now()).await?,
        Some(Step::Taken)
    );
    assert_eq!(
        mark_sent(&mut system, id, SIGNATURE, "key-1", now()).await?,
        Some(Step::Repeated)
    );
    let again = claim_commands(&mut system, OWN, now(), 10).await?;
    assert_eq!(
        (again.len(), again[0].signature.as_deref()),
        (1, Some(SIGNATURE)),
        "the answer may have been lost"
    );
    assert!(!append_output(&mut system, OTHER, id, 0, "no", now()).await?);
    assert_eq!(
        start_command(&mut system, OTHER, id, now()).await?,
        None,
        "another endpoint's"
    );
    assert_eq!(
        start_command(&mut system, OWN, id, now()).await?,
        Some(Step::Taken)
    );
    assert_eq!(
        start_command(&mut system, OWN, id, now()).await?,
        Some(Step::Repeated)
    );
    assert_eq!(claim_commands(&mut system, OWN, now(), 10).await?, vec![]);
    assert!(append_output(&mut system, OWN, id, 0, "so far", now()).await?);
    assert!(append_output(&mut system, OWN, id, 0, "a repeat", now()).await?);
    let output = "ä".repeat(MAX_OUTPUT_BYTES);
    let result = result(id, &output);
    assert_eq!(
        record_result(
            &mut system,
            &NewResult {
                agent_id: OTHER,
                ..result.clone()
            },
            now()
        )
        .await?,
        None
    );
    assert_eq!(
        record_result(&mut system, &result, now()).await?,
        Some(Step::Taken)
    );
    let repeat = NewResult {
        outcome: CommandState::Failed,
        ..result
    };
    assert_eq!(
        record_result(&mut system, &repeat, now()).await?,
        Some(Step::Repeated)
    );
    system.commit_upkeep().await?;

    let mut root = test.connect("postgres").await?;
    assert_eq!(
        text(&mut root, "select concat_ws(' ', c.state, r.outcome, octet_length(r.output), r.output_truncated, r.output_bytes, r.late)
            from agents.commands c join agents.command_results r using (command_id)").await?.as_deref(),
        Some(format!("succeeded succeeded {MAX_OUTPUT_BYTES} t {} f", 2 * MAX_OUTPUT_BYTES).as_str())
    );
    // The history tells who did what, and nothing that is secret.
    let history = texts(&mut root, "select coalesce(before::text, '') || after::text from audit.row_changes
        where table_name = 'agents.commands' and row_id not in ('aaaaaaaa-0000-4000-8000-000000000061', 'bbbbbbbb-0000-4000-8000-000000000061') and operation <> 'delete' order by change_id").await?;
    assert_eq!(history.len(), 5, "{history:?}");
    assert!(
        history
            .iter()
            .all(|row| !row.contains("hunter2") && !row.contains("nonce")),
        "{history:?}"
    );
    Ok(())
}

fn actor_event(caller: &sg_db::Caller, number: u128) -> sg_db::audit::AuditEvent {
    sg_db::audit::AuditEvent {
        actor: sg_db::audit::Actor::from(caller),
        ..event(number)
    }
}

fn result(command_id: CommandId, output: &str) -> NewResult<'_> {
    NewResult {
        command_id,
        agent_id: OWN,
        outcome: CommandState::Succeeded,
        exit_code: Some(0),
        output,
        output_bytes: 0,
        started_at: None,
        finished_at: now(),
        summary: "so it is",
        signed: None,
    }
}

#[tokio::test]
async fn what_waits_too_long_expires_and_a_late_result_is_kept_as_one() -> anyhow::Result<()> {
    let test = two_tenants().await?;
    let mut root = test.connect("postgres").await?;
    run(&mut root, "delete from agents.commands").await?;
    let admin = caller(&test, ADMIN_A).await?;
    let arguments = serde_json::json!({});
    let mut tx = test.db.write(&admin, now()).await?;
    let (sent, _) = insert_command(&mut tx, &command("sent", "scan_path", &arguments, &[2; 16])).await?;
    let (waiting, _) = insert_command(&mut tx, &command("waits", "scan_path", &arguments, &[3; 16])).await?;
    let (cancelled, _) =
        insert_command(&mut tx, &command("cancel", "scan_path", &arguments, &[4; 16])).await?;
    let closed = close_command(
        &mut tx,
        cancelled,
        CommandState::Cancelled,
        ADMIN,
        "no need",
        now(),
    )
    .await?;
    assert_eq!(closed, Some(Step::Taken));
    tx.commit(actor_event(&admin, 3)).await?;
    let mut system = test.db.system("test").await?;
    mark_sent(&mut system, sent, SIGNATURE, "key-1", now()).await?;
    assert!(matches!(
        mark_sent(&mut system, cancelled, SIGNATURE, "key-1", now()).await,
        Err(DbError::InvalidValue { .. })
    ));
    drop(system);
    let mut system = test.db.system("test").await?;
    mark_sent(&mut system, sent, SIGNATURE, "key-1", now()).await?;
    system.commit_upkeep().await?;

    let expire = cleanup::CLEANUPS
        .iter()
        .find(|kind| kind.name == "commands_expired")
        .ok_or_else(|| anyhow::anyhow!("no such cleanup"))?;
    let later = now() + chrono::Duration::hours(2);
    let mut system = test.db.system("test").await?;
    assert_eq!(cleanup::run_cleanup(&mut system, expire, now()).await?, 0);
    assert_eq!(cleanup::run_cleanup(&mut system, expire, later).await?, 2);
    assert_eq!(cleanup::run_cleanup(&mut system, expire, later).await?, 0);
    assert_eq!(claim_commands(&mut system, OWN, now(), 10).await?, vec![]);
    assert_eq!(
        record_result(&mut system, &result(sent, "done"), later).await?,
        Some(Step::Taken)
    );
    assert_eq!(
        record_result(&mut system, &result(sent, "again"), later).await?,
        Some(Step::Repeated)
    );
    system.commit_upkeep().await?;
    let mut system = test.db.system("test").await?;
    let never_sent = record_result(&mut system, &result(waiting, "?"), later).await;
    assert!(
        matches!(never_sent, Err(DbError::InvalidValue { .. })),
        "{never_sent:?}"
    );
    drop(system);
    assert_eq!(
        texts(
            &mut root,
            "select concat_ws(' ', c.idempotency_key, c.state, r.outcome, r.late) from agents.commands c
            left join agents.command_results r using (command_id) order by 1"
        )
        .await?,
        ["cancel cancelled", "sent expired succeeded t", "waits expired"]
    );
    Ok(())
}

#[tokio::test]
async fn output_one_byte_at_a_time_fills_no_table() -> anyhow::Result<()> {
    let test = two_tenants().await?;
    let mut root = test.connect("postgres").await?;
    run(&mut root, step_to(CommandState::Sent)).await?;
    let id = CommandId(Uuid::from_u128(0xaaaa_aaaa_0000_4000_8000_0000_0000_0061));
    let mut system = test.db.system("test").await?;
    for offset in 1..MAX_OUTPUT_PIECES + 50 {
        append_output(&mut system, OWN, id, offset, "x", now()).await?;
    }
    system.commit_upkeep().await?;
    let query = "select count(*) from agents.command_output where command_id = 'aaaaaaaa-0000-4000-8000-000000000061'";
    assert_eq!(count(&mut root, query.to_owned()).await?, MAX_OUTPUT_PIECES);
    Ok(())
}

async fn refused_as(app: &mut PgConnection, token: &str, statement: &str) -> anyhow::Result<String> {
    run(app, "begin").await?;
    run(app, open_context(token)).await?;
    let outcome = affected(app, statement).await;
    run(app, "rollback").await?;
    Ok(match outcome {
        Ok(rows) => rows.to_string(),
        failed => refusal(failed),
    })
}

#[tokio::test]
async fn free_sql_commands_in_ones_own_name_and_only_peoples_steps() -> anyhow::Result<()> {
    let test = two_tenants().await?;
    run(&mut test.connect("postgres").await?, SECOND).await?;
    let mut app = test.connect("sg_app").await?;
    let insert = |by: &str, agent: &str, tenant: &str| {
        format!("insert into agents.commands (tenant_id, agent_id, kind, nonce, idempotency_key, requested_by, requested_at, reason, expires_at)
            values ('{tenant}', '{agent}', 'kill_process', '\\x000102030405060708090a0b0c0d0e0f', 'x', '{by}', now(), 'x', now() + interval '1 hour')")
    };
    let (admin, user, own) = (
        ADMIN.to_string(),
        "aaaaaaaa-0000-4000-8000-000000000002",
        OWN.to_string(),
    );
    for (token, statement, outcome) in [
        (ADMIN_A, insert(&admin, &own, TENANT_A), "1"),
        (ADMIN_A, insert(user, &own, TENANT_A), "42501"),
        (ADMIN_A, insert(&admin, "bbbbbbbb-0000-4000-8000-000000000011", TENANT_A), "23503"),
        (ADMIN_A, insert(&admin, &own, TENANT_B), "42501"),
        (USER_A, insert(user, &own, TENANT_A), "42501"),
        (SECOND_A, "update agents.commands set state = 'approved', approved_by = 'aaaaaaaa-0000-4000-8000-000000000003', approved_at = now(), approval = '{}'".to_owned(), "1"),
        (SECOND_A, "update agents.commands set state = 'approved', approved_by = 'aaaaaaaa-0000-4000-8000-000000000002', approved_at = now(), approval = '{}'".to_owned(), "42501"),
        (ADMIN_B, "update agents.commands set state = 'cancelled', closed_by = 'bbbbbbbb-0000-4000-8000-000000000001', close_reason = 'x',
            finished_at = now() where tenant_id <> 'bbbbbbbb-0000-4000-8000-000000000000'".to_owned(), "0"),
        (USER_A, "update agents.commands set state = 'cancelled', closed_by = 'aaaaaaaa-0000-4000-8000-000000000002', close_reason = 'x',
            finished_at = now()".to_owned(), "0"),
        (ADMIN_A, "update agents.commands set state = 'expired', finished_at = expires_at".to_owned(), "42501"),
        (ADMIN_A, "update agents.commands set state = 'sent', sent_at = now()".to_owned(), "42501"),
        (ADMIN_A, "update agents.commands set secret_arguments = null".to_owned(), "42501"),
        (ADMIN_A, "select secret_arguments from agents.commands".to_owned(), "42501"),
        (ADMIN_A, "select nonce, signature from agents.commands".to_owned(), "42501"),
        (ADMIN_A, "insert into agents.command_results (command_id, tenant_id, outcome, finished_at, received_at)
            select command_id, tenant_id, 'failed', now(), now() from agents.commands".to_owned(), "42501"),
        (ADMIN_A, "delete from agents.commands".to_owned(), "42501"),
    ] {
        assert_eq!(refused_as(&mut app, token, &statement).await?, outcome, "{statement}");
    }
    Ok(())
}
