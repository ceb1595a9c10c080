//! One-time codes of RFC 6238: SHA-1, steps of 30 seconds, six digits, which is what every app understands.

use aws_lc_rs::hmac;
use chrono::{DateTime, Utc};
use data_encoding::BASE32_NOPAD;
use qrcode::QrCode;
use qrcode::render::svg;

/// Bytes of a secret: as many as the hash has (RFC 4226 §4 R6 asks for 128 bits at least and 160 at best).
pub(super) const SECRET_BYTES: usize = 20;
/// Seconds of a step (ASVS 5.0 §6.5.5: 30 at most).
const STEP_SECONDS: i64 = 30;
/// Digits of a code.
const DIGITS: usize = 6;

/// The step that `code` belongs to, among the present one and `drift` to either side. None when it is no code of theirs.
pub(super) fn find_step(secret: &[u8], code: &str, at: DateTime<Utc>, drift: u8) -> Option<i64> {
    let drift = i64::from(drift);
    let present = at.timestamp().div_euclid(STEP_SECONDS);
    let given = code.trim().as_bytes();
    let mut found = None;
    // Every step is compared, so that the time tells nothing of which one fits.
    for step in present - drift..=present + drift {
        let fits: bool = subtle::ConstantTimeEq::ct_eq(generate(secret, step).as_bytes(), given).into();
        found = if fits { Some(step) } else { found };
    }
    found
}

/// The code of a step (RFC 4226 §5.3).
pub(super) fn generate(secret: &[u8], step: i64) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret);
    let tag = hmac::sign(&key, &step.to_be_bytes());
    let digest = tag.as_ref();
    let offset = usize::from(digest.last().copied().unwrap_or_default() & 0x0f);
    let word = digest
        .iter()
        .skip(offset)
        .take(4)
        .fold(0_u32, |word, byte| (word << 8) | u32::from(*byte));
    format!("{:0DIGITS$}", (word & 0x7fff_ffff) % 1_000_000)
}

/// The secret as people type it.
pub(super) fn to_base32(secret: &[u8]) -> String {
    BASE32_NOPAD.encode(secret)
}

/// The address that an app takes the secret from (the Key Uri Format that the apps share).
pub(super) fn uri(issuer: &str, username: &str, secret: &[u8]) -> String {
    let (issuer, username) = (encode(issuer), encode(username));
    format!(
        "otpauth://totp/{issuer}:{username}?secret={}&issuer={issuer}&algorithm=SHA1&digits={DIGITS}&period={STEP_SECONDS}",
        to_base32(secret)
    )
}

/// A QR code as an SVG document, dark on light in every theme, as scanners want it.
///
/// # Errors
/// When the text is too long for a code.
pub(super) fn draw_qr(text: &str) -> Result<String, qrcode::types::QrError> {
    Ok(QrCode::new(text)?
        .render::<svg::Color<'_>>()
        .min_dimensions(220, 220)
        .build())
}

/// Percent-encodes all but the unreserved characters (RFC 3986 §2.3).
fn encode(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4226 appendix D and RFC 6238 appendix B, cut to six digits.
    #[test]
    fn the_codes_are_those_of_the_standards() {
        let secret = b"12345678901234567890";
        for (step, code) in [
            (0, "755224"),
            (1, "287082"),
            (2, "359152"),
            (9, "520489"),
            (59 / 30, "287082"),
            (1_111_111_109 / 30, "081804"),
            (1_234_567_890 / 30, "005924"),
            (2_000_000_000 / 30, "279037"),
            (20_000_000_000 / 30, "353130"),
        ] {
            assert_eq!(generate(secret, step), code, "{step}");
        }
    }

    #[test]
    fn neighbouring_steps_count_and_no_others() {
        let secret = [7; SECRET_BYTES];
        let at = DateTime::from_timestamp(1_800_000_010, 0).unwrap();
        let present = 60_000_000;
        for (step, found) in [(-2, None), (-1, Some(-1)), (0, Some(0)), (1, Some(1)), (2, None)] {
            let code = generate(&secret, present + step);
            assert_eq!(
                find_step(&secret, &code, at, 1),
                found.map(|step| present + step),
                "{step}"
            );
            let strict = (step == 0).then_some(present);
            assert_eq!(find_step(&secret, &code, at, 0), strict, "{step}");
        }
        for bad in ["", "12345", "1234567", "abcdef", "１２３４５６"] {
            assert_eq!(find_step(&secret, bad, at, 1), None, "{bad}");
        }
    }

    #[test]
    fn an_app_finds_everything_in_the_address() {
        let uri = uri("SecureGuard", "ada & co", &[0; SECRET_BYTES]);
        assert_eq!(
            uri,
            "otpauth://totp/SecureGuard:ada%20%26%20co?secret=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA&issuer=SecureGuard&algorithm=SHA1&digits=6&period=30"
        );
        let svg = draw_qr(&uri).unwrap();
        assert!(svg.contains("<svg") && !svg.contains("script") && !svg.contains("style="));
    }
}
