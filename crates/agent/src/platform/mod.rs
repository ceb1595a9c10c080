//! What differs between operating systems. One file per system, with the same functions.

#[cfg(target_os = "linux")]
mod linux;

#[cfg(target_os = "linux")]
pub use linux::{
    Changes, ConnectorRead, FileWatch, ProcConnector, ProcEvent, StopReceiver, StopSender, Waited,
    WatchEvent, open_for_scan, stop_pipe,
};
