//! The first administrator and the first enrolment key, made once in a new database.

use secrecy::SecretString;
use sg_db::Db;
use sg_db::audit::{Actor, AuditEvent, Outcome};
use sg_db::users::{self as db, NewApiKey, NewUser};
use sg_types::api::users::KeyScope;
use sg_types::{Clock, Ids, KeyId, Role, TenantId, TokenKind, UserId};

use crate::passwords::{PasswordHasher, generate_initial_password};
use crate::tokens;

/// Sign-in name of the first administrator.
pub const FIRST_ADMIN: &str = "admin";

/// What was made, shown once.
#[derive(Debug)]
pub struct Seeded {
    /// The administrator's sign-in name, [`FIRST_ADMIN`] where that was free.
    pub username: String,
    /// Their password; has to be changed at the first sign-in.
    pub admin_password: SecretString,
    /// An API key that enrols endpoints in the default tenant.
    pub enrolment_key: SecretString,
}

/// Makes the first administrator and an enrolment key when there is no system administrator yet; None when there is one.
///
/// # Errors
/// Those of the database.
pub async fn seed(
    db: &Db,
    hasher: &PasswordHasher,
    clock: &dyn Clock,
    ids: &dyn Ids,
) -> anyhow::Result<Option<Seeded>> {
    let mut tx = db.system("first administrator").await?;
    if db::count_users(&mut tx, Role::SystemAdmin).await? > 0 {
        return Ok(None);
    }
    let admin_password = generate_initial_password();
    let hash = SecretString::from(hasher.hash(admin_password.clone()).await?);
    let user_id = UserId(ids.next());
    let username = free_name(&mut tx).await?;
    let admin = NewUser {
        user_id,
        tenant_id: TenantId::DEFAULT,
        username: &username,
        email: &format!("{username}@localhost"),
        full_name: Some("Administrator"),
        role: Role::SystemAdmin.into(),
        password_hash: &hash,
        must_change_password: true,
    };
    db::insert_user(&mut tx, &admin).await?;
    let token = tokens::generate(TokenKind::ApiKey);
    let key = NewApiKey {
        key_id: KeyId(ids.next()),
        tenant_id: TenantId::DEFAULT,
        user_id,
        hash: token.hash,
        prefix: &token.prefix,
        name: "First enrolment key",
        scopes: &[KeyScope::Enrol],
        expires_at: None,
        max_enrolments: None,
        replaces: None,
    };
    db::insert_api_key(&mut tx, &key).await?;
    let event = AuditEvent {
        event_id: ids.next().into(),
        at: clock.now(),
        actor: Actor::system("first start"),
        action: "user.create",
        object: Some(("user", user_id.to_string())),
        outcome: Outcome::Success,
        reason: Some("first administrator".to_owned()),
        request_id: None,
        address: None,
    };
    tx.commit(TenantId::DEFAULT, event).await?;
    Ok(Some(Seeded {
        username,
        admin_password,
        enrolment_key: token.secret,
    }))
}

/// The name, or, in a database that somebody of that name brought along, one beside it.
async fn free_name(tx: &mut sg_db::SystemTx) -> anyhow::Result<String> {
    for name in [
        FIRST_ADMIN.to_owned(),
        format!("{FIRST_ADMIN}1"),
        format!("secureguard-{FIRST_ADMIN}"),
    ] {
        if db::find_user_id(tx, &name).await?.is_none() {
            return Ok(name);
        }
    }
    anyhow::bail!(
        "the names {FIRST_ADMIN}, {FIRST_ADMIN}1 and secureguard-{FIRST_ADMIN} are taken and none of them is a system administrator; \
        make one of the users a system_admin by SQL as sg_admin"
    )
}
