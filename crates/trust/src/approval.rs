//! The second person: a key that the approver root vouches for, and its signature under one order.

use chrono::{DateTime, Utc};
use sg_types::agent::TrustSet;
use sg_types::response::{Approval, ApproverCertificate, CommandOrder, SignedText};

use crate::command::CommandRefused;
use crate::key::{KeyError, PublicKey, SecretKey};

const CERTIFICATE_CONTEXT: &[u8] = b"secureguard-approver-v1\0";
const APPROVAL_CONTEXT: &[u8] = b"secureguard-approval-v1\0";

/// Signs a certificate with the approver root.
///
/// # Errors
/// [`KeyError::Public`] when the certificate's key is none, [`KeyError::Private`] when it cannot be written.
pub fn certify(root: &SecretKey, certificate: &ApproverCertificate) -> Result<SignedText, KeyError> {
    PublicKey::parse(&certificate.public_key)?;
    let text = serde_json::to_string(certificate).map_err(|_| KeyError::Private)?;
    let signature = root.sign(CERTIFICATE_CONTEXT, &text);
    Ok(SignedText { text, signature })
}

/// Signs the text of an order as its approver.
pub fn approve(key: &SecretKey, certificate: SignedText, order: &str) -> Approval {
    Approval {
        certificate,
        signature: key.sign(APPROVAL_CONTEXT, order),
    }
}

/// Reads a certificate that the pinned approver root has signed and that holds at `now`.
///
/// # Errors
/// [`CommandRefused`] says why it is not believed.
pub fn verify_certificate(
    certificate: &SignedText,
    trust: &TrustSet,
    now: DateTime<Utc>,
) -> Result<ApproverCertificate, CommandRefused> {
    let root = trust
        .approver_root
        .as_deref()
        .ok_or(CommandRefused::NoApproverRoot)?;
    let root = PublicKey::parse(root).map_err(|_| CommandRefused::NoApproverRoot)?;
    if !root.believes(CERTIFICATE_CONTEXT, &certificate.text, &certificate.signature) {
        return Err(CommandRefused::UnknownApprover);
    }
    let certificate: ApproverCertificate =
        serde_json::from_str(&certificate.text).map_err(|_| CommandRefused::UnknownApprover)?;
    if now < certificate.not_before || now >= certificate.not_after {
        return Err(CommandRefused::CertificateNotValid);
    }
    if trust.revoked_approvers.contains(&certificate.serial) {
        return Err(CommandRefused::CertificateRevoked);
    }
    Ok(certificate)
}

/// Checks a second person's agreement to the order that `text` is.
///
/// # Errors
/// [`CommandRefused`] says why it does not count.
pub fn verify_approval(
    approval: &Approval,
    order: &CommandOrder,
    text: &str,
    trust: &TrustSet,
    now: DateTime<Utc>,
) -> Result<ApproverCertificate, CommandRefused> {
    let certificate = verify_certificate(&approval.certificate, trust, now)?;
    if certificate.user_id == order.requested_by {
        return Err(CommandRefused::OwnApproval);
    }
    if certificate
        .tenant_id
        .is_some_and(|tenant_id| tenant_id != order.tenant_id)
    {
        return Err(CommandRefused::ApproverOfAnotherTenant);
    }
    let key = PublicKey::parse(&certificate.public_key).map_err(|_| CommandRefused::UnknownApprover)?;
    if key.believes(APPROVAL_CONTEXT, text, &approval.signature) {
        Ok(certificate)
    } else {
        Err(CommandRefused::BadApproval)
    }
}
