//! Whom agents are told to believe: at enrolment, and later under the signature that their pinned set asks for.

use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

use anyhow::Context;
use sg_trust::{PublicKey, sign_trust_set};
use sg_types::agent::{TrustOffer, TrustSet};
use sg_types::response::SignedText;

use crate::config::{approver_root_file, trust_set_file};
use crate::signing::RulesSigner;

/// Version of the set of an installation without a signer of commands.
const WITHOUT_COMMANDS: u32 = 1;
/// Version of the set of an installation without an approver root.
const WITHOUT_ROOT: u32 = 2;

/// The set that the approver root has signed, and what it says.
type ByRoot = Option<(SignedText, TrustSet)>;

/// The installation's trust set.
#[derive(Debug, Default)]
pub struct Trust {
    data_dir: PathBuf,
    commands_key: Option<String>,
    by_root: RwLock<ByRoot>,
}

impl Trust {
    /// Reads what the approver root has signed, where there is one.
    ///
    /// # Errors
    /// When the files are damaged, or the signed set names other keys than this server has.
    pub fn load(
        data_dir: &Path,
        commands_key: Option<String>,
        rules_signer: &RulesSigner,
    ) -> anyhow::Result<Self> {
        let by_root = read(data_dir)?;
        if let Some((_, set)) = &by_root
            && (set.rules_key != rules_signer.public_key() || set.commands_key != commands_key)
        {
            tracing::error!(
                "the signed trust set names other keys than this server has, and agents will refuse what it signs: run `secureguard approver sign-trust`"
            );
        }
        Ok(Self {
            data_dir: data_dir.to_owned(),
            commands_key,
            by_root: RwLock::new(by_root),
        })
    }

    /// Looks whether the approver root has signed another set meanwhile.
    ///
    /// # Errors
    /// When the file is damaged; what was known before goes on.
    pub fn refresh(&self) -> anyhow::Result<()> {
        if self.data_dir.as_os_str().is_empty() {
            return Ok(());
        }
        let by_root = read(&self.data_dir)?;
        *self.by_root.write().unwrap_or_else(PoisonError::into_inner) = by_root;
        Ok(())
    }

    fn by_root(&self) -> ByRoot {
        self.by_root
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The public key that vouches for approvers.
    pub fn approver_root(&self) -> Option<PublicKey> {
        let (_, set) = self.by_root()?;
        PublicKey::parse(set.approver_root.as_deref()?).ok()
    }

    /// What an agent pins when it enrols.
    pub fn enrolment_set(&self, rules_signer: &RulesSigner) -> TrustSet {
        match self.by_root() {
            Some((_, set)) => set,
            None => self.rootless_set(rules_signer),
        }
    }

    /// The version that agents should have.
    pub fn version(&self) -> u32 {
        let by_root = self.by_root.read().unwrap_or_else(PoisonError::into_inner);
        match &*by_root {
            Some((_, set)) => set.version,
            None if self.commands_key.is_some() => WITHOUT_ROOT,
            None => WITHOUT_COMMANDS,
        }
    }

    /// What an agent may replace its pinned set by: by the root for those that have pinned one, by the key for rules for the others.
    ///
    /// # Errors
    /// When the set cannot be written as JSON.
    pub fn offer(&self, rules_signer: &RulesSigner) -> anyhow::Result<TrustOffer> {
        let rootless = sign_trust_set(&rules_signer.secret_key(), &self.rootless_set(rules_signer))?;
        let by_root = self.by_root().map(|(signed, _)| signed);
        Ok(TrustOffer {
            sets: by_root.into_iter().chain([rootless]).collect(),
        })
    }

    fn rootless_set(&self, rules_signer: &RulesSigner) -> TrustSet {
        TrustSet {
            version: self.version(),
            rules_key: rules_signer.public_key(),
            commands_key: self.commands_key.clone(),
            approver_root: None,
            revoked_approvers: Vec::new(),
        }
    }
}

fn read(data_dir: &Path) -> anyhow::Result<ByRoot> {
    let file = trust_set_file(data_dir);
    let text = match std::fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            anyhow::ensure!(
                !approver_root_file(data_dir).exists(),
                "there is an approver root but no {}: run `secureguard approver sign-trust`",
                file.display()
            );
            return Ok(None);
        }
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", file.display())),
    };
    let damaged = || {
        format!(
            "{} is damaged: run `secureguard approver sign-trust`",
            file.display()
        )
    };
    let signed: SignedText = serde_json::from_str(&text).with_context(damaged)?;
    let set = serde_json::from_str(&signed.text).with_context(damaged)?;
    Ok(Some((signed, set)))
}
