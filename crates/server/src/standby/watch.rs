//! The primary's watch over its standbys: figures, alerts, keys for them, and whether one of them has taken over.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use secrecy::SecretString;
use sg_db::monitoring::{clear_alert, judge_figure};
use sg_db::standby::{
    Standby, commit_here_only, list_open_subjects, list_standbys_of, read_standing, save_sealed_keys,
};
use sg_types::TenantId;

use super::PREFIX;
use super::fence::{ask_all, fence};
use super::identity::Identity;
use crate::AppState;
use crate::backup::seal_keys;
use crate::up::DATABASE;

const LOOK_EVERY: Duration = Duration::from_secs(3);
/// Where nobody may follow, slots of an earlier time may still keep the log.
const LOOK_RARELY: Duration = Duration::from_secs(60);
const KEYS_EVERY: Duration = Duration::from_secs(60);
/// Seconds that a standby is behind or away.
const LAG: &str = "standby_lag";
/// Percent of what a slot may keep.
const SLOTS: &str = "replication_slots";

/// Watches until everything stops. When a peer has taken over, everything stops.
pub(crate) fn keep_watch(state: &AppState, url: SecretString) {
    let (watched, stop) = (state.clone(), state.supervisor.stop_token());
    state.supervisor.spawn_critical("standby watch", async move {
        let period = watched
            .config
            .standby
            .listen()
            .map_or(LOOK_RARELY, |_| LOOK_EVERY);
        let mut watch = Watch {
            state: watched,
            url,
            began: Instant::now(),
            seen: HashMap::new(),
            keys_at: None,
        };
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = tokio::time::sleep(period) => {}
            }
            watch.refuse_replaced().await?;
            if let Err(error) = watch.look().await {
                tracing::warn!(
                    error = format!("{error:#}"),
                    "the standbys could not be looked at"
                );
            }
        }
    });
}

struct Watch {
    state: AppState,
    url: SecretString,
    began: Instant,
    /// When a standby was last connected.
    seen: HashMap<String, Instant>,
    keys_at: Option<Instant>,
}

impl Watch {
    /// An error when a peer has taken over, and only then.
    async fn refuse_replaced(&self) -> anyhow::Result<()> {
        let config = &self.state.config;
        let (Ok(Some(identity)), Ok(own)) =
            (Identity::load(&config.data_dir), read_standing(&self.url).await)
        else {
            return Ok(());
        };
        for (peer, answer) in ask_all(config, &identity).await {
            if let Ok(state) = answer
                && state.system_identifier == own.system_identifier
                && !state.is_standby
                && state.timeline > own.timeline
            {
                bail!("{}", fence(&config.data_dir, peer, &state, &own)?);
            }
        }
        Ok(())
    }

    async fn look(&mut self) -> anyhow::Result<()> {
        // By a connection of its own: those of the pool may all wait for a standby that is away.
        let standbys = list_standbys_of(&self.url, DATABASE).await?.items;
        let away: Vec<f64> = standbys.iter().map(|standby| self.away(standby)).collect();
        let mut lag = Vec::new();
        let mut slots = Vec::new();
        for (standby, seconds) in standbys.iter().zip(away) {
            let Some(slot) = standby.slot.as_deref() else {
                continue;
            };
            tell_metrics(slot, standby, seconds);
            if slot.starts_with(PREFIX) {
                lag.push((slot, seconds));
            }
            slots.push((slot, self.fullness(standby)));
        }
        self.judge(LAG, &lag).await?;
        self.judge(SLOTS, &slots).await?;
        if self.state.config.standby.listen().is_some() && !standbys.is_empty() {
            self.keep_keys().await?;
        }
        Ok(())
    }

    /// Seconds that a standby is behind; since it was last connected when it is not.
    fn away(&mut self, standby: &Standby) -> f64 {
        if standby.is_active {
            self.seen.insert(standby.name.clone(), Instant::now());
            return standby.replay_seconds.unwrap_or(0.0);
        }
        self.seen
            .get(&standby.name)
            .unwrap_or(&self.began)
            .elapsed()
            .as_secs_f64()
    }

    #[expect(clippy::cast_precision_loss, reason = "a percentage")]
    fn fullness(&self, standby: &Standby) -> f64 {
        if standby.is_lost {
            return 100.0;
        }
        let limit = f64::from(self.state.config.standby.slot_keep_mb) * 1_048_576.0;
        standby.kept_bytes.unwrap_or(0) as f64 * 100.0 / limit
    }

    /// Raises and clears the alerts of a kind; those about slots that are gone too.
    async fn judge(&self, kind: &str, figures: &[(&str, f64)]) -> anyhow::Result<()> {
        let now = self.state.now();
        let mut tx = self.state.db.system("standby watch").await?;
        commit_here_only(&mut tx).await?;
        for (slot, value) in figures {
            judge_figure(&mut tx, TenantId::SYSTEM, kind, slot, *value, now).await?;
        }
        for subject in list_open_subjects(&mut tx, kind).await? {
            if !figures.iter().any(|(slot, _)| *slot == subject) {
                clear_alert(&mut tx, TenantId::SYSTEM, kind, &subject, now).await?;
            }
        }
        Ok(tx.commit_upkeep().await?)
    }

    async fn keep_keys(&mut self) -> anyhow::Result<()> {
        if self.keys_at.is_some_and(|at| at.elapsed() < KEYS_EVERY) {
            return Ok(());
        }
        let config = &self.state.config;
        let identity = Identity::load(&config.data_dir)?.context("secrets/sg_standby is missing")?;
        save_sealed_keys(&self.url, &seal_keys(config, &identity.keys_pass)?).await?;
        self.keys_at = Some(Instant::now());
        Ok(())
    }
}

#[expect(clippy::cast_precision_loss, reason = "figures for a graph")]
fn tell_metrics(slot: &str, standby: &Standby, seconds: f64) {
    let slot = || slot.to_owned();
    metrics::gauge!("sg_standby_behind_bytes", "slot" => slot()).set(standby.behind_bytes as f64);
    metrics::gauge!("sg_standby_behind_seconds", "slot" => slot()).set(seconds);
    metrics::gauge!("sg_standby_slot_bytes", "slot" => slot()).set(standby.kept_bytes.unwrap_or(0) as f64);
}
