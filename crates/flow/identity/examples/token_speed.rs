//! Prints what a token costs: one that is remembered, one that is verified, by algorithm; one that is bound to a key, with its proof;
//! and what reading a key set costs.
//!
//! `cargo run --release -p countersign-identity --example token_speed`

use std::{
    hint::black_box,
    io::{Error, Write},
    sync::Arc,
    time::{Duration, Instant},
};

use aws_lc_rs::{
    digest::{SHA256, digest},
    rand::SystemRandom,
    rsa::KeySize,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair},
};
use countersign_core::{
    Principal, RequestId, Secret, Timestamp,
    life::{Peer, Stamps},
};
use countersign_identity::{
    Identity, Outside, Presented,
    token::{Algorithm, Issuer, KeyRules, Profile},
};
use countersign_seal::KeyRing;
use countersign_wire::{Limits, json::Doc};
use data_encoding::BASE64URL_NOPAD;
use futures_util::FutureExt;

const NOW: Timestamp = Timestamp(1_795_342_530_000_000);
const ORIGIN: &str = "https://ai.bank.example";
const PATH: &str = "/v1/chat/completions";
const URL: &str = "https://id.bank.example/oauth2";
/// Tokens that are each seen once, for what is not remembered.
const COLD: usize = 2_000;

/// An algorithm, the published key, and what signs.
type Signer = (Algorithm, String, Box<dyn Fn(&[u8]) -> Vec<u8>>);

fn main() -> std::io::Result<()> {
    let mut out = std::io::stdout();
    let signers = signers().map_err(|e| Error::other(e.to_string()))?;
    let keys: Vec<_> = signers.iter().map(|(_, jwk, _)| jwk.as_str()).collect();
    let set = format!("{{\"keys\":[{}]}}", keys.join(","));

    let identity = stage()?;
    const SETS: u32 = 1_000;
    let started = Instant::now();
    for _ in 0..SETS {
        black_box(identity.tokens().fetched("bank", set.as_bytes(), NOW).map_err(Error::other)?);
    }
    writeln!(out, "read a key set of {}: {:.1} us", signers.len(), micros(started, SETS as usize))?;

    for groups in [0, 20, 100] {
        for (algorithm, _, sign) in &signers {
            let identity = stage()?;
            identity.tokens().fetched("bank", set.as_bytes(), NOW).map_err(Error::other)?;
            let tokens: Vec<_> = (0..COLD).map(|at| token(*algorithm, sign, at, groups)).collect();
            let length = tokens[0].len();
            let started = Instant::now();
            for token in &tokens {
                black_box(ask(&identity, token)?);
            }
            let cold = micros(started, COLD);
            const WARM: usize = 1_000;
            let mut best = f64::MAX;
            // Short runs, so that some are not interrupted.
            for _ in 0..500 {
                let started = Instant::now();
                for at in 0..WARM {
                    black_box(ask(&identity, &tokens[at % 64])?);
                }
                best = best.min(micros(started, WARM));
            }
            writeln!(
                out,
                "{} {length} bytes, {groups} groups: remembered {best:.2} us, verified {cold:.1} us",
                algorithm.as_str()
            )?;
        }
    }
    for (algorithm, jwk, sign) in &signers {
        bound(&mut out, &set, *algorithm, jwk, sign)?;
    }
    Ok(())
}

/// A remembered token that is bound to a key, each time with a proof of its own.
fn bound(
    out: &mut impl Write,
    set: &str,
    algorithm: Algorithm,
    jwk: &str,
    sign: &dyn Fn(&[u8]) -> Vec<u8>,
) -> std::io::Result<()> {
    // What of the key a proof holds, and what its thumbprint is made of.
    let doc = Doc::read(jwk.as_bytes(), &Limits::default()).map_err(Error::other)?;
    let members = ["crv", "e", "kty", "n", "x", "y"].map(|name| doc.root().get(name).map(|value| (name, value)));
    let members: Vec<_> =
        members.iter().flatten().map(|(name, value)| format!("{name:?}:\"{}\"", value.raw())).collect();
    let key = format!("{{{}}}", members.join(","));
    let thumbprint = BASE64URL_NOPAD.encode(digest(&SHA256, key.as_bytes()).as_ref());
    let token =
        signed(algorithm, "at+jwt", None, sign, &claims(0, 0, &format!(",\"cnf\":{{\"jkt\":\"{thumbprint}\"}}")));
    let ath = BASE64URL_NOPAD.encode(digest(&SHA256, token.as_bytes()).as_ref());

    let identity = stage()?;
    identity.tokens().fetched("bank", set.as_bytes(), NOW).map_err(Error::other)?;
    let (nonce, at) = (identity.nonce(NOW), NOW.seconds());
    let proof = |number: usize| {
        let claims = format!(
            "{{\"jti\":\"{number}\",\"htm\":\"POST\",\"htu\":\"{ORIGIN}{PATH}\",\"iat\":{at},\"ath\":\"{ath}\",\"nonce\":\"{nonce}\"}}"
        );
        signed(algorithm, "dpop+jwt", Some(&key), sign, &claims)
    };
    let proofs: Vec<_> = (0..=COLD).map(proof).collect();
    let value = format!("DPoP {token}");
    let prove = |proof: &str| {
        let presented = Presented {
            authorization: Some(value.as_bytes()),
            proof: Some(proof.as_bytes()),
            method: "POST",
            path: PATH,
            origin: Some(ORIGIN),
            ..Presented::default()
        };
        identify(&identity, &presented)
    };
    prove(&proofs[COLD])?;
    let mut best = f64::MAX;
    for some in proofs[..COLD].chunks(50) {
        let started = Instant::now();
        for proof in some {
            black_box(prove(proof)?);
        }
        best = best.min(micros(started, some.len()));
    }
    writeln!(out, "{} proof of {} bytes, token remembered: {best:.1} us", algorithm.as_str(), proofs[0].len())
}

fn ask(identity: &Identity, value: &str) -> std::io::Result<Arc<Principal>> {
    let presented = Presented { authorization: Some(value.as_bytes()), ..Presented::default() };
    identify(identity, &presented)
}

fn identify(identity: &Identity, presented: &Presented<'_>) -> std::io::Result<Arc<Principal>> {
    let identified = identity.identify(RequestId::new(NOW, [0; 10]), NOW, Peer::default(), presented);
    let identified = identified.now_or_never().ok_or_else(|| Error::other("it waits"))?;
    identified.map(|identified| identified.principal().clone()).map_err(Error::other)
}

fn stage() -> std::io::Result<Identity> {
    let ring = KeyRing::from_bytes(Secret::new(vec![1; 32])).map_err(Error::other)?;
    let identity = Identity::new(Stamps::issue().identify, &ring, vec![], Outside::default()).map_err(Error::other)?;
    let issuer = Issuer {
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
        max_lifetime: Duration::from_secs(7200),
        keys: KeyRules::default(),
        introspection: None,
        speaks_for: None,
    };
    identity.tokens().set_issuers(vec![issuer]).map_err(Error::other)?;
    Ok(identity)
}

fn token(algorithm: Algorithm, sign: &dyn Fn(&[u8]) -> Vec<u8>, at: usize, groups: usize) -> String {
    format!("Bearer {}", signed(algorithm, "at+jwt", None, sign, &claims(at, groups, "")))
}

fn claims(at: usize, groups: usize, more: &str) -> String {
    let groups: Vec<_> = (0..groups).map(|group| format!("\"0a1b2c3d-0000-4000-8000-{group:012}\"")).collect();
    let issued = NOW.seconds();
    format!(
        "{{\"iss\":\"{URL}\",\"aud\":\"https://gateway.example\",\"sub\":\"0a1b2c3d-4711-4000-8000-0123456789ab\",\
         \"client_id\":\"notebook\",\"jti\":\"{at}\",\"iat\":{issued},\"exp\":{},\"scope\":\"ask model:small\",\
         \"roles\":[\"teller\",\"auditor\"],\"groups\":[{}],\"acr\":\"2\",\"amr\":[\"pwd\",\"mfa\"],\"sid\":\"s-1\"{more}}}",
        issued + 3600,
        groups.join(",")
    )
}

/// A JWS that names its key, or brings it.
fn signed(algorithm: Algorithm, typ: &str, jwk: Option<&str>, sign: &dyn Fn(&[u8]) -> Vec<u8>, claims: &str) -> String {
    let name = algorithm.as_str();
    let key = jwk.map_or_else(|| format!("\"kid\":\"{name}\""), |jwk| format!("\"jwk\":{jwk}"));
    let header = format!("{{\"alg\":\"{name}\",{key},\"typ\":\"{typ}\"}}");
    let signed = format!("{}.{}", BASE64URL_NOPAD.encode(header.as_bytes()), BASE64URL_NOPAD.encode(claims.as_bytes()));
    let signature = BASE64URL_NOPAD.encode(&sign(signed.as_bytes()));
    format!("{signed}.{signature}")
}

fn signers() -> Result<[Signer; 3], aws_lc_rs::error::Unspecified> {
    let text = |bytes: &[u8]| BASE64URL_NOPAD.encode(bytes);
    let rsa = RsaKeyPair::generate(KeySize::Rsa2048)?;
    // RSAPublicKey in DER: 9 bytes of headers, 256 of modulus, then the exponent.
    let n = text(&rsa.public_key().as_ref()[9..265]);
    let rsa_key = format!("{{\"kty\":\"RSA\",\"kid\":\"RS256\",\"alg\":\"RS256\",\"n\":\"{n}\",\"e\":\"AQAB\"}}");
    let ec = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)?;
    let (x, y) = (text(&ec.public_key().as_ref()[1..33]), text(&ec.public_key().as_ref()[33..]));
    let ec_key = format!("{{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"ES256\",\"x\":\"{x}\",\"y\":\"{y}\"}}");
    let ed = Ed25519KeyPair::generate()?;
    let x = text(ed.public_key().as_ref());
    let ed_key = format!("{{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"EdDSA\",\"x\":\"{x}\"}}");
    let sign_rsa = move |message: &[u8]| {
        let mut signature = vec![0; rsa.public_modulus_len()];
        rsa.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature)
            .map(|()| signature)
            .unwrap_or_default()
    };
    let sign_ec = move |message: &[u8]| {
        ec.sign(&SystemRandom::new(), message).map(|signature| signature.as_ref().to_vec()).unwrap_or_default()
    };
    Ok([
        (Algorithm::Rs256, rsa_key, Box::new(sign_rsa)),
        (Algorithm::Es256, ec_key, Box::new(sign_ec)),
        (Algorithm::EdDsa, ed_key, Box::new(move |message| ed.sign(message).as_ref().to_vec())),
    ])
}

fn micros(since: Instant, count: usize) -> f64 {
    since.elapsed().as_secs_f64() * 1e6 / count as f64
}
