//! The bytes that an authenticator signs (WebAuthn Level 3 §6.1).

use super::{Fault, read_cbor};

const USER_PRESENT: u8 = 0x01;
const USER_VERIFIED: u8 = 0x04;
const BACKUP_ELIGIBLE: u8 = 0x08;
const BACKED_UP: u8 = 0x10;
const HAS_CREDENTIAL: u8 = 0x40;
const HAS_EXTENSIONS: u8 = 0x80;
/// Bytes of a credential's id at most (§4).
const MAX_CREDENTIAL_ID: usize = 1023;

/// What they say.
#[derive(Debug)]
pub(super) struct AuthenticatorData<'a> {
    pub(super) rp_id_hash: &'a [u8],
    pub(super) user_present: bool,
    pub(super) user_verified: bool,
    pub(super) backup_eligible: bool,
    pub(super) backed_up: bool,
    pub(super) sign_count: u32,
    /// In answers to a registration only.
    pub(super) credential: Option<Credential<'a>>,
}

/// A new credential.
#[derive(Debug)]
pub(super) struct Credential<'a> {
    pub(super) id: &'a [u8],
    /// A COSE_Key.
    pub(super) public_key: &'a [u8],
}

impl<'a> AuthenticatorData<'a> {
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, Fault> {
        let (rp_id_hash, rest) = split(bytes, 32)?;
        let (&flags, rest) = rest.split_first().ok_or(Fault::Malformed)?;
        let (count, mut rest) = split(rest, 4)?;
        let mut credential = None;
        if flags & HAS_CREDENTIAL != 0 {
            let (found, after) = parse_credential(rest)?;
            (credential, rest) = (Some(found), after);
        }
        if flags & HAS_EXTENSIONS != 0 {
            (_, rest) = read_cbor(rest)?;
        }
        if !rest.is_empty() {
            return Err(Fault::Malformed);
        }
        Ok(Self {
            rp_id_hash,
            user_present: flags & USER_PRESENT != 0,
            user_verified: flags & USER_VERIFIED != 0,
            backup_eligible: flags & BACKUP_ELIGIBLE != 0,
            backed_up: flags & BACKED_UP != 0,
            sign_count: u32::from_be_bytes(count.try_into().map_err(|_| Fault::Malformed)?),
            credential,
        })
    }
}

/// The AAGUID (which model it is: of no interest here), the id with its length, and the key.
fn parse_credential(bytes: &[u8]) -> Result<(Credential<'_>, &[u8]), Fault> {
    let (_aaguid, rest) = split(bytes, 16)?;
    let (length, rest) = split(rest, 2)?;
    let length = usize::from(u16::from_be_bytes(
        length.try_into().map_err(|_| Fault::Malformed)?,
    ));
    if !(1..=MAX_CREDENTIAL_ID).contains(&length) {
        return Err(Fault::Malformed);
    }
    let (id, rest) = split(rest, length)?;
    let (_, after) = read_cbor(rest)?;
    let (public_key, after) = split(rest, rest.len() - after.len())?;
    Ok((Credential { id, public_key }, after))
}

fn split(bytes: &[u8], at: usize) -> Result<(&[u8], &[u8]), Fault> {
    bytes.split_at_checked(at).ok_or(Fault::Malformed)
}
