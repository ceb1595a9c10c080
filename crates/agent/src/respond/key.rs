//! The agent's own key, under which the server believes what commands came to.

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use sg_trust::SecretKey;

use crate::identity::StateDir;

/// The name of the file that holds the key.
pub const RESULT_KEY_FILE: &str = "result-key.json";

#[derive(Serialize, Deserialize)]
struct KeyFile {
    pem: String,
}

pub(super) fn load_or_create(dir: &StateDir) -> Result<SecretKey> {
    if let Some(file) = dir.read_json::<KeyFile>(RESULT_KEY_FILE)? {
        return SecretKey::from_pem(&file.pem).context("the agent's key for results is damaged");
    }
    let key = SecretKey::from_seed(&rand::random());
    let file = KeyFile { pem: key.to_pem()? };
    dir.replace_json(RESULT_KEY_FILE, &file)
        .context("cannot store the agent's key for results")?;
    Ok(key)
}
