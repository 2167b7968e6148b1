//! Proofs that hold, and every way in which one does not.

use std::sync::Arc;

use aws_lc_rs::{
    digest::{SHA256, digest},
    hmac,
};
use countersign_core::{
    Code, Confirmation, Principal, Refusal, RequestId, Timestamp, life::Peer, principal::Possession,
};
use countersign_wire::{Limits, json::Doc};
use data_encoding::BASE64URL_NOPAD;
use futures_util::FutureExt;
use proptest::prelude::*;

use super::*;
use crate::{
    Identity, Presented,
    token::{
        Algorithm,
        support::{NOW, Object, Signer, after, claims, issuer, object, signer, stage, unsigned},
    },
};

const ORIGIN: &str = "https://ai.bank.example";
const PATH: &str = "/v1/messages";

/// A request with a token and, perhaps, a proof.
fn ask_at(
    identity: &Identity,
    authorization: &str,
    proof: Option<&str>,
    now: Timestamp,
) -> Result<Arc<Principal>, Refusal> {
    let presented = Presented {
        authorization: Some(authorization.as_bytes()),
        proof: proof.map(str::as_bytes),
        method: "POST",
        path: PATH,
        origin: Some(ORIGIN),
        ..Presented::default()
    };
    let identified = identity.identify(RequestId::new(now, [0; 10]), now, Peer::default(), &presented);
    Ok(identified.now_or_never().expect("nothing is waited for")?.principal().clone())
}

/// An issuer, a key that a token is bound to, and the token.
struct World {
    identity: Identity,
    key: &'static Signer,
    token: String,
}

impl World {
    fn new(key: &'static Signer) -> Self {
        let identity = stage(&[issuer()], &[signer(Algorithm::EdDsa)]);
        let bound = claims().with("cnf", format!("{{\"jkt\":\"{}\"}}", thumbprint(key)));
        Self { identity, key, token: signer(Algorithm::EdDsa).token(&bound) }
    }

    /// The claims of a good proof, made now.
    fn claims(&self) -> Object {
        let ath = BASE64URL_NOPAD.encode(digest(&SHA256, self.token.as_bytes()).as_ref());
        object()
            .with("jti", "\"p-1\"")
            .with("htm", "\"POST\"")
            .with("htu", format!("\"{ORIGIN}{PATH}\""))
            .with("iat", NOW.seconds().to_string())
            .with("ath", format!("{ath:?}"))
            .with("nonce", format!("{:?}", self.identity.nonce(NOW)))
    }

    fn proof(&self, claims: &Object) -> String {
        proof(self.key, claims)
    }

    fn ask(&self, proof: &str) -> Result<Arc<Principal>, Refusal> {
        self.ask_at(proof, NOW)
    }

    fn ask_at(&self, proof: &str, now: Timestamp) -> Result<Arc<Principal>, Refusal> {
        ask_at(&self.identity, &format!("DPoP {}", self.token), Some(proof), now)
    }

    /// Why a proof is refused.
    fn why(&self, proof: &str) -> (Code, String) {
        let refusal = self.ask(proof).expect_err("it is refused");
        assert!(proof.is_empty() || !refusal.reason.contains(proof), "a reason holds nothing of the proof");
        (refusal.code, refusal.reason.into_owned())
    }
}

fn header(key: &Signer) -> Object {
    let jwk = key.jwk().without("kid").without("alg").text();
    object().with("alg", format!("{:?}", key.algorithm.as_str())).with("typ", "\"dpop+jwt\"").with("jwk", jwk)
}

fn proof(key: &Signer, claims: &Object) -> String {
    key.token_of(header(key).text().as_bytes(), claims.text().as_bytes())
}

/// By RFC 7638, made from the key as it is published: a second road to what the product computes.
fn thumbprint(key: &Signer) -> String {
    let mut members: Vec<_> =
        key.jwk().members().into_iter().filter(|(name, _)| !["kid", "alg"].contains(name)).collect();
    members.sort();
    let members: Vec<_> = members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
    BASE64URL_NOPAD.encode(digest(&SHA256, format!("{{{}}}", members.join(",")).as_bytes()).as_ref())
}

#[test]
fn a_bound_token_passes_with_a_proof_of_each_kind_of_key() {
    for algorithm in ALGORITHMS {
        let world = World::new(signer(algorithm));
        let principal = world.ask(&world.proof(&world.claims())).unwrap();
        assert_eq!((&*principal.subject, principal.possession()), ("bank/u-4711", Possession::Dpop), "{algorithm:?}");
    }
}

#[test]
fn the_thumbprint_of_the_specification() {
    // RFC 9449, section 4.1 and figure 15: the key of its examples, and what the tokens there are bound to.
    let jwk = r#"{"kty":"EC","x":"l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs","y":"9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA","crv":"P-256"}"#;
    let doc = Doc::read(jwk.as_bytes(), &Limits::default()).unwrap();
    let (_, hash) = crate::token::brought(doc.root(), Algorithm::Es256).unwrap();
    assert_eq!(BASE64URL_NOPAD.encode(&hash), "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I");
}

#[test]
fn a_bound_token_is_no_bearer_token_and_the_other_way_round() {
    let world = World::new(signer(Algorithm::Es256));
    let proof = world.proof(&world.claims());
    for proof in [None, Some(&*proof)] {
        let refusal = ask_at(&world.identity, &format!("Bearer {}", world.token), proof, NOW).unwrap_err();
        assert_eq!(
            (refusal.code, &*refusal.reason),
            (Code::BadProof, "the token is bound to a key and came as a bearer token")
        );
    }
    let without = ask_at(&world.identity, &format!("DPoP {}", world.token), None, NOW).unwrap_err();
    assert_eq!(
        (without.code, &*without.reason),
        (Code::BadProof, "the token is bound to a key and no proof was presented")
    );
    let unbound = signer(Algorithm::EdDsa).token(&claims());
    let refusal = ask_at(&world.identity, &format!("DPoP {unbound}"), Some(&proof), NOW).unwrap_err();
    assert_eq!((refusal.code, &*refusal.reason), (Code::BadProof, "the token is bound to no key"));
    ask_at(&world.identity, &format!("Bearer {unbound}"), Some(&proof), NOW).unwrap();
    for scheme in ["dpop", "DPOP", "DPoP"] {
        let proof = world.proof(&world.claims().with("jti", format!("{scheme:?}")));
        ask_at(&world.identity, &format!("{scheme} {}", world.token), Some(&proof), NOW).unwrap();
    }
}

#[test]
fn a_proof_is_good_once() {
    let world = World::new(signer(Algorithm::Es256));
    let first = world.proof(&world.claims());
    world.ask(&first).unwrap();
    assert_eq!(world.why(&first), (Code::BadProof, "the proof was used before".into()));
    // The same words signed anew are the same proof.
    assert_eq!(world.why(&world.proof(&world.claims())).1, "the proof was used before");
    world.ask(&world.proof(&world.claims().with("jti", "\"p-2\""))).unwrap();
}

#[test]
fn a_proof_used_before_is_refused_after_any_jump_of_the_clock() {
    let world = World::new(signer(Algorithm::Es256));
    let first = world.proof(&world.claims());
    world.ask(&first).unwrap();
    // Forth by minutes, where others ask and what is over is forgotten; and back.
    let nonce = world.identity.nonce(after(300));
    let later = world.claims().with("jti", "\"p-2\"").with("iat", (NOW.seconds() + 300).to_string());
    world.ask_at(&world.proof(&later.with("nonce", format!("{nonce:?}"))), after(300)).unwrap();
    assert_eq!(world.ask_at(&first, after(1)).unwrap_err().reason, "the proof was used before");
}

#[test]
fn a_proof_by_another_key() {
    let world = World::new(signer(Algorithm::Es256));
    let thief = Signer::new(Algorithm::Es256, "thief");
    world.ask(&world.proof(&world.claims().with("jti", "\"p-0\""))).unwrap();
    assert_eq!(
        world.why(&proof(&thief, &world.claims())),
        (Code::BadProof, "the proof is by another key than the token is bound to".into())
    );
    // The owner's key in the header, signed by the thief's.
    let header = header(world.key).text();
    let forged = thief.token_of(header.as_bytes(), world.claims().text().as_bytes());
    assert_eq!(world.why(&forged).1, "the proof's signature does not verify");
    let same_key_other_algorithm = signer(Algorithm::Rs256);
    assert_eq!(
        world.why(&proof(same_key_other_algorithm, &world.claims())).1,
        "the proof is by another key than the token is bound to"
    );
}

#[test]
fn a_proof_for_something_else() {
    let world = World::new(signer(Algorithm::EdDsa));
    let other = BASE64URL_NOPAD.encode(&[7; 32]);
    for (name, value, why) in [
        ("htm", "\"GET\"".to_owned(), "the proof is for another method"),
        ("htm", "\"post\"".into(), "the proof is for another method"),
        ("htu", format!("\"{ORIGIN}/v1/chat/completions\""), "the proof is for another address"),
        ("htu", format!("\"{ORIGIN}{PATH}/\""), "the proof is for another address"),
        ("htu", format!("\"{ORIGIN}/v1/../v1/messages\""), "the proof is for another address"),
        ("htu", format!("\"{ORIGIN}/v1/%6dessages\""), "the proof is for another address"),
        ("htu", format!("\"{ORIGIN}/V1/messages\""), "the proof is for another address"),
        ("htu", format!("\"{ORIGIN}:444{PATH}\""), "the proof is for another address"),
        ("htu", format!("\"http://ai.bank.example{PATH}\""), "the proof is for another address"),
        ("htu", format!("\"https://evil.example{PATH}\""), "the proof is for another address"),
        ("htu", format!("\"https://ai.bank.example@evil.example{PATH}\""), "the proof is for another address"),
        ("htu", format!("\"https://evil@ai.bank.example{PATH}\""), "the proof is for another address"),
        ("htu", format!("\"https://ai.bank.example.evil.example{PATH}\""), "the proof is for another address"),
        ("htu", format!("\"{PATH}\""), "the proof is for another address"),
        ("htu", format!("\"{ORIGIN}\""), "the proof is for another address"),
        ("ath", format!("{other:?}"), "the proof is for another token"),
    ] {
        let refused = world.why(&world.proof(&world.claims().with(name, value.clone())));
        assert_eq!(refused, (Code::BadProof, why.into()), "{name} {value}");
    }
    for (at, same) in [
        format!("{ORIGIN}{PATH}"),
        format!("{ORIGIN}:443{PATH}"),
        format!("HTTPS://AI.bank.EXAMPLE{PATH}"),
        format!("{ORIGIN}{PATH}?beta=true"),
        format!("{ORIGIN}{PATH}#x"),
    ]
    .into_iter()
    .enumerate()
    {
        let claims = world.claims().with("htu", format!("{same:?}")).with("jti", format!("\"s-{at}\""));
        world.ask(&world.proof(&claims)).unwrap_or_else(|refusal| panic!("{same}: {refusal}"));
    }
}

#[test]
fn a_proof_of_another_time() {
    let world = World::new(signer(Algorithm::EdDsa));
    let made =
        |at: u64, jti: &str| world.proof(&world.claims().with("iat", at.to_string()).with("jti", format!("{jti:?}")));
    let now = NOW.seconds();
    world.ask(&made(now - 59, "a")).unwrap();
    world.ask(&made(now + 10, "b")).unwrap();
    assert_eq!(world.why(&made(now - 60, "c")).1, "the proof is too old");
    assert_eq!(world.why(&made(now + 11, "d")).1, "the proof is of the future");
    assert_eq!(world.why(&made(0, "e")).1, "the proof is too old");
    for odd in ["-1", "1.5", "1e9", "\"1795342530\"", "null", "253402300800", "18446744073709551615"] {
        let claims = world.claims().with("iat", odd);
        assert_eq!(world.why(&world.proof(&claims)).1, "the proof's `iat` is missing or malformed", "{odd}");
    }
}

#[test]
fn a_nonce_is_ours_and_fresh() {
    let world = World::new(signer(Algorithm::EdDsa));
    let of = |nonce: &str| world.proof(&world.claims().with("nonce", format!("{nonce:?}")));
    let now = NOW.seconds();
    let fresh = world.identity.nonce(NOW);
    let mut other = fresh.clone().into_bytes();
    other[20] ^= 1;
    let other = String::from_utf8(other).unwrap();
    let old = world.identity.nonce(Timestamp((now - 130) * 1_000_000));
    let future = world.identity.nonce(Timestamp((now + 20) * 1_000_000));
    // The tag of one moment under another.
    let [first, second] = [&old, &fresh].map(|nonce| BASE64URL_NOPAD.decode(nonce.as_bytes()).unwrap());
    let mixed = BASE64URL_NOPAD.encode(&[&second[..8], &first[8..]].concat());
    for bad in
        ["x", &other, &old, &future, &mixed, &fresh[..31], &format!("{fresh}A"), &"A".repeat(32), &"A".repeat(900)]
    {
        let refused = world.ask(&of(bad)).unwrap_err();
        assert_eq!(refused.code, Code::NonceNeeded, "{bad}");
    }
    let without = world.ask(&world.proof(&world.claims().without("nonce"))).unwrap_err();
    assert_eq!(without.code, Code::NonceNeeded);
    for odd in ["\"\"", "7", "null", "[\"x\"]"] {
        let refused = world.why(&world.proof(&world.claims().with("nonce", odd)));
        assert_eq!(refused, (Code::BadProof, "the proof's `nonce` is missing or malformed".into()), "{odd}");
    }
    // None of these used the proof up; and a second gateway with the same root key knows the nonce.
    world.ask(&of(&World::new(world.key).identity.nonce(NOW))).unwrap();
    let a_minute_old = world.identity.nonce(Timestamp((now - 100) * 1_000_000));
    world.ask(&world.proof(&world.claims().with("nonce", format!("{a_minute_old:?}")).with("jti", "\"n\""))).unwrap();
}

#[test]
fn headers_of_proofs_are_strict() {
    let world = World::new(signer(Algorithm::Es256));
    let claims = world.claims().text();
    let with = |name: &'static str, value: &str| {
        world.key.token_of(header(world.key).with(name, value).text().as_bytes(), claims.as_bytes())
    };
    let without = |name: &str| world.key.token_of(header(world.key).without(name).text().as_bytes(), claims.as_bytes());
    let jwk = || world.key.jwk().without("kid").without("alg");
    let cases = [
        (with("typ", "\"JWT\""), "the proof's type is not dpop+jwt"),
        (with("typ", "\"at+jwt\""), "the proof's type is not dpop+jwt"),
        (without("typ"), "the proof's type is not dpop+jwt"),
        (with("alg", "\"none\""), "the token's algorithm is not accepted"),
        (with("alg", "\"HS256\""), "the token's algorithm is not accepted"),
        (with("alg", "\"ES512\""), "the proof's algorithm is not accepted"),
        (with("alg", "\"ES384\""), "its `alg` does not fit its kind"),
        (with("crit", "[\"exp\"]"), "`crit`"),
        (with("b64", "false"), "`b64`"),
        (with("x5c", "[\"AAAA\"]"), "`x5c`"),
        (with("x5u", "\"https://evil.example\""), "`x5u`"),
        (with("jku", "\"https://evil.example\""), "`jku`"),
        (without("jwk"), "`jwk` is missing"),
        (with("jwk", "null"), "`kty` is missing"),
        (with("jwk", "\"x\""), "`kty` is missing"),
        (with("jwk", &jwk().with("d", "\"AAAA\"").text()), "its private half is published"),
        (with("jwk", "{\"kty\":\"oct\",\"k\":\"AAAA\"}"), "it is a symmetric key"),
        (with("jwk", &jwk().with("alg", "\"ES384\"").text()), "its `alg` does not fit its kind"),
        (with("jwk", &jwk().with("use", "\"enc\"").text()), "it is not a key of its kind"),
        (
            with("jwk", &jwk().with("y", format!("{:?}", BASE64URL_NOPAD.encode(&[1; 32]))).text()),
            "it is not a key of its kind",
        ),
        (with("jwk", &jwk().with("crv", "\"P-384\"").text()), "`x` is missing or malformed"),
        (with("jwk", &jwk().with("crv", "\"secp256k1\"").text()), "it is not a key of its kind"),
    ];
    for (proof, why) in cases {
        let (code, reason) = world.why(&proof);
        assert!(code == Code::BadProof && reason.contains(why), "{why}: {reason}");
    }
    let text = jwk().text();
    let twice = header(world.key).text().replacen('{', &format!("{{\"jwk\":{text},"), 1);
    let (_, reason) = world.why(&world.key.token_of(twice.as_bytes(), claims.as_bytes()));
    assert_eq!(reason, "the proof: the token's header is not a strict JSON object");
    world.ask(&world.proof(&world.claims())).unwrap();
}

#[test]
fn the_public_key_as_a_shared_secret() {
    let world = World::new(signer(Algorithm::Es256));
    let jwk = world.key.jwk().text();
    for secret in [jwk.as_bytes(), b""] {
        let header = header(world.key).with("alg", "\"HS256\"").text();
        let signed = unsigned(header.as_bytes(), world.claims().text().as_bytes());
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), signed.as_bytes());
        let forged = format!("{signed}.{}", BASE64URL_NOPAD.encode(tag.as_ref()));
        assert_eq!(world.why(&forged).0, Code::BadProof);
    }
    let signed = unsigned(header(world.key).text().as_bytes(), world.claims().text().as_bytes());
    assert_eq!(world.why(&format!("{signed}.")).1, "the proof's signature does not verify");
    let zeros = BASE64URL_NOPAD.encode(&[0; 64]);
    assert_eq!(world.why(&format!("{signed}.{zeros}")).1, "the proof's signature does not verify");
}

#[test]
fn claims_of_proofs_are_strict_and_bounded() {
    let world = World::new(signer(Algorithm::EdDsa));
    for name in ["jti", "htm", "htu", "iat"] {
        let refused = world.why(&world.proof(&world.claims().without(name)));
        assert_eq!(refused, (Code::BadProof, format!("the proof's `{name}` is missing or malformed")));
    }
    let for_none = world.why(&world.proof(&world.claims().without("ath")));
    assert_eq!(for_none, (Code::BadProof, "the proof is for another token".into()));
    for (name, value) in
        [("jti", "\"\""), ("jti", "7"), ("jti", "[]"), ("htm", "null"), ("ath", "\"AAAA\""), ("ath", "\"x=\"")]
    {
        let refused = world.why(&world.proof(&world.claims().with(name, value)));
        assert_eq!(refused.1, format!("the proof's `{name}` is missing or malformed"), "{value}");
    }
    let long = world.claims().with("jti", format!("{:?}", "x".repeat(1025)));
    assert_eq!(world.why(&world.proof(&long)).1, "the proof's `jti` is missing or malformed");
    let huge = world.claims().with("pad", format!("{:?}", "x".repeat(5000)));
    assert_eq!(world.why(&world.proof(&huge)).1, "the proof is too long");
    let sign = |payload: &str| world.key.token_of(header(world.key).text().as_bytes(), payload.as_bytes());
    let good = world.claims().text();
    for payload in ["", "[]", "null", "\"x\"", &format!("{good}{good}"), &good.replacen('{', "{\"htm\":\"GET\",", 1)] {
        assert_eq!(world.why(&sign(payload)).1, "the proof's claims are not strict JSON", "{payload}");
    }
    for text in ["", ".", "..", "a.b.c", "eyJ9..", &"A".repeat(4000), "\u{0}\u{0}\u{0}"] {
        assert_eq!(world.why(text).0, Code::BadProof, "{text}");
    }
}

#[test]
fn the_header_twice_and_keys_with_proofs() {
    let twice = [("dpop", &b"a"[..]), ("DPoP", &b"a"[..])];
    assert_eq!(Presented::gather(twice, None).unwrap_err().code, Code::BadCredential);
    let world = World::new(signer(Algorithm::EdDsa));
    let key = format!("DPoP csk_{}", "0".repeat(49));
    assert_eq!(ask_at(&world.identity, &key, None, NOW).unwrap_err().reason, "an API key is bound to no key");
    // Without a configured address nothing is proved.
    let (authorization, proof) = (format!("DPoP {}", world.token), world.proof(&world.claims()));
    let presented = Presented {
        authorization: Some(authorization.as_bytes()),
        proof: Some(proof.as_bytes()),
        method: "POST",
        path: PATH,
        ..Presented::default()
    };
    let identified = world.identity.identify(RequestId::new(NOW, [0; 10]), NOW, Peer::default(), &presented);
    assert_eq!(identified.now_or_never().unwrap().unwrap_err().reason, "the proof is for another address");
}

#[test]
fn a_key_is_introduced_by_a_proof_for_no_token_once() {
    let world = World::new(signer(Algorithm::Es256));
    let introduce = |proof: &str, path: &str| {
        let presented = Presented {
            proof: Some(proof.as_bytes()),
            method: "POST",
            path,
            origin: Some(ORIGIN),
            ..Presented::default()
        };
        let introduced = world.identity.introduce(&presented, NOW).now_or_never().expect("nothing is waited for");
        introduced.map_err(|refusal| refusal.reason.into_owned())
    };
    let bare = world.proof(&world.claims().without("ath"));
    let Ok(Confirmation::Key(key)) = introduce(&bare, PATH) else { panic!("it is good") };
    assert_eq!(BASE64URL_NOPAD.encode(&key), thumbprint(world.key));
    assert_eq!(introduce(&bare, PATH), Err("the proof was used before".into()));
    let another =
        |name, value: &str| world.proof(&world.claims().without("ath").with("jti", "\"p-2\"").with(name, value));
    assert_eq!(introduce(&another("pad", "1"), "/elsewhere"), Err("the proof is for another address".into()));
    assert_eq!(introduce(&another("htm", "\"GET\""), PATH), Err("the proof is for another method".into()));
    let stale = introduce(&another("nonce", "\"x\""), PATH);
    assert_eq!(stale, Err("the proof holds no nonce of ours that is fresh".into()));
    // One that was overheard on its way to the API introduces nobody.
    assert_eq!(introduce(&world.proof(&world.claims()), PATH), Err("the proof is for a token".into()));
    assert_eq!(introduce("", PATH).unwrap_err(), world.why("").1);
}

#[test]
fn a_full_memory_refuses_and_forgets_what_is_over() {
    let seen = Seen::new(32);
    let claim = |n: u8, until, now| seen.claim([n; 16], until, now).now_or_never().unwrap();
    let (until, later) = (after(60), after(200));
    for n in 0..32 {
        claim(n, until, NOW).unwrap();
    }
    assert_eq!(claim(32, until, NOW), Err(ReplayError::Full));
    assert_eq!(claim(0, until, NOW), Err(ReplayError::Again), "what is remembered stays refused");
    for n in 0..32 {
        claim(n, later, after(100)).unwrap();
    }
    assert_eq!(claim(0, until, NOW), Err(ReplayError::Again), "the clock was set back to when it was remembered");
}

#[test]
fn the_fuzz_corpus_of_proofs_passes() {
    let corpus = format!("{}/../../../fuzz/corpus/dpop", env!("CARGO_MANIFEST_DIR"));
    let mut tried = 0;
    for file in std::fs::read_dir(corpus).unwrap() {
        let file = file.unwrap();
        let read = Proof::read(&std::fs::read(file.path()).unwrap());
        assert_eq!(read.is_ok(), file.file_name().to_string_lossy().starts_with("good"), "{:?}: {read:?}", file.path());
        tried += 1;
    }
    assert!(tried >= 8);
}

proptest! {
    #[test]
    fn no_changed_byte_of_a_proof_passes(at: prop::sample::Index, bit in 0..8_u8, other: u8) {
        let world = World::new(signer(Algorithm::EdDsa));
        let good = world.proof(&world.claims());
        let mut changed = good.clone().into_bytes();
        changed[at.index(good.len())] ^= 1 << bit;
        prop_assert!(Proof::read(&changed).is_err());
        let mut longer = good.clone().into_bytes();
        longer.insert(at.index(good.len()), other);
        prop_assert!(Proof::read(&longer).is_err());
        world.ask(&good).unwrap();
    }

    #[test]
    fn no_bytes_are_a_proof(bytes: Vec<u8>, nonce: String) {
        let world = World::new(signer(Algorithm::EdDsa));
        prop_assert!(Proof::read(&bytes).is_err());
        let claims = world.claims().with("nonce", format!("{nonce:?}"));
        prop_assert!(world.ask(&world.proof(&claims)).is_err());
    }
}
