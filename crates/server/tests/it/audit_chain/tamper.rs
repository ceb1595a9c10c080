//! What a superuser of the database may do to the log, and what it is called afterwards.

use sg_server::audit::export::Line;
use sg_server::audit::{AuditKeeper, Signing, seal};

use super::Sealed;

#[tokio::test]
async fn an_edited_row_is_named() {
    let sealed = Sealed::make().await;
    let position = sealed.position_of_an_event().await;
    let of = format!(
        "where event_id = (select row_id from audit.chain where tenant_id = '{}' and position = {position})",
        sealed.tenant
    );
    sealed
        .attack(&format!("update audit.events set reason = 'nothing to see' {of}"))
        .await;
    let report = sealed.verify().await;
    assert_eq!(report.faults.len(), 1, "{:?}", report.faults);
    assert!(
        report.names(sealed.tenant, Some(position), "is not what it was"),
        "{:?}",
        report.faults
    );

    // With its hash made to fit, the link betrays it; with the link made to fit, the one after; with all of them, the signature.
    let sealed = Sealed::make().await;
    let position = sealed.position_of_an_event().await;
    sealed
        .attack(&format!(
            "update audit.chain set row_hash = sha256('x') where tenant_id = '{}' and position = {position}",
            sealed.tenant
        ))
        .await;
    let report = sealed.verify().await;
    assert!(
        report.names(sealed.tenant, Some(position), "the link does not follow"),
        "{:?}",
        report.faults
    );
    sealed
        .attack(&format!(
            "update audit.chain set link = sha256('y') where tenant_id = '{}' and position = {position}",
            sealed.tenant
        ))
        .await;
    assert!(
        sealed
            .verify()
            .await
            .names(sealed.tenant, Some(position + 1), "the link does not follow")
    );
}

#[tokio::test]
async fn a_chain_written_anew_does_not_fit_the_signatures() {
    let sealed = Sealed::make().await;
    let exported = sealed.exported().await;
    let end = sealed
        .number(&format!(
            "select position from audit.chain_heads where tenant_id = '{}'",
            sealed.tenant
        ))
        .await;
    // The whole history again, by whoever holds the database but not the key: a row taken out, everything linked anew by our own sealing.
    sealed
        .attack(&format!(
            "create table public.anew as select c.* from audit.chain c where tenant_id = '{0}' and table_code = 1;
             delete from audit.events where event_id = (select row_id from public.anew order by position offset 1 limit 1);
             insert into audit.unsealed select tenant_id, table_code, row_id, row_time, row_hash from audit.chain
                where tenant_id = '{0}' and row_id <> (select row_id from public.anew order by position offset 1 limit 1);
             delete from audit.chain where tenant_id = '{0}'; delete from audit.chain_heads where tenant_id = '{0}';
             delete from audit.checkpoints where tenant_id = '{0}'; drop table public.anew",
            sealed.tenant
        ))
        .await;
    // Another key seals it: the server's own would notice that the end it knows is gone.
    let forger = sealed.app.with_keeper(AuditKeeper::ephemeral());
    seal(forger, Signing::Always).await.unwrap();
    let report = sealed.verify_with(exported).await;
    assert!(
        report.names(
            sealed.tenant,
            Some(end),
            "is missing: it is under the checkpoint that was exported"
        ),
        "{:?}",
        report.faults
    );
    assert!(
        report.names(sealed.tenant, None, "was signed with another key"),
        "{:?}",
        report.faults
    );
}

#[tokio::test]
async fn the_newest_entries_removed_are_missed() {
    let sealed = Sealed::make().await;
    let exported = sealed.exported().await;
    let end = sealed
        .number(&format!(
            "select position from audit.chain_heads where tenant_id = '{}'",
            sealed.tenant
        ))
        .await;
    // The row alone.
    sealed
        .attack(&format!(
            "delete from audit.login_attempts where attempt_id in (select row_id from audit.chain where tenant_id = '{}' and table_code = 3
                order by position desc limit 1)",
            sealed.tenant
        ))
        .await;
    let report = sealed.verify().await;
    assert_eq!(report.faults.len(), 1, "{:?}", report.faults);
    assert!(
        report.names(sealed.tenant, None, "of audit.login_attempts is missing"),
        "{:?}",
        report.faults
    );
    // Row, link, end and every signature: only what was exported knows.
    let position = end - 4;
    sealed
        .attack(&format!(
            "delete from audit.events where event_id in (select row_id from audit.chain where tenant_id = '{0}' and position > {position});
             delete from audit.row_changes where change_id in (select row_id from audit.chain where tenant_id = '{0}' and position > {position});
             delete from audit.login_attempts where attempt_id in (select row_id from audit.chain where tenant_id = '{0}' and position > {position});
             delete from audit.chain where tenant_id = '{0}' and position > {position};
             delete from audit.checkpoints where tenant_id = '{0}';
             update audit.chain_heads h set (position, link) = (select c.position, c.link from audit.chain c where c.tenant_id = '{0}'
                order by c.position desc limit 1) where tenant_id = '{0}'",
            sealed.tenant
        ))
        .await;
    let report = sealed.verify_with(exported).await;
    assert!(
        report.names(
            sealed.tenant,
            Some(end),
            &format!("the chain ends at {position}: the newest entries were removed")
        ),
        "{:?}",
        report.faults
    );
}

#[tokio::test]
async fn a_changed_order_is_named() {
    let sealed = Sealed::make().await;
    let position = sealed.position_of_an_event().await;
    sealed
        .attack(&format!(
            "alter table audit.chain drop constraint chain_position_check;
             update audit.chain set position = 0 where tenant_id = '{0}' and position = {position};
             update audit.chain set position = {position} where tenant_id = '{0}' and position = {position} + 1;
             update audit.chain set position = {position} + 1 where tenant_id = '{0}' and position = 0",
            sealed.tenant
        ))
        .await;
    let report = sealed.verify().await;
    assert!(
        report.names(sealed.tenant, Some(position), "the link does not follow"),
        "{:?}",
        report.faults
    );
    // And in an export: two lines that change places with their positions.
    let sealed = Sealed::make().await;
    let text = sealed.export().await;
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let of = |position: i64| {
        lines
            .iter()
            .position(|line| match serde_json::from_str(line).unwrap() {
                Line::Entry(entry) => entry.tenant_id == sealed.tenant && entry.position == position,
                Line::Checkpoint(_) => false,
            })
    };
    let (one, two) = (of(3).unwrap(), of(4).unwrap());
    lines.swap(one, two);
    let report = sealed.verify_text(&lines.join("\n"));
    assert!(
        report.names(sealed.tenant, Some(3), "positions 3 to 3 are missing"),
        "{:?}",
        report.faults
    );
}

#[tokio::test]
async fn a_truncated_or_dropped_partition_is_missed_row_by_row() {
    for attack in ["truncate", "drop table"] {
        let sealed = Sealed::make().await;
        let month = sealed
            .app
            .sql_text("select tableoid::regclass::text from audit.events order by occurred_at desc limit 1")
            .await;
        let rows = sealed.number(&format!("select count(*) from {month}")).await;
        sealed
            .attack(&format!(
                "alter table {month} disable trigger all; {attack} {month}"
            ))
            .await;
        let report = sealed.verify().await;
        let missing = report
            .faults
            .iter()
            .filter(|fault| fault.what.contains("of audit.events is missing") && fault.position.is_some());
        assert_eq!(i64::try_from(missing.count()).unwrap(), rows, "{attack}");
    }
}

#[tokio::test]
async fn a_rewritten_checkpoint_does_not_verify() {
    let sealed = Sealed::make().await;
    let position = sealed
        .number(&format!(
            "select position from audit.checkpoints where tenant_id = '{}'",
            sealed.tenant
        ))
        .await;
    for change in [
        "link = sha256('x')",
        "signed_at = signed_at - interval '1 day'",
        "signature = sha512('x')",
    ] {
        let sealed = Sealed::make().await;
        sealed
            .attack(&format!(
                "update audit.checkpoints set {change} where tenant_id = '{}'",
                sealed.tenant
            ))
            .await;
        let report = sealed.verify().await;
        assert_eq!(report.faults.len(), 1, "{change}: {:?}", report.faults);
        assert!(report.names(
            sealed.tenant,
            Some(position),
            "the signature of the checkpoint in the database does not hold"
        ));
    }
    sealed
        .attack(&format!(
            "update audit.checkpoints set key_id = 'other', signature = sha512('x') where tenant_id = '{}'",
            sealed.tenant
        ))
        .await;
    assert!(
        sealed
            .verify()
            .await
            .names(sealed.tenant, Some(position), "was signed with another key")
    );
}

#[tokio::test]
async fn a_forged_row_is_in_no_chain() {
    let sealed = Sealed::make().await;
    let id = "aaaaaaaa-0000-4000-8000-000000000099";
    sealed
        .attack(&format!(
            "insert into audit.events (event_id, tenant_id, occurred_at, actor_kind, actor_name, action, outcome, row_hash)
             values ('{id}', '{}', now() - interval '1 hour', 'user', 'first0', 'user.delete', 'success', sha256('x'))",
            sealed.tenant
        ))
        .await;
    let report = sealed.verify().await;
    assert_eq!(report.faults.len(), 1, "{:?}", report.faults);
    assert!(
        report.names(sealed.tenant, None, &format!("the row {id} of audit.events")),
        "{:?}",
        report.faults
    );
    // A row whose place in the queue is taken away is noticed too.
    let sealed = Sealed::make().await;
    sealed.act("third").await;
    sealed.attack("delete from audit.unsealed").await;
    sealed.seal().await;
    assert!(sealed.verify().await.names(sealed.tenant, None, "is in no chain"));
}

#[tokio::test]
async fn an_export_is_not_bent_unseen() {
    let sealed = Sealed::make().await;
    let text = sealed.export().await;
    for (from, to, part) in [
        (
            "\"actor_name\":\"first2\"",
            "\"actor_name\":\"first3\"",
            "is not what it was",
        ),
        (
            "\"table\":\"audit.events\"",
            "\"table\":\"audit.row_changes\"",
            "cannot be read",
        ),
        ("\"detail\":\"{}\"", "\"detail\":\"{ }\"", "is not what it was"),
        (
            "\"outcome\":\"success\"",
            "\"outcome\":null",
            "is not what it was",
        ),
    ] {
        let report = sealed.verify_text(&text.replacen(from, to, 1));
        assert!(
            report
                .faults
                .iter()
                .any(|fault| fault.what.contains(part) && fault.position.is_some()),
            "{from}: {:?}",
            report.faults
        );
    }
    // A line taken out, or one that is no line.
    let without = |number: usize| {
        let kept: Vec<&str> = text
            .lines()
            .enumerate()
            .filter(|(index, _)| *index != number)
            .map(|(_, line)| line)
            .collect();
        kept.join("\n")
    };
    assert!(!sealed.verify_text(&without(5)).holds());
    let garbage = sealed.verify_text(&format!("{text}{{\"type\":\"entry\"}}\n"));
    assert!(
        garbage
            .faults
            .iter()
            .any(|fault| fault.what.ends_with("cannot be read")),
        "{:?}",
        garbage.faults
    );
    // A repeated delivery is no fault.
    assert!(sealed.verify_text(&format!("{text}{text}")).holds());
}
