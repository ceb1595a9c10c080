//! Identity providers: OpenID Connect, directories and provisioning.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{ProviderId, Role, TenantId, UserId, values::text_enum};

/// What kind of provider it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProviderKind {
    /// OpenID Connect: people sign in at the provider.
    Oidc,
    /// A directory: people sign in here, the directory checks the password.
    Ldap,
    /// A provisioning client (SCIM 2.0) keeps the accounts.
    Scim,
}
text_enum!(ProviderKind { Oidc => "oidc", Ldap => "ldap", Scim => "scim" });

/// What the provider says of somebody, and the role that follows.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RoleMapping {
    /// A value of the role claim, a group's distinguished name, or a provisioned group's name; compared without regard to case. 1–500 characters.
    pub value: String,
    /// The role; never above the provider's `highest_role`.
    pub role: Role,
}

/// What only one kind of provider has.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ProviderSettings {
    /// OpenID Connect.
    Oidc(OidcSettings),
    /// A directory.
    Ldap(LdapSettings),
    /// Provisioning.
    Scim(ScimSettings),
}

impl ProviderSettings {
    /// The kind of provider that they are for.
    pub const fn kind(&self) -> ProviderKind {
        match self {
            Self::Oidc(_) => ProviderKind::Oidc,
            Self::Ldap(_) => ProviderKind::Ldap,
            Self::Scim(_) => ProviderKind::Scim,
        }
    }
}

/// An OpenID provider. Its end points come from discovery.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OidcSettings {
    /// The issuer, exactly as the provider names itself; `https`.
    pub issuer: String,
    /// The client's id at the provider.
    pub client_id: String,
    /// Scopes to ask for besides `openid`.
    #[serde(default = "default_scopes")]
    pub scopes: Vec<String>,
    /// The claim that roles follow from, a text or a list of texts; none when `role_mappings` are not used.
    #[serde(default)]
    pub role_claim: Option<String>,
    /// The claim that the user name is made from; its part before an `@` is taken.
    #[serde(default = "default_username_claim")]
    pub username_claim: String,
    /// Whether the provider asks for a second factor itself, so that none is asked for here.
    #[serde(default)]
    pub checks_second_factor: bool,
    /// Certificates (PEM) that the provider's own is checked against, besides those of the system.
    #[serde(default)]
    pub ca_pem: Option<String>,
}

fn default_scopes() -> Vec<String> {
    ["profile", "email"].map(str::to_owned).to_vec()
}

fn default_username_claim() -> String {
    "preferred_username".to_owned()
}

/// A directory that speaks LDAP.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LdapSettings {
    /// `ldaps://host[:port]`, or `ldap://host[:port]`, which needs `starttls` unless the host is this machine.
    pub url: String,
    /// Whether an `ldap://` connection is secured with StartTLS (RFC 4511 §4.14).
    #[serde(default)]
    pub starttls: bool,
    /// Certificates (PEM) that the directory's own is checked against, in place of those of the system.
    #[serde(default)]
    pub ca_pem: Option<String>,
    /// Who searches; its password is the provider's secret.
    pub bind_dn: String,
    /// Where people are searched.
    pub base_dn: String,
    /// Which entries are people (RFC 4515), such as `(objectClass=person)`.
    pub user_filter: String,
    /// The attribute whose value never changes and names an entry, such as `entryUUID` or `objectGUID`.
    #[serde(default = "default_subject_attribute")]
    pub subject_attribute: String,
    /// The attribute with the user name, such as `uid` or `sAMAccountName`.
    #[serde(default = "default_username_attribute")]
    pub username_attribute: String,
    /// The attribute with the e-mail address.
    #[serde(default = "default_email_attribute")]
    pub email_attribute: String,
    /// The attribute with the person's name.
    #[serde(default = "default_name_attribute")]
    pub name_attribute: String,
    /// The attribute of a person that names their groups, such as `memberOf`; none when groups name their members.
    #[serde(default)]
    pub group_attribute: Option<String>,
    /// Where groups are searched, whose `member` attributes name people; used when `group_attribute` is absent.
    #[serde(default)]
    pub group_base_dn: Option<String>,
    /// Whether an account of this tenant with the same user name and the same e-mail address is linked. Only where people cannot change either
    /// in their own entries.
    #[serde(default)]
    pub links_existing: bool,
    /// Minutes between synchronisations, 5–10080; none: only when asked for.
    #[serde(default)]
    pub sync_interval_minutes: Option<u32>,
    /// The share of this provider's active people, in percent (1–100), that one synchronisation may switch off; more of them stop it.
    #[serde(default = "default_highest_loss")]
    pub highest_loss_percent: u32,
}

fn default_subject_attribute() -> String {
    "entryUUID".to_owned()
}

fn default_username_attribute() -> String {
    "uid".to_owned()
}

fn default_email_attribute() -> String {
    "mail".to_owned()
}

fn default_name_attribute() -> String {
    "cn".to_owned()
}

fn default_highest_loss() -> u32 {
    20
}

/// Provisioning has no settings of its own: its client comes with an API key of the scope `scim`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ScimSettings {}

/// `POST /api/v1/users/providers`, and `PUT /api/v1/users/providers/{provider_id}`, which replaces everything but an absent `secret`.
#[derive(Clone, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SaveProvider {
    /// Display name, 1–100 characters; unique in the tenant.
    pub name: String,
    /// Whether people can sign in or be provisioned through it.
    #[serde(default = "default_true")]
    pub is_enabled: bool,
    /// Whether the sign-in page shows it to everybody; else only to who names one of its domains.
    #[serde(default)]
    pub is_listed: bool,
    /// E-mail domains that lead to it, at most 50. Where there are any, nobody with an address outside of them gets an account.
    #[serde(default)]
    pub domains: Vec<String>,
    /// Whether people whom nobody has created yet get an account.
    #[serde(default = "default_true")]
    pub creates_users: bool,
    /// The role of who has none by `role_mappings`.
    #[serde(default = "default_role")]
    pub default_role: Role,
    /// The highest role that the provider gives, and that an account may have which signs in through it.
    #[serde(default = "default_highest_role")]
    pub highest_role: Role,
    /// What gives which role, at most 200; the highest one that applies.
    #[serde(default)]
    pub role_mappings: Vec<RoleMapping>,
    /// What only this kind has.
    pub settings: ProviderSettings,
    /// The client secret or bind password; write-only.
    #[serde(default)]
    pub secret: Option<String>,
}

impl std::fmt::Debug for SaveProvider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SaveProvider")
            .field("name", &self.name)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

fn default_true() -> bool {
    true
}

fn default_role() -> Role {
    Role::User
}

fn default_highest_role() -> Role {
    Role::Admin
}

/// A provider without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
pub struct ProviderView {
    /// The provider's id.
    pub provider_id: ProviderId,
    /// Display name.
    pub name: String,
    /// Whether people can sign in or be provisioned through it.
    pub is_enabled: bool,
    /// Whether the sign-in page shows it to everybody.
    pub is_listed: bool,
    /// E-mail domains that lead to it.
    pub domains: Vec<String>,
    /// Whether people whom nobody has created yet get an account.
    pub creates_users: bool,
    /// The role of who has none by `role_mappings`.
    pub default_role: Role,
    /// The highest role that the provider gives.
    pub highest_role: Role,
    /// What gives which role.
    pub role_mappings: Vec<RoleMapping>,
    /// What only this kind has.
    pub settings: ProviderSettings,
    /// Whether a secret is stored.
    pub has_secret: bool,
    /// The address to register at an OpenID provider (redirect URI).
    pub redirect_uri: Option<String>,
    /// Accounts that are linked to it.
    pub linked_users: i64,
    /// Whether its listing, or one of its domains, waits for the operator of the installation; it signs in whoever has its own link.
    pub is_waiting: bool,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When it was changed last.
    pub updated_at: DateTime<Utc>,
}

/// What the provider of a tenant shows on the sign-in page that all tenants share, or wants to.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
pub struct PublicationView {
    /// The provider's id.
    pub provider_id: ProviderId,
    /// Whose it is.
    pub tenant_id: TenantId,
    /// The tenant's name.
    pub tenant_name: String,
    /// The name on its button.
    pub name: String,
    /// The OpenID issuer that people are sent to.
    pub issuer: String,
    /// Whether everybody sees it.
    pub is_listed: bool,
    /// The e-mail domains that lead to it.
    pub domains: Vec<String>,
    /// Whether any of it waits for the operator.
    pub is_waiting: bool,
}

/// What a test of a provider found.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
pub struct ProviderTest {
    /// Whether everything is as it has to be.
    pub ok: bool,
    /// What was tried, in order.
    pub steps: Vec<ProviderTestStep>,
}

/// One step of a test.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
pub struct ProviderTestStep {
    /// What was tried.
    pub name: String,
    /// Whether it went well.
    pub ok: bool,
    /// What was found.
    pub detail: String,
}

/// A way to sign in that the sign-in page offers. Says nothing of whose it is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
pub struct SignInProvider {
    /// The provider's id.
    pub provider_id: ProviderId,
    /// Its name.
    pub name: String,
    /// Where the browser goes to begin.
    pub start_url: String,
}

/// The ways to sign in besides user name and password.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
pub struct SignInProviders {
    /// The providers, by name.
    pub items: Vec<SignInProvider>,
}

/// The answer to `POST /api/v1/sessions/current/end`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
pub struct SessionEnded {
    /// Where the browser may go to end the provider's session too (OpenID Connect RP-Initiated Logout 1.0); none when there is nothing to end.
    pub provider_sign_out_url: Option<String>,
}

/// `POST /api/v1/users/providers/{provider_id}/syncs`.
#[derive(Debug, Clone, Default, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StartSync {
    /// Only tell what would be done.
    #[serde(default)]
    pub is_dry_run: bool,
}

/// How a synchronisation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SyncOutcome {
    /// Everything that had to be done was done.
    Done,
    /// It would have switched off too many people, and did nothing.
    Stopped,
    /// The directory could not be read, and nothing was done.
    Failed,
}
text_enum!(SyncOutcome { Done => "done", Stopped => "stopped", Failed => "failed" });

/// What a synchronisation did, or would do.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
pub struct SyncView {
    /// The run's id.
    pub sync_id: uuid::Uuid,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub finished_at: DateTime<Utc>,
    /// Whether it only told what it would do.
    pub is_dry_run: bool,
    /// How it ended.
    pub outcome: SyncOutcome,
    /// What it did.
    pub report: SyncReport,
}

/// What a synchronisation found and did. Each list names at most 100 people.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
pub struct SyncReport {
    /// Entries that the directory has.
    pub found: u64,
    /// People without a change.
    pub unchanged: u64,
    /// People who were created.
    pub created: SyncedPeople,
    /// People whose name, address or role was changed, or who were switched on again.
    pub changed: SyncedPeople,
    /// People who were switched off, because the directory has them no more.
    pub switched_off: SyncedPeople,
    /// Entries that were passed over, each with the reason.
    pub skipped: SyncedPeople,
    /// Why it stopped or failed.
    pub problem: Option<String>,
}

/// Some people, and how many they are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
pub struct SyncedPeople {
    /// How many.
    pub count: u64,
    /// The first 100 of them.
    pub people: Vec<SyncedPerson>,
}

impl SyncedPeople {
    /// Adds one.
    pub fn add(&mut self, person: SyncedPerson) {
        self.count += 1;
        if self.people.len() < 100 {
            self.people.push(person);
        }
    }
}

/// One person in a report.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
pub struct SyncedPerson {
    /// The user name, or the entry's distinguished name where it has none.
    pub name: String,
    /// The account, where there is one.
    pub user_id: Option<UserId>,
    /// What was done or why nothing was.
    pub note: Option<String>,
}
