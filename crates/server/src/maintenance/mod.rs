//! Regular maintenance: the documented tasks at their time or by hand, each with a report; the key figures of each day; the report on a week.

mod database;
mod due;
mod kpis;
mod mail;
mod request;
mod routes;
mod sections;
mod security;
mod work;

pub use due::{make_week_reports, run_due};
pub use kpis::{read_disk, run as sample_kpis};
pub(crate) use mail::{render as render_report, text_of as report_text};
pub(crate) use routes::routes;
pub use work::{Maintenance, Outcome};
