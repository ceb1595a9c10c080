//! The hardware fingerprint: tells a cloned state folder from the machine it was made on, without revealing any identifier.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};
use sg_types::Ids;
use sha2::{Digest, Sha256};

/// One ingredient of a fingerprint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FingerprintPart {
    /// `/etc/machine-id`: made when the system is installed.
    MachineId,
    /// `/sys/class/dmi/id/product_uuid`: the mainboard's or virtual machine's; readable by root only.
    ProductUuid,
    /// The hardware addresses of physical network interfaces, sorted.
    MacAddresses,
}

/// A fingerprint and what went into it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// SHA-256 in lower-case hex.
    pub value: String,
    /// The ingredients that were there; empty when there were none and the value is random.
    pub parts: BTreeSet<FingerprintPart>,
}

impl Fingerprint {
    /// Reads the fingerprint of the machine whose root folder is `root` (`/` for this one).
    ///
    /// A machine that has none of the ingredients gets a random value, which then lives as long as the state folder.
    pub fn read(root: &Path, ids: &dyn Ids) -> Self {
        let found: Vec<_> = ALL_PARTS
            .into_iter()
            .filter_map(|part| Some((part, read_part(root, part).ok()??)))
            .collect();
        if found.is_empty() {
            let value = hex::encode(Sha256::digest(ids.next().as_bytes()));
            return Self {
                value,
                parts: BTreeSet::new(),
            };
        }
        let parts = found.iter().map(|(part, _)| *part).collect();
        Self {
            value: digest(&found),
            parts,
        }
    }

    /// The fingerprint of the same ingredients as they are now, to be compared with the one at enrolment.
    ///
    /// An ingredient that the present user may not read proves nothing, so the enrolled value stands.
    pub fn read_again(&self, root: &Path) -> String {
        if self.parts.is_empty() {
            return self.value.clone();
        }
        let mut found = Vec::new();
        for part in &self.parts {
            match read_part(root, *part) {
                Ok(text) => found.push((*part, text.unwrap_or_default())),
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return self.value.clone(),
                Err(_) => found.push((*part, String::new())),
            }
        }
        digest(&found)
    }
}

const ALL_PARTS: [FingerprintPart; 3] = [
    FingerprintPart::MachineId,
    FingerprintPart::ProductUuid,
    FingerprintPart::MacAddresses,
];

fn digest(parts: &[(FingerprintPart, String)]) -> String {
    let mut hasher = Sha256::new();
    hasher.update(b"secureguard-fingerprint-v1\0");
    for (part, text) in parts {
        hasher.update([*part as u8]);
        hasher.update((text.len() as u64).to_be_bytes());
        hasher.update(text.as_bytes());
    }
    hex::encode(hasher.finalize())
}

/// The text of an ingredient; none when the machine does not have it.
fn read_part(root: &Path, part: FingerprintPart) -> io::Result<Option<String>> {
    let text = match part {
        FingerprintPart::MachineId => read_text(&root.join("etc/machine-id"))?,
        FingerprintPart::ProductUuid => read_text(&root.join("sys/class/dmi/id/product_uuid"))?,
        FingerprintPart::MacAddresses => physical_mac_addresses(root)?,
    };
    Ok(Some(text.trim().to_ascii_lowercase()).filter(|text| !text.is_empty()))
}

fn read_text(path: &Path) -> io::Result<String> {
    match fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        other => other,
    }
}

/// Interfaces with a device behind them; bridges, tunnels and containers' ends come and go and have none.
fn physical_mac_addresses(root: &Path) -> io::Result<String> {
    let folder = root.join("sys/class/net");
    let mut addresses = BTreeSet::new();
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(String::new()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let path = entry?.path();
        if !path.join("device").exists() {
            continue;
        }
        let address = read_text(&path.join("address"))
            .unwrap_or_default()
            .trim()
            .to_owned();
        if !address.is_empty() && address != "00:00:00:00:00:00" {
            addresses.insert(address);
        }
    }
    Ok(addresses.into_iter().collect::<Vec<_>>().join(","))
}

#[cfg(test)]
mod tests {
    use sg_types::TimeOrderedIds;

    use super::*;

    fn machine(machine_id: &str, macs: &[(&str, &str, bool)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("etc")).unwrap();
        fs::write(root.path().join("etc/machine-id"), machine_id).unwrap();
        for (name, address, physical) in macs {
            let folder = root.path().join("sys/class/net").join(name);
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join("address"), address).unwrap();
            if *physical {
                fs::create_dir(folder.join("device")).unwrap();
            }
        }
        root
    }

    #[test]
    fn it_depends_on_the_machine_and_not_on_order_or_virtual_interfaces() {
        let one = machine(
            "abc\n",
            &[
                ("eth0", "02:00:00:00:00:01", true),
                ("eth1", "02:00:00:00:00:02", true),
            ],
        );
        let same = machine(
            "ABC",
            &[
                ("ens9", "02:00:00:00:00:02", true),
                ("a", "02:00:00:00:00:01", true),
                ("docker0", "02:42:0:0:0:1", false),
            ],
        );
        let other = machine(
            "abd",
            &[
                ("eth0", "02:00:00:00:00:01", true),
                ("eth1", "02:00:00:00:00:02", true),
            ],
        );
        let fingerprint = Fingerprint::read(one.path(), &TimeOrderedIds);
        assert_eq!(fingerprint, Fingerprint::read(same.path(), &TimeOrderedIds));
        assert_ne!(
            fingerprint.value,
            Fingerprint::read(other.path(), &TimeOrderedIds).value
        );
        assert_eq!(fingerprint.read_again(one.path()), fingerprint.value);
        assert_ne!(fingerprint.read_again(other.path()), fingerprint.value);
        assert!(!fingerprint.value.contains("abc"));
    }

    #[test]
    fn a_part_that_appears_later_changes_nothing_and_one_that_vanishes_does() {
        let root = machine("abc", &[]);
        let fingerprint = Fingerprint::read(root.path(), &TimeOrderedIds);
        let folder = root.path().join("sys/class/net/eth0/device");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.parent().unwrap().join("address"), "02:00:00:00:00:01").unwrap();
        assert_eq!(fingerprint.read_again(root.path()), fingerprint.value);
        fs::remove_file(root.path().join("etc/machine-id")).unwrap();
        assert_ne!(fingerprint.read_again(root.path()), fingerprint.value);
    }

    #[test]
    fn a_machine_without_ingredients_keeps_a_random_one() {
        let root = tempfile::tempdir().unwrap();
        let fingerprint = Fingerprint::read(root.path(), &TimeOrderedIds);
        assert!(fingerprint.parts.is_empty());
        assert_eq!(fingerprint.read_again(root.path()), fingerprint.value);
        assert_ne!(
            Fingerprint::read(root.path(), &TimeOrderedIds).value,
            fingerprint.value
        );
    }
}
