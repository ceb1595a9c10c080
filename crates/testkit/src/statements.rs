//! The statements that the product sends, as it sends them.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Runs `work` and tells the SQL that it sent, in order: what a plan is worth is known for the very text that the product runs.
///
/// Hears statements of this thread only; the test's runtime has to be single-threaded.
pub async fn capture_statements<T>(work: impl Future<Output = T>) -> (T, Vec<String>) {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let listening = tracing::subscriber::set_default(Listener(Arc::clone(&heard)));
    let outcome = work.await;
    drop(listening);
    let statements = std::mem::take(&mut *heard.lock().unwrap_or_else(PoisonError::into_inner));
    (outcome, statements)
}

/// Hears the driver's log of statements.
struct Listener(Arc<Mutex<Vec<String>>>);

impl Subscriber for Listener {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "sqlx::query"
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut statement = Statement::default();
        event.record(&mut statement);
        let text = if statement.whole.is_empty() {
            statement.summary
        } else {
            statement.whole
        };
        if !text.is_empty() {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(text);
        }
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// The driver logs a short statement as its own summary, a longer one whole beside it.
#[derive(Default)]
struct Statement {
    summary: String,
    whole: String,
}

impl Visit for Statement {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "summary" => value.clone_into(&mut self.summary),
            "db.statement" => value.trim().clone_into(&mut self.whole),
            _ => {}
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}
}
