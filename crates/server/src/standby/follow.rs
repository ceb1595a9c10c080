//! `secureguard up` in the data directory of a standby: PostgreSQL follows, keys follow, nothing is served until the promotion.

use std::time::{Duration, Instant};

use secrecy::SecretString;
use sg_db::standby::{read_replay, read_sealed_keys};
use tokio_util::sync::CancellationToken;

use super::identity::Identity;
use super::invitation::Followed;
use crate::backup::unpack_keys;
use crate::config::Config;
use crate::up::{OwnCluster, read_superuser_url, remember_socket};

/// How often it is looked at whether the server was promoted.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How often the distance is measured.
const MEASURE_EVERY: Duration = Duration::from_secs(10);
/// How often keys are taken over.
const KEYS_EVERY: Duration = Duration::from_secs(60);

/// Follows until this server is promoted; gives the running cluster, which accepts writes.
///
/// # Errors
/// In words: PostgreSQL does not start.
pub(crate) async fn follow(config: &Config) -> anyhow::Result<OwnCluster> {
    let followed = Followed::read(&config.data_dir)?;
    let cluster = OwnCluster::start(config).await?;
    remember_socket(&config.data_dir, &cluster.address())?;
    let url = read_superuser_url(&config.data_dir)?;
    tracing::info!(primary = %followed.from, slot = followed.slot,
        "this server is a standby and follows its primary; `secureguard standby promote` lets it take over");
    let never = CancellationToken::new();
    let (mut measured, mut keys) = (None::<Instant>, Keys::default());
    loop {
        if cluster.has_ended() {
            cluster.restart(&never).await?;
        }
        let is_due = measured.is_none_or(|at| at.elapsed() >= MEASURE_EVERY);
        if is_due || !sg_postgres::is_standby(&config.data_dir) {
            measured = Some(Instant::now());
            match read_replay(&url).await {
                Ok(replay) if !replay.is_standby => break,
                Ok(replay) => {
                    metrics::gauge!("sg_standby_streaming").set(f64::from(u8::from(replay.is_streaming)));
                    keys.take(config, &url).await;
                }
                Err(error) => tracing::warn!(%error, "the standby's database does not answer"),
            }
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    keys.taken_at = None;
    keys.take(config, &url).await;
    tracing::warn!("this server was promoted and takes over");
    Ok(cluster)
}

/// Keys, passwords and certificates, as the primary last stored them.
#[derive(Default)]
struct Keys {
    taken_at: Option<Instant>,
    last: Option<String>,
}

impl Keys {
    /// What goes wrong is tried again; the keys of before are there.
    async fn take(&mut self, config: &Config, url: &SecretString) {
        if self.taken_at.is_some_and(|at| at.elapsed() < KEYS_EVERY) {
            return;
        }
        self.taken_at = Some(Instant::now());
        let taken = async {
            let Some(sealed) = read_sealed_keys(url).await? else {
                return Ok(());
            };
            if self.last.as_ref() == Some(&sealed) {
                return Ok(());
            }
            if let Some(identity) = Identity::load(&config.data_dir)? {
                unpack_keys(&sealed, &identity.keys_pass, &config.data_dir)?;
                self.last = Some(sealed);
            }
            anyhow::Ok(())
        };
        if let Err(error) = taken.await {
            tracing::warn!(
                error = format!("{error:#}"),
                "the primary's keys could not be taken over"
            );
        }
    }
}
