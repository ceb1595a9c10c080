//! The keys of passkeys (RFC 9052 §7, RFC 9053) and their signatures.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use ciborium::Value;

use super::{Fault, read_cbor};

const ES256: i32 = -7;
const EDDSA: i32 = -8;
const RS256: i32 = -257;

/// The algorithms that are asked for, best supported first: every authenticator has one of them.
pub(crate) const ALGORITHMS: [i32; 3] = [ES256, EDDSA, RS256];

/// A key of one of [`ALGORITHMS`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PublicKey {
    /// ECDSA on P-256 with SHA-256: the point, uncompressed.
    Es256(Vec<u8>),
    /// Ed25519.
    EdDsa(Vec<u8>),
    /// RSASSA-PKCS1-v1_5 with SHA-256: modulus and exponent.
    Rs256 { modulus: Vec<u8>, exponent: Vec<u8> },
}

impl PublicKey {
    /// Reads a COSE_Key.
    ///
    /// # Errors
    /// [`Fault::Malformed`], [`Fault::Algorithm`].
    pub(crate) fn parse(cose_key: &[u8]) -> Result<Self, Fault> {
        let (value, rest) = read_cbor(cose_key)?;
        let map = Map(value.into_map().map_err(|_| Fault::Malformed)?);
        if !rest.is_empty() {
            return Err(Fault::Malformed);
        }
        // Label 1 is the key's type, 3 its algorithm; the negative ones depend on the type.
        match (map.integer(1)?, map.integer(3)?) {
            (2, alg) if alg == i64::from(ES256) && map.integer(-1)? == 1 => {
                let (x, y) = (map.bytes(-2)?, map.bytes(-3)?);
                if x.len() != 32 || y.len() != 32 {
                    return Err(Fault::Malformed);
                }
                Ok(Self::Es256([&[4], x, y].concat()))
            }
            (1, alg) if alg == i64::from(EDDSA) && map.integer(-1)? == 6 => {
                Ok(Self::EdDsa(map.bytes(-2)?.to_vec()))
            }
            (3, alg) if alg == i64::from(RS256) => Ok(Self::Rs256 {
                modulus: map.bytes(-1)?.to_vec(),
                exponent: map.bytes(-2)?.to_vec(),
            }),
            _ => Err(Fault::Algorithm),
        }
    }

    /// Checks a signature over `message`.
    ///
    /// # Errors
    /// [`Fault::Signature`].
    pub(crate) fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), Fault> {
        let result = match self {
            Self::Es256(point) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point).verify(message, signature)
            }
            Self::EdDsa(key) => UnparsedPublicKey::new(&ED25519, key).verify(message, signature),
            Self::Rs256 { modulus, exponent } => RsaPublicKeyComponents {
                n: modulus,
                e: exponent,
            }
            .verify(&RSA_PKCS1_2048_8192_SHA256, message, signature),
        };
        result.map_err(|_| Fault::Signature)
    }
}

struct Map(Vec<(Value, Value)>);

impl Map {
    fn find(&self, label: i64) -> Result<&Value, Fault> {
        let is_label = |key: &Value| key.as_integer().is_some_and(|key| key == label.into());
        let mut values = self.0.iter().filter(|(key, _)| is_label(key));
        match (values.next(), values.next()) {
            (Some((_, value)), None) => Ok(value),
            _ => Err(Fault::Malformed),
        }
    }

    fn integer(&self, label: i64) -> Result<i64, Fault> {
        let integer = self.find(label)?.as_integer();
        integer.and_then(|i| i.try_into().ok()).ok_or(Fault::Malformed)
    }

    fn bytes(&self, label: i64) -> Result<&[u8], Fault> {
        self.find(label)?
            .as_bytes()
            .map(Vec::as_slice)
            .ok_or(Fault::Malformed)
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::rsa::KeySize;
    use aws_lc_rs::signature::{
        ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
    };

    use super::*;

    fn cose(entries: &[(i64, Value)]) -> Vec<u8> {
        let map = entries
            .iter()
            .map(|(label, value)| (Value::from(*label), value.clone()))
            .collect();
        let mut bytes = Vec::new();
        ciborium::into_writer(&Value::Map(map), &mut bytes).unwrap();
        bytes
    }

    fn holds(cose_key: &[u8], signature: &[u8]) {
        let key = PublicKey::parse(cose_key).unwrap();
        assert_eq!(key.verify(b"message", signature), Ok(()));
        assert_eq!(key.verify(b"massage", signature), Err(Fault::Signature));
        assert_eq!(key.verify(b"message", &signature[1..]), Err(Fault::Signature));
        assert_eq!(key.verify(b"message", b""), Err(Fault::Signature));
        let extended = [cose_key, &[0]].concat();
        assert_eq!(PublicKey::parse(&extended), Err(Fault::Malformed));
    }

    #[test]
    fn signatures_of_all_three_kinds_are_checked() {
        let random = SystemRandom::new();
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
        let point = pair.public_key().as_ref();
        let (x, y) = (point[1..33].to_vec(), point[33..].to_vec());
        let es256 = cose(&[
            (1, 2.into()),
            (3, (-7).into()),
            (-1, 1.into()),
            (-2, Value::Bytes(x)),
            (-3, Value::Bytes(y)),
        ]);
        holds(&es256, pair.sign(&random, b"message").unwrap().as_ref());

        let pair = Ed25519KeyPair::generate().unwrap();
        let key = Value::Bytes(pair.public_key().as_ref().to_vec());
        let eddsa = cose(&[(1, 1.into()), (3, (-8).into()), (-1, 6.into()), (-2, key)]);
        holds(&eddsa, pair.sign(b"message").as_ref());

        let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        // RSAPublicKey of RFC 8017 §A.1.1: heads of 9 and 2 bytes before the two numbers.
        let der = pair.public_key().as_ref();
        let (n, e) = (der[9..265].to_vec(), der[267..].to_vec());
        let rs256 = cose(&[
            (1, 3.into()),
            (3, (-257).into()),
            (-1, Value::Bytes(n)),
            (-2, Value::Bytes(e)),
        ]);
        let mut signature = vec![0; pair.public_modulus_len()];
        pair.sign(&RSA_PKCS1_SHA256, &random, b"message", &mut signature)
            .unwrap();
        holds(&rs256, &signature);
    }

    #[test]
    fn other_keys_are_refused() {
        let x = || Value::Bytes(vec![1; 32]);
        for (entries, fault) in [
            (vec![], Fault::Malformed),
            (
                vec![
                    (1, 2.into()),
                    (3, (-35).into()),
                    (-1, 2.into()),
                    (-2, x()),
                    (-3, x()),
                ],
                Fault::Algorithm,
            ),
            (
                vec![
                    (1, 2.into()),
                    (3, (-7).into()),
                    (-1, 2.into()),
                    (-2, x()),
                    (-3, x()),
                ],
                Fault::Algorithm,
            ),
            (
                vec![(1, 2.into()), (3, (-7).into()), (-1, 1.into()), (-2, x())],
                Fault::Malformed,
            ),
            (
                vec![
                    (1, 2.into()),
                    (3, (-7).into()),
                    (3, (-8).into()),
                    (-1, 1.into()),
                    (-2, x()),
                ],
                Fault::Malformed,
            ),
            (
                vec![(1, "2".into()), (3, (-7).into()), (-1, 1.into())],
                Fault::Malformed,
            ),
        ] {
            assert_eq!(PublicKey::parse(&cose(&entries)), Err(fault), "{entries:?}");
        }
        assert_eq!(PublicKey::parse(&[0x9f; 40]), Err(Fault::Malformed));
    }
}
