//! The tasks that look at people, detections and the audit log. What concerns a tenant goes into its own report.

use std::collections::BTreeMap;

use sg_db::SystemTx;
use sg_db::audit::{count_forks, list_heads};
use sg_db::monitoring::{self as db, TenantCount, Window, worst_first};
use sg_types::TenantId;
use sg_types::api::kpis::share;
use sg_types::api::maintenance::MaintenanceTask;

use super::sections::{Sections, percent, plural, quote, quote_some};

/// Accounts locked in one time before they are a pattern.
const MANY_LOCKED: usize = 5;
/// Names of one finding.
const NAMED: usize = 10;
/// The document's least length of passwords.
const LEAST_LENGTH: i32 = 12;
/// The document's failures before a lock.
const MOST_FAILURES: i32 = 5;

/// Failed sign-ins: how many, from where under many names, and whether one got in.
pub(super) async fn review_sign_ins(tx: &mut SystemTx, window: Window) -> anyhow::Result<Sections> {
    let mut sections = Sections::new(MaintenanceTask::FailedSignIns);
    let mut all = (0, 0);
    for one in db::review_sign_ins(tx, window).await? {
        all = (all.0 + one.failed, all.1 + one.total);
        if one.tenant_id == TenantId::SYSTEM {
            sections.say(
                one.tenant_id,
                format!(
                    "{} under names that nobody has.",
                    plural(one.total, "attempt was made", "attempts were made")
                ),
            );
        } else {
            sections.say(one.tenant_id, describe_sign_ins(one.failed, one.total));
        }
    }
    sections.say(TenantId::SYSTEM, describe_sign_ins(all.0, all.1));
    for one in db::review_spraying(tx, window).await? {
        sections.find(
            one.tenant_id,
            format!(
                "The address {} failed {} times under {} different names.",
                one.address, one.failed, one.names
            ),
            "Somebody tries names and passwords. Block the address in front of the server, and look in the audit log whether it got in anywhere.",
        );
    }
    for one in db::review_guessed_accounts(tx, window).await? {
        sections.find(
            one.tenant_id,
            format!(
                "The account {} was signed in to at {} after {} wrong passwords within an hour.",
                quote(&one.username),
                one.at.format("%Y-%m-%d %H:%M UTC"),
                one.failed
            ),
            "Ask its owner whether that was them. If it was not, end the account's sessions and give it another password.",
        );
    }
    Ok(sections)
}

fn describe_sign_ins(failed: i64, total: i64) -> String {
    match share(failed, total) {
        None => "Nobody tried to sign in.".to_owned(),
        Some(part) => format!(
            "{failed} of {} failed ({}).",
            plural(total, "attempt to sign in", "attempts to sign in"),
            percent(part)
        ),
    }
}

/// Locked accounts: how many, and which again and again.
pub(super) async fn review_lockouts(tx: &mut SystemTx, window: Window) -> anyhow::Result<Sections> {
    let mut sections = Sections::new(MaintenanceTask::LockoutPatterns);
    let mut by_tenant: BTreeMap<TenantId, Vec<db::LockedAccount>> = BTreeMap::new();
    for one in db::review_lockouts(tx, window).await? {
        by_tenant.entry(one.tenant_id).or_default().push(one);
    }
    let locked: usize = by_tenant.values().map(Vec::len).sum();
    let total = i64::try_from(locked).unwrap_or(i64::MAX);
    sections.say(
        TenantId::SYSTEM,
        format!("{} locked.", plural(total, "account was", "accounts were")),
    );
    for (tenant, accounts) in by_tenant {
        let count = i64::try_from(accounts.len()).unwrap_or(i64::MAX);
        let names: Vec<String> = accounts
            .iter()
            .take(NAMED)
            .map(|one| one.username.clone())
            .collect();
        sections.say(
            tenant,
            format!(
                "{} locked: {}.",
                plural(count, "account was", "accounts were"),
                quote_some(&names, count)
            ),
        );
        if accounts.len() > MANY_LOCKED {
            sections.find(
                tenant,
                format!("{count} different accounts were locked within a day."),
                "So many at once is somebody who guesses. See in the audit log from which addresses, and block these in front of the server.",
            );
        }
        for one in accounts.iter().filter(|one| one.locks_of_week > 1).take(NAMED) {
            sections.find(
                tenant,
                format!(
                    "The account {} was locked {} times in seven days.",
                    quote(&one.username),
                    one.locks_of_week
                ),
                "Ask its owner: a forgotten password, or a program with an old one. If it is neither, somebody guesses.",
            );
        }
    }
    Ok(sections)
}

/// What was detected: how much more than before, which rules are noisy, and what waits.
pub(super) async fn review_threats(tx: &mut SystemTx, window: Window) -> anyhow::Result<Sections> {
    let mut sections = Sections::new(MaintenanceTask::ThreatPatterns);
    let incidents = group(db::review_incidents(tx, window).await?);
    let (mut new, mut before) = (0, 0);
    for (tenant, mut counts) in incidents {
        worst_first(&mut counts);
        let total: i64 = counts.iter().map(|one| one.count).sum();
        let earlier: i64 = counts.iter().map(|one| one.other).sum();
        (new, before) = (new + total, before + earlier);
        let severities: Vec<String> = counts
            .iter()
            .filter(|one| one.count > 0)
            .map(|one| format!("{} {}", one.count, one.name))
            .collect();
        let of_these = if severities.is_empty() {
            String::new()
        } else {
            format!(": {}", severities.join(", "))
        };
        sections.say(
            tenant,
            format!(
                "{} opened{of_these}; {earlier} in the week before.",
                plural(total, "incident was", "incidents were")
            ),
        );
    }
    sections.say(
        TenantId::SYSTEM,
        format!(
            "{} opened; {before} in the week before.",
            plural(new, "incident was", "incidents were")
        ),
    );
    review_rules(tx, window, &mut sections).await?;
    Ok(sections)
}

/// Rules that suddenly match, those that are mostly wrong, and incidents that wait.
async fn review_rules(tx: &mut SystemTx, window: Window, sections: &mut Sections) -> anyhow::Result<()> {
    for one in db::review_surges(tx, window).await? {
        sections.find(
            one.tenant_id,
            format!(
                "The rule {} opened {} incidents, {} in the week before.",
                quote(&one.name),
                one.count,
                one.other
            ),
            "Look at some of them: either something is spreading, or something harmless has changed on the endpoints and wants an exception.",
        );
    }
    for one in db::review_noisy_rules(tx, window).await? {
        sections.find(
            one.tenant_id,
            format!(
                "{} of {} incidents of the rule {} were closed as false positives.",
                one.other,
                one.count,
                quote(&one.name)
            ),
            "Make an exception for what is known to be harmless, or switch the rule off, so that nobody learns to look away.",
        );
    }
    for one in db::review_waiting_incidents(tx, window).await? {
        sections.find(
            one.tenant_id,
            format!(
                "{} of severity {} for more than seven days.",
                plural(one.count, "incident has waited", "incidents have waited"),
                one.name
            ),
            "Assign them to somebody, or close them.",
        );
    }
    Ok(())
}

/// How people stand with the password policy.
pub(super) async fn review_policies(tx: &mut SystemTx, window: Window) -> anyhow::Result<Sections> {
    let mut sections = Sections::new(MaintenanceTask::PolicyCompliance);
    let (mut people, mut compliant) = (0, 0);
    for one in db::review_policies(tx, window).await? {
        let good = one.people - one.too_old;
        (people, compliant) = (people + one.people, compliant + good);
        sections.say(
            one.tenant_id,
            format!(
                "{good} of {} a password that is not older than the policy allows.",
                plural(one.people, "active person has", "active people have")
            ),
        );
        if one.too_old > 0 {
            sections.find(
                one.tenant_id,
                format!(
                    "The {} of {} older than {} days.",
                    if one.too_old == 1 { "password" } else { "passwords" },
                    format_args!(
                        "{} {}",
                        quote_some(&one.too_old_names, one.too_old),
                        if one.too_old == 1 { "is" } else { "are" }
                    ),
                    one.max_age_days
                ),
                "Ask them to change it, or require that under Users.",
            );
        }
        if one.owing > 0 {
            sections.find(
                one.tenant_id,
                format!(
                    "{} a change of password for more than 30 days.",
                    plural(one.owing, "person has owed", "people have owed")
                ),
                "An account that nobody uses is best switched off; the others change it when they sign in.",
            );
        }
        if one.idle > 0 {
            sections.find(
                one.tenant_id,
                format!(
                    "{} not signed in for 90 days: {}.",
                    plural(one.idle, "person has", "people have"),
                    quote_some(&one.idle_names, one.idle)
                ),
                "Switch off what is not needed: an account that nobody uses is one that nobody watches.",
            );
        }
        judge_policy(&mut sections, &one);
    }
    sections.say(
        TenantId::SYSTEM,
        format!(
            "{compliant} of {} a password that is not older than the policy of their tenant allows.",
            plural(people, "active person has", "active people have")
        ),
    );
    Ok(sections)
}

fn judge_policy(sections: &mut Sections, one: &db::PolicyFigures) {
    let advice = "Change it under Password policy, unless there is a reason for it.";
    if one.min_length < LEAST_LENGTH {
        sections.find(
            one.tenant_id,
            format!(
                "Passwords of {} characters are allowed; the documented least is {LEAST_LENGTH}.",
                one.min_length
            ),
            advice,
        );
    }
    if one.max_failed_attempts > MOST_FAILURES {
        sections.find(
            one.tenant_id,
            format!(
                "An account is locked after {} wrong passwords only; the documented number is {MOST_FAILURES}.",
                one.max_failed_attempts
            ),
            advice,
        );
    }
}

/// The audit log: how much was done and refused, what was changed that guards the tenant, and whether the chain holds.
pub(super) async fn review_audit(tx: &mut SystemTx, window: Window) -> anyhow::Result<Sections> {
    let mut sections = Sections::new(MaintenanceTask::AuditReview);
    let mut entries = 0;
    for one in db::review_audit_volume(tx, window).await? {
        entries += one.count;
        sections.say(
            one.tenant_id,
            format!(
                "{} written, {} of them about something refused.",
                plural(one.count, "entry was", "entries were"),
                one.other
            ),
        );
    }
    sections.say(
        TenantId::SYSTEM,
        format!(
            "{} written in all tenants.",
            plural(entries, "entry was", "entries were")
        ),
    );
    for (tenant, changes) in group(db::review_changes(tx, window).await?) {
        let named: Vec<String> = changes
            .iter()
            .take(NAMED)
            .map(|one| format!("{} {}×", one.name, one.count))
            .collect();
        sections.say(
            tenant,
            format!(
                "Changes of who may do what, and of what guards the tenant: {}.",
                named.join(", ")
            ),
        );
    }
    for one in db::review_refusals(tx, window).await? {
        sections.find(
            one.tenant_id,
            format!("{} was refused {} times.", quote(&one.name), one.count),
            "See in the audit log what they wanted: a role that lacks something, a program with an old key, or somebody who tries doors.",
        );
    }
    review_chains(tx, window, &mut sections).await?;
    Ok(sections)
}

/// Whether the chains hold and are signed.
async fn review_chains(tx: &mut SystemTx, window: Window, sections: &mut Sections) -> anyhow::Result<()> {
    for head in list_heads(tx, None).await? {
        let forks = count_forks(tx, head.tenant_id).await?;
        if forks > 0 {
            sections.find(
                head.tenant_id,
                format!("The history of the audit log was found changed {}.", plural(forks, "time", "times")),
                "After the restore of an older backup that is so. Otherwise run `secureguard audit verify`, and find out who had the database's rights.",
            );
        }
        if head.position > head.checkpoint_position
            && head
                .checkpoint_at
                .is_none_or(|at| at < window.to - chrono::Duration::minutes(10))
        {
            sections.find(
                head.tenant_id,
                "The newest entries of the audit log are not signed.".to_owned(),
                "The job that signs has stopped: see `secureguard doctor` and the server's log.",
            );
        }
    }
    Ok(())
}

fn group(counts: Vec<TenantCount>) -> BTreeMap<TenantId, Vec<TenantCount>> {
    let mut groups: BTreeMap<TenantId, Vec<TenantCount>> = BTreeMap::new();
    for one in counts {
        groups.entry(one.tenant_id).or_default().push(one);
    }
    groups
}
