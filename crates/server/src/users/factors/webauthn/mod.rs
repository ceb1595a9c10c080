//! The server's half of WebAuthn (Level 3): what a browser is asked, and whether its answer holds.
//!
//! Attestation is neither asked for nor looked at: which make of authenticator people have is their own choice.

mod authenticator_data;
mod public_key;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ciborium::Value;
use serde::Deserialize;
use sg_types::api::factors::{PasskeyAssertion, PasskeyRegistration};
use sha2::{Digest, Sha256};

use authenticator_data::AuthenticatorData;
pub(super) use public_key::{ALGORITHMS, PublicKey};

/// How deep CBOR may nest; attestation statements need four.
const CBOR_DEPTH: usize = 16;

/// Who asks: the host that passkeys are bound to, and the origins that pages may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RelyingParty {
    /// The host name.
    pub(super) id: String,
    /// `scheme://host[:port]`.
    pub(super) origin: String,
}

/// Why an answer does not hold. For the log and the tests; callers learn only that it does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    /// A part is no base64url, JSON or CBOR, or has another form than the standard says.
    #[error("the answer is malformed")]
    Malformed,
    /// It answers another kind of question.
    #[error("the answer is of another type")]
    Type,
    /// It answers another question.
    #[error("the answer is to another challenge")]
    Challenge,
    /// It was given to a page of another origin.
    #[error("the answer comes from another origin")]
    Origin,
    /// The passkey is bound to another host.
    #[error("the passkey is of another host")]
    RelyingParty,
    /// Nobody touched the authenticator.
    #[error("nobody was present")]
    Presence,
    /// Nobody unlocked the authenticator.
    #[error("nobody was verified")]
    Verification,
    /// The key is of a kind that was not asked for.
    #[error("the key's algorithm is none of the asked ones")]
    Algorithm,
    /// The signature is not by the passkey's key.
    #[error("the signature does not hold")]
    Signature,
}

/// A passkey that was just made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NewCredential {
    /// Its id.
    pub(super) id: Vec<u8>,
    /// Its COSE_Key.
    pub(super) public_key: Vec<u8>,
    /// The authenticator's counter.
    pub(super) sign_count: u32,
    /// Whether copies are kept elsewhere.
    pub(super) backed_up: bool,
}

/// A passkey's use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Use {
    /// The authenticator's counter.
    pub(super) sign_count: u32,
    /// Whether copies are kept elsewhere.
    pub(super) backed_up: bool,
}

#[derive(Deserialize)]
struct ClientData {
    #[serde(rename = "type")]
    kind: String,
    challenge: String,
    origin: String,
    #[serde(rename = "crossOrigin", default)]
    cross_origin: bool,
}

/// Checks the answer to a registration (§7.1). The person has to be verified: such a passkey can stand alone.
///
/// # Errors
/// [`Fault`].
pub(super) fn verify_registration(
    party: &RelyingParty,
    challenge: &[u8],
    answer: &PasskeyRegistration,
) -> Result<NewCredential, Fault> {
    let client_data = decode(&answer.client_data_json)?;
    check_client_data(party, "webauthn.create", challenge, &client_data)?;
    let authenticator_data = read_attestation_object(&decode(&answer.attestation_object)?)?;
    let data = AuthenticatorData::parse(&authenticator_data)?;
    check_flags(party, &data, true)?;
    let credential = data.credential.ok_or(Fault::Malformed)?;
    if decode(&answer.id)? != credential.id {
        return Err(Fault::Malformed);
    }
    PublicKey::parse(credential.public_key)?;
    Ok(NewCredential {
        id: credential.id.to_vec(),
        public_key: credential.public_key.to_vec(),
        sign_count: data.sign_count,
        backed_up: data.backed_up,
    })
}

/// Checks the answer to an authentication (§7.2) but for the counter, which the database compares.
///
/// # Errors
/// [`Fault`].
pub(super) fn verify_assertion(
    party: &RelyingParty,
    challenge: &[u8],
    public_key: &[u8],
    answer: &PasskeyAssertion,
    verified_person: bool,
) -> Result<Use, Fault> {
    let client_data = decode(&answer.client_data_json)?;
    check_client_data(party, "webauthn.get", challenge, &client_data)?;
    let authenticator_data = decode(&answer.authenticator_data)?;
    let data = AuthenticatorData::parse(&authenticator_data)?;
    check_flags(party, &data, verified_person)?;
    let signed = [authenticator_data.as_slice(), &Sha256::digest(&client_data)].concat();
    PublicKey::parse(public_key)?.verify(&signed, &decode(&answer.signature)?)?;
    Ok(Use {
        sign_count: data.sign_count,
        backed_up: data.backed_up,
    })
}

/// Decodes base64url, with or without padding.
pub(super) fn decode(text: &str) -> Result<Vec<u8>, Fault> {
    URL_SAFE_NO_PAD
        .decode(text.trim_end_matches('='))
        .map_err(|_| Fault::Malformed)
}

/// Encodes base64url without padding.
pub(super) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The authenticator data of an attestation object (§6.5.4); the statement beside it is not looked at.
fn read_attestation_object(bytes: &[u8]) -> Result<Vec<u8>, Fault> {
    let (value, rest) = read_cbor(bytes)?;
    if !rest.is_empty() {
        return Err(Fault::Malformed);
    }
    let entries = value.into_map().map_err(|_| Fault::Malformed)?;
    let data = entries
        .into_iter()
        .find_map(|(key, value)| (key.as_text() == Some("authData")).then_some(value));
    data.ok_or(Fault::Malformed)?
        .into_bytes()
        .map_err(|_| Fault::Malformed)
}

/// The first CBOR item of `bytes`, and what follows it.
fn read_cbor(bytes: &[u8]) -> Result<(Value, &[u8]), Fault> {
    let mut rest = bytes;
    let value = ciborium::de::from_reader_with_recursion_limit(&mut rest, CBOR_DEPTH)
        .map_err(|_: ciborium::de::Error<std::io::Error>| Fault::Malformed)?;
    Ok((value, rest))
}

fn check_client_data(
    party: &RelyingParty,
    kind: &str,
    challenge: &[u8],
    client_data: &[u8],
) -> Result<(), Fault> {
    let data: ClientData = serde_json::from_slice(client_data).map_err(|_| Fault::Malformed)?;
    if data.kind != kind {
        return Err(Fault::Type);
    }
    let same: bool = subtle::ConstantTimeEq::ct_eq(decode(&data.challenge)?.as_slice(), challenge).into();
    if !same {
        return Err(Fault::Challenge);
    }
    if data.cross_origin || data.origin != party.origin {
        return Err(Fault::Origin);
    }
    Ok(())
}

fn check_flags(party: &RelyingParty, data: &AuthenticatorData<'_>, verified: bool) -> Result<(), Fault> {
    if data.rp_id_hash != Sha256::digest(party.id.as_bytes()).as_slice() {
        return Err(Fault::RelyingParty);
    }
    if !data.user_present {
        return Err(Fault::Presence);
    }
    if verified && !data.user_verified {
        return Err(Fault::Verification);
    }
    // §6.1.3: what may not be copied was not copied.
    if data.backed_up && !data.backup_eligible {
        return Err(Fault::Malformed);
    }
    Ok(())
}
