//! The roles of a tenant.

use std::collections::BTreeSet;

use sg_db::DbError;
use sg_db::users as db;
use sg_types::api::roles::{CreateRole, RoleView, UpdateRole};
use sg_types::{Permission, Role, RoleName, Scope};

use super::validate::Faults;
use crate::AppState;
use crate::auth::Acting;
use crate::error::{ApiError, ApiResult};

/// Roles of its own that a tenant may have: lists stay one page.
const MAX_OWN_ROLES: i64 = 100;

/// The role of this name, if the caller may give and take it.
pub(super) async fn find_grantable(
    tx: &mut impl sg_db::Reads,
    acting: &Acting,
    tenant_id: sg_types::TenantId,
    role: &RoleName,
) -> ApiResult<RoleView> {
    let found = db::find_role(tx, tenant_id, role)
        .await?
        .ok_or_else(|| ApiError::invalid_field("role", "there is no such role in the tenant"))?;
    require_grantable(acting, &found)?;
    Ok(found)
}

/// 403 when the role may do what the caller may not.
pub(super) fn require_grantable(acting: &Acting, role: &RoleView) -> ApiResult<()> {
    if acting.caller.may_grant(role) {
        return Ok(());
    }
    Err(too_high(acting))
}

/// Makes a role within a documented one.
pub(super) async fn create_role(state: &AppState, acting: &Acting, body: CreateRole) -> ApiResult<RoleView> {
    let scope = body.scope.unwrap_or(body.based_on.scope());
    let mut faults = Faults::default();
    faults.require(
        body.role.documented().is_none(),
        "role",
        "is the name of a documented role",
    );
    check(
        &mut faults,
        body.based_on,
        scope,
        &body.description,
        &body.permissions,
    );
    faults.finish()?;
    require_within_own(acting, body.based_on, scope, &body.permissions)?;
    let tenant_id = acting.caller.tenant_id;
    let mut event = acting.event(state, "role.create");
    event.object = Some(("role", body.role.to_string()));
    let mut tx = state.db.write(&acting.caller, event.at).await?;
    if db::count_roles(&mut tx, tenant_id).await? >= MAX_OWN_ROLES {
        return Err(ApiError::conflict(
            "too_many_roles",
            format!("a tenant has at most {MAX_OWN_ROLES} roles of its own"),
        ));
    }
    db::insert_role(&mut tx, tenant_id, &body, scope).await?;
    let role = db::find_role(&mut tx, tenant_id, &body.role)
        .await?
        .ok_or_else(|| ApiError::internal("a new role is not to be seen"))?;
    tx.commit(event).await?;
    Ok(role)
}

/// Changes a role; whoever has it has the change at their next request.
pub(super) async fn update_role(
    state: &AppState,
    acting: &Acting,
    name: &RoleName,
    body: UpdateRole,
) -> ApiResult<RoleView> {
    let tenant_id = acting.caller.tenant_id;
    let mut event = acting.event(state, "role.update");
    event.object = Some(("role", name.to_string()));
    let mut tx = state.db.write(&acting.caller, event.at).await?;
    let before = find_changeable(&mut tx, acting, name).await?;
    let scope = body.scope.unwrap_or(before.scope);
    let description = body.description.as_deref().unwrap_or(&before.description);
    let permissions = body.permissions.as_ref().unwrap_or(&before.permissions);
    let mut faults = Faults::default();
    check(&mut faults, before.based_on, scope, description, permissions);
    faults.finish()?;
    require_within_own(acting, before.based_on, scope, permissions)?;
    db::update_role(&mut tx, tenant_id, name, scope, description).await?;
    db::replace_role_permissions(&mut tx, tenant_id, name, permissions).await?;
    let after = db::find_role(&mut tx, tenant_id, name)
        .await?
        .ok_or_else(ApiError::not_found)?;
    if after != before {
        tx.commit(event).await?;
    }
    Ok(after)
}

/// Removes a role that nobody has.
pub(super) async fn delete_role(state: &AppState, acting: &Acting, name: &RoleName) -> ApiResult<()> {
    let mut event = acting.event(state, "role.delete");
    event.object = Some(("role", name.to_string()));
    let mut tx = state.db.write(&acting.caller, event.at).await?;
    find_changeable(&mut tx, acting, name).await?;
    match db::delete_role(&mut tx, acting.caller.tenant_id, name).await {
        Ok(true) => {}
        Ok(false) => return Err(ApiError::not_found()),
        Err(DbError::MissingReference { .. }) => {
            return Err(ApiError::conflict(
                "role_in_use",
                "somebody has this role, or had it when their access ended; give them another one first",
            ));
        }
        Err(other) => return Err(other.into()),
    }
    Ok(tx.commit(event).await?)
}

/// The reasons come before the lock: the database lets nobody lock a role above their own.
async fn find_changeable(tx: &mut sg_db::WriteTx, acting: &Acting, name: &RoleName) -> ApiResult<RoleView> {
    let tenant_id = acting.caller.tenant_id;
    let seen = db::find_role(tx, tenant_id, name)
        .await?
        .ok_or_else(ApiError::not_found)?;
    if seen.is_documented {
        return Err(ApiError::conflict(
            "documented_role",
            "the documented roles stay as they are; make another one",
        ));
    }
    if acting.caller.role == seen.role {
        return Err(ApiError::conflict(
            "own_role",
            "nobody changes the role that they have; ask another administrator",
        ));
    }
    require_grantable(acting, &seen)?;
    db::lock_role(tx, tenant_id, name)
        .await?
        .ok_or_else(ApiError::not_found)
}

fn check(faults: &mut Faults, based_on: Role, scope: Scope, description: &str, permissions: &[Permission]) {
    faults.require(
        based_on != Role::User || scope == Scope::Own,
        "scope",
        "must be `own` for a role that is based on `user`",
    );
    faults.require(
        description.chars().count() <= 500 && !description.chars().any(|c| c.is_control() && c != '\n'),
        "description",
        "must have at most 500 characters",
    );
    let beyond: BTreeSet<&str> = permissions
        .iter()
        .filter(|permission| !based_on.allows(**permission))
        .map(|permission| permission.as_str())
        .collect();
    faults.require(
        beyond.is_empty(),
        "permissions",
        format!(
            "`{based_on}`, which the role is based on, lacks: {}",
            join(beyond)
        ),
    );
}

fn join(words: BTreeSet<&str>) -> String {
    words.into_iter().collect::<Vec<_>>().join(", ")
}

fn require_within_own(
    acting: &Acting,
    based_on: Role,
    scope: Scope,
    permissions: &[Permission],
) -> ApiResult<()> {
    let caller = &acting.caller;
    if caller.may_define(based_on, scope) && permissions.iter().all(|p| caller.permissions.contains(p)) {
        return Ok(());
    }
    Err(too_high(acting))
}

fn too_high(acting: &Acting) -> ApiError {
    ApiError::forbidden(
        "role_too_high",
        format!(
            "nobody gives or takes a role that may do what they may not; yours is `{}`",
            acting.caller.role
        ),
    )
}
