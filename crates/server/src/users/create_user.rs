//! Creating people.

use secrecy::{ExposeSecret, SecretString};
use sg_db::DbError;
use sg_db::users::{self as db, NewUser};
use sg_types::api::users::{CreateUser, UserCreated};
use sg_types::{Permission, Role, TenantId, UserId};

use super::require_recent;
use super::roles::find_grantable;
use super::validate::{Faults, is_display_name, is_email, is_username};
use crate::AppState;
use crate::auth::Acting;
use crate::error::{ApiError, ApiResult};
use crate::mail::{self, MailKind};
use crate::passwords::generate_initial_password;

/// Creates a person with an initial password that has to be changed at the first sign-in, or mails them a link for choosing one.
pub(super) async fn create_user(
    state: &AppState,
    acting: &Acting,
    body: CreateUser,
) -> ApiResult<UserCreated> {
    validate(&body)?;
    // A role of the tenant's own may come up to an administrator's.
    if body.role.documented().is_none_or(|role| role >= Role::Admin) {
        require_recent(state, acting).await?;
    }
    let tenant_id = body.tenant_id.unwrap_or(acting.caller.tenant_id);
    let elsewhere = tenant_id != acting.caller.tenant_id;
    if elsewhere && (!acting.caller.may(Permission::TenantsManage) || tenant_id == TenantId::SYSTEM) {
        return Err(ApiError::not_found());
    }
    let (password, hash) = first_password(state, body.invite).await?;
    let user_id: UserId = state.next_id();
    let new = NewUser {
        user_id,
        tenant_id,
        username: &body.username,
        email: &body.email,
        full_name: body.full_name.as_deref(),
        role: body.role.clone(),
        password_hash: &hash,
        must_change_password: password.is_some(),
    };
    let mut event = acting.event(state, "user.create");
    event.object = Some(("user", user_id.to_string()));
    let user = if elsewhere {
        let mut tx = state.db.system("user in another tenant").await?;
        db::find_tenant_name(&mut tx, tenant_id)
            .await?
            .ok_or_else(ApiError::not_found)?;
        find_grantable(&mut tx, acting, tenant_id, &body.role).await?;
        db::insert_user(&mut tx, &new).await.map_err(explain)?;
        if body.invite {
            mail::enqueue(state, &mut tx, tenant_id, user_id, MailKind::Invitation).await?;
        }
        let view = db::view_user(&mut tx, tenant_id, user_id).await?;
        let mut here = event.clone();
        here.event_id = state.next_id();
        tx.record(acting.caller.tenant_id, &here).await?;
        tx.commit(tenant_id, event).await?;
        view
    } else {
        let mut tx = state.db.write(&acting.caller, event.at).await?;
        find_grantable(&mut tx, acting, tenant_id, &body.role).await?;
        db::insert_user(&mut tx, &new).await.map_err(explain)?;
        if body.invite {
            mail::enqueue(state, &mut tx, tenant_id, user_id, MailKind::Invitation).await?;
        }
        let view = db::view_user(&mut tx, tenant_id, user_id).await?;
        tx.commit(event).await?;
        view
    };
    let user = user.ok_or_else(|| ApiError::internal("a new user is not to be seen"))?;
    Ok(UserCreated {
        user,
        initial_password: password.map(|password| password.expose_secret().to_owned()),
    })
}

/// A one-time password and its hash; for somebody who is invited by mail no password, and what stands in place of a hash until they chose one.
async fn first_password(state: &AppState, invite: bool) -> ApiResult<(Option<SecretString>, SecretString)> {
    if invite {
        if state.mailer.is_none() {
            return Err(ApiError::mail_not_configured());
        }
        return Ok((None, db::INVITED.into()));
    }
    let password = generate_initial_password();
    let hash = state.passwords.hash(password.clone()).await?.into();
    Ok((Some(password), hash))
}

fn validate(body: &CreateUser) -> ApiResult<()> {
    let mut faults = Faults::default();
    faults.require(
        is_username(&body.username),
        "username",
        "must have 1–50 characters without `@` and white space",
    );
    faults.require(
        is_email(&body.email),
        "email",
        "must be an e-mail address of at most 254 characters",
    );
    let full_name_fits = body
        .full_name
        .as_deref()
        .is_none_or(|name| is_display_name(name, 255));
    faults.require(full_name_fits, "full_name", "must have 1–255 characters");
    faults.finish()
}

/// Names are unique over all tenants, so that the answer must not say whose it is.
fn explain(error: DbError) -> ApiError {
    match error {
        DbError::AlreadyExists { constraint } => {
            let field = if constraint.contains("email") {
                "e-mail address"
            } else {
                "user name"
            };
            ApiError::conflict(
                "already_exists",
                format!("this {field} is not available; take another"),
            )
        }
        other => other.into(),
    }
}
