//! kill -9 of the server.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use crate::fleet::Fleet;
use sg_testkit::fault::Installation;

/// Half of the kills are followed by the next start at once, while PostgreSQL is still going down; half leave it time to end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_server_loses_and_doubles_nothing_that_it_acknowledged() {
    let mut installation = Installation::start().await.unwrap();
    let mut fleet = Fleet::start(&installation, 10).await;
    for round in 0..4 {
        fleet.make_progress(300, &mut installation).await;
        installation.kill_server().unwrap();
        if round % 2 == 1 {
            tokio::time::sleep(Duration::from_millis(700)).await;
        }
        installation.start_server().await.unwrap();
    }
    fleet.make_progress(300, &mut installation).await;
    assert!(
        fleet.counts().unanswered.load(Relaxed) > 0,
        "check-ins ran while it was killed"
    );
    fleet.finish(&installation).await;
}
