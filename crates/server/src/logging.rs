//! The log, on standard error.

use tracing_subscriber::filter::{FilterExt, filter_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

use crate::config::{LogConfig, LogFormat, TracesConfig};
use crate::traces;

/// Starts the log, and traces where a collector is set.
///
/// # Errors
/// When the filter is not understood, or a log runs already.
pub fn install(config: &LogConfig, traces: &TracesConfig) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&config.filter).map_err(|error| {
        anyhow::anyhow!(
            "setting `log.filter`: `{}` is not understood: {error}",
            config.filter
        )
    })?;
    // Spans are for traces: a line of the log says what it has to say itself.
    let filter = filter.and(filter_fn(|meta| meta.target() != traces::TARGET));
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_target(false);
    let lines = match config.format {
        LogFormat::Json => lines.json().flatten_event(true).with_filter(filter).boxed(),
        LogFormat::Text => lines
            .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
            .with_filter(filter)
            .boxed(),
    };
    tracing_subscriber::registry()
        .with(lines)
        .with(traces::layer(traces)?)
        .try_init()
        .map_err(|error| anyhow::anyhow!("the log cannot be started: {error}"))
}
