//! What the signer lets through, whatever the server says.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, Duration, Utc};
use sg_trust::{read_order, verify_approval};
use sg_types::agent::TrustSet;
use sg_types::response::{Approval, CommandKind, CommandOrder};

/// The signer's own rules.
#[derive(Debug)]
pub struct Policy {
    kinds: Vec<CommandKind>,
    max_lifetime: Duration,
    per_minute: usize,
    /// The file of the approver root's public key, read anew for each dangerous command: the root may come later.
    root_file: PathBuf,
    /// The file of the signed trust set, which names what was revoked.
    trust_file: PathBuf,
    signed: Mutex<VecDeque<DateTime<Utc>>>,
}

impl Clone for Policy {
    fn clone(&self) -> Self {
        Self::new(
            self.kinds.clone(),
            self.max_lifetime,
            self.per_minute,
            self.root_file.clone(),
            self.trust_file.clone(),
        )
    }
}

impl Policy {
    /// Lets `kinds` through (all when empty), with a life of at most `max_lifetime`, `per_minute` of them a minute.
    pub fn new(
        kinds: Vec<CommandKind>,
        max_lifetime: Duration,
        per_minute: usize,
        root_file: PathBuf,
        trust_file: PathBuf,
    ) -> Self {
        Self {
            kinds,
            max_lifetime,
            per_minute,
            root_file,
            trust_file,
            signed: Mutex::new(VecDeque::new()),
        }
    }

    /// Reads an order that may be signed.
    ///
    /// # Errors
    /// In words, why it is not.
    pub(super) fn judge(
        &self,
        text: &str,
        approval: Option<&Approval>,
        now: DateTime<Utc>,
    ) -> Result<CommandOrder, String> {
        let order = read_order(text, now).map_err(|refused| refused.to_string())?;
        let kind = order.action.kind();
        if !self.kinds.is_empty() && !self.kinds.contains(&kind) {
            return Err(format!("the signer's policy does not allow `{kind}`"));
        }
        if order.expires_at - order.issued_at > self.max_lifetime {
            return Err(format!(
                "the signer's policy allows a life of {} s",
                self.max_lifetime.num_seconds()
            ));
        }
        if kind.is_dangerous() {
            let approval = approval.ok_or("this kind takes the signature of a second person")?;
            let trust = self.trust()?;
            verify_approval(approval, &order, text, &trust, now).map_err(|refused| refused.to_string())?;
        }
        self.count(now)?;
        Ok(order)
    }

    fn count(&self, now: DateTime<Utc>) -> Result<(), String> {
        let mut signed = self.signed.lock().unwrap_or_else(PoisonError::into_inner);
        while signed.front().is_some_and(|at| now - *at >= Duration::minutes(1)) {
            signed.pop_front();
        }
        if signed.len() >= self.per_minute {
            return Err(format!(
                "the signer signs {} commands a minute at most",
                self.per_minute
            ));
        }
        signed.push_back(now);
        Ok(())
    }

    /// The root by its own file; the trust set beside it only adds what was revoked.
    fn trust(&self) -> Result<TrustSet, String> {
        let root =
            std::fs::read_to_string(&self.root_file).map_err(|_| "there is no approver root on this host")?;
        let revoked = std::fs::read_to_string(&self.trust_file)
            .ok()
            .and_then(|text| serde_json::from_str::<sg_types::response::SignedText>(&text).ok())
            .and_then(|signed| serde_json::from_str::<TrustSet>(&signed.text).ok())
            .map(|trust| trust.revoked_approvers)
            .unwrap_or_default();
        Ok(TrustSet {
            version: 0,
            rules_key: String::new(),
            commands_key: None,
            approver_root: Some(root.trim().to_owned()),
            revoked_approvers: revoked,
        })
    }
}

#[cfg(test)]
mod tests {
    use sg_trust::{SecretKey, approve, certify};
    use sg_types::response::{ApproverCertificate, CommandAction, NoArguments, PathArguments};
    use sg_types::{AgentId, Clock, CommandId, SystemClock, TenantId, UserId};
    use uuid::Uuid;

    use super::*;

    fn order(action: CommandAction, now: DateTime<Utc>) -> String {
        serde_json::to_string(&CommandOrder {
            command_id: CommandId(Uuid::from_u128(1)),
            tenant_id: TenantId(Uuid::from_u128(2)),
            agent_id: AgentId(Uuid::from_u128(3)),
            nonce: "00".repeat(32),
            issued_at: now,
            expires_at: now + Duration::hours(1),
            requested_by: UserId(Uuid::from_u128(4)),
            requester: "first".to_owned(),
            reason: "because".to_owned(),
            action,
        })
        .unwrap()
    }

    fn policy(folder: &std::path::Path) -> Policy {
        Policy::new(
            Vec::new(),
            Duration::days(1),
            2,
            folder.join("root.pub"),
            folder.join("trust.json"),
        )
    }

    #[test]
    fn kinds_lives_and_numbers_are_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let now = SystemClock.now();
        let text = order(CommandAction::ListProcesses(NoArguments {}), now);
        let mut policy = policy(folder.path());
        assert!(policy.judge(&text, None, now).is_ok());
        assert!(policy.judge(&text, None, now).is_ok());
        assert!(policy.judge(&text, None, now).unwrap_err().contains("a minute"));
        assert!(policy.judge(&text, None, now + Duration::minutes(1)).is_ok());
        policy.per_minute = 100;
        policy.max_lifetime = Duration::minutes(5);
        assert!(policy.judge(&text, None, now).unwrap_err().contains("a life of"));
        policy.max_lifetime = Duration::days(1);
        policy.kinds = vec![CommandKind::ScanPath];
        assert!(
            policy
                .judge(&text, None, now)
                .unwrap_err()
                .contains("does not allow")
        );
        assert!(policy.judge("{}", None, now).is_err());
    }

    #[test]
    fn a_dangerous_kind_takes_an_approver_that_the_root_on_this_host_vouches_for() {
        let folder = tempfile::tempdir().unwrap();
        let now = SystemClock.now();
        let text = order(
            CommandAction::CollectFile(PathArguments {
                path: "/etc/hosts".to_owned(),
            }),
            now,
        );
        let (root, approver) = (SecretKey::from_seed(&[1; 32]), SecretKey::from_seed(&[2; 32]));
        let certificate = ApproverCertificate {
            serial: "aa".repeat(16),
            user_id: UserId(Uuid::from_u128(5)),
            username: "second".to_owned(),
            tenant_id: None,
            public_key: approver.public().to_base64(),
            not_before: now,
            not_after: now + Duration::days(1),
        };
        let approval = approve(&approver, certify(&root, &certificate).unwrap(), &text);
        let policy = policy(folder.path());
        assert!(
            policy
                .judge(&text, None, now)
                .unwrap_err()
                .contains("second person")
        );
        assert!(
            policy
                .judge(&text, Some(&approval), now)
                .unwrap_err()
                .contains("no approver root")
        );
        std::fs::write(folder.path().join("root.pub"), approver.public().to_base64()).unwrap();
        assert!(
            policy
                .judge(&text, Some(&approval), now)
                .unwrap_err()
                .contains("not by the pinned")
        );
        std::fs::write(folder.path().join("root.pub"), root.public().to_base64()).unwrap();
        assert!(policy.judge(&text, Some(&approval), now).is_ok());
        let revoked = sg_trust::sign_trust_set(
            &root,
            &TrustSet {
                version: 3,
                rules_key: String::new(),
                commands_key: None,
                approver_root: None,
                revoked_approvers: vec![certificate.serial],
            },
        )
        .unwrap();
        std::fs::write(
            folder.path().join("trust.json"),
            serde_json::to_string(&revoked).unwrap(),
        )
        .unwrap();
        assert!(
            policy
                .judge(&text, Some(&approval), now)
                .unwrap_err()
                .contains("revoked")
        );
    }
}
