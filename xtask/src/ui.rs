//! Progress, with the seconds since the start in front of every line.

use std::sync::OnceLock;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use crate::Result;

static START: OnceLock<Instant> = OnceLock::new();

/// Prints one line of progress.
pub(crate) fn say(text: &str) {
    let elapsed = START.get_or_init(Instant::now).elapsed().as_secs_f64();
    println!("[{elapsed:6.1} s] {text}");
}

/// Prints an error.
pub(crate) fn fail(text: &str) {
    say(&format!("error: {text}"));
}

/// Runs a step, says when it begins and how long it took, and every ten seconds that it still runs.
pub(crate) fn step<T>(title: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    say(&format!("{title} …"));
    let began = Instant::now();
    let (done, watch) = channel::<()>();
    let outcome = std::thread::scope(|scope| {
        scope.spawn(move || {
            while watch.recv_timeout(Duration::from_secs(10)) == Err(RecvTimeoutError::Timeout) {
                say(&format!(
                    "{title} … still running, {} s so far",
                    began.elapsed().as_secs()
                ));
            }
        });
        let outcome = work();
        drop(done);
        outcome
    });
    match &outcome {
        Ok(_) => say(&format!(
            "{title}: done in {:.1} s",
            began.elapsed().as_secs_f64()
        )),
        Err(_) => say(&format!(
            "{title}: failed after {:.1} s",
            began.elapsed().as_secs_f64()
        )),
    }
    outcome
}
