//! Threads that do nothing but hash. They give way to the rest of the server: a flood of sign-ins takes the processors that nobody else wants.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;

use super::memory::Memory;

/// How much the threads give way, as in nice(1).
const NICENESS: i32 = 10;

type Job = Box<dyn FnOnce(&mut Memory) + Send>;

/// A fixed number of threads with one queue; they end when this value is gone.
#[derive(Debug, Clone)]
pub(super) struct Workers(Sender<Job>);

impl Workers {
    /// Starts `count` threads. Where the system gives none, work fails instead of waiting for good.
    pub(super) fn start(count: usize) -> Self {
        let (sender, receiver) = channel::<Job>();
        let receiver = Arc::new(Mutex::new(receiver));
        for _ in 0..count {
            let receiver = receiver.clone();
            let made = std::thread::Builder::new()
                .name("password-hash".to_owned())
                .spawn(move || work(&receiver));
            if let Err(error) = made {
                tracing::error!(error = %error, "a thread for password hashing cannot be started");
            }
        }
        Self(sender)
    }

    /// Runs `work` on one of the threads. None when it panicked or there is no thread.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Memory) -> T + Send + 'static,
    ) -> Option<T> {
        let (answer, result) = oneshot::channel();
        self.0
            .send(Box::new(move |memory| {
                let _ = answer.send(work(memory));
            }))
            .ok()?;
        result.await.ok()
    }
}

fn work(receiver: &Mutex<Receiver<Job>>) {
    // On Linux the priority is a thread's own. Without it the thread hashes all the same.
    let _ = rustix::process::setpriority_process(None, NICENESS);
    let mut memory = Memory::default();
    loop {
        let job = receiver.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else { break };
        // A panic costs its caller the answer, and nobody else the thread.
        let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| job(&mut memory)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_is_answered_and_a_panic_is_its_callers_alone() {
        let workers = Workers::start(1);
        assert_eq!(workers.run(|_| 1 + 1).await, Some(2));
        assert_eq!(workers.run::<u8>(|_| panic!("on purpose")).await, None);
        assert_eq!(workers.run(|_| 3).await, Some(3));
    }

    #[tokio::test]
    async fn the_threads_give_way_and_the_others_do_not() {
        let nice = |thread: &str| {
            let stat = std::fs::read_to_string(format!("/proc/{thread}/stat")).unwrap();
            // Behind the name in parentheses: state is the third field, nice the nineteenth.
            let fields: Vec<String> = stat
                .rsplit(')')
                .next()
                .unwrap()
                .split_whitespace()
                .map(str::to_owned)
                .collect();
            fields[16].parse::<i32>().unwrap()
        };
        let own = nice("thread-self");
        let theirs = Workers::start(1).run(move |_| nice("thread-self")).await.unwrap();
        assert!(theirs >= NICENESS, "{theirs}");
        assert_eq!(nice("thread-self"), own);
    }
}
