//! From the outbox to the mail server. A mail is claimed, sent, and marked, each for itself: a sender that dies in between leaves it to the next
//! one, so that none is lost; one that dies after the mail server took it and before that was marked sends it again, with the same Message-ID.

use sg_db::SystemTx;
use sg_db::monitoring::{REPORT_MAIL, find_report_for_mail};
use sg_db::users::{self as db, ClaimedMail, MailOutcome, NewLink};
use sg_types::{ReportId, TokenKind};

use super::messages::{MailKind, Message, Reader, render};
use super::transport::{Failure, Mailer};
use crate::maintenance::render_report;
use crate::{AppState, tokens};

/// Times that a mail which the mail server refuses for good is offered: refusals also come from mistakes on its side.
const OFFERS: i32 = 4;

/// Sends everything that is due; returns how many mails were looked at. Nodes share the outbox: each mail is one node's at a time.
///
/// # Errors
/// What the database says; the next run finds the same.
pub async fn run(state: AppState) -> anyhow::Result<u64> {
    let Some(mailer) = &state.mailer else {
        return Ok(0);
    };
    let mut mails = 0;
    let stop = state.supervisor.stop_token();
    while !stop.is_cancelled() {
        let Some((mail, message)) = claim(&state).await? else {
            break;
        };
        mails += 1;
        if let Some(message) = message {
            deliver(&state, mailer, &mail, &message).await?;
        }
    }
    Ok(mails)
}

/// Takes the next mail, and puts it into words; none where it is no use any more. The token of a link is made here and is nowhere but in the mail:
/// what is stored is its hash.
async fn claim(state: &AppState) -> anyhow::Result<Option<(ClaimedMail, Option<Message>)>> {
    let now = state.now();
    let mut tx = state.db.system("outgoing mail").await?;
    let Some(mail) = db::claim_mail(&mut tx, now).await? else {
        return Ok(None);
    };
    if mail.kind == REPORT_MAIL {
        let message = claim_report(state, tx, &mail).await?;
        return Ok(Some((mail, message)));
    }
    let mut token = None;
    let unusable = match MailKind::find(&mail.kind) {
        // A newer node of this server knows the kind.
        None => {
            tx.commit_upkeep().await?;
            return Ok(Some((mail, None)));
        }
        Some(_) if mail.expires_at <= now => Some(MailOutcome::Expired),
        Some(_) if !mail.is_active => Some(MailOutcome::Void),
        Some(kind) => match kind.link() {
            None => None,
            Some((purpose, life)) => {
                let new = tokens::generate(TokenKind::PasswordLink);
                let link = NewLink {
                    link_id: state.next_id(),
                    mail_id: mail.mail_id,
                    user_id: mail.user_id,
                    purpose,
                    token_hash: &new.hash,
                    at: now,
                    expires_at: now + life,
                };
                token = Some(new.secret);
                (!db::insert_link(&mut tx, &link).await?).then_some(MailOutcome::Void)
            }
        },
    };
    if let Some(outcome) = unusable {
        db::finish_mail(&mut tx, mail.mail_id, outcome, None, now).await?;
        tx.commit_upkeep().await?;
        count(outcome.as_str());
        return Ok(Some((mail, None)));
    }
    tx.commit_upkeep().await?;
    let message = MailKind::find(&mail.kind).map(|kind| {
        let reader = Reader {
            username: &mail.username,
            full_name: mail.full_name.as_deref(),
            public_url: &state.public_url,
            at: mail.created_at,
        };
        render(kind, &reader, token.as_ref())
    });
    Ok(Some((mail, message)))
}

/// A report in words; none when it came to nothing: too late, gone, or not for them any more.
async fn claim_report(
    state: &AppState,
    mut tx: SystemTx,
    mail: &ClaimedMail,
) -> anyhow::Result<Option<Message>> {
    let now = state.now();
    let id = mail.parameters["report_id"]
        .as_str()
        .and_then(|id| id.parse::<ReportId>().ok());
    let found = match id {
        Some(id) => find_report_for_mail(&mut tx, id, mail.user_id, now).await?,
        None => None,
    };
    let unusable = if mail.expires_at <= now {
        Some(MailOutcome::Expired)
    } else {
        (found.is_none() || !mail.is_active).then_some(MailOutcome::Void)
    };
    if let Some(outcome) = unusable {
        db::finish_mail(&mut tx, mail.mail_id, outcome, None, now).await?;
        count(outcome.as_str());
    }
    tx.commit_upkeep().await?;
    let (None, Some((report, tenant))) = (unusable, found) else {
        return Ok(None);
    };
    let reader = Reader {
        username: &mail.username,
        full_name: mail.full_name.as_deref(),
        public_url: &state.public_url,
        at: mail.created_at,
    };
    Ok(Some(render_report(&report, tenant.as_deref(), &reader)))
}

async fn deliver(
    state: &AppState,
    mailer: &Mailer,
    mail: &ClaimedMail,
    message: &Message,
) -> anyhow::Result<()> {
    let result = mailer.send(mail.mail_id, &[&mail.email], message).await;
    let now = state.now();
    let mut tx = state.db.system("outgoing mail").await?;
    match &result {
        Ok(()) => {
            db::finish_mail(&mut tx, mail.mail_id, MailOutcome::Sent, None, now).await?;
            count("sent");
        }
        Err(Failure {
            permanent: true,
            reason,
            ..
        }) if mail.attempts >= OFFERS => {
            db::finish_mail(&mut tx, mail.mail_id, MailOutcome::Refused, Some(reason), now).await?;
            count("refused");
        }
        Err(failure) => {
            db::note_mail_failure(&mut tx, mail.mail_id, &failure.reason).await?;
            count("failed");
        }
    }
    tx.commit_upkeep().await?;
    match result {
        Ok(()) => tracing::debug!(mail.id = %mail.mail_id, mail.kind = mail.kind, "a mail was sent"),
        Err(failure) => tracing::warn!(
            mail.id = %mail.mail_id,
            mail.kind = mail.kind,
            mail.attempts = mail.attempts,
            error = failure.reason,
            "the mail server did not take a mail; see users.outgoing_mail"
        ),
    }
    Ok(())
}

fn count(outcome: &'static str) {
    metrics::counter!("sg_mail_attempts_total", "outcome" => outcome).increment(1);
}
