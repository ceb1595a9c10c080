//! API keys and people.

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use clap::Subcommand;
use sg_client::Client;
use sg_types::{
    KeyId, RoleName,
    api::users::{ApiKeyCreated, CreateApiKey, CreateUser, KeyScope, RotateApiKey},
};

use crate::output::{self, Format, optional, printable, time};

#[derive(Debug, Subcommand)]
pub(crate) enum ApiKeys {
    /// List keys.
    List,
    /// Make a key; it is shown this once.
    Create {
        /// A name to tell keys apart.
        name: String,
        /// What it may be used for: enrol, api.
        #[arg(long, value_delimiter = ',', default_value = "enrol")]
        scope: Vec<KeyScope>,
        /// When it ends, such as 2027-01-31T00:00:00Z; never when absent.
        #[arg(long)]
        expires: Option<String>,
        /// How many enrolments it is good for; any number when absent.
        #[arg(long, value_name = "N")]
        max_enrolments: Option<i64>,
    },
    /// Put a new key in the place of one of yours, which goes on working for a while.
    Rotate {
        id: KeyId,
        /// Hours for which the key before still works, 0 to 720.
        #[arg(long, value_name = "HOURS", default_value_t = 24)]
        overlap: i64,
        /// When the new key ends, such as 2027-01-31T00:00:00Z; never when absent.
        #[arg(long)]
        expires: Option<String>,
    },
    /// Revoke a key.
    Revoke { id: KeyId },
}

impl ApiKeys {
    pub(crate) async fn run(self, client: &Client, format: Format) -> Result<()> {
        match self {
            Self::List => {
                let keys = client.list_api_keys(usize::MAX).await?;
                output::list(
                    format,
                    &keys,
                    &["ID", "NAME", "BEGINS WITH", "SCOPES", "OF", "ACTIVE", "LAST USED"],
                    |key| {
                        vec![
                            key.key_id.to_string(),
                            printable(&key.key_name),
                            key.key_prefix.clone(),
                            key.scopes
                                .iter()
                                .map(ToString::to_string)
                                .collect::<Vec<_>>()
                                .join(", "),
                            printable(&key.username),
                            if key.is_active { "yes" } else { "revoked" }.to_owned(),
                            key.last_used.map(time).unwrap_or_default(),
                        ]
                    },
                )
            }
            Self::Create {
                name,
                scope,
                expires,
                max_enrolments,
            } => {
                let created = client
                    .create_api_key(&CreateApiKey {
                        key_name: name,
                        scopes: Some(scope),
                        expires_at: expires.as_deref().map(end).transpose()?,
                        max_enrolments,
                    })
                    .await?;
                show_created(format, &created)
            }
            Self::Rotate { id, overlap, expires } => {
                let rotation = RotateApiKey {
                    overlap_seconds: Some(overlap.saturating_mul(3_600)),
                    expires_at: expires.as_deref().map(end).transpose()?,
                };
                show_created(format, &client.rotate_api_key(id, &rotation).await?)
            }
            Self::Revoke { id } => {
                client.revoke_api_key(id).await?;
                output::line("revoked")
            }
        }
    }
}

fn end(text: &str) -> Result<DateTime<Utc>> {
    text.parse()
        .context("--expires is no time like 2027-01-31T00:00:00Z")
}

fn show_created(format: Format, created: &ApiKeyCreated) -> Result<()> {
    let id = created.api_key.key_id.to_string();
    output::record(
        format,
        created,
        &[("id", id), ("key (shown this once)", created.key.clone())],
    )
}

#[derive(Debug, Subcommand)]
pub(crate) enum Users {
    /// List the tenant's people.
    List,
    /// Create a person; the password that works once is shown this once.
    Create {
        /// Sign-in name.
        username: String,
        /// E-mail address.
        #[arg(long)]
        email: String,
        /// user, manager, admin, system_admin, or a role of the tenant's own.
        #[arg(long, default_value = "user")]
        role: RoleName,
        /// The person's name.
        #[arg(long)]
        full_name: Option<String>,
        /// Mail them a link for choosing a password, instead of showing one that works once.
        #[arg(long)]
        invite: bool,
    },
}

impl Users {
    pub(crate) async fn run(self, client: &Client, format: Format) -> Result<()> {
        match self {
            Self::List => {
                let people = client.list_users(usize::MAX).await?;
                output::list(
                    format,
                    &people,
                    &["ID", "USER NAME", "NAME", "ROLE", "ACTIVE", "LAST SIGN-IN"],
                    |user| {
                        vec![
                            user.user_id.to_string(),
                            printable(&user.username),
                            printable(&optional(user.full_name.as_deref())),
                            user.role.to_string(),
                            if user.is_active { "yes" } else { "no" }.to_owned(),
                            user.last_login.map(time).unwrap_or_default(),
                        ]
                    },
                )
            }
            Self::Create {
                username,
                email,
                role,
                full_name,
                invite,
            } => {
                let created = client
                    .create_user(&CreateUser {
                        username,
                        email,
                        full_name,
                        role,
                        tenant_id: None,
                        invite,
                    })
                    .await?;
                let fields = [
                    ("id", created.user.user_id.to_string()),
                    ("user name", created.user.username.clone()),
                    (
                        "password (works once)",
                        created
                            .initial_password
                            .clone()
                            .unwrap_or_else(|| "invited by mail".to_owned()),
                    ),
                ];
                output::record(format, &created, &fields)
            }
        }
    }
}
