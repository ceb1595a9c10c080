//! Accounts follow their directory: created, changed, switched off when it has their people no more; never deleted.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Duration, Utc};
use sg_db::SystemTx;
use sg_db::audit::{Actor, AuditEvent, Outcome};
use sg_db::users::providers::{self as db, DirectoryLink, ExternalAccount, Provider};
use sg_db::users::{self as people_db, EndReason};
use sg_types::api::providers::{
    LdapSettings, ProviderKind, ProviderSettings, SyncOutcome, SyncReport, SyncView, SyncedPerson,
};

use super::super::account::{self, Vouched};
use super::super::refusal::Refusal;
use super::super::secret;
use super::people::{Entry, list_people};
use crate::AppState;
use crate::error::{ApiError, ApiResult};
use crate::users::validate::{is_email, is_username};

/// Synchronises every directory whose time has come; one that fails does not hold up the others. Returns how many were followed.
///
/// # Errors
/// What the database says; the next run finds the same.
pub(crate) async fn run_due(state: AppState) -> anyhow::Result<u64> {
    let now = state.now();
    let mut tx = state.db.system("directories").await?;
    let mut due = Vec::new();
    for provider in db::list_enabled_providers(&mut tx, ProviderKind::Ldap.as_str()).await? {
        let ProviderSettings::Ldap(settings) = &provider.settings else {
            continue;
        };
        let Some(minutes) = settings.sync_interval_minutes else {
            continue;
        };
        let last = db::last_sync_at(&mut tx, provider.provider_id).await?;
        if last.is_none_or(|last| now >= last + Duration::minutes(i64::from(minutes))) {
            due.push(provider);
        }
    }
    drop(tx);
    let mut followed = 0;
    for provider in due {
        let id = provider.provider_id;
        match synchronise(&state, &provider, false, Actor::system("directories")).await {
            Ok(sync) if sync.outcome == SyncOutcome::Done => followed += 1,
            Ok(sync) => {
                let (outcome, problem) = (sync.outcome.as_str(), sync.report.problem);
                tracing::warn!(provider.id = %id, outcome, problem, "a directory was not followed");
            }
            Err(error) => tracing::warn!(provider.id = %id, error = ?error, "a directory was not followed"),
        }
    }
    Ok(followed)
}

/// Makes the accounts follow the directory, or only tells what that would do. What it did is kept.
pub(super) async fn synchronise(
    state: &AppState,
    provider: &Provider,
    is_dry_run: bool,
    actor: Actor,
) -> ApiResult<SyncView> {
    let ProviderSettings::Ldap(settings) = &provider.settings else {
        return Err(ApiError::not_found());
    };
    let started_at = state.now();
    let secret = secret::open(state, provider).await?;
    let entries = list_people(settings, !state.tls, secret.as_deref()).await;
    let mut tx = state.db.system("directories").await?;
    if !sg_db::agents::try_job_lock(&mut tx, &format!("directory-{}", provider.provider_id)).await? {
        return Err(ApiError::conflict(
            "sync_running",
            "this directory is being synchronised at the moment",
        ));
    }
    let (outcome, report) = match entries {
        Err(error) => (
            SyncOutcome::Failed,
            SyncReport {
                problem: Some(super::super::try_out::describe(&error)),
                ..SyncReport::default()
            },
        ),
        Ok(entries) => {
            let run = Run {
                state,
                provider,
                settings,
                at: started_at,
                report: SyncReport::default(),
            };
            run.follow(&mut tx, entries).await?
        }
    };
    // What must not last is rolled back, and was told truly because it was really done.
    let lasts = outcome == SyncOutcome::Done && !is_dry_run;
    if !lasts {
        drop(tx);
        tx = state.db.system("directories").await?;
    }
    let sync = SyncView {
        sync_id: state.ids.next(),
        started_at,
        finished_at: state.now(),
        is_dry_run,
        outcome,
        report,
    };
    db::insert_sync(&mut tx, provider.tenant_id, provider.provider_id, &sync).await?;
    tx.commit(provider.tenant_id, event(state, provider, &sync, actor))
        .await?;
    Ok(sync)
}

fn event(state: &AppState, provider: &Provider, sync: &SyncView, actor: Actor) -> AuditEvent {
    AuditEvent {
        event_id: state.next_id(),
        at: sync.finished_at,
        actor,
        action: if sync.is_dry_run {
            "directory.try_sync"
        } else {
            "directory.sync"
        },
        object: Some(("identity_provider", provider.provider_id.to_string())),
        outcome: if sync.outcome == SyncOutcome::Done {
            Outcome::Success
        } else {
            Outcome::Failure
        },
        reason: sync.report.problem.clone(),
        request_id: None,
        address: None,
    }
}

struct Run<'a> {
    state: &'a AppState,
    provider: &'a Provider,
    settings: &'a LdapSettings,
    at: DateTime<Utc>,
    report: SyncReport,
}

impl Run<'_> {
    async fn follow(
        mut self,
        tx: &mut SystemTx,
        entries: Vec<Entry>,
    ) -> ApiResult<(SyncOutcome, SyncReport)> {
        let (tenant_id, provider_id) = (self.provider.tenant_id, self.provider.provider_id);
        let links = db::list_directory_links(tx, tenant_id, provider_id).await?;
        let mut known: HashMap<String, DirectoryLink> = links
            .into_iter()
            .map(|link| (link.subject.clone(), link))
            .collect();
        let active = known.values().filter(|link| link.account.is_active).count();
        self.report.found = entries.len() as u64;
        let mut seen = HashSet::new();
        for entry in entries {
            let Some(who) = entry.who else {
                self.skip(&entry.dn, "it has no unchanging name");
                continue;
            };
            if !seen.insert(who.subject.clone()) {
                self.skip(&entry.dn, "its unchanging name is another entry's too");
                continue;
            }
            match known.remove(&who.subject) {
                Some(link) => self.follow_one(tx, link, &who).await?,
                None => self.meet(tx, &entry.dn, &who).await?,
            }
        }
        let gone: Vec<ExternalAccount> = known
            .into_values()
            .map(|link| link.account)
            .filter(|account| account.is_active)
            .collect();
        let share = gone.len() as u64 * 100;
        if share > active as u64 * u64::from(self.settings.highest_loss_percent) {
            self.report.problem = Some(format!(
                "the directory lacks {} of {active} active people, more than the {} % that one synchronisation may switch off; nothing was done",
                gone.len(),
                self.settings.highest_loss_percent
            ));
            return Ok((SyncOutcome::Stopped, self.report));
        }
        for account in gone {
            self.switch_off(tx, &account).await?;
        }
        let seen: Vec<String> = seen.into_iter().collect();
        db::note_seen(tx, provider_id, &seen, self.at).await?;
        Ok((SyncOutcome::Done, self.report))
    }

    /// Somebody who is linked already.
    async fn follow_one(&mut self, tx: &mut SystemTx, link: DirectoryLink, who: &Vouched) -> ApiResult<()> {
        let DirectoryLink {
            mut account,
            vanished,
            ..
        } = link;
        if account.role > self.provider.highest_role {
            self.skip_account(&account, "the account has a role above the provider's highest");
            return Ok(());
        }
        let mut changes = Vec::new();
        if vanished && !account.is_active {
            people_db::set_user_active(tx, account.user_id, true).await?;
            changes.push("switched on again");
        }
        let email = self.usable_email(tx, &account, who).await?;
        let full_name = who.full_name.as_deref().and_then(account::clean_name);
        if email != account.email || full_name != account.full_name {
            db::update_account_names(tx, account.user_id, &email, full_name.as_deref()).await?;
            changes.push("name or e-mail address");
        }
        match account::follow_role(tx, self.provider, &mut account, &who.role_values, self.at).await {
            Ok(true) => changes.push("role"),
            Ok(false) => {}
            Err(Refusal::Failed(error)) => return Err(error),
            Err(Refusal::Told(reason)) => self.skip_account(&account, reason),
        }
        if changes.is_empty() {
            self.report.unchanged += 1;
        } else {
            self.report.changed.add(person(&account, changes.join(", ")));
        }
        Ok(())
    }

    /// The directory's address for somebody, unless it is none or somebody else's.
    async fn usable_email(
        &self,
        tx: &mut SystemTx,
        account: &ExternalAccount,
        who: &Vouched,
    ) -> ApiResult<String> {
        let Some(email) = who.email.as_ref().filter(|email| is_email(email)) else {
            return Ok(account.email.clone());
        };
        let owner = db::find_account_by_email(tx, email).await?;
        let free = owner.is_none_or(|owner| owner.user_id == account.user_id);
        Ok(if free {
            email.clone()
        } else {
            account.email.clone()
        })
    }

    /// Somebody whom nobody here has met.
    async fn meet(&mut self, tx: &mut SystemTx, dn: &str, who: &Vouched) -> ApiResult<()> {
        let Some(username) = who.username.as_deref().filter(|name| is_username(name)) else {
            self.skip(
                dn,
                "it has no user name of 1–50 characters without `@` and white space",
            );
            return Ok(());
        };
        let Some(email) = who.email.as_deref().filter(|email| is_email(email)) else {
            self.skip(username, "it has no e-mail address");
            return Ok(());
        };
        // People can change some attributes of their own entries, so that neither name nor address takes an account over.
        let named = people_db::find_user_id(tx, username).await?;
        let addressed = db::find_account_by_email(tx, email).await?;
        let existing = named.or(addressed.as_ref().map(|account| account.user_id));
        if let Some(user_id) = existing {
            return self.meet_namesake(tx, username, email, user_id, who).await;
        }
        if !self.provider.creates_users {
            self.skip(username, "nobody has created an account for it");
            return Ok(());
        }
        match account::create(self.state, tx, self.provider, who, self.at).await {
            Ok(account) => self
                .report
                .created
                .add(person(&account, account.role.to_string())),
            Err(Refusal::Told(reason)) => self.skip(username, reason),
            Err(Refusal::Failed(error)) => return Err(error),
        }
        Ok(())
    }

    /// An account with the name or the address exists: linked when the provider is set up to, and both are the same.
    async fn meet_namesake(
        &mut self,
        tx: &mut SystemTx,
        username: &str,
        email: &str,
        user_id: sg_types::UserId,
        who: &Vouched,
    ) -> ApiResult<()> {
        let account = db::lock_account(tx, self.provider.tenant_id, user_id).await?;
        let same = account.filter(|account| {
            self.settings.links_existing
                && account.username.eq_ignore_ascii_case(username)
                && account.email.eq_ignore_ascii_case(email)
        });
        let Some(mut account) = same else {
            self.skip(username, "its name or e-mail address is not available");
            return Ok(());
        };
        match account::link(tx, self.provider, &account, &who.subject, self.at).await {
            Ok(()) => {}
            Err(Refusal::Told(reason)) => {
                self.skip_account(&account, reason);
                return Ok(());
            }
            Err(Refusal::Failed(error)) => return Err(error),
        }
        match account::follow_role(tx, self.provider, &mut account, &who.role_values, self.at).await {
            Err(Refusal::Failed(error)) => return Err(error),
            _ => self.report.changed.add(person(&account, "linked".to_owned())),
        }
        Ok(())
    }

    async fn switch_off(&mut self, tx: &mut SystemTx, account: &ExternalAccount) -> ApiResult<()> {
        if account.role > self.provider.highest_role {
            self.skip_account(account, "the account has a role above the provider's highest");
            return Ok(());
        }
        people_db::set_user_active(tx, account.user_id, false).await?;
        people_db::end_user_sessions(tx, account.user_id, None, EndReason::AccessChanged, self.at).await?;
        db::set_vanished(tx, self.provider.provider_id, account.user_id, self.at).await?;
        self.report
            .switched_off
            .add(person(account, "the directory has it no more".to_owned()));
        Ok(())
    }

    fn skip(&mut self, name: &str, reason: &str) {
        self.report.skipped.add(SyncedPerson {
            name: name.chars().filter(|c| !c.is_control()).take(255).collect(),
            user_id: None,
            note: Some(reason.to_owned()),
        });
    }

    fn skip_account(&mut self, account: &ExternalAccount, reason: &str) {
        self.report.skipped.add(person(account, reason.to_owned()));
    }
}

fn person(account: &ExternalAccount, note: String) -> SyncedPerson {
    SyncedPerson {
        name: account.username.clone(),
        user_id: Some(account.user_id),
        note: Some(note),
    }
}
