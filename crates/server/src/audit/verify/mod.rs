//! `secureguard audit verify`: offline on an export, or on a live database.

mod chain;
mod live;
mod offline;

use std::collections::BTreeMap;
use std::fmt;

use sg_types::TenantId;

pub(crate) use live::read_page_rows;
pub use live::{OutsideKnowledge, verify_live};
pub use offline::{read_checkpoints, verify_export};

/// Something that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// In whose chain; none where it cannot be told.
    pub tenant_id: Option<TenantId>,
    /// Where in it; none where it is not about a place.
    pub position: Option<i64>,
    /// What.
    pub what: String,
}

/// What a verification found.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// What does not hold.
    pub faults: Vec<Fault>,
    /// What somebody should know: lawful removals, forks that are on record, rows without a signature over them yet.
    pub notes: Vec<Fault>,
    /// Links that were checked.
    pub entries: u64,
    /// Signatures that were checked.
    pub checkpoints: u64,
    /// For each chain: the last position, and the last one under a signature.
    pub chains: BTreeMap<TenantId, (i64, i64)>,
}

impl Report {
    /// Whether everything holds.
    pub fn holds(&self) -> bool {
        self.faults.is_empty()
    }

    /// Whether a fault of the tenant at this position says something like this.
    pub fn names(&self, tenant_id: TenantId, position: Option<i64>, part: &str) -> bool {
        self.faults.iter().any(|fault| {
            fault.tenant_id == Some(tenant_id)
                && (position.is_none() || fault.position == position)
                && fault.what.contains(part)
        })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(tenant_id) = self.tenant_id {
            write!(f, "tenant {tenant_id} ")?;
        }
        if let Some(position) = self.position {
            write!(f, "position {position}: ")?;
        }
        f.write_str(&self.what)
    }
}
