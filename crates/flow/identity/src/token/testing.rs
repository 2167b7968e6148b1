//! Issuers, keys and tokens for the tests of this module.

use std::{sync::LazyLock, time::Duration};

use aws_lc_rs::{
    rand::SystemRandom,
    rsa::KeySize,
    signature::{self, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RsaEncoding, RsaKeyPair},
};
use countersign_core::{
    Principal, RequestId, Secret, Timestamp,
    life::{Peer, Stamps},
};
use countersign_seal::KeyRing;
use data_encoding::BASE64URL_NOPAD;
use futures_util::FutureExt;

use super::*;
use crate::{Identity, Outside, Presented};

/// A Sunday in November 2026.
pub(crate) const NOW: Timestamp = Timestamp(1_795_342_530_000_000);
pub(crate) const URL: &str = "https://id.bank.example/oauth2";
pub(crate) const TENANT: &str = "5f2b8a3e-0c4d-4e6f-8a9b-1c2d3e4f5a6b";

pub(crate) const fn after(seconds: u64) -> Timestamp {
    Timestamp(NOW.0 + seconds * 1_000_000)
}

pub(crate) fn issuer() -> Issuer {
    Issuer {
        name: "bank".into(),
        url: URL.into(),
        tenant: "bank".into(),
        tenants: None,
        audiences: vec!["https://gateway.example".into()],
        algorithms: Algorithm::ALL.into(),
        profile: Profile::Rfc9068,
        roles: vec![],
        extra: vec![],
        leeway: Duration::from_secs(5),
        max_lifetime: Duration::from_hours(2),
        keys: KeyRules::default(),
        introspection: None,
        speaks_for: None,
    }
}

/// A stage with issuers whose keys are all those of `signers`.
pub(crate) fn stage(issuers: &[Issuer], signers: &[&Signer]) -> Identity {
    let ring = KeyRing::from_bytes(Secret::new(vec![1; 32])).unwrap();
    let identity = Identity::new(Stamps::issue().identify, &ring, vec![], Outside::default()).unwrap();
    identity.tokens().set_issuers(issuers.to_vec()).unwrap();
    for name in identity.tokens().wanted(NOW) {
        identity.tokens().fetched(&name, set(signers).as_bytes(), NOW).unwrap();
    }
    identity
}

pub(crate) fn ask(identity: &Identity, token: &str, now: Timestamp) -> Result<Arc<Principal>, Refusal> {
    ask_with(identity, token, None, now)
}

pub(crate) fn ask_with(
    identity: &Identity,
    token: &str,
    certificate: Option<&[u8]>,
    now: Timestamp,
) -> Result<Arc<Principal>, Refusal> {
    let value = format!("Bearer {token}");
    let presented = Presented { authorization: Some(value.as_bytes()), certificate, ..Presented::default() };
    let identified = identity.identify(RequestId::new(now, [0; 10]), now, Peer::default(), &presented);
    Ok(identified.now_or_never().expect("nothing is waited for")?.principal().clone())
}

/// Why a token is refused.
pub(crate) fn why(identity: &Identity, token: &str, now: Timestamp) -> (Code, String) {
    let refusal = ask(identity, token, now).expect_err("it is refused");
    (refusal.code, refusal.reason.into_owned())
}

/// A JSON object under construction: names, and values as JSON text.
#[derive(Clone)]
pub(crate) struct Object(Vec<(&'static str, String)>);

/// An empty one.
pub(crate) const fn object() -> Object {
    Object(Vec::new())
}

impl Object {
    /// Its members, in order.
    pub(crate) fn members(&self) -> Vec<(&'static str, String)> {
        self.0.clone()
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.0.retain(|(own, _)| *own != name);
        self.0.push((name, value.into()));
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.0.retain(|(own, _)| *own != name);
        self
    }

    pub(crate) fn text(&self) -> String {
        let members: Vec<_> = self.0.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
        format!("{{{}}}", members.join(","))
    }
}

/// What an issuer as RFC 9068 has it says of a person.
pub(crate) fn claims() -> Object {
    let seconds = NOW.seconds();
    Object(vec![
        ("iss", format!("{URL:?}")),
        ("aud", "\"https://gateway.example\"".into()),
        ("sub", "\"u-4711\"".into()),
        ("client_id", "\"notebook\"".into()),
        ("jti", "\"t-1\"".into()),
        ("iat", seconds.to_string()),
        ("exp", (seconds + 600).to_string()),
        ("scope", "\"ask model:small\"".into()),
    ])
}

/// A key pair of an issuer.
pub(crate) struct Signer {
    pub(crate) algorithm: Algorithm,
    pub(crate) kid: &'static str,
    pair: Pair,
}

enum Pair {
    Rsa(RsaKeyPair, &'static dyn RsaEncoding),
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
}

impl Signer {
    pub(crate) fn new(algorithm: Algorithm, kid: &'static str) -> Self {
        let ec = |algorithm| Pair::Ec(EcdsaKeyPair::generate(algorithm).unwrap());
        let rsa = |encoding| Pair::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).unwrap(), encoding);
        let pair = match algorithm {
            Algorithm::Rs256 => rsa(&signature::RSA_PKCS1_SHA256),
            Algorithm::Rs384 => rsa(&signature::RSA_PKCS1_SHA384),
            Algorithm::Rs512 => rsa(&signature::RSA_PKCS1_SHA512),
            Algorithm::Ps256 => rsa(&signature::RSA_PSS_SHA256),
            Algorithm::Ps384 => rsa(&signature::RSA_PSS_SHA384),
            Algorithm::Ps512 => rsa(&signature::RSA_PSS_SHA512),
            Algorithm::Es256 => ec(&signature::ECDSA_P256_SHA256_FIXED_SIGNING),
            Algorithm::Es384 => ec(&signature::ECDSA_P384_SHA384_FIXED_SIGNING),
            Algorithm::Es512 => ec(&signature::ECDSA_P521_SHA512_FIXED_SIGNING),
            Algorithm::EdDsa => Pair::Ed(Ed25519KeyPair::generate().unwrap()),
        };
        Self { algorithm, kid, pair }
    }

    /// The public key as it is published.
    pub(crate) fn jwk(&self) -> Object {
        let text = |bytes: &[u8]| format!("\"{}\"", BASE64URL_NOPAD.encode(bytes));
        let mut members = vec![("kid", format!("{:?}", self.kid)), ("alg", format!("{:?}", self.algorithm.as_str()))];
        match &self.pair {
            Pair::Rsa(pair, _) => {
                // RSAPublicKey in DER: 9 bytes of headers, 256 of modulus, then the exponent.
                let der = pair.public_key().as_ref();
                members.extend([("kty", "\"RSA\"".into()), ("n", text(&der[9..265])), ("e", text(&der[267..]))]);
            }
            Pair::Ec(pair) => {
                let (x, y) = pair.public_key().as_ref()[1..].split_at(pair.public_key().as_ref().len() / 2);
                let crv = match x.len() {
                    32 => "\"P-256\"",
                    48 => "\"P-384\"",
                    _ => "\"P-521\"",
                };
                members.extend([("kty", "\"EC\"".into()), ("crv", crv.into()), ("x", text(x)), ("y", text(y))]);
            }
            Pair::Ed(pair) => members.extend([
                ("kty", "\"OKP\"".into()),
                ("crv", "\"Ed25519\"".into()),
                ("x", text(pair.public_key().as_ref())),
            ]),
        }
        Object(members)
    }

    pub(crate) fn header(&self) -> Object {
        Object(vec![
            ("alg", format!("{:?}", self.algorithm.as_str())),
            ("kid", format!("{:?}", self.kid)),
            ("typ", "\"at+jwt\"".into()),
        ])
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Rsa(pair, encoding) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(*encoding, &random, message, &mut signature).unwrap();
                signature
            }
            Pair::Ec(pair) => pair.sign(&random, message).unwrap().as_ref().to_vec(),
            Pair::Ed(pair) => pair.sign(message).as_ref().to_vec(),
        }
    }

    /// A token of these claims.
    pub(crate) fn token(&self, claims: &Object) -> String {
        self.token_of(self.header().text().as_bytes(), claims.text().as_bytes())
    }

    /// A token of any header and payload.
    pub(crate) fn token_of(&self, header: &[u8], payload: &[u8]) -> String {
        let signed = unsigned(header, payload);
        format!("{signed}.{}", BASE64URL_NOPAD.encode(&self.sign(signed.as_bytes())))
    }
}

pub(crate) fn unsigned(header: &[u8], payload: &[u8]) -> String {
    format!("{}.{}", BASE64URL_NOPAD.encode(header), BASE64URL_NOPAD.encode(payload))
}

/// A key set of these keys.
pub(crate) fn set(signers: &[&Signer]) -> String {
    let keys: Vec<_> = signers.iter().map(|signer| signer.jwk().text()).collect();
    set_of(&keys)
}

pub(crate) fn set_of(keys: &[impl AsRef<str>]) -> String {
    let keys: Vec<_> = keys.iter().map(AsRef::as_ref).collect();
    format!("{{\"keys\":[{}]}}", keys.join(","))
}

/// One of each algorithm, made once.
pub(crate) static SIGNERS: LazyLock<Vec<Signer>> =
    LazyLock::new(|| Algorithm::ALL.into_iter().map(|a| Signer::new(a, a.as_str())).collect());

pub(crate) fn signer(algorithm: Algorithm) -> &'static Signer {
    SIGNERS.iter().find(|signer| signer.algorithm == algorithm).unwrap()
}
