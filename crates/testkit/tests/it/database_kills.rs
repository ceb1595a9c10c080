//! kill -9 of PostgreSQL, underneath a server that goes on.

use std::sync::atomic::Ordering::Relaxed;

use crate::fleet::Fleet;
use sg_testkit::fault::Installation;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_postmaster_is_started_again_and_nothing_acknowledged_is_lost() {
    let mut installation = Installation::start().await.unwrap();
    let mut fleet = Fleet::start(&installation, 10).await;
    for _ in 0..3 {
        fleet.make_progress(300, &mut installation).await;
        let before = installation.postmaster();
        installation.kill_postmaster().unwrap();
        fleet.make_progress(300, &mut installation).await;
        assert_ne!(installation.postmaster(), before);
    }
    assert!(
        fleet.counts().busy.load(Relaxed) > 0,
        "meanwhile check-ins were put off, and not answered wrongly"
    );
    assert_eq!(
        fleet.counts().unanswered.load(Relaxed),
        0,
        "the server itself answered all the time"
    );
    fleet.finish(&installation).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_backend_is_survived_and_nothing_acknowledged_is_lost() {
    let mut installation = Installation::start().await.unwrap();
    let mut fleet = Fleet::start(&installation, 10).await;
    for _ in 0..4 {
        fleet.make_progress(300, &mut installation).await;
        let postmaster = installation.postmaster();
        installation.kill_ingest_backend().await.unwrap();
        fleet.make_progress(300, &mut installation).await;
        assert_eq!(
            installation.postmaster(),
            postmaster,
            "PostgreSQL recovers by itself"
        );
    }
    assert_eq!(
        fleet.counts().unanswered.load(Relaxed),
        0,
        "the server itself answered all the time"
    );
    fleet.finish(&installation).await;
}
