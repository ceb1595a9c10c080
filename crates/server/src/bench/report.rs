//! The figures, as JSON and in words.

use serde::Serialize;
use sg_load::{Load, quantile};

use super::{Standing, ratio};

/// What was measured.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Endpoints that were enrolled.
    pub endpoints: usize,
    /// Seconds between two check-ins of an endpoint, by which days and capacity are reckoned.
    pub heartbeat_seconds: u32,
    /// Check-ins in a second that were asked for; none: as fast as they were answered.
    pub rate: Option<u32>,
    /// Processors of the machine, which server, PostgreSQL and load share.
    pub processors: usize,
    /// TLS with a new connection for each check-in; else HTTP with kept ones.
    pub tls: bool,
    /// Enrolments in a second.
    pub enrolled_per_second: f64,
    /// Check-ins as fast as they are answered.
    pub check_ins: CheckIns,
    /// What people at the console waited for meanwhile.
    pub people: People,
    /// Commands to endpoints that wait for them.
    pub commands: Commands,
    /// Everybody back at once after an hour's outage.
    pub storm: Storm,
    /// What was acknowledged against what is stored.
    pub records: Records,
    /// Processor time during the check-ins.
    pub processor: Processor,
    /// The most memory that the server had at any moment, in bytes.
    pub server_peak_bytes: u64,
    /// Bytes that the check-ins wrote.
    pub disk: Disk,
    /// Endpoints whose check-ins at the heartbeat come to the measured rate.
    pub capacity_endpoints: f64,
    /// Answers that must not have been given; none when all is well.
    pub complaints: Vec<String>,
}

/// Check-ins as fast as they are answered.
#[derive(Debug, Clone, Serialize)]
pub struct CheckIns {
    /// Stored ones.
    pub count: usize,
    /// In a second.
    pub per_second: f64,
    /// Milliseconds, median.
    pub p50_ms: f64,
    /// Milliseconds, 95 of 100 are faster.
    pub p95_ms: f64,
    /// Milliseconds, 99 of 100 are faster.
    pub p99_ms: f64,
    /// Told to come back.
    pub put_off: usize,
    /// Without an answer; they were repeated.
    pub unanswered: usize,
}

/// What people at the console waited for.
#[derive(Debug, Clone, Serialize)]
pub struct People {
    /// Questions that they asked the API.
    pub questions: usize,
    /// Milliseconds, median.
    pub p50_ms: f64,
    /// Milliseconds, 95 of 100 are faster.
    pub p95_ms: f64,
    /// Milliseconds, 99 of 100 are faster.
    pub p99_ms: f64,
    /// By what was asked for.
    pub pages: Vec<Page>,
}

/// One of the questions.
#[derive(Debug, Clone, Serialize)]
pub struct Page {
    /// Its path.
    pub path: String,
    /// How often it was asked.
    pub count: usize,
    /// Milliseconds, median.
    pub p50_ms: f64,
    /// Milliseconds, 95 of 100 are faster.
    pub p95_ms: f64,
}

/// Commands to endpoints that wait for them.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Commands {
    /// Endpoints that held a question open.
    pub waiting: usize,
    /// Questions that broke off or were refused.
    pub broken: usize,
    /// Memory of the server for each endpoint that waits.
    pub bytes_per_waiting: f64,
    /// Asked for.
    pub asked: usize,
    /// Arrived at the endpoint that waited.
    pub delivered: usize,
    /// Milliseconds from asking to arriving, median.
    pub p50_ms: f64,
    /// Milliseconds, 95 of 100 are faster.
    pub p95_ms: f64,
    /// Milliseconds, 99 of 100 are faster.
    pub p99_ms: f64,
}

/// Everybody back at once.
#[derive(Debug, Clone, Serialize)]
pub struct Storm {
    /// Records that waited.
    pub records: usize,
    /// Until none did.
    pub seconds: f64,
    /// Records in a second.
    pub records_per_second: f64,
    /// Check-ins that were told to come back.
    pub put_off: usize,
    /// Records that waited still when the time was over.
    pub waiting: usize,
}

/// What was acknowledged against what is stored.
#[derive(Debug, Clone, Serialize)]
pub struct Records {
    /// Acknowledged in all phases.
    pub acknowledged: usize,
    /// Rows.
    pub stored: usize,
    /// Acknowledged and not stored.
    pub lost: usize,
    /// Stored, or acknowledged, more than once.
    pub duplicated: usize,
    /// Not acknowledged until the end.
    pub waiting: usize,
}

/// Processor time during the check-ins.
#[derive(Debug, Clone, Serialize)]
pub struct Processor {
    /// Seconds of the server.
    pub server_seconds: f64,
    /// Seconds of PostgreSQL's processes.
    pub postgres_seconds: f64,
    /// Seconds of the simulated endpoints.
    pub load_seconds: f64,
    /// Microseconds of the server for a check-in.
    pub server_us_per_check_in: f64,
    /// Microseconds of PostgreSQL for a check-in.
    pub postgres_us_per_check_in: f64,
}

/// Bytes that the check-ins wrote.
#[derive(Debug, Clone, Serialize)]
pub struct Disk {
    /// Write-ahead log of a check-in.
    pub log_bytes_per_check_in: f64,
    /// Growth of tables and indexes with a check-in.
    pub bytes_per_check_in: f64,
    /// Write-ahead log of an endpoint in a day.
    pub log_bytes_per_endpoint_day: f64,
    /// Growth of tables and indexes with an endpoint in a day.
    pub bytes_per_endpoint_day: f64,
}

impl CheckIns {
    pub(super) fn of(load: &Load) -> Self {
        let of = |share| quantile(load.times.clone(), share);
        Self {
            count: load.times.len(),
            per_second: load.per_second,
            p50_ms: of(0.5),
            p95_ms: of(0.95),
            p99_ms: of(0.99),
            put_off: load.busy,
            unanswered: load.unanswered,
        }
    }
}

impl People {
    fn describe(&self) -> String {
        let slowest = self.pages.iter().max_by(|a, b| a.p95_ms.total_cmp(&b.p95_ms));
        match slowest {
            Some(slowest) if self.questions > 0 => format!(
                "{} questions; p50 {:.0} ms, p95 {:.0} ms, p99 {:.0} ms; slowest {}, p95 {:.0} ms",
                self.questions, self.p50_ms, self.p95_ms, self.p99_ms, slowest.path, slowest.p95_ms
            ),
            _ => "not used".to_owned(),
        }
    }
}

impl Processor {
    pub(super) fn between(before: &Standing, after: &Standing, check_ins: usize) -> Self {
        let (server, postgres) = (after.server - before.server, after.postgres - before.postgres);
        let per_check_in = 1e6 / ratio(check_ins, 1.0).max(1.0);
        Self {
            server_seconds: server,
            postgres_seconds: postgres,
            load_seconds: after.load - before.load,
            server_us_per_check_in: server * per_check_in,
            postgres_us_per_check_in: postgres * per_check_in,
        }
    }
}

impl Disk {
    #[expect(clippy::cast_precision_loss, reason = "bytes far below 2^52")]
    pub(super) fn between(before: &Standing, after: &Standing, check_ins: usize, per_day: f64) -> Self {
        let count = ratio(check_ins, 1.0).max(1.0);
        let log = (after.log_bytes - before.log_bytes) as f64 / count;
        // Vacuum may give more back than a short run adds.
        let rows = (after.database_bytes - before.database_bytes).max(0) as f64 / count;
        Self {
            log_bytes_per_check_in: log,
            bytes_per_check_in: rows,
            log_bytes_per_endpoint_day: log * per_day,
            bytes_per_endpoint_day: rows * per_day,
        }
    }
}

impl Report {
    /// Nothing was lost, doubled, left behind, or answered wrongly.
    pub fn holds(&self) -> bool {
        let records = &self.records;
        let is_whole = records.lost == 0 && records.duplicated == 0 && records.waiting == 0;
        is_whole
            && records.acknowledged == records.stored
            && self.commands.broken == 0
            && self.complaints.is_empty()
    }

    /// A line for each figure.
    pub fn describe(&self) -> String {
        let mut lines = self.describe_work();
        lines.extend(self.describe_cost());
        lines.extend(
            self.complaints
                .iter()
                .map(|complaint| ("WRONG", complaint.clone())),
        );
        let lines = lines.iter().map(|(name, value)| format!("{name:22} {value}\n"));
        lines.collect()
    }

    fn describe_work(&self) -> Vec<(&'static str, String)> {
        let (check_ins, commands, storm) = (&self.check_ins, &self.commands, &self.storm);
        let people = &self.people;
        let way = if self.tls {
            "TLS, a new connection for each"
        } else {
            "HTTP, kept connections"
        };
        vec![
            (
                "endpoints",
                format!(
                    "{}, enrolled at {:.0}/s",
                    self.endpoints, self.enrolled_per_second
                ),
            ),
            (
                "check-ins",
                format!(
                    "{:.0}/s ({way}; {} in all)",
                    check_ins.per_second, check_ins.count
                ),
            ),
            (
                "  a check-in takes",
                format!(
                    "p50 {:.1} ms, p95 {:.1} ms, p99 {:.1} ms",
                    check_ins.p50_ms, check_ins.p95_ms, check_ins.p99_ms
                ),
            ),
            (
                "  not stored at once",
                format!(
                    "{} put off, {} unanswered",
                    check_ins.put_off, check_ins.unanswered
                ),
            ),
            ("console meanwhile", people.describe()),
            (
                "commands",
                format!(
                    "{} of {} delivered; p50 {:.0} ms, p95 {:.0} ms, p99 {:.0} ms",
                    commands.delivered, commands.asked, commands.p50_ms, commands.p95_ms, commands.p99_ms
                ),
            ),
            (
                "  endpoints that wait",
                format!(
                    "{}, {:.1} kB of the server for each, {} broke off",
                    commands.waiting,
                    commands.bytes_per_waiting / 1e3,
                    commands.broken
                ),
            ),
            (
                "reconnect storm",
                format!(
                    "{} records in {:.1} s ({:.0}/s), {} check-ins put off, {} records left",
                    storm.records, storm.seconds, storm.records_per_second, storm.put_off, storm.waiting
                ),
            ),
        ]
    }

    fn describe_cost(&self) -> Vec<(&'static str, String)> {
        let (records, processor, disk) = (&self.records, &self.processor, &self.disk);
        vec![
            (
                "records",
                format!(
                    "{} acknowledged, {} stored, {} lost, {} duplicated",
                    records.acknowledged, records.stored, records.lost, records.duplicated
                ),
            ),
            (
                "processor time",
                format!(
                    "server {:.1} s, PostgreSQL {:.1} s, load {:.1} s; a check-in takes {:.0} µs of the server and {:.0} µs of PostgreSQL",
                    processor.server_seconds,
                    processor.postgres_seconds,
                    processor.load_seconds,
                    processor.server_us_per_check_in,
                    processor.postgres_us_per_check_in
                ),
            ),
            (
                "memory of the server",
                format!("{:.0} MB at most", megabytes(self.server_peak_bytes)),
            ),
            (
                "an endpoint's day",
                format!(
                    "{:.0} kB of tables and indexes, {:.0} kB of write-ahead log, at a check-in every {} s",
                    disk.bytes_per_endpoint_day / 1e3,
                    disk.log_bytes_per_endpoint_day / 1e3,
                    self.heartbeat_seconds
                ),
            ),
            (
                "capacity",
                format!(
                    "{}{:.0} endpoints at {} s, on {} processors that the load shares",
                    if self.rate.is_some() { "at least " } else { "" },
                    self.capacity_endpoints,
                    self.heartbeat_seconds,
                    self.processors
                ),
            ),
        ]
    }
}

#[expect(clippy::cast_precision_loss, reason = "bytes of memory, far below 2^52")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
