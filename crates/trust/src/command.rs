//! Orders: signed by the signer, believed by one agent.

use chrono::{DateTime, Duration, Utc};
use sg_types::agent::TrustSet;
use sg_types::response::{CommandOrder, SignedCommand, SignedText};
use sg_types::{AgentId, FieldError, TenantId};

use crate::approval::verify_approval;
use crate::key::{PublicKey, SecretKey};

const ORDER_CONTEXT: &[u8] = b"secureguard-commands-v1\0";
/// How far the clock of who asked may be ahead of the one that checks.
const CLOCK_TOLERANCE: Duration = Duration::minutes(5);

/// Why a command is not done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommandRefused {
    /// No key for commands is pinned.
    #[error("no key for commands was pinned at enrolment, so that none is believed")]
    NoSigner,
    /// The signature is not by the pinned signer.
    #[error("the signature is not by the pinned signer")]
    BadSignature,
    /// The signed text is no order that this version knows.
    #[error("the signed text is not an order that this version understands: {0}")]
    NotAnOrder(String),
    /// An argument is out of bounds.
    #[error("{field} {message}", field = .0.field, message = .0.message)]
    BadArgument(FieldError),
    /// It is another endpoint's.
    #[error("the order is for another endpoint")]
    OtherEndpoint,
    /// It is another tenant's.
    #[error("the order is by another tenant")]
    OtherTenant,
    /// Its time has passed.
    #[error("the order has expired")]
    Expired,
    /// It claims to be from the future.
    #[error("the order is from the future; compare the clocks of server and endpoint")]
    FromTheFuture,
    /// Its nonce was used.
    #[error("the order was done or refused before")]
    Replayed,
    /// No approver root is pinned.
    #[error("no approver root is pinned, so that no dangerous command is believed")]
    NoApproverRoot,
    /// The kind takes a second person.
    #[error("this kind takes the signature of a second person")]
    ApprovalMissing,
    /// The approver root does not vouch for the certificate.
    #[error("the approver's certificate is not by the pinned approver root")]
    UnknownApprover,
    /// The certificate has not begun or has ended.
    #[error("the approver's certificate does not hold at this time")]
    CertificateNotValid,
    /// The certificate was taken back.
    #[error("the approver's certificate was revoked")]
    CertificateRevoked,
    /// Whoever asked has approved.
    #[error("nobody approves what they asked for themselves")]
    OwnApproval,
    /// The certificate is for another tenant.
    #[error("the approver is one of another tenant")]
    ApproverOfAnotherTenant,
    /// The approver has not signed this order.
    #[error("the approver has not signed this order")]
    BadApproval,
}

/// Who is to do a command.
#[derive(Debug, Clone, Copy)]
pub struct Recipient {
    /// The endpoint.
    pub agent_id: AgentId,
    /// Its tenant, where the enrolment told it.
    pub tenant_id: Option<TenantId>,
}

/// Signs the text of an order.
pub fn sign_order(key: &SecretKey, text: String) -> SignedText {
    let signature = key.sign(ORDER_CONTEXT, &text);
    SignedText { text, signature }
}

/// Reads the text of an order with everything that can be judged by it alone.
///
/// # Errors
/// [`CommandRefused`] says what is wrong.
pub fn read_order(text: &str, now: DateTime<Utc>) -> Result<CommandOrder, CommandRefused> {
    let order: CommandOrder =
        serde_json::from_str(text).map_err(|error| CommandRefused::NotAnOrder(error.to_string()))?;
    order.action.check().map_err(CommandRefused::BadArgument)?;
    if order.nonce.len() != 64 || !order.nonce.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(CommandRefused::NotAnOrder(
            "the nonce is not 32 bytes in hex".to_owned(),
        ));
    }
    if order.expires_at <= now {
        return Err(CommandRefused::Expired);
    }
    if order.issued_at > now + CLOCK_TOLERANCE {
        return Err(CommandRefused::FromTheFuture);
    }
    Ok(order)
}

/// Believes a command, or not: its signature, its recipient, its time and, for a dangerous kind, its approval. Whether its nonce was used the
/// recipient knows itself.
///
/// # Errors
/// [`CommandRefused`] says why it must not be done.
pub fn verify_command(
    command: &SignedCommand,
    trust: &TrustSet,
    recipient: Recipient,
    now: DateTime<Utc>,
) -> Result<CommandOrder, CommandRefused> {
    let key = trust.commands_key.as_deref().ok_or(CommandRefused::NoSigner)?;
    let key = PublicKey::parse(key).map_err(|_| CommandRefused::NoSigner)?;
    let text = &command.order.text;
    if !key.believes(ORDER_CONTEXT, text, &command.order.signature) {
        return Err(CommandRefused::BadSignature);
    }
    let order = read_order(text, now)?;
    if order.agent_id != recipient.agent_id {
        return Err(CommandRefused::OtherEndpoint);
    }
    if recipient
        .tenant_id
        .is_some_and(|tenant_id| tenant_id != order.tenant_id)
    {
        return Err(CommandRefused::OtherTenant);
    }
    if order.action.kind().is_dangerous() {
        // An approver's right may be limited to a tenant, so that the endpoint has to know its own.
        recipient.tenant_id.ok_or(CommandRefused::OtherTenant)?;
        let approval = command.approval.as_ref().ok_or(CommandRefused::ApprovalMissing)?;
        verify_approval(approval, &order, text, trust, now)?;
    }
    Ok(order)
}
