//! The promotion of a standby.

use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use chrono::{DateTime, Utc};
use sg_db::standby::{checkpoint, promote as promote_cluster, read_replay};

use super::fence::ask_all;
use super::identity::Identity;
use super::invitation::Followed;
use crate::backup::{binaries, blocking};
use crate::config::Config;
use crate::up::read_superuser_url;

/// What came of it.
#[derive(Debug)]
pub struct Promoted {
    /// How long until PostgreSQL accepted writes.
    pub took: Duration,
    /// The last commit of the old primary that is here.
    pub replayed_at: Option<DateTime<Utc>>,
    /// The timeline from here on.
    pub timeline: u32,
}

/// Lets the standby that a running `up` keeps in the data directory take over. `primary_is_off` is the administrator's word that the old primary does not run, which
/// a server that does not answer cannot give.
///
/// # Errors
/// In words for the person at the terminal: the old primary runs, or may run.
pub async fn promote(config: &Config, primary_is_off: bool) -> anyhow::Result<Promoted> {
    let data_dir = &config.data_dir;
    ensure!(
        sg_postgres::is_standby(data_dir),
        "{} is no standby; what is there serves already, or was never made by `secureguard standby init`",
        data_dir.display()
    );
    let url = read_superuser_url(data_dir)?;
    let replay = read_replay(&url).await.with_context(|| {
        format!(
            "the standby does not run; start it first: secureguard up --data-dir {}",
            data_dir.display()
        )
    })?;
    ensure!(replay.is_standby, "this server was promoted already");
    refuse_two_primaries(config, primary_is_off).await?;
    let began = Instant::now();
    ensure!(
        promote_cluster(&url).await?,
        "PostgreSQL does not accept writes after a minute; its log is {}",
        data_dir.join("log/postgresql.log").display()
    );
    let took = began.elapsed();
    let replayed_at = read_replay(&url).await?.replayed_at;
    checkpoint(&url).await?;
    let (bin, dir) = (binaries(config)?, data_dir.clone());
    let control = blocking(move || Ok(sg_postgres::read_control_data(&bin, &dir)?)).await?;
    Ok(Promoted {
        took,
        replayed_at,
        timeline: control.timeline,
    })
}

async fn refuse_two_primaries(config: &Config, primary_is_off: bool) -> anyhow::Result<()> {
    let followed = Followed::read(&config.data_dir)?;
    let identity = Identity::load(&config.data_dir)?.context("secrets/sg_standby is missing")?;
    let mut asked = config.clone();
    if !asked.standby.peers.contains(&followed.from) {
        asked.standby.peers.push(followed.from);
    }
    for (peer, answer) in ask_all(&asked, &identity).await {
        if let Ok(state) = answer
            && !state.is_standby
        {
            bail!(
                "{peer} is a primary and takes writes; stop it first (`systemctl stop secureguard` there), which also sends everything here that is not here yet, and \
                 promote again"
            );
        }
    }
    ensure!(
        primary_is_off,
        "the primary {} does not answer, which may be its end or that of the network between. Make sure that it is off, or that nobody reaches it, then say so: \
         --primary-is-off",
        followed.from
    );
    Ok(())
}
