//! The threats of RFC 8725 and some that came after it, by name. Each test shows a good token first, and last.

use aws_lc_rs::hmac;
use data_encoding::BASE64URL_NOPAD;

use super::*;

/// A stage with one issuer and one key, and what an attacker makes of that.
fn refused(signer: &'static Signer, attacks: impl IntoIterator<Item = String>) {
    let identity = stage(&[issuer()], &[signer]);
    ask(&identity, &signer.token(&claims()), NOW).unwrap();
    for attack in attacks {
        let (code, reason) = why(&identity, &attack, NOW);
        assert_eq!(code, Code::BadCredential, "{reason}: {attack}");
        assert!(attack.is_empty() || !reason.contains(&attack), "a reason holds nothing of the token");
    }
    assert_eq!(identity.tokens().remembered(), 1, "nothing is remembered of an attack");
    ask(&identity, &signer.token(&claims().with("jti", "\"t-9\"")), NOW).unwrap();
}

#[test]
fn alg_none_in_every_spelling_with_and_without_a_signature() {
    let signer = signer(Algorithm::Es256);
    let spellings = (0..16_u8).map(|bits| {
        let spell = |(at, c): (usize, char)| if bits >> at & 1 == 1 { c.to_ascii_uppercase() } else { c };
        "none".chars().enumerate().map(spell).collect::<String>()
    });
    refused(
        signer,
        spellings.flat_map(|alg| {
            let header = signer.header().with("alg", format!("{alg:?}")).text();
            let signed = unsigned(header.as_bytes(), claims().text().as_bytes());
            [
                format!("{signed}."),
                format!("{signed}.AAAA"),
                signer.token_of(header.as_bytes(), claims().text().as_bytes()),
            ]
        }),
    );
}

#[test]
fn the_public_key_as_a_shared_secret() {
    for algorithm in [Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa] {
        let signer = signer(algorithm);
        let (jwk, keys) = (signer.jwk().text(), set(&[signer]));
        let secrets: [&[u8]; 4] = [jwk.as_bytes(), keys.as_bytes(), b"", &[0; 32]];
        let variants = [("HS256", hmac::HMAC_SHA256), ("HS384", hmac::HMAC_SHA384), ("HS512", hmac::HMAC_SHA512)];
        let forged = variants.into_iter().flat_map(|(alg, hash)| {
            secrets.map(|secret| {
                let header = signer.header().with("alg", format!("{alg:?}")).text();
                let signed = unsigned(header.as_bytes(), claims().text().as_bytes());
                let tag = hmac::sign(&hmac::Key::new(hash, secret), signed.as_bytes());
                format!("{signed}.{}", BASE64URL_NOPAD.encode(tag.as_ref()))
            })
        });
        refused(signer, forged.collect::<Vec<_>>());
    }
}

#[test]
fn a_header_that_brings_its_own_key() {
    let (own, evil) = (signer(Algorithm::Es256), Signer::new(Algorithm::Es256, "ES256"));
    let brought = [
        ("jwk", evil.jwk().text()),
        ("jku", "\"https://evil.example/keys\"".into()),
        ("x5u", "\"https://evil.example/chain\"".into()),
        ("x5c", "[\"AAAA\"]".into()),
    ];
    refused(
        own,
        brought.into_iter().map(|(name, value)| {
            let header = evil.header().with(name, value).text();
            evil.token_of(header.as_bytes(), claims().text().as_bytes())
        }),
    );
}

#[test]
fn a_kid_is_a_name_and_nothing_more() {
    let signer = signer(Algorithm::Es256);
    let kids = [
        "../../../../dev/null",
        "/dev/null",
        "' UNION SELECT 'key",
        "| id",
        "https://evil.example/keys#1",
        "ES256\\u0000",
        "\\u0000",
        "ES256 ",
        "es256",
        "",
        "{}",
        "*",
    ];
    refused(
        signer,
        kids.into_iter().map(|kid| {
            let header = signer.header().with("kid", format!("\"{kid}\"")).text();
            signer.token_of(header.as_bytes(), claims().text().as_bytes())
        }),
    );
    let without = signer.header().without("kid").text();
    refused(signer, [signer.token_of(without.as_bytes(), claims().text().as_bytes())]);
}

#[test]
fn the_algorithm_is_the_keys_and_the_configurations() {
    let rsa = signer(Algorithm::Rs256);
    // The same key under another algorithm, and the name of another algorithm over the same signature.
    for other in Algorithm::ALL.into_iter().filter(|other| *other != Algorithm::Rs256) {
        let header = rsa.header().with("alg", format!("{:?}", other.as_str())).text();
        refused(rsa, [rsa.token_of(header.as_bytes(), claims().text().as_bytes())]);
    }
    let only = Issuer { algorithms: vec![Algorithm::Ps256], ..issuer() };
    let identity = stage(&[only], &[rsa, signer(Algorithm::Ps256)]);
    assert_eq!(why(&identity, &rsa.token(&claims()), NOW).1, "the token's algorithm is not its issuer's");
    ask(&identity, &signer(Algorithm::Ps256).token(&claims()), NOW).unwrap();
}

#[test]
fn members_that_stand_twice() {
    let signer = signer(Algorithm::EdDsa);
    let header = signer.header().text();
    let twice = |text: &str, more: &str| text.replacen('{', &format!("{{{more},"), 1);
    let claims = claims().text();
    let headers = ["\"alg\":\"none\"", "\"kid\":\"x\"", "\"\\u0061lg\":\"none\"", "\"typ\":\"at+jwt\""];
    let payloads = ["\"sub\":\"root\"", "\"iss\":\"https://evil.example\"", "\"e\\u0078p\":1", "\"aud\":\"x\""];
    let all = headers.map(|more| signer.token_of(twice(&header, more).as_bytes(), claims.as_bytes())).into_iter();
    refused(
        signer,
        all.chain(payloads.map(|more| signer.token_of(header.as_bytes(), twice(&claims, more).as_bytes()))),
    );
}

#[test]
fn claims_that_are_not_one_strict_object() {
    let signer = signer(Algorithm::EdDsa);
    let (header, good) = (signer.header().text(), claims().text());
    let nested = |open: &str, close: &str| format!("{{\"x\":{}{}}}", open.repeat(2000), close.repeat(2000));
    let payloads: Vec<Vec<u8>> = [
        String::new(),
        "null".into(),
        format!("[{good}]"),
        format!("{good}{good}"),
        format!("{good},"),
        format!("\u{feff}{good}"),
        format!("{good}\0"),
        good.replace("u-4711", "u\0"),
        good.replace("u-4711", "u\\u0000"),
        good.replace("u-4711", "\\ud800"),
        nested("[", "]"),
        nested("{\"x\":", "}"),
        format!("\"{}\"", BASE64URL_NOPAD.encode(good.as_bytes())),
    ]
    .map(String::into_bytes)
    .into_iter()
    .chain([good.replace("u-4711", "u\u{80}").into_bytes().into_iter().filter(|b| *b != 0xc2).collect()])
    .collect();
    refused(signer, payloads.iter().map(|payload| signer.token_of(header.as_bytes(), payload)));
}

#[test]
fn a_token_within_a_token() {
    let signer = signer(Algorithm::EdDsa);
    let header = signer.header().with("cty", "\"JWT\"").text();
    let inner = signer.token(&claims());
    refused(
        signer,
        [signer.token_of(header.as_bytes(), inner.as_bytes()), format!("{inner}.e30"), format!("{inner}.")],
    );
}

#[test]
fn signatures_of_nothing() {
    for algorithm in [Algorithm::Es256, Algorithm::Es384, Algorithm::Es512, Algorithm::EdDsa, Algorithm::Rs256] {
        let signer = signer(algorithm);
        let signed = unsigned(signer.header().text().as_bytes(), claims().text().as_bytes());
        let length = signer.sign(b"").len();
        let mut half = vec![0; length];
        half[length - 1] = 1;
        let (mut one, all) = (half.clone(), vec![0xff; length]);
        one[length / 2 - 1] = 1;
        // r = s = 0 is the "psychic" signature.
        let signatures =
            [vec![], vec![0; length], half, one, all, vec![0; length * 2], vec![0x30, 6, 2, 1, 0, 2, 1, 0]];
        refused(signer, signatures.map(|bytes| format!("{signed}.{}", BASE64URL_NOPAD.encode(&bytes))));
    }
}

#[test]
fn a_signature_in_der_is_none() {
    let signer = signer(Algorithm::Es256);
    let signed = unsigned(signer.header().text().as_bytes(), claims().text().as_bytes());
    let fixed = signer.sign(signed.as_bytes());
    let number = |bytes: &[u8]| {
        let start = bytes.iter().position(|b| *b != 0).unwrap_or(31);
        let zero: &[u8] = if bytes[start] > 0x7f { &[0] } else { &[] };
        let bytes = [zero, &bytes[start..]].concat();
        [&[2, bytes.len() as u8][..], &bytes].concat()
    };
    let both = [number(&fixed[..32]), number(&fixed[32..])].concat();
    let der = [&[0x30, both.len() as u8][..], &both].concat();
    let long = [&[0; 1][..], &fixed[..32], &[0], &fixed[32..]].concat();
    refused(signer, [der, long].map(|bytes| format!("{signed}.{}", BASE64URL_NOPAD.encode(&bytes))));
}

#[test]
fn a_token_that_was_cut_or_joined() {
    let signer = signer(Algorithm::Rs256);
    let (one, other) = (signer.token(&claims()), signer.token(&claims().with("sub", "\"root\"")));
    let parts = |token: &str| token.split('.').map(String::from).collect::<Vec<_>>();
    let (a, b) = (parts(&one), parts(&other));
    let cuts = (0..one.len()).step_by(7).map(|at| one[..at].to_owned());
    let joined =
        [format!("{}.{}.{}", a[0], b[1], a[2]), format!("{}.{}.{}", a[0], a[1], b[2]), format!("{one}{other}")];
    refused(signer, cuts.chain(joined).filter(|token| token.matches('.').count() == 2).collect::<Vec<_>>());
}

#[test]
fn a_token_of_another_kind() {
    let signer = signer(Algorithm::EdDsa);
    let typed =
        |typ: &str| signer.token_of(signer.header().with("typ", typ).text().as_bytes(), claims().text().as_bytes());
    let types = [
        "\"JWT\"",
        "\"id+jwt\"",
        "\"logout+jwt\"",
        "\"secevent+jwt\"",
        "\"dpop+jwt\"",
        "\"client-authentication+jwt\"",
    ];
    refused(signer, types.map(typed));
    refused(signer, ["nonce", "at_hash", "c_hash", "s_hash"].map(|name| signer.token(&claims().with(name, "\"x\""))));
}

#[test]
fn the_key_of_another_issuer() {
    let (ours, theirs) = (signer(Algorithm::Es256), Signer::new(Algorithm::Es256, "ES256"));
    let second = Issuer { name: "second".into(), url: "https://second.example".into(), ..issuer() };
    let identity = stage(&[], &[]);
    identity.tokens().set_issuers(vec![issuer(), second]).unwrap();
    identity.tokens().fetched("bank", set(&[ours]).as_bytes(), NOW).unwrap();
    identity.tokens().fetched("second", set(&[&theirs]).as_bytes(), NOW).unwrap();
    let of_second = claims().with("iss", "\"https://second.example\"");
    assert_eq!(&*ask(&identity, &ours.token(&claims()), NOW).unwrap().subject, "bank/u-4711");
    assert_eq!(&*ask(&identity, &theirs.token(&of_second), NOW).unwrap().subject, "second/u-4711");
    // Each speaks for itself alone, though the keys have the same name and both are trusted.
    for forged in [theirs.token(&claims()), ours.token(&of_second)] {
        assert_eq!(why(&identity, &forged, NOW).1, "the token's signature does not verify");
    }
}

#[test]
fn the_token_of_another_tenant_with_the_same_keys() {
    // All tenants of Entra ID share their keys.
    let signer = signer(Algorithm::Rs256);
    let other = TENANT.replace('5', "6");
    let of = |tenant: &str| format!("https://login.microsoftonline.com/{tenant}/v2.0");
    let entra = Issuer { url: of(TENANT).into(), profile: Profile::Entra, ..issuer() };
    let identity = stage(&[entra], &[signer]);
    let header = signer.header().with("typ", "\"JWT\"").text();
    let token = |iss: &str, tid: &str| {
        let claims = claims()
            .with("iss", format!("{iss:?}"))
            .with("tid", format!("{tid:?}"))
            .with("ver", "\"2.0\"")
            .with("azp", "\"c\"")
            .with("oid", "\"o-1\"")
            .with("scp", "\"ask\"");
        signer.token_of(header.as_bytes(), claims.text().as_bytes())
    };
    assert_eq!(&*ask(&identity, &token(&of(TENANT), TENANT), NOW).unwrap().subject, "bank/o-1");
    assert_eq!(why(&identity, &token(&of(&other), &other), NOW).1, "the token is of no issuer that is known");
    assert_eq!(why(&identity, &token(&of(TENANT), &other), NOW).1, "the token is of another tenant");
    assert_eq!(why(&identity, &token(&of(&other), TENANT), NOW).1, "the token is of no issuer that is known");
    assert_eq!(why(&identity, &token(&of("common"), TENANT), NOW).1, "the token is of no issuer that is known");
}

#[test]
fn a_key_that_is_published_for_another_tenant() {
    let signer = signer(Algorithm::Rs256);
    let url = format!("https://login.microsoftonline.com/{TENANT}/v2.0");
    let entra = Issuer { url: url.clone().into(), profile: Profile::Entra, ..issuer() };
    let identity = stage(&[entra], &[signer]);
    let published = |issuer: &str| set_of(&[signer.jwk().with("issuer", format!("{issuer:?}")).text()]);
    for (named, kept) in [
        ("https://login.microsoftonline.com/{tenantid}/v2.0".to_owned(), true),
        (url.clone(), true),
        (url.replace('5', "6"), false),
    ] {
        let report = identity.tokens().fetched("bank", published(&named).as_bytes(), NOW).unwrap();
        assert_eq!(report.refused.is_empty(), kept, "{named}");
    }
}

#[test]
fn tokens_of_any_length_are_taken_or_refused() {
    let signer = signer(Algorithm::EdDsa);
    let identity = stage(&[issuer()], &[signer]);
    let padded = |length: usize| signer.token(&claims().with("pad", format!("{:?}", "x".repeat(length))));
    let longest = (1..20_000).step_by(101).filter(|length| padded(*length).len() <= MAX_TOKEN).max().unwrap();
    ask(&identity, &padded(longest), NOW).unwrap();
    assert_eq!(why(&identity, &padded(longest + 200), NOW).1, "the token is too long");
    refused(
        signer,
        ["..".into(), "a.b.c".into(), "eyJ9..".into(), ".".repeat(2), format!("{}..", "A".repeat(10 << 20))],
    );
}

#[test]
fn nothing_shows_a_token() {
    let signer = signer(Algorithm::EdDsa);
    let identity = stage(&[issuer()], &[signer]);
    let token = signer.token(&claims());
    let principal = ask(&identity, &token, NOW).unwrap();
    let shown =
        format!("{principal:?} {identity:?} {:?} {:?}", identity.tokens(), Jws::read(token.as_bytes()).unwrap());
    for part in token.split('.') {
        assert!(!shown.contains(&part[..16]), "{shown}");
    }
}

#[test]
fn a_workload_of_another_trust_domain_and_the_keys_of_certificates() {
    let (ours, theirs) = (signer(Algorithm::Es256), Signer::new(Algorithm::Es256, "ES256"));
    let domain = |name: &str| Issuer {
        name: name.into(),
        url: format!("spiffe://{name}.example").into(),
        profile: Profile::Spiffe,
        ..issuer()
    };
    let identity = stage(&[], &[]);
    identity.tokens().set_issuers(vec![domain("bank"), domain("lab"), issuer_named("plain")]).unwrap();
    let published = |key: &Signer, usage: &str| set_of(&[key.jwk().with("use", format!("{usage:?}")).text()]);
    identity.tokens().fetched("bank", published(ours, "jwt-svid").as_bytes(), NOW).unwrap();
    identity.tokens().fetched("lab", published(&theirs, "jwt-svid").as_bytes(), NOW).unwrap();
    identity.tokens().fetched("plain", set(&[&theirs]).as_bytes(), NOW).unwrap();
    let svid = |key: &Signer, sub: &str| {
        let header = key.header().with("typ", "\"JWT\"").text();
        let claims = claims().without("iss").without("client_id").with("sub", format!("{sub:?}"));
        key.token_of(header.as_bytes(), claims.text().as_bytes())
    };
    let known = ask(&identity, &svid(ours, "spiffe://bank.example/batch"), NOW).unwrap();
    assert_eq!(&*known.subject, "bank/spiffe://bank.example/batch");
    // Another trust domain's keys, another trust domain, one that nobody knows, and another issuer's token that names a workload.
    assert_eq!(
        why(&identity, &svid(&theirs, "spiffe://bank.example/batch"), NOW).1,
        "the token's signature does not verify"
    );
    assert_eq!(
        why(&identity, &svid(ours, "spiffe://lab.example/batch"), NOW).1,
        "the token's signature does not verify"
    );
    assert_eq!(
        why(&identity, &svid(ours, "spiffe://evil.example/x"), NOW).1,
        "the token is of no issuer that is known"
    );
    let theirs_of_plain =
        theirs.token(&claims().with("iss", "\"https://plain.example\"").with("sub", "\"spiffe://bank.example/batch\""));
    assert_eq!(&*ask(&identity, &theirs_of_plain, NOW).unwrap().subject, "plain/spiffe://bank.example/batch");
    // A bundle's keys of certificates sign no tokens, nor do keys whose use is not said.
    for usage in ["x509-svid", "sig", ""] {
        let report = identity.tokens().fetched("bank", published(ours, usage).as_bytes(), NOW).unwrap();
        assert_eq!(report.new + report.kept, 0, "{usage}");
    }
    let report = identity.tokens().fetched("bank", set(&[ours]).as_bytes(), NOW).unwrap();
    assert_eq!(report.new, 0, "the use has to be said");
    assert_ne!(why(&identity, &svid(ours, "spiffe://bank.example/batch"), NOW).1, "");
}

fn issuer_named(name: &str) -> Issuer {
    Issuer { name: name.into(), url: format!("https://{name}.example").into(), ..issuer() }
}

#[test]
fn a_tenant_that_is_not_mapped() {
    let signer = signer(Algorithm::EdDsa);
    let by_value = [("org-1".into(), "bank".into()), ("org-2".into(), "lab".into())].into();
    let mapped = Issuer { tenants: Some(Tenants { claim: "org".into(), by_value }), ..issuer() };
    let identity = stage(&[mapped], &[signer]);
    let of = |value: &str| signer.token(&claims().with("org", value));
    assert_eq!(&*ask(&identity, &of("\"org-1\""), NOW).unwrap().tenant, "bank");
    assert_eq!(&*ask(&identity, &of("\"org-2\""), NOW).unwrap().tenant, "lab");
    for other in ["\"org-3\"", "\"ORG-1\"", "\"org-1 \"", "\"bank\""] {
        assert_eq!(why(&identity, &of(other), NOW).1, "the token is of a tenant that is not mapped", "{other}");
    }
    for odd in ["\"\"", "null", "[\"org-1\"]", "{}", "1"] {
        assert_eq!(why(&identity, &of(odd), NOW).0, Code::BadCredential, "{odd}");
    }
    assert_eq!(why(&identity, &signer.token(&claims()), NOW).1, "a required claim is missing from the token");
}
