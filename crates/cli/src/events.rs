//! Events of what has no agent.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, stdin};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Subcommand;
use sg_client::{Client, EventSource};
use sg_types::api::agents::{EventLineError, EventsReport};
use sha2::{Digest, Sha256};

use crate::output::{self, Format, printable};

/// Lines of one request: the server takes 10,000.
const BATCH_LINES: usize = 5_000;
/// Bytes of one request.
const BATCH_BYTES: usize = 4 * 1024 * 1024;
/// Bytes after which a line is cut: the server refuses far shorter ones.
const MAX_LINE_BYTES: u64 = 1024 * 1024;
/// Refused lines that are told.
const MAX_ERRORS: usize = 100;

#[derive(Debug, Subcommand)]
pub(crate) enum Events {
    /// Send events of what has no agent: a file of JSON objects, one a line, in Elastic Common Schema, OCSF or Sigma's words. Sending a file again does
    /// no harm.
    Send {
        /// The file; `-` is the standard input.
        file: PathBuf,
        /// Name of the log source; one that the server does not know is made.
        #[arg(long)]
        source: String,
        /// Sigma's `product` of events that do not say it.
        #[arg(long)]
        product: Option<String>,
        /// Sigma's `category` of events that do not say it.
        #[arg(long)]
        category: Option<String>,
        /// Sigma's `service` of events that do not say it.
        #[arg(long)]
        service: Option<String>,
        /// Tells events without an id from those of another sending; follows from the lines when absent.
        #[arg(long)]
        idempotency_key: Option<String>,
    },
}

impl Events {
    pub(crate) async fn run(self, client: &Client, format: Format) -> Result<()> {
        let Self::Send {
            file,
            source,
            product,
            category,
            service,
            idempotency_key,
        } = self;
        let source = EventSource {
            name: source,
            product,
            category,
            service,
        };
        let report = send(client, &file, &source, idempotency_key.as_deref()).await?;
        show(format, &report)?;
        if report.refused > 0 {
            bail!("{} lines were refused", report.refused);
        }
        Ok(())
    }
}

async fn send(client: &Client, file: &Path, source: &EventSource, key: Option<&str>) -> Result<EventsReport> {
    let mut reader: Box<dyn BufRead> = if file == Path::new("-") {
        Box::new(stdin().lock())
    } else {
        let opened = File::open(file).with_context(|| format!("cannot open {}", file.display()))?;
        Box::new(BufReader::new(opened))
    };
    let mut total: Option<EventsReport> = None;
    let mut lines_before: u32 = 0;
    for number in 0_u32.. {
        let (batch, lines) =
            read_batch(&mut reader).with_context(|| format!("cannot read {}", file.display()))?;
        if batch.is_empty() && total.is_some() {
            break;
        }
        let key = format!("{}-{number}", key.map_or_else(|| digest(&batch), str::to_owned));
        let part = client.send_events(source, &key, batch).await.with_context(|| {
            format!("{lines_before} lines were sent before; it is safe to send the file again")
        })?;
        add(&mut total, part, lines_before);
        lines_before = lines_before.saturating_add(lines);
    }
    total.context("nothing was sent")
}

/// The next whole lines, and how many they are.
fn read_batch(reader: &mut dyn BufRead) -> std::io::Result<(Vec<u8>, u32)> {
    let (mut batch, mut lines) = (Vec::new(), 0);
    while usize::try_from(lines).is_ok_and(|lines| lines < BATCH_LINES) && batch.len() < BATCH_BYTES {
        if Read::take(&mut *reader, MAX_LINE_BYTES).read_until(b'\n', &mut batch)? == 0 {
            break;
        }
        lines += 1;
    }
    Ok((batch, lines))
}

fn digest(batch: &[u8]) -> String {
    Sha256::digest(batch)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn add(total: &mut Option<EventsReport>, part: EventsReport, lines_before: u32) {
    let moved = |error: EventLineError| EventLineError {
        line: error.line.saturating_add(lines_before),
        ..error
    };
    let Some(total) = total else {
        *total = Some(part);
        return;
    };
    total.received += part.received;
    total.stored += part.stored;
    total.repeated += part.repeated;
    total.refused += part.refused;
    total.matches += part.matches;
    total.errors.extend(part.errors.into_iter().map(moved));
    total.errors.truncate(MAX_ERRORS);
}

fn show(format: Format, report: &EventsReport) -> Result<()> {
    let refused: Vec<String> = report
        .errors
        .iter()
        .map(|error| {
            format!(
                "line {}: {} ({})",
                error.line,
                printable(&error.message),
                printable(&error.code)
            )
        })
        .collect();
    output::record(
        format,
        report,
        &[
            ("source", printable(&report.source)),
            ("endpoint", report.agent_id.to_string()),
            ("received", report.received.to_string()),
            ("stored", report.stored.to_string()),
            ("repeated", report.repeated.to_string()),
            ("matches of rules", report.matches.to_string()),
            ("refused", report.refused.to_string()),
            ("why", refused.join("\n")),
        ],
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_hold_whole_lines_and_lose_none() {
        let text = "{\"n\":1}\n".repeat(BATCH_LINES * 2 + 3);
        let mut reader: Box<dyn BufRead> = Box::new(text.as_bytes());
        let mut found = Vec::new();
        let mut counts = Vec::new();
        loop {
            let (batch, lines) = read_batch(&mut reader).unwrap();
            if batch.is_empty() {
                break;
            }
            found.extend(batch);
            counts.push(lines);
        }
        assert_eq!(found, text.as_bytes());
        assert_eq!(counts, [5_000, 5_000, 3]);
        let long = format!("{}{}\n", format!("{}\n", "x".repeat(1_000_000)).repeat(5), "y");
        let mut reader: Box<dyn BufRead> = Box::new(long.as_bytes());
        assert_eq!(read_batch(&mut reader).unwrap().1, 5);
        assert_eq!(read_batch(&mut reader).unwrap().1, 1);
    }
}
