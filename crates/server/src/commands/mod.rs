//! The verbs of `secureguard` besides `up`.

mod admin;
mod approver;
mod audit;
mod backup;
mod database;
mod doctor;
mod maintenance;
mod migrate;
mod reset_factors;
mod serve;
mod tenant_export;

pub use admin::{Rotated, create_first, erase_tenant, reset_password, rotate_keys};
pub use approver::{CertifyRequest, certify_approver, make_approver_root, run_signer, sign_trust};
pub use audit::{export_file, public_key, verify_database, verify_files};
pub use backup::{init_backups, list_backups, restore_backup, run_backup};
pub use doctor::{Finding, doctor};
pub use maintenance::{MaintenanceDone, list_maintenance, run_maintenance};
pub use migrate::migrate;
pub use reset_factors::reset_factors;
pub use serve::serve;
pub use tenant_export::export_tenant;
