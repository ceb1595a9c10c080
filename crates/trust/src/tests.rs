use chrono::{DateTime, Duration, TimeZone, Utc};
use sg_types::agent::TrustSet;
use sg_types::response::{
    ApproverCertificate, CommandAction, CommandOrder, NoArguments, PathArguments, ProcessArguments,
    SignedCommand, SignedText,
};
use sg_types::{AgentId, CommandId, TenantId, UserId};
use uuid::Uuid;

use super::*;

const TENANT: TenantId = TenantId(Uuid::from_u128(1));
const AGENT: AgentId = AgentId(Uuid::from_u128(2));
const REQUESTER: UserId = UserId(Uuid::from_u128(3));
const APPROVER: UserId = UserId(Uuid::from_u128(4));

fn now() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 1, 1, 12, 0, 0).unwrap()
}

fn key(seed: u8) -> SecretKey {
    SecretKey::from_seed(&[seed; 32])
}

/// Rules 1, signer 2, root 3, approver 4.
fn trust() -> TrustSet {
    TrustSet {
        version: 7,
        rules_key: key(1).public().to_base64(),
        commands_key: Some(key(2).public().to_base64()),
        approver_root: Some(key(3).public().to_base64()),
        revoked_approvers: Vec::new(),
    }
}

fn me() -> Recipient {
    Recipient {
        agent_id: AGENT,
        tenant_id: Some(TENANT),
    }
}

fn kill() -> CommandAction {
    CommandAction::KillProcess(ProcessArguments { pid: 77, key: None })
}

fn order(action: CommandAction) -> CommandOrder {
    CommandOrder {
        command_id: CommandId(Uuid::from_u128(5)),
        tenant_id: TENANT,
        agent_id: AGENT,
        nonce: "ab".repeat(32),
        issued_at: now(),
        expires_at: now() + Duration::minutes(10),
        requested_by: REQUESTER,
        requester: "first".to_owned(),
        reason: "a miner".to_owned(),
        action,
    }
}

fn certificate() -> ApproverCertificate {
    ApproverCertificate {
        serial: "01".repeat(16),
        user_id: APPROVER,
        username: "second".to_owned(),
        tenant_id: Some(TENANT),
        public_key: key(4).public().to_base64(),
        not_before: now() - Duration::days(1),
        not_after: now() + Duration::days(1),
    }
}

fn signed(order: &CommandOrder) -> SignedText {
    sign_order(&key(2), serde_json::to_string(order).unwrap())
}

fn approved(order: &CommandOrder, certificate: &ApproverCertificate) -> SignedCommand {
    let signed = signed(order);
    let certificate = certify(&key(3), certificate).unwrap();
    let approval = approve(&key(4), certificate, &signed.text);
    SignedCommand {
        order: signed,
        approval: Some(approval),
    }
}

fn judge(command: &SignedCommand) -> Result<CommandOrder, CommandRefused> {
    verify_command(command, &trust(), me(), now())
}

#[test]
fn a_harmless_command_takes_the_signer_and_a_dangerous_one_a_second_person_too() {
    let harmless = order(CommandAction::ListProcesses(NoArguments {}));
    let command = SignedCommand {
        order: signed(&harmless),
        approval: None,
    };
    assert_eq!(judge(&command), Ok(harmless));
    let dangerous = order(kill());
    let command = SignedCommand {
        order: signed(&dangerous),
        approval: None,
    };
    assert_eq!(judge(&command), Err(CommandRefused::ApprovalMissing));
    assert_eq!(judge(&approved(&dangerous, &certificate())), Ok(dangerous));
}

#[test]
fn whoever_holds_the_signers_key_alone_commands_nothing_dangerous() {
    let order = order(kill());
    let mut command = approved(&order, &certificate());
    // A certificate of the thief's own making.
    let forged = certify(&key(2), &certificate()).unwrap();
    command.approval = Some(approve(&key(2), forged, &command.order.text));
    assert_eq!(judge(&command), Err(CommandRefused::UnknownApprover));
    // The real certificate, signed with the wrong key.
    let real = certify(&key(3), &certificate()).unwrap();
    command.approval = Some(approve(&key(2), real, &command.order.text));
    assert_eq!(judge(&command), Err(CommandRefused::BadApproval));
    // The approval of another order.
    let mut other = order.clone();
    other.action = CommandAction::KillProcess(ProcessArguments { pid: 78, key: None });
    command.approval = approved(&other, &certificate()).approval;
    assert_eq!(judge(&command), Err(CommandRefused::BadApproval));
    // The signer's signature is none of an approver's, and the other way round.
    let signature = command.order.signature.clone();
    command.approval = approved(&order, &certificate()).approval;
    command.approval.as_mut().unwrap().signature = signature;
    assert_eq!(judge(&command), Err(CommandRefused::BadApproval));
}

#[test]
fn whoever_holds_an_approvers_key_alone_commands_nothing() {
    let text = serde_json::to_string(&order(kill())).unwrap();
    let command = SignedCommand {
        order: sign_order(&key(4), text.clone()),
        approval: Some(approve(&key(4), certify(&key(3), &certificate()).unwrap(), &text)),
    };
    assert_eq!(judge(&command), Err(CommandRefused::BadSignature));
}

#[test]
fn a_command_holds_for_one_endpoint_its_time_and_its_bytes() {
    let order = order(kill());
    let command = approved(&order, &certificate());
    let verify = |recipient, at| verify_command(&command, &trust(), recipient, at);
    let other = Recipient {
        agent_id: AgentId(Uuid::from_u128(9)),
        ..me()
    };
    assert_eq!(verify(other, now()), Err(CommandRefused::OtherEndpoint));
    let elsewhere = Recipient {
        tenant_id: Some(TenantId(Uuid::from_u128(9))),
        ..me()
    };
    assert_eq!(verify(elsewhere, now()), Err(CommandRefused::OtherTenant));
    let unknown = Recipient {
        tenant_id: None,
        ..me()
    };
    assert_eq!(verify(unknown, now()), Err(CommandRefused::OtherTenant));
    assert_eq!(
        verify(me(), now() + Duration::minutes(10)),
        Err(CommandRefused::Expired)
    );
    assert_eq!(
        verify(me(), now() - Duration::minutes(6)),
        Err(CommandRefused::FromTheFuture)
    );
    let mut changed = command.clone();
    changed.order.text = changed.order.text.replace("77", "78");
    assert_eq!(judge(&changed), Err(CommandRefused::BadSignature));
}

#[test]
fn an_approver_has_to_be_another_person_of_the_tenant_with_a_certificate_that_holds() {
    let order = order(kill());
    let refused = |change: fn(&mut ApproverCertificate)| {
        let mut changed = certificate();
        change(&mut changed);
        judge(&approved(&order, &changed)).unwrap_err()
    };
    assert_eq!(refused(|c| c.user_id = REQUESTER), CommandRefused::OwnApproval);
    assert_eq!(
        refused(|c| c.tenant_id = Some(TenantId(Uuid::from_u128(9)))),
        CommandRefused::ApproverOfAnotherTenant
    );
    assert_eq!(
        refused(|c| c.not_after = now()),
        CommandRefused::CertificateNotValid
    );
    assert_eq!(
        refused(|c| c.not_before = now() + Duration::hours(1)),
        CommandRefused::CertificateNotValid
    );
    let mut everywhere = certificate();
    everywhere.tenant_id = None;
    assert!(judge(&approved(&order, &everywhere)).is_ok());
    let mut without = trust();
    without.revoked_approvers = vec![certificate().serial];
    let command = approved(&order, &certificate());
    assert_eq!(
        verify_command(&command, &without, me(), now()),
        Err(CommandRefused::CertificateRevoked)
    );
    without.approver_root = None;
    assert_eq!(
        verify_command(&command, &without, me(), now()),
        Err(CommandRefused::NoApproverRoot)
    );
    without.commands_key = None;
    assert_eq!(
        verify_command(&command, &without, me(), now()),
        Err(CommandRefused::NoSigner)
    );
}

#[test]
fn what_is_signed_has_to_be_an_order_of_a_known_kind_with_good_arguments() {
    let text = serde_json::to_string(&order(kill())).unwrap();
    let judge = |text: String| {
        judge(&SignedCommand {
            order: sign_order(&key(2), text),
            approval: None,
        })
    };
    assert!(matches!(
        judge(text.replace("kill_process", "wipe_disk")),
        Err(CommandRefused::NotAnOrder(_))
    ));
    assert!(matches!(
        judge(text.replace("\"pid\":77", "\"pid\":1")),
        Err(CommandRefused::BadArgument(_))
    ));
    assert!(matches!(
        judge(text.replace("abab", "xyab")),
        Err(CommandRefused::NotAnOrder(_))
    ));
    assert!(matches!(judge(String::new()), Err(CommandRefused::NotAnOrder(_))));
    let path = order(CommandAction::ScanPath(PathArguments {
        path: "/srv/../etc".to_owned(),
    }));
    assert!(matches!(
        judge(serde_json::to_string(&path).unwrap()),
        Err(CommandRefused::BadArgument(_))
    ));
}

#[test]
fn a_trust_set_is_changed_by_its_root_alone() {
    let mut later = trust();
    later.version = 8;
    later.commands_key = Some(key(5).public().to_base64());
    let by_root = sign_trust_set(&key(3), &later).unwrap();
    assert_eq!(verify_trust_set(&by_root, &trust()), Ok(later.clone()));
    let by_rules_key = sign_trust_set(&key(1), &later).unwrap();
    assert_eq!(
        verify_trust_set(&by_rules_key, &trust()),
        Err(TrustRefused::BadSignature)
    );
    assert_eq!(
        verify_trust_set(&by_root, &later),
        Err(TrustRefused::NotNewer {
            offered: 8,
            pinned: 8
        })
    );
    // Where no root is pinned, the key for rules brings the signer's, but no root.
    let bare = TrustSet {
        version: 1,
        commands_key: None,
        approver_root: None,
        ..trust()
    };
    assert_eq!(
        verify_trust_set(&by_rules_key, &bare),
        Err(TrustRefused::BringsRoot)
    );
    later.approver_root = None;
    let by_rules_key = sign_trust_set(&key(1), &later).unwrap();
    assert_eq!(verify_trust_set(&by_rules_key, &bare), Ok(later.clone()));
    later.commands_key = Some("AAAA".to_owned());
    let broken = sign_trust_set(&key(1), &later).unwrap();
    assert!(matches!(
        verify_trust_set(&broken, &bare),
        Err(TrustRefused::NotATrustSet(_))
    ));
}

#[test]
fn weak_and_broken_keys_are_no_keys() {
    assert_eq!(PublicKey::parse(""), Err(KeyError::Public));
    // The neutral element: it has a signature for every message.
    let mut point = [0_u8; 32];
    point[0] = 1;
    let weak = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, point);
    assert_eq!(PublicKey::parse(&weak), Err(KeyError::Public));
    let pem = key(9).to_pem().unwrap();
    assert_eq!(SecretKey::from_pem(&pem).unwrap().public(), key(9).public());
    assert!(SecretKey::from_pem("nothing").is_err());
}
