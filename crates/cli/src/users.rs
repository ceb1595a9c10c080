//! API keys and people.

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use clap::Subcommand;
use sg_client::Client;
use sg_types::{
    KeyId, Role,
    api::users::{CreateApiKey, CreateUser, KeyScope},
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
            Self::Create { name, scope, expires } => {
                let expires_at = expires
                    .map(|text| {
                        text.parse::<DateTime<Utc>>()
                            .context("--expires is no time like 2027-01-31T00:00:00Z")
                    })
                    .transpose()?;
                let created = client
                    .create_api_key(&CreateApiKey {
                        key_name: name,
                        scopes: Some(scope),
                        expires_at,
                    })
                    .await?;
                let id = created.api_key.key_id.to_string();
                output::record(
                    format,
                    &created,
                    &[("id", id), ("key (shown this once)", created.key.clone())],
                )
            }
            Self::Revoke { id } => {
                client.revoke_api_key(id).await?;
                output::line("revoked")
            }
        }
    }
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
        /// user, manager, admin or system_admin.
        #[arg(long, default_value = "user")]
        role: Role,
        /// The person's name.
        #[arg(long)]
        full_name: Option<String>,
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
            } => {
                let created = client
                    .create_user(&CreateUser {
                        username,
                        email,
                        full_name,
                        role,
                        tenant_id: None,
                    })
                    .await?;
                let fields = [
                    ("id", created.user.user_id.to_string()),
                    ("user name", created.user.username.clone()),
                    ("password (works once)", created.initial_password.clone()),
                ];
                output::record(format, &created, &fields)
            }
        }
    }
}
