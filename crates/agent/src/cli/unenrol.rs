//! `unenrol`: takes this machine out of service.

use std::time::Duration;

use anyhow::{Result, bail};

use super::{UnenrolArgs, say};
use crate::detect::SEEN_FILE;
use crate::health::STATUS_FILE;
use crate::identity::{CA_FILE, IDENTITY_FILE, Identity, StateDir};
use crate::presence::RUN_FILE;
use crate::respond::{JOURNAL_FILE, RESULT_KEY_FILE};
use crate::run::{SPOOL_DIR, new_client};
use crate::uplink::{CallError, RULES_FILE, STREAM_FILE};

/// How long the server may take.
const TIMEOUT: Duration = Duration::from_secs(30);

pub(super) async fn unenrol(arguments: &UnenrolArgs) -> Result<()> {
    let dir = StateDir::open(&arguments.state.state_dir)?;
    let _lock = dir.lock()?;
    let Some(identity) = Identity::load(&dir)? else {
        bail!("this machine is not enrolled")
    };
    match new_client(&dir, &identity, TIMEOUT)?
        .unenrol(&identity.token)
        .await
    {
        Ok(()) => {}
        // The token stopped working: the server has taken the machine out of service already.
        Err(CallError::Unauthorized(_)) => {}
        Err(error) if arguments.local_only => {
            say(&format!(
                "the server could not be told ({error}); decommission the endpoint in the console"
            ));
        }
        Err(error) => bail!(
            "the server could not be told, so nothing was changed: {error}; try again, or use --local-only and decommission the endpoint in the console"
        ),
    }
    // The identity goes last, so that an interrupted removal can be repeated.
    match std::fs::remove_dir_all(dir.file(SPOOL_DIR)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    for file in [
        STREAM_FILE,
        RULES_FILE,
        JOURNAL_FILE,
        RESULT_KEY_FILE,
        SEEN_FILE,
        RUN_FILE,
        STATUS_FILE,
        IDENTITY_FILE,
        CA_FILE,
    ] {
        dir.remove(file)?;
    }
    say(&format!("unenrolled from {}", identity.server));
    Ok(())
}
