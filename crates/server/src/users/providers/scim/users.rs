//! People (RFC 7643 §4.1): the account, under the names that the client has for it.

use serde_json::{Map, Value, json};
use sg_db::SystemTx;
use sg_db::users::providers::{self as db, ExternalAccount, ProvisionedUser, ScimFilter};
use sg_db::users::{self as people_db, EndReason};
use uuid::Uuid;

use super::super::account::{self, Vouched};
use super::caller::ScimCaller;
use super::error::{ScimError, ScimResult};
use super::patch::{self, PatchBody, canonical, text_of};
use super::routes::{ListParams, location};
use super::{filter, groups};
use crate::AppState;
use crate::users::validate::is_email;

pub(super) const SCHEMA: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
/// Characters of the client's names at most.
const MAX_USER_NAME: usize = 320;
const MAX_EXTERNAL_ID: usize = 1_024;

/// Somebody as the client wants them.
struct Wanted {
    user_name: String,
    external_id: Option<String>,
    full_name: Option<String>,
    email: String,
    is_active: bool,
}

/// Lists people.
pub(super) async fn list(state: &AppState, caller: &ScimCaller, params: &ListParams) -> ScimResult<Value> {
    let (offset, limit) = params.range();
    let Some(wanted) = filter::of_users(params.filter.as_deref())? else {
        return Ok(params.page(0, Vec::new()));
    };
    let mut tx = state.db.system("provisioning").await?;
    let (users, total) =
        db::list_provisioned_users(&mut tx, &caller.provider, &wanted, offset, limit).await?;
    let resources = users.iter().map(|user| resource(state, user)).collect();
    Ok(params.page(total, resources))
}

/// Shows somebody.
pub(super) async fn show(state: &AppState, caller: &ScimCaller, id: Uuid) -> ScimResult<Value> {
    let mut tx = state.db.system("provisioning").await?;
    Ok(resource(state, &find(&mut tx, caller, id).await?))
}

/// Creates somebody, or takes over the account of the tenant that has their e-mail address.
pub(super) async fn create(
    state: &AppState,
    caller: &ScimCaller,
    body: Map<String, Value>,
) -> ScimResult<(Uuid, Value)> {
    let wanted = read(&body)?;
    let at = state.now();
    let provider = &caller.provider;
    let mut tx = state.db.system("provisioning").await?;
    check_free(&mut tx, caller, &wanted.user_name, None).await?;
    let subject = state.ids.next().to_string();
    let existing = db::find_account_by_email(&mut tx, &wanted.email).await?;
    let account = match existing {
        Some(account) => {
            take_over(&mut tx, caller, &account, &subject, at).await?;
            account
        }
        None if !provider.creates_users => {
            return Err(ScimError::forbidden("the provider is set up to create nobody"));
        }
        None => {
            let who = Vouched {
                subject,
                email: Some(wanted.email.clone()),
                email_verified: true,
                full_name: wanted.full_name.clone(),
                username: Some(wanted.user_name.clone()),
                role_values: Vec::new(),
            };
            account::create(state, &mut tx, provider, &who, at).await?
        }
    };
    write(&mut tx, caller, &account, &wanted, at).await?;
    let id = account.user_id.0;
    let made = resource(state, &find(&mut tx, caller, id).await?);
    caller.commit(state, tx, "user.provision", "user", id).await?;
    Ok((id, made))
}

/// Replaces somebody.
pub(super) async fn replace(
    state: &AppState,
    caller: &ScimCaller,
    id: Uuid,
    body: &Map<String, Value>,
) -> ScimResult<Value> {
    let mut tx = state.db.system("provisioning").await?;
    let old = find(&mut tx, caller, id).await?;
    let wanted = read(body)?;
    save(state, tx, caller, &old, &wanted).await
}

/// Changes somebody.
pub(super) async fn patch(
    state: &AppState,
    caller: &ScimCaller,
    id: Uuid,
    body: PatchBody,
) -> ScimResult<Value> {
    let mut tx = state.db.system("provisioning").await?;
    let old = find(&mut tx, caller, id).await?;
    let Value::Object(mut changed) = resource(state, &old) else {
        return Err(ScimError::not_found());
    };
    patch::apply(&mut changed, body)?;
    let wanted = read(&changed)?;
    save(state, tx, caller, &old, &wanted).await
}

/// Takes somebody from the client: the account is switched off and stays.
pub(super) async fn remove(state: &AppState, caller: &ScimCaller, id: Uuid) -> ScimResult<()> {
    let mut tx = state.db.system("provisioning").await?;
    let user = find(&mut tx, caller, id).await?;
    check_reach(caller, &user.account)?;
    if user.account.is_active {
        switch(&mut tx, &user.account, false, state.now()).await?;
    }
    db::unlink_identity(&mut tx, &caller.provider, user.account.user_id).await?;
    caller.commit(state, tx, "user.unprovision", "user", id).await
}

async fn save(
    state: &AppState,
    mut tx: SystemTx,
    caller: &ScimCaller,
    old: &ProvisionedUser,
    wanted: &Wanted,
) -> ScimResult<Value> {
    let id = old.account.user_id.0;
    check_reach(caller, &old.account)?;
    check_free(&mut tx, caller, &wanted.user_name, Some(id)).await?;
    write(&mut tx, caller, &old.account, wanted, state.now()).await?;
    let saved = resource(state, &find(&mut tx, caller, id).await?);
    caller.commit(state, tx, "user.provision", "user", id).await?;
    Ok(saved)
}

/// Gives an account of the tenant to the client: whoever provisions may manage people, so that an address is enough.
async fn take_over(
    tx: &mut SystemTx,
    caller: &ScimCaller,
    account: &ExternalAccount,
    subject: &str,
    at: chrono::DateTime<chrono::Utc>,
) -> ScimResult<()> {
    let provider = &caller.provider;
    if account.tenant_id != provider.tenant_id || account.role > provider.highest_role {
        return Err(ScimError::uniqueness());
    }
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

async fn write(
    tx: &mut SystemTx,
    caller: &ScimCaller,
    account: &ExternalAccount,
    wanted: &Wanted,
    at: chrono::DateTime<chrono::Utc>,
) -> ScimResult<()> {
    let mut account = account.clone();
    db::rename_identity(
        tx,
        &caller.provider,
        account.user_id,
        &wanted.user_name,
        wanted.external_id.as_deref(),
    )
    .await?;
    db::update_account_names(tx, account.user_id, &wanted.email, wanted.full_name.as_deref()).await?;
    if account.is_active != wanted.is_active {
        switch(tx, &account, wanted.is_active, at).await?;
    }
    groups::follow_groups(tx, caller, &mut account, at).await
}

async fn switch(
    tx: &mut SystemTx,
    account: &ExternalAccount,
    is_active: bool,
    at: chrono::DateTime<chrono::Utc>,
) -> ScimResult<()> {
    people_db::set_user_active(tx, account.user_id, is_active).await?;
    people_db::end_user_sessions(tx, account.user_id, None, EndReason::AccessChanged, at).await?;
    Ok(())
}

/// The client reaches nobody whose role is above what it may give.
fn check_reach(caller: &ScimCaller, account: &ExternalAccount) -> ScimResult<()> {
    if account.role > caller.provider.highest_role {
        return Err(ScimError::forbidden(
            "the account has a role above the provider's highest",
        ));
    }
    Ok(())
}

async fn check_free(
    tx: &mut SystemTx,
    caller: &ScimCaller,
    user_name: &str,
    own: Option<Uuid>,
) -> ScimResult<()> {
    let filter = ScimFilter {
        user_name: Some(user_name.to_owned()),
        ..ScimFilter::default()
    };
    let (found, _) = db::list_provisioned_users(tx, &caller.provider, &filter, 0, 2).await?;
    if found.iter().all(|user| Some(user.account.user_id.0) == own) {
        Ok(())
    } else {
        Err(ScimError::uniqueness())
    }
}

async fn find(tx: &mut SystemTx, caller: &ScimCaller, id: Uuid) -> ScimResult<ProvisionedUser> {
    let filter = ScimFilter {
        id: Some(id),
        ..ScimFilter::default()
    };
    let (found, _) = db::list_provisioned_users(tx, &caller.provider, &filter, 0, 1).await?;
    found.into_iter().next().ok_or_else(ScimError::not_found)
}

fn read(body: &Map<String, Value>) -> ScimResult<Wanted> {
    let body: Map<String, Value> = body
        .iter()
        .map(|(name, value)| (canonical(name), value.clone()))
        .collect();
    let text = |name: &str| match body.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.trim().to_owned()).filter(|text| !text.is_empty())),
        Some(_) => Err(ScimError::invalid_value(format!("`{name}` is a text"))),
    };
    let user_name = text("userName")?
        .filter(|name| name.chars().count() <= MAX_USER_NAME && !name.chars().any(char::is_control))
        .ok_or_else(|| ScimError::invalid_value("`userName` must have 1–320 characters"))?;
    let external_id = text("externalId")?;
    if external_id.as_ref().is_some_and(|id| id.len() > MAX_EXTERNAL_ID) {
        return Err(ScimError::invalid_value("`externalId` is too long"));
    }
    let email = email_of(&body)
        .or_else(|| Some(user_name.clone()))
        .filter(|email| is_email(email))
        .ok_or_else(|| {
            ScimError::invalid_value("an e-mail address is needed, in `emails` or as `userName`")
        })?;
    let is_active = match body.get("active") {
        None | Some(Value::Null) => true,
        Some(Value::Bool(is_active)) => *is_active,
        // One known client writes the boolean as text.
        Some(Value::String(word)) if word.eq_ignore_ascii_case("true") => true,
        Some(Value::String(word)) if word.eq_ignore_ascii_case("false") => false,
        Some(_) => return Err(ScimError::invalid_value("`active` is true or false")),
    };
    let full_name = text("displayName")?
        .or_else(|| formatted_name(body.get("name")))
        .as_deref()
        .and_then(account::clean_name);
    Ok(Wanted {
        user_name,
        external_id,
        full_name,
        email,
        is_active,
    })
}

/// The primary address, else the first.
fn email_of(body: &Map<String, Value>) -> Option<String> {
    let emails = body.get("emails")?.as_array()?;
    let primary = emails
        .iter()
        .find(|email| text_of(email, "primary").as_deref() == Some("true"));
    primary
        .or_else(|| emails.first())
        .and_then(|email| text_of(email, "value"))
}

fn formatted_name(name: Option<&Value>) -> Option<String> {
    let name = name?;
    text_of(name, "formatted").or_else(|| {
        let parts: Vec<String> = ["givenName", "familyName"]
            .iter()
            .filter_map(|part| text_of(name, part))
            .collect();
        (!parts.is_empty()).then(|| parts.join(" "))
    })
}

fn resource(state: &AppState, user: &ProvisionedUser) -> Value {
    let id = user.account.user_id;
    let mut resource = json!({
        "schemas": [SCHEMA],
        "id": id.to_string(),
        "userName": user.user_name,
        "emails": [{"value": user.account.email, "primary": true}],
        "active": user.account.is_active,
        "meta": {
            "resourceType": "User",
            "created": user.created_at.to_rfc3339(),
            "lastModified": user.updated_at.to_rfc3339(),
            "location": location(state, "Users", id.0),
        }
    });
    if let Some(name) = &user.account.full_name {
        resource["displayName"] = name.clone().into();
    }
    if let Some(external_id) = &user.external_id {
        resource["externalId"] = external_id.clone().into();
    }
    resource
}
