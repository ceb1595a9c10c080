//! `trust`: pins the approver root by hand.

use std::fs;

use anyhow::{Context, Result, bail};
use sg_trust::PublicKey;

use super::{TrustArgs, say};
use crate::identity::{Identity, StateDir};

pub(super) fn pin_root(arguments: &TrustArgs) -> Result<()> {
    let dir = StateDir::open(&arguments.state.state_dir)?;
    let _lock = dir.lock()?;
    let Some(mut identity) = Identity::load(&dir)? else {
        bail!("this machine is not enrolled: an enrolment pins the approver root by itself");
    };
    if identity.tenant_id.is_none() {
        bail!(
            "this machine enrolled at a server that did not tell its tenant: enrol again with `secureguard-agent enrol --force`"
        );
    }
    let text = fs::read_to_string(&arguments.approver_root)
        .with_context(|| format!("cannot read {}", arguments.approver_root.display()))?;
    let root = PublicKey::parse(&text)
        .with_context(|| arguments.approver_root.display().to_string())?
        .to_base64();
    match &identity.trust.approver_root {
        Some(pinned) if *pinned == root => say("this approver root is pinned already"),
        Some(_) if !arguments.force => bail!("another approver root is pinned; --force replaces it"),
        _ => {
            identity.trust.approver_root = Some(root);
            identity.save(&dir)?;
            say("pinned; start the agent again");
        }
    }
    Ok(())
}
