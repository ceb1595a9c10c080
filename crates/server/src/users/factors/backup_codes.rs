//! Backup codes: for the day on which the phone is gone.

use data_encoding::BASE32_NOPAD;
use sg_db::users::factors::{Account, NewBackupCode, list_factors, lock_account, replace_backup_codes};
use sg_db::{SystemTx, TokenHash};
use sg_types::api::factors::BackupCodes;

use super::notify;
use crate::AppState;
use crate::auth::Acting;
use crate::error::{ApiError, ApiResult};

/// Codes of a set.
const CODES: usize = 10;
/// Random bytes of a code: 120 bits, so that a fast hash is enough (ASVS 5.0 §6.5.2).
const CODE_BYTES: usize = 15;
/// Characters between two hyphens.
const GROUP: usize = 6;

/// Makes new codes; all before are void.
pub(super) async fn regenerate(state: &AppState, acting: &Acting) -> ApiResult<BackupCodes> {
    let mut event = acting.event(state, "backup_codes.create");
    let user_id = acting.caller.user_id;
    event.object = Some(("user", user_id.to_string()));
    let mut tx = state.db.system("backup codes").await?;
    let account = lock_account(&mut tx, user_id)
        .await?
        .ok_or_else(ApiError::unauthenticated)?;
    if list_factors(&mut tx, user_id).await?.is_empty() {
        return Err(ApiError::conflict(
            "no_factor",
            "backup codes stand in for a factor; add one first",
        ));
    }
    let codes = replace(state, &mut tx, &account, event.at).await?;
    notify(state, &mut tx, &account, "backup_codes_made", None, event.at).await?;
    tx.commit(account.tenant_id, event).await?;
    Ok(BackupCodes { codes })
}

/// Gives an account a set of codes.
pub(super) async fn replace(
    state: &AppState,
    tx: &mut SystemTx,
    account: &Account,
    at: chrono::DateTime<chrono::Utc>,
) -> ApiResult<Vec<String>> {
    let codes: Vec<String> = (0..CODES).map(|_| generate()).collect();
    let rows: Vec<NewBackupCode> = codes
        .iter()
        .map(|code| NewBackupCode {
            code_id: state.ids.next(),
            hash: hash(code),
        })
        .collect();
    replace_backup_codes(tx, account.tenant_id, account.user_id, &rows, at).await?;
    Ok(codes)
}

/// The hash of a code as people type it: case, spaces and hyphens do not matter, nor do digits that look like letters.
pub(super) fn hash(typed: &str) -> TokenHash {
    let plain: String = typed
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| match c.to_ascii_uppercase() {
            '0' => 'O',
            '1' => 'I',
            '8' => 'B',
            other => other,
        })
        .collect();
    TokenHash::of(&plain)
}

fn generate() -> String {
    let random: [u8; CODE_BYTES] = rand::random();
    let plain = BASE32_NOPAD.encode(&random);
    let groups: Vec<&str> = plain
        .as_bytes()
        .chunks(GROUP)
        .filter_map(|group| std::str::from_utf8(group).ok())
        .collect();
    groups.join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_120_bits_and_are_typed_as_people_do() {
        let code = generate();
        assert_eq!((code.len(), code.matches('-').count()), (27, 3), "{code}");
        assert_ne!(code, generate());
        let typed = format!("  {} ", code.to_lowercase().replace('-', " ").replace('o', "0"));
        assert_eq!(hash(&typed), hash(&code));
        assert_ne!(hash(&code[1..]), hash(&code));
    }
}
