//! From what a provider says of somebody to their account: found, linked or created.

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use sg_db::SystemTx;
use sg_db::users::providers::{self as db, ExternalAccount, Provider};
use sg_db::users::{self as people, EndReason, NewUser};
use sg_types::UserId;

use super::refusal::{
    EMAIL_DOMAIN, EMAIL_UNVERIFIED, INACTIVE, NO_ACCOUNT, NOT_AVAILABLE, ROLE_TOO_HIGH, Refusal,
};
use super::roles::decide_role;
use crate::AppState;
use crate::users::validate::{is_email, is_username};

/// Characters of a user name and of a person's name at most.
const MAX_USERNAME_CHARS: usize = 50;
const MAX_FULL_NAME_CHARS: usize = 255;
/// Stored in place of a hash: no password is this one's.
const NO_PASSWORD: &str = "!";

/// What a provider says of somebody.
#[derive(Debug, Clone)]
pub(super) struct Vouched {
    /// The provider's unchanging name for them.
    pub(super) subject: String,
    /// Their e-mail address.
    pub(super) email: Option<String>,
    /// Whether the provider has made sure that the address is theirs.
    pub(super) email_verified: bool,
    /// Their name.
    pub(super) full_name: Option<String>,
    /// What the user name of a new account is made from.
    pub(super) username: Option<String>,
    /// What their role follows from.
    pub(super) role_values: Vec<String>,
}

/// Finds the account of `who`, links the one with their verified address in the provider's tenant, or creates one; gives it its role.
pub(super) async fn resolve(
    state: &AppState,
    tx: &mut SystemTx,
    provider: &Provider,
    who: &Vouched,
    at: DateTime<Utc>,
) -> Result<ExternalAccount, Refusal> {
    let linked =
        db::find_external_account(tx, provider.tenant_id, provider.provider_id, &who.subject).await?;
    let mut account = match linked {
        Some(account) => {
            check_account(provider, &account)?;
            account
        }
        None => return link_or_create(state, tx, provider, who, at).await,
    };
    follow_role(tx, provider, &mut account, &who.role_values, at).await?;
    Ok(account)
}

/// Gives the account the role that the provider's mappings say; its open sessions had the other one and end.
pub(super) async fn follow_role(
    tx: &mut SystemTx,
    provider: &Provider,
    account: &mut ExternalAccount,
    values: &[String],
    at: DateTime<Utc>,
) -> Result<bool, Refusal> {
    let Some(role) = decide_role(provider, values).filter(|role| *role != account.role) else {
        return Ok(false);
    };
    people::set_user_role(tx, account.user_id, role).await?;
    people::end_user_sessions(tx, account.user_id, None, EndReason::AccessChanged, at).await?;
    account.role = role;
    Ok(true)
}

/// Creates an account without a password of ours and links it.
pub(super) async fn create(
    state: &AppState,
    tx: &mut SystemTx,
    provider: &Provider,
    who: &Vouched,
    at: DateTime<Utc>,
) -> Result<ExternalAccount, Refusal> {
    let email = who
        .email
        .as_deref()
        .filter(|email| is_email(email))
        .ok_or(EMAIL_UNVERIFIED)?;
    check_domain(provider, email)?;
    let role = decide_role(provider, &who.role_values).unwrap_or(provider.default_role);
    let username = free_username(tx, who.username.as_deref(), email).await?;
    let full_name = who.full_name.as_deref().and_then(clean_name);
    let user_id: UserId = state.next_id();
    let new = NewUser {
        user_id,
        tenant_id: provider.tenant_id,
        username: &username,
        email,
        full_name: full_name.as_deref(),
        role: role.into(),
        password_hash: &SecretString::from(NO_PASSWORD),
        must_change_password: false,
    };
    people::insert_user(tx, &new).await?;
    db::link_identity(
        tx,
        provider.tenant_id,
        provider.provider_id,
        &who.subject,
        user_id,
        at,
    )
    .await?;
    Ok(ExternalAccount {
        user_id,
        tenant_id: provider.tenant_id,
        username,
        email: email.to_owned(),
        full_name,
        role,
        is_active: true,
        was_used: false,
    })
}

/// Links an account that exists. The provider must not reach an account of another tenant, nor one above the roles that it may give.
pub(super) async fn link(
    tx: &mut SystemTx,
    provider: &Provider,
    account: &ExternalAccount,
    subject: &str,
    at: DateTime<Utc>,
) -> Result<(), Refusal> {
    if account.tenant_id != provider.tenant_id {
        return Err(NOT_AVAILABLE);
    }
    check_account(provider, account)?;
    db::link_identity(
        tx,
        provider.tenant_id,
        provider.provider_id,
        subject,
        account.user_id,
        at,
    )
    .await?;
    Ok(db::void_initial_password(tx, account.user_id).await?)
}

/// A person's name as it can be stored; none when nothing is left of it.
pub(super) fn clean_name(name: &str) -> Option<String> {
    let clean: String = name.chars().filter(|c| !c.is_control()).collect();
    let clean: String = clean.trim().chars().take(MAX_FULL_NAME_CHARS).collect();
    (!clean.is_empty()).then_some(clean)
}

async fn link_or_create(
    state: &AppState,
    tx: &mut SystemTx,
    provider: &Provider,
    who: &Vouched,
    at: DateTime<Utc>,
) -> Result<ExternalAccount, Refusal> {
    // An address that nobody made sure of links nothing, and must not take an address away from its owner either.
    let email = who
        .email
        .as_deref()
        .filter(|email| who.email_verified && is_email(email))
        .ok_or(EMAIL_UNVERIFIED)?;
    check_domain(provider, email)?;
    if let Some(mut account) = db::find_account_by_email(tx, email).await? {
        link(tx, provider, &account, &who.subject, at).await?;
        follow_role(tx, provider, &mut account, &who.role_values, at).await?;
        return Ok(account);
    }
    if !provider.creates_users {
        return Err(NO_ACCOUNT);
    }
    create(state, tx, provider, who, at).await
}

fn check_account(provider: &Provider, account: &ExternalAccount) -> Result<(), Refusal> {
    if !account.is_active {
        return Err(INACTIVE);
    }
    if account.role > provider.highest_role {
        return Err(ROLE_TOO_HIGH);
    }
    Ok(())
}

fn check_domain(provider: &Provider, email: &str) -> Result<(), Refusal> {
    let domain = email
        .rsplit_once('@')
        .map_or("", |(_, domain)| domain)
        .to_lowercase();
    if provider.domains.is_empty() || provider.domains.contains(&domain) {
        Ok(())
    } else {
        Err(EMAIL_DOMAIN)
    }
}

/// A user name that nobody has: what the provider proposes or the address begins with, with a number where that is taken.
async fn free_username(tx: &mut SystemTx, proposed: Option<&str>, email: &str) -> Result<String, Refusal> {
    let base = [proposed.unwrap_or_default(), email]
        .into_iter()
        .map(clean_username)
        .find(|name| is_username(name))
        .unwrap_or_else(|| "user".to_owned());
    let taken = db::list_similar_usernames(tx, &base).await?;
    if !taken.contains(&base.to_lowercase()) {
        return Ok(base);
    }
    (2..=taken.len() + 2)
        .map(|number| format!("{base}{number}"))
        .find(|name| !taken.contains(&name.to_lowercase()))
        .ok_or(NOT_AVAILABLE)
}

/// The part before an `@`, without what a user name cannot have; room is left for a number.
fn clean_username(text: &str) -> String {
    text.split('@')
        .next()
        .unwrap_or_default()
        .chars()
        .filter(|c| !c.is_whitespace() && !c.is_control())
        .take(MAX_USERNAME_CHARS - 4)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_storable() {
        assert_eq!(clean_username("ada@example.org"), "ada");
        assert_eq!(clean_username(" a d\ta\u{7} "), "ada");
        assert_eq!(clean_username(&"x".repeat(80)).len(), 46);
        assert_eq!(clean_name("  Ada\n Lovelace "), Some("Ada Lovelace".to_owned()));
        assert_eq!(clean_name(" \u{7} "), None);
    }
}
