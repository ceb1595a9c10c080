//! Mail: what is said, and how it gets from the outbox to the mail server.

mod messages;
mod outbox;
mod transport;

use chrono::{DateTime, Duration, Utc};
use sg_db::users::{self as db, NewMail};
use sg_db::{DbError, SystemTx, Writes};
use sg_types::{TenantId, UserId};

pub use messages::{MailKind, Message, Reader};
pub use outbox::run;
pub use transport::{Failure, Mailer};

use crate::AppState;

/// Time between two notifications of one kind to one person.
const NOTIFICATION_PAUSE: Duration = Duration::hours(1);

/// Puts a mail into the outbox, in the transaction that it tells of. Nothing where no mail is sent.
///
/// # Errors
/// Those of the database.
pub async fn enqueue(
    state: &AppState,
    tx: &mut impl Writes,
    tenant_id: TenantId,
    user_id: UserId,
    kind: MailKind,
) -> Result<(), DbError> {
    if state.mailer.is_none() {
        return Ok(());
    }
    db::enqueue_mail(
        tx,
        &new_mail(state.next_id(), tenant_id, user_id, kind, state.now()),
    )
    .await
}

/// Tells somebody of what happened to their account, at most once an hour of each kind. Nothing where no mail is sent.
///
/// # Errors
/// Those of the database.
pub async fn notify(
    state: &AppState,
    tx: &mut SystemTx,
    tenant_id: TenantId,
    user_id: UserId,
    kind: MailKind,
) -> Result<(), DbError> {
    if state.mailer.is_none() {
        return Ok(());
    }
    let mail = new_mail(state.next_id(), tenant_id, user_id, kind, state.now());
    db::enqueue_mail_at_most_every(tx, &mail, NOTIFICATION_PAUSE).await?;
    Ok(())
}

fn new_mail(
    mail_id: uuid::Uuid,
    tenant_id: TenantId,
    user_id: UserId,
    kind: MailKind,
    at: DateTime<Utc>,
) -> NewMail<'static> {
    NewMail {
        mail_id,
        tenant_id,
        user_id,
        kind: kind.as_str(),
        at,
        expires_at: at + kind.worth_sending_for(),
    }
}
