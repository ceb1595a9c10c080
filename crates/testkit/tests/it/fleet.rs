//! Endpoints that check in without a pause, and their ledger.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use secrecy::SecretString;
use sg_db::Stored;
use sg_load::{Counts, FleetOptions, Ledger, Target};
use sg_testkit::fault::{Installation, Verdict};
use tempfile::TempDir;

/// Some endpoints at work.
pub(crate) struct Fleet {
    fleet: sg_load::Fleet,
    folder: TempDir,
}

impl Fleet {
    /// Enrols `size` endpoints and lets them check in.
    pub(crate) async fn start(installation: &Installation, size: usize) -> Self {
        Self::start_at(installation.url(), installation.enrolment_key(), 0, size).await
    }

    /// As [`Self::start`], at some address, with endpoints numbered from `first` on.
    pub(crate) async fn start_at(url: &str, key: &str, first: usize, size: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Arc::new(Ledger::create(&ledger_in(&folder)).unwrap());
        let target = Target::new(url, None).unwrap();
        let options = FleetOptions {
            size,
            first,
            pace: Duration::ZERO,
            lose_reply_every: 7,
            forgetful_one_in: 5,
            longest_pause: Duration::from_millis(150),
        };
        let fleet = sg_load::Fleet::start(&target, key, options, ledger)
            .await
            .unwrap();
        Self { fleet, folder }
    }

    pub(crate) fn counts(&self) -> &Counts {
        self.fleet.counts()
    }

    /// Waits until that many more records are acknowledged.
    pub(crate) async fn make_progress(&mut self, records: u64, installation: &mut Installation) {
        let progress = self.fleet.make_progress(records, Duration::from_secs(30)).await;
        installation.check_server().unwrap();
        progress.unwrap();
    }

    /// As [`Self::make_progress`], of nodes.
    pub(crate) async fn go_on(&mut self, records: u64) {
        let progress = self.fleet.make_progress(records, Duration::from_secs(30)).await;
        progress.unwrap();
    }

    /// Lets the endpoints get rid of what they have, then compares all of it with the database.
    pub(crate) async fn finish(self, installation: &Installation) {
        self.finish_in(&mut connect(installation).await).await;
    }

    /// As [`Self::finish`], with a connection that is there.
    pub(crate) async fn finish_in(self, stored: &mut Stored) {
        let counts = self.fleet.finish(Duration::from_secs(30)).await.unwrap();
        let verdict = Verdict::reach(&ledger_in(&self.folder), stored).await.unwrap();
        assert_eq!(verdict.complaints(), [""; 0], "{verdict:?}");
        assert_eq!(
            verdict.records.acknowledged as u64,
            counts.acknowledged.load(Relaxed)
        );
        assert!(
            counts.lost_replies.load(Relaxed) > 0,
            "some check-in was repeated"
        );
        println!(
            "{} records acknowledged and stored once; {counts:?}",
            verdict.records.stored
        );
    }
}

/// A connection that asks what is stored.
pub(crate) async fn connect(installation: &Installation) -> Stored {
    drop(installation.connect().await.unwrap());
    Stored::connect(&SecretString::from(installation.database_url()))
        .await
        .unwrap()
}

fn ledger_in(folder: &TempDir) -> PathBuf {
    folder.path().join("ledger")
}
