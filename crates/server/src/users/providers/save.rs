//! Setting up, replacing and removing providers.

use sg_db::users::providers::{self as db, ProviderToSave};
use sg_db::{DbError, SystemTx};
use sg_types::api::providers::{LdapSettings, OidcSettings, ProviderSettings, ProviderView, SaveProvider};
use sg_types::{Permission, ProviderId, TenantId};
use url::Url;
use uuid::Uuid;

use super::outbound::{Outbound, is_reachable};
use super::publication::publish;
use super::{ldap, oidc, secret};
use crate::AppState;
use crate::auth::Acting;
use crate::error::{ApiError, ApiResult};
use crate::users::validate::{Faults, is_display_name};

/// Sizes of what can be given.
const MAX_DOMAINS: usize = 50;
const MAX_MAPPINGS: usize = 200;
const MAX_TEXT_CHARS: usize = 500;
const MAX_SECRET_CHARS: usize = 1_000;
const MAX_PEM_BYTES: usize = 65_536;
const MAX_SCOPES: usize = 20;

/// Sets up a provider.
pub(super) async fn create_provider(
    state: &AppState,
    acting: &Acting,
    body: SaveProvider,
) -> ApiResult<ProviderView> {
    acting.require_whole_tenant()?;
    let body = check(state, acting, body)?;
    let provider_id: ProviderId = state.next_id();
    let tenant_id = acting.caller.tenant_id;
    let mut event = acting.event(state, "identity_provider.create");
    event.object = Some(("identity_provider", provider_id.to_string()));
    let mut tx = state.db.system("identity provider").await?;
    let secret_id = match &body.secret {
        Some(text) => {
            Some(secret::store(state, &mut tx, tenant_id, body.settings.kind(), text, event.at).await?)
        }
        None => None,
    };
    let new = to_save(&body, tenant_id, provider_id, secret_id, event.at);
    db::insert_provider(&mut tx, &new).await.map_err(explain)?;
    db::set_provider_domains(&mut tx, tenant_id, provider_id, &body.domains).await?;
    if is_operator(acting) {
        publish(&mut tx, tenant_id, provider_id).await?;
    }
    let view = show(state, &mut tx, tenant_id, provider_id).await?;
    tx.commit(tenant_id, event).await?;
    Ok(view)
}

/// Replaces a provider.
pub(super) async fn replace_provider(
    state: &AppState,
    acting: &Acting,
    provider_id: ProviderId,
    body: SaveProvider,
) -> ApiResult<ProviderView> {
    acting.require_whole_tenant()?;
    let tenant_id = acting.caller.tenant_id;
    let mut tx = state.db.system("identity provider").await?;
    let found = db::find_provider(&mut tx, provider_id).await?;
    let old = found
        .filter(|provider| provider.tenant_id == tenant_id)
        .ok_or_else(ApiError::not_found)?;
    check_reach(acting, old.highest_role)?;
    let body = check(state, acting, body)?;
    if old.settings.kind() != body.settings.kind() {
        return Err(ApiError::invalid_field(
            "settings.kind",
            "the kind of a provider stays",
        ));
    }
    let moved = is_other_server(&old.settings, &body.settings);
    if moved && old.secret_id.is_some() && body.secret.is_none() {
        // Else whoever may change the address, and may not see the secret, would have it sent to a server of theirs.
        return Err(ApiError::invalid_field(
            "secret",
            "has to be given again when the server or the client changes",
        ));
    }
    let mut event = acting.event(state, "identity_provider.update");
    event.object = Some(("identity_provider", provider_id.to_string()));
    let secret_id = match &body.secret {
        Some(text) => {
            Some(secret::store(state, &mut tx, tenant_id, body.settings.kind(), text, event.at).await?)
        }
        None => old.secret_id,
    };
    let new = to_save(&body, tenant_id, provider_id, secret_id, event.at);
    if !db::update_provider(&mut tx, &new).await.map_err(explain)? {
        return Err(ApiError::not_found());
    }
    if let Some(replaced) = old.secret_id.filter(|_| body.secret.is_some()) {
        secret::forget(&mut tx, tenant_id, replaced).await?;
    }
    db::set_provider_domains(&mut tx, tenant_id, provider_id, &body.domains).await?;
    if is_operator(acting) {
        publish(&mut tx, tenant_id, provider_id).await?;
    } else if moved || old.name != body.name {
        // The operator agreed to another server, or to another name on its button.
        db::publish_provider(&mut tx, tenant_id, provider_id, false).await?;
    }
    if moved || !body.is_enabled {
        db::end_provider_sessions(&mut tx, tenant_id, provider_id, event.at).await?;
    }
    let view = show(state, &mut tx, tenant_id, provider_id).await?;
    tx.commit(tenant_id, event).await?;
    Ok(view)
}

/// Removes a provider.
pub(super) async fn remove_provider(
    state: &AppState,
    acting: &Acting,
    provider_id: ProviderId,
) -> ApiResult<()> {
    acting.require_whole_tenant()?;
    let tenant_id = acting.caller.tenant_id;
    let mut event = acting.event(state, "identity_provider.delete");
    event.object = Some(("identity_provider", provider_id.to_string()));
    let mut tx = state.db.system("identity provider").await?;
    let found = db::find_provider(&mut tx, provider_id).await?;
    let old = found
        .filter(|provider| provider.tenant_id == tenant_id)
        .ok_or_else(ApiError::not_found)?;
    check_reach(acting, old.highest_role)?;
    db::end_provider_sessions(&mut tx, tenant_id, provider_id, event.at).await?;
    if !db::delete_provider(&mut tx, tenant_id, provider_id).await? {
        return Err(ApiError::not_found());
    }
    if let Some(secret_id) = old.secret_id {
        secret::forget(&mut tx, tenant_id, secret_id).await?;
    }
    tx.commit(tenant_id, event).await?;
    Ok(())
}

/// Adds what the database does not know.
pub(super) fn complete(state: &AppState, mut view: ProviderView) -> ProviderView {
    if matches!(view.settings, ProviderSettings::Oidc(_)) {
        view.redirect_uri = Some(oidc::redirect_uri(state, view.provider_id));
    }
    view
}

async fn show(
    state: &AppState,
    tx: &mut SystemTx,
    tenant_id: TenantId,
    provider_id: ProviderId,
) -> ApiResult<ProviderView> {
    let view = db::view_provider(tx, tenant_id, provider_id).await?;
    let view = view.ok_or_else(|| ApiError::internal("a stored provider is not to be seen"))?;
    Ok(complete(state, view))
}

fn to_save<'a>(
    body: &'a SaveProvider,
    tenant_id: TenantId,
    provider_id: ProviderId,
    secret_id: Option<Uuid>,
    at: chrono::DateTime<chrono::Utc>,
) -> ProviderToSave<'a> {
    ProviderToSave {
        provider_id,
        tenant_id,
        name: &body.name,
        is_enabled: body.is_enabled,
        is_listed: body.is_listed,
        creates_users: body.creates_users,
        default_role: body.default_role,
        highest_role: body.highest_role,
        role_mappings: &body.role_mappings,
        settings: &body.settings,
        secret_id,
        at,
    }
}

/// Whether the caller may agree to what a provider shows on the sign-in page that all tenants share.
fn is_operator(acting: &Acting) -> bool {
    acting.caller.may(Permission::TenantsManage)
}

/// Whether the provider's answers come from another server or are meant for another client than before.
fn is_other_server(old: &ProviderSettings, new: &ProviderSettings) -> bool {
    match (old, new) {
        (ProviderSettings::Oidc(old), ProviderSettings::Oidc(new)) => {
            old.issuer != new.issuer || old.client_id != new.client_id || old.ca_pem != new.ca_pem
        }
        (ProviderSettings::Ldap(old), ProviderSettings::Ldap(new)) => {
            old.url != new.url || old.starttls != new.starttls || old.ca_pem != new.ca_pem
        }
        _ => false,
    }
}

/// Nobody touches a provider that reaches above them: it could be made to vouch for somebody else.
fn check_reach(acting: &Acting, highest_role: sg_types::Role) -> ApiResult<()> {
    if acting.caller.highest_grantable() >= Some(highest_role) {
        return Ok(());
    }
    Err(ApiError::forbidden(
        "role_too_high",
        "nobody sets up a provider that reaches above what they may give themselves",
    ))
}

fn check(state: &AppState, acting: &Acting, mut body: SaveProvider) -> ApiResult<SaveProvider> {
    for domain in &mut body.domains {
        *domain = domain.trim().to_lowercase();
    }
    body.domains.sort_unstable();
    body.domains.dedup();
    let mut faults = Faults::default();
    faults.require(
        is_display_name(&body.name, 100),
        "name",
        "must have 1–100 characters",
    );
    faults.require(
        body.domains.len() <= MAX_DOMAINS && body.domains.iter().all(|domain| is_domain(domain)),
        "domains",
        format!("must be at most {MAX_DOMAINS} domains such as example.org"),
    );
    faults.require(
        body.default_role <= body.highest_role,
        "default_role",
        "must not be above `highest_role`",
    );
    let mappings = &body.role_mappings;
    faults.require(
        mappings.len() <= MAX_MAPPINGS
            && mappings
                .iter()
                .all(|mapping| is_display_name(&mapping.value, MAX_TEXT_CHARS)),
        "role_mappings",
        format!("must be at most {MAX_MAPPINGS}, each with a value of 1–{MAX_TEXT_CHARS} characters"),
    );
    faults.require(
        mappings.iter().all(|mapping| mapping.role <= body.highest_role),
        "role_mappings",
        "must not give a role above `highest_role`",
    );
    faults.require(
        body.secret
            .as_deref()
            .is_none_or(|secret| (1..=MAX_SECRET_CHARS).contains(&secret.chars().count())),
        "secret",
        format!("must have 1–{MAX_SECRET_CHARS} characters"),
    );
    check_settings(state, &body.settings, &mut faults);
    faults.finish()?;
    check_reach(acting, body.highest_role)?;
    Ok(body)
}

fn check_settings(state: &AppState, settings: &ProviderSettings, faults: &mut Faults) {
    match settings {
        ProviderSettings::Oidc(settings) => check_oidc(state, settings, faults),
        ProviderSettings::Ldap(settings) => check_ldap(state, settings, faults),
        ProviderSettings::Scim(_) => {}
    }
}

fn check_oidc(state: &AppState, settings: &OidcSettings, faults: &mut Faults) {
    let issuer = settings.issuer.parse::<Url>().ok().filter(|url| {
        // OpenID Connect Discovery 1.0 §3: an issuer has neither query nor fragment.
        is_reachable(url, !state.tls) && url.query().is_none() && url.fragment().is_none()
    });
    faults.require(
        issuer.is_some() && settings.issuer.len() <= MAX_TEXT_CHARS,
        "settings.issuer",
        "must be an https address without query",
    );
    faults.require(
        is_display_name(&settings.client_id, MAX_TEXT_CHARS),
        "settings.client_id",
        "must have 1–500 characters",
    );
    let is_token = |text: &String| {
        (1..=100).contains(&text.len())
            && text
                .bytes()
                .all(|b| b.is_ascii_graphic() && b != b'"' && b != b'\\')
    };
    faults.require(
        settings.scopes.len() <= MAX_SCOPES && settings.scopes.iter().all(is_token),
        "settings.scopes",
        format!("must be at most {MAX_SCOPES} words (RFC 6749 §3.3)"),
    );
    faults.require(
        settings
            .role_claim
            .as_deref()
            .is_none_or(|name| is_display_name(name, 200)),
        "settings.role_claim",
        "must have 1–200 characters",
    );
    faults.require(
        is_display_name(&settings.username_claim, 200),
        "settings.username_claim",
        "must have 1–200 characters",
    );
    check_ca(settings.ca_pem.as_deref(), faults);
}

fn check_ldap(state: &AppState, settings: &LdapSettings, faults: &mut Faults) {
    faults.require(
        settings.url.len() <= MAX_TEXT_CHARS && ldap::check_url(settings, !state.tls),
        "settings.url",
        "must be ldaps://host, or ldap://host with `starttls`",
    );
    for (field, text) in [
        ("settings.bind_dn", &settings.bind_dn),
        ("settings.base_dn", &settings.base_dn),
    ] {
        faults.require(
            is_display_name(text, MAX_TEXT_CHARS),
            field,
            "must have 1–500 characters",
        );
    }
    faults.require(
        settings.user_filter.len() <= 2_000 && ldap3::parse_filter(&settings.user_filter).is_ok(),
        "settings.user_filter",
        "must be a filter in parentheses (RFC 4515), such as (objectClass=person)",
    );
    let attributes = [
        ("settings.subject_attribute", Some(&settings.subject_attribute)),
        ("settings.username_attribute", Some(&settings.username_attribute)),
        ("settings.email_attribute", Some(&settings.email_attribute)),
        ("settings.name_attribute", Some(&settings.name_attribute)),
        ("settings.group_attribute", settings.group_attribute.as_ref()),
    ];
    for (field, name) in attributes {
        faults.require(
            name.is_none_or(|name| is_attribute(name)),
            field,
            "must be the name of an attribute (RFC 4512 §2.5)",
        );
    }
    faults.require(
        settings
            .group_base_dn
            .as_deref()
            .is_none_or(|dn| is_display_name(dn, MAX_TEXT_CHARS)),
        "settings.group_base_dn",
        "must have 1–500 characters",
    );
    faults.require(
        settings
            .sync_interval_minutes
            .is_none_or(|minutes| (5..=10_080).contains(&minutes)),
        "settings.sync_interval_minutes",
        "must be between 5 and 10080",
    );
    faults.require(
        (1..=100).contains(&settings.highest_loss_percent),
        "settings.highest_loss_percent",
        "must be between 1 and 100",
    );
    check_ca(settings.ca_pem.as_deref(), faults);
}

/// `uid`, `memberOf`, `1.3.6.1`, with options such as `cn;lang-de`.
fn is_attribute(name: &str) -> bool {
    (1..=100).contains(&name.len())
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b';'))
}

fn check_ca(pem: Option<&str>, faults: &mut Faults) {
    faults.require(
        pem.is_none_or(|pem| pem.len() <= MAX_PEM_BYTES && Outbound::new(Some(pem), false).is_ok()),
        "settings.ca_pem",
        "must be certificates in PEM",
    );
}

/// A host name of at least two labels (RFC 1123 §2.1).
fn is_domain(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 253 && text.contains('.') && text.split('.').all(label)
}

fn explain(error: DbError) -> ApiError {
    match error {
        DbError::AlreadyExists { constraint } if constraint == "identity_providers_scim_key" => {
            ApiError::conflict(
                "already_exists",
                "the tenant has a provider for provisioning already",
            )
        }
        DbError::AlreadyExists { .. } => {
            ApiError::conflict("already_exists", "the tenant has a provider of that name already")
        }
        other => other.into(),
    }
}
