//! What stands in the place of `%name%` in Sigma rules with `expand`.

use anyhow::Result;
use clap::Subcommand;
use sg_client::Client;
use sg_types::api::rules::{PlaceholderView, SetPlaceholder};

use crate::output::{self, Format, optional, printable, time};

#[derive(Debug, Subcommand)]
pub(crate) enum Placeholders {
    /// List the tenant's placeholders with their values.
    List,
    /// Give a placeholder its values, in the place of those that it has.
    Set {
        /// The name, without the per cent signs.
        name: String,
        /// The values; `*` and `?` are wildcards.
        #[arg(required = true)]
        values: Vec<String>,
        /// Why.
        #[arg(long)]
        reason: Option<String>,
    },
    /// Remove a placeholder that no rule of the tenant's own needs.
    Remove { name: String },
}

impl Placeholders {
    pub(crate) async fn run(self, client: &Client, format: Format) -> Result<()> {
        match self {
            Self::List => show(format, &client.list_placeholders().await?),
            Self::Set { name, values, reason } => {
                let placeholder = SetPlaceholder { name, values, reason };
                show(format, &[client.set_placeholder(&placeholder).await?])
            }
            Self::Remove { name } => client.remove_placeholder(&name).await.map_err(Into::into),
        }
    }
}

fn show(format: Format, placeholders: &[PlaceholderView]) -> Result<()> {
    let headers = ["NAME", "VALUES", "CHANGED", "BY"];
    output::list(format, placeholders, &headers, |one| {
        let values: Vec<String> = one.values.iter().map(|value| printable(value)).collect();
        vec![
            printable(&one.name),
            values.join("\n"),
            time(one.changed_at),
            optional(one.changed_by_username.as_deref()),
        ]
    })
}
