//! Groups (RFC 7643 §4.2): roles follow from their names.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};
use sg_db::SystemTx;
use sg_db::users::providers::{self as db, ExternalAccount, NewGroup, ProvisionedGroup, ScimFilter};
use sg_types::UserId;
use uuid::Uuid;

use super::super::account;
use super::caller::ScimCaller;
use super::error::{ScimError, ScimResult};
use super::filter;
use super::patch::{self, PatchBody, canonical, text_of};
use super::routes::{ListParams, location};
use crate::AppState;
use crate::users::validate::is_display_name;

pub(super) const SCHEMA: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
/// Members of a group at most.
const MAX_MEMBERS: usize = 10_000;

/// A group as the client wants it.
struct Wanted {
    display_name: String,
    external_id: Option<String>,
    members: Vec<Uuid>,
}

/// Lists groups.
pub(super) async fn list(state: &AppState, caller: &ScimCaller, params: &ListParams) -> ScimResult<Value> {
    let (offset, limit) = params.range();
    let Some(wanted) = filter::of_groups(params.filter.as_deref())? else {
        return Ok(params.page(0, Vec::new()));
    };
    let mut tx = state.db.system("provisioning").await?;
    let (groups, total) = db::list_groups(&mut tx, &caller.provider, &wanted, offset, limit).await?;
    let mut resources = Vec::new();
    for group in &groups {
        resources.push(resource(state, &mut tx, caller, group, params.wants_members()).await?);
    }
    Ok(params.page(total, resources))
}

/// Shows a group.
pub(super) async fn show(
    state: &AppState,
    caller: &ScimCaller,
    id: Uuid,
    with_members: bool,
) -> ScimResult<Value> {
    let mut tx = state.db.system("provisioning").await?;
    let group = find(&mut tx, caller, id).await?;
    resource(state, &mut tx, caller, &group, with_members).await
}

/// Makes a group.
pub(super) async fn create(
    state: &AppState,
    caller: &ScimCaller,
    body: Map<String, Value>,
) -> ScimResult<(Uuid, Value)> {
    let wanted = read(&body)?;
    let at = state.now();
    let group_id = state.ids.next();
    let mut tx = state.db.system("provisioning").await?;
    let new = NewGroup {
        group_id,
        tenant_id: caller.provider.tenant_id,
        provider_id: caller.provider.provider_id,
        display_name: &wanted.display_name,
        external_id: wanted.external_id.as_deref(),
        at,
    };
    db::insert_group(&mut tx, &new).await?;
    set_members(&mut tx, caller, group_id, &wanted.members, at).await?;
    let group = find(&mut tx, caller, group_id).await?;
    let made = resource(state, &mut tx, caller, &group, true).await?;
    caller
        .commit(state, tx, "group.provision", "group", group_id)
        .await?;
    Ok((group_id, made))
}

/// Replaces a group.
pub(super) async fn replace(
    state: &AppState,
    caller: &ScimCaller,
    id: Uuid,
    body: &Map<String, Value>,
) -> ScimResult<Value> {
    let mut tx = state.db.system("provisioning").await?;
    find(&mut tx, caller, id).await?;
    save(state, tx, caller, id, &read(body)?).await
}

/// Changes a group.
pub(super) async fn patch(
    state: &AppState,
    caller: &ScimCaller,
    id: Uuid,
    body: PatchBody,
) -> ScimResult<Value> {
    let mut tx = state.db.system("provisioning").await?;
    let group = find(&mut tx, caller, id).await?;
    let Value::Object(mut changed) = resource(state, &mut tx, caller, &group, true).await? else {
        return Err(ScimError::not_found());
    };
    patch::apply(&mut changed, body)?;
    save(state, tx, caller, id, &read(&changed)?).await
}

/// Removes a group; its members lose the role that followed from it.
pub(super) async fn remove(state: &AppState, caller: &ScimCaller, id: Uuid) -> ScimResult<()> {
    let mut tx = state.db.system("provisioning").await?;
    let at = state.now();
    find(&mut tx, caller, id).await?;
    set_members(&mut tx, caller, id, &[], at).await?;
    if !db::delete_group(&mut tx, &caller.provider, id).await? {
        return Err(ScimError::not_found());
    }
    caller.commit(state, tx, "group.unprovision", "group", id).await
}

/// Gives somebody the role that follows from their groups. Whoever is above what the client may give keeps theirs.
pub(super) async fn follow_groups(
    tx: &mut SystemTx,
    caller: &ScimCaller,
    account: &mut ExternalAccount,
    at: DateTime<Utc>,
) -> ScimResult<()> {
    if account.role > caller.provider.highest_role {
        return Ok(());
    }
    let names = db::list_member_group_names(tx, &caller.provider, account.user_id).await?;
    account::follow_role(tx, &caller.provider, account, &names, at).await?;
    Ok(())
}

async fn save(
    state: &AppState,
    mut tx: SystemTx,
    caller: &ScimCaller,
    id: Uuid,
    wanted: &Wanted,
) -> ScimResult<Value> {
    let at = state.now();
    let external_id = wanted.external_id.as_deref();
    db::rename_group(
        &mut tx,
        &caller.provider,
        id,
        &wanted.display_name,
        external_id,
        at,
    )
    .await?;
    set_members(&mut tx, caller, id, &wanted.members, at).await?;
    let group = find(&mut tx, caller, id).await?;
    let saved = resource(state, &mut tx, caller, &group, true).await?;
    caller.commit(state, tx, "group.provision", "group", id).await?;
    Ok(saved)
}

/// Makes these people the members, and lets the roles of everybody concerned follow.
async fn set_members(
    tx: &mut SystemTx,
    caller: &ScimCaller,
    group_id: Uuid,
    members: &[Uuid],
    at: DateTime<Utc>,
) -> ScimResult<()> {
    let tenant_id = caller.provider.tenant_id;
    let before = db::list_group_members(tx, tenant_id, group_id).await?;
    let count = db::set_group_members(tx, &caller.provider, group_id, members).await?;
    if count != members.len() as u64 {
        return Err(ScimError::invalid_value(
            "a member is nobody whom this client keeps",
        ));
    }
    let mut concerned: Vec<Uuid> = before.iter().map(|person| person.user_id.0).collect();
    concerned.extend(members);
    // In one order everywhere, so that two requests do not wait for each other.
    concerned.sort_unstable();
    concerned.dedup();
    for user_id in concerned {
        if let Some(mut account) = db::lock_account(tx, tenant_id, UserId(user_id)).await? {
            follow_groups(tx, caller, &mut account, at).await?;
        }
    }
    Ok(())
}

async fn find(tx: &mut SystemTx, caller: &ScimCaller, id: Uuid) -> ScimResult<ProvisionedGroup> {
    let filter = ScimFilter {
        id: Some(id),
        ..ScimFilter::default()
    };
    let (found, _) = db::list_groups(tx, &caller.provider, &filter, 0, 1).await?;
    found.into_iter().next().ok_or_else(ScimError::not_found)
}

fn read(body: &Map<String, Value>) -> ScimResult<Wanted> {
    let body: Map<String, Value> = body
        .iter()
        .map(|(name, value)| (canonical(name), value.clone()))
        .collect();
    let text = |name: &str| {
        body.get(name)
            .and_then(Value::as_str)
            .map(|text| text.trim().to_owned())
    };
    let display_name = text("displayName")
        .filter(|name| is_display_name(name, 255))
        .ok_or_else(|| ScimError::invalid_value("`displayName` must have 1–255 characters"))?;
    let external_id = text("externalId").filter(|id| !id.is_empty());
    if external_id.as_ref().is_some_and(|id| id.len() > 1_024) {
        return Err(ScimError::invalid_value("`externalId` is too long"));
    }
    let mut members = match body.get("members") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(members)) if members.len() <= MAX_MEMBERS => members
            .iter()
            .map(|member| text_of(member, "value").and_then(|id| id.parse().ok()))
            .collect::<Option<Vec<Uuid>>>()
            .ok_or_else(|| ScimError::invalid_value("a member is named by the id of a user"))?,
        Some(_) => {
            return Err(ScimError::invalid_value(
                "`members` is a list of at most 10000 members",
            ));
        }
    };
    members.sort_unstable();
    members.dedup();
    Ok(Wanted {
        display_name,
        external_id,
        members,
    })
}

async fn resource(
    state: &AppState,
    tx: &mut SystemTx,
    caller: &ScimCaller,
    group: &ProvisionedGroup,
    with_members: bool,
) -> ScimResult<Value> {
    let id = group.group_id;
    let mut resource = json!({
        "schemas": [SCHEMA],
        "id": id.to_string(),
        "displayName": group.display_name,
        "meta": {
            "resourceType": "Group",
            "created": group.created_at.to_rfc3339(),
            "lastModified": group.updated_at.to_rfc3339(),
            "location": location(state, "Groups", id),
        }
    });
    if let Some(external_id) = &group.external_id {
        resource["externalId"] = external_id.clone().into();
    }
    if with_members {
        let members = db::list_group_members(tx, caller.provider.tenant_id, id).await?;
        resource["members"] = members
            .iter()
            .map(|person| {
                json!({
                    "value": person.user_id.to_string(),
                    "type": "User",
                    "$ref": location(state, "Users", person.user_id.0)
                })
            })
            .collect();
    }
    Ok(resource)
}
