//! Wycheproof's JOSE vectors, every case of the four files.
//!
//! A case that has to be refused is never accepted. A case that may be accepted and is not has its reason here:
//!
//! - symmetric keys: a shared secret cannot tell issuer from verifier, and is the root of RS/HS confusion;
//! - encrypted tokens: an access token is signed for whoever asks its issuer's keys; there is no key here to decrypt with;
//! - a key whose `alg` is not the token's, or is no algorithm (two of RFC 7520's examples as the vectors quote them:
//!   `PS256` for a PS384 signature, and `ES521`, which does not exist): RFC 8725, section 3.1, wants a key to have one algorithm;
//! - characters that are not base64url: RFC 4648, section 3.3, wants them refused, and a token has one spelling.

use std::collections::BTreeMap;

use countersign_wire::{
    Limits,
    json::{Doc, Value},
};

use super::{super::jwk, *};

#[test]
fn signatures() {
    let Some(counts) = run("json_web_signature_test", 401) else { return };
    assert_eq!(
        counts,
        Counts { accepted: 32, refused: 355, too_strict: reasons(&[(SYMMETRIC, 8), (ALG, 4), (NOT_BASE64, 2)]) }
    );
}

#[test]
fn key_sets() {
    let Some(counts) = run("json_web_key_test", 26) else { return };
    assert_eq!(counts, Counts { accepted: 1, refused: 21, too_strict: reasons(&[(SYMMETRIC, 4)]) });
}

#[test]
fn signatures_and_encryption() {
    let Some(counts) = run("json_web_crypto_test", 83) else { return };
    assert_eq!(counts, Counts { accepted: 2, refused: 77, too_strict: reasons(&[(SYMMETRIC, 2), (ENCRYPTED, 2)]) });
}

#[test]
fn encrypted_tokens_are_not_tokens() {
    let Some(counts) = run("json_web_encryption_test", 139) else { return };
    assert_eq!(counts, Counts { accepted: 0, refused: 74, too_strict: reasons(&[(ENCRYPTED, 65)]) });
}

#[derive(Debug, Default, Eq, PartialEq)]
struct Counts {
    /// Rightly.
    accepted: usize,
    /// Rightly.
    refused: usize,
    /// Refused though they might have been accepted, by reason.
    too_strict: BTreeMap<&'static str, usize>,
}

/// Runs every case of a file; none where there are no vectors.
#[expect(clippy::print_stderr, reason = "a skipped test says so loudly, and one that ran says what it counted")]
fn run(name: &str, cases: usize) -> Option<Counts> {
    let path = format!("{}/../../../../shared/vectors/wycheproof/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let Ok(text) = std::fs::read(&path) else {
        assert!(std::env::var_os("CI").is_none(), "{path} is needed where CI is set");
        eprintln!("SKIPPED: {path} is not there");
        return None;
    };
    let doc = Doc::read(&text, &Limits { nodes: usize::MAX, ..Limits::default() }).unwrap();
    let mut counts = Counts::default();
    let mut total = 0;
    for group in doc.root().get("testGroups").unwrap().items() {
        // A published set holds public keys; where there are none, the secret is all that could be published.
        let key = group.get("public").or_else(|| group.get("private")).unwrap();
        let set = if key.get("keys").is_some() { key.raw().to_owned() } else { set_of(&[key.raw()]) };
        for case in group.get("tests").unwrap().items() {
            total += 1;
            let id = case.get("tcId").unwrap().raw();
            let accepted = accepts(&set, case);
            match (case.get("result").unwrap().is("valid"), accepted) {
                (true, Ok(())) => counts.accepted += 1,
                (false, Err(_)) => counts.refused += 1,
                (true, Err(reason)) => *counts.too_strict.entry(reason).or_default() += 1,
                (false, Ok(())) => panic!("{name}: case {id} is accepted and must not be"),
            }
        }
    }
    assert_eq!(total, cases);
    eprintln!("{name}: {total} cases, 0 false accepts, {counts:?}");
    Some(counts)
}

/// Whether the token verifies under one key of the set; if not, which of this file's reasons it might be.
fn accepts(set: &str, case: Value<'_>) -> Result<(), &'static str> {
    let token = case.get("jws").or_else(|| case.get("jwe")).unwrap();
    // The serialisations that are JSON are objects or texts, and come in as they are.
    let text = token.as_str().unwrap_or_else(|| token.raw().into());
    let jws = Jws::read(text.as_bytes()).map_err(|error| match error {
        JwsError::Parts if text.split('.').count() == 5 => ENCRYPTED,
        JwsError::Algorithm => SYMMETRIC,
        JwsError::Base64 => NOT_BASE64,
        _ => "malformed",
    })?;
    let lease = Arc::new(Lease::new(None));
    let (keys, refused) =
        jwk::read(set.as_bytes(), &Algorithm::ALL, ("sig", false), &|_| true, &lease).map_err(|_| "no set")?;
    let by_alg = refused.iter().all(|refused| refused.why == KeyError::Algorithm);
    let key = keys.iter().find(|key| Some(&*key.kid) == jws.kid()).ok_or(if by_alg { ALG } else { "no key" })?;
    if key.verifies(jws.algorithm(), jws.signed(), jws.signature()) { Ok(()) } else { Err(ALG) }
}

fn reasons(of: &[(&'static str, usize)]) -> BTreeMap<&'static str, usize> {
    of.iter().copied().collect()
}

const SYMMETRIC: &str = "symmetric key";
const NOT_BASE64: &str = "not base64url";
const ENCRYPTED: &str = "encrypted";
const ALG: &str = "the key is for another algorithm";
