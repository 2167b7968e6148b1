//! Tokens over time: what is remembered, and what ends it.

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};

use super::*;

#[test]
fn a_token_seen_before_is_the_same_principal_until_it_expires() {
    let signer = signer(Algorithm::Es256);
    let identity = stage(&[issuer()], &[signer]);
    let token = signer.token(&claims());
    let first = ask(&identity, &token, NOW).unwrap();
    assert!(Arc::ptr_eq(&first, &ask(&identity, &token, after(599)).unwrap()));
    assert_eq!(identity.tokens().remembered(), 1);
    assert!(first.lease.stands(after(599)) && !first.lease.stands(after(600)));
    for late in [600, 601, 3000] {
        assert_eq!(why(&identity, &token, after(late)).0, Code::ExpiredCredential);
    }
    // Another token of the same bearer is another lease.
    let other = ask(&identity, &signer.token(&claims().with("jti", "\"t-2\"")), NOW).unwrap();
    assert!(!Arc::ptr_eq(&first.lease, &other.lease) && first.subject == other.subject);
}

#[test]
fn a_clock_set_back_does_not_open_a_token_early() {
    let signer = signer(Algorithm::Es256);
    let identity = stage(&[issuer()], &[signer]);
    let token = signer.token(&claims().with("nbf", after(100).seconds().to_string()));
    assert_eq!(why(&identity, &token, after(94)).1, "the token is not valid yet");
    ask(&identity, &token, after(95)).unwrap();
    assert_eq!(why(&identity, &token, after(94)).1, "the token is not valid yet", "though it is remembered");
}

#[test]
fn a_lease_that_was_ended_is_not_had_again() {
    let (es, rs) = (signer(Algorithm::Es256), signer(Algorithm::Rs256));
    let identity = stage(&[issuer()], &[es, rs]);
    for signer in [es, rs] {
        let token = signer.token(&claims());
        let principal = ask(&identity, &token, NOW).unwrap();
        principal.lease.end();
        drop(principal);
        assert_eq!(why(&identity, &token, NOW).0, Code::RevokedCredential);
        // A key set that is fetched anew does not help it, nor does a key that went and came back.
        identity.tokens().fetched("bank", set(&[es, rs]).as_bytes(), after(1)).unwrap();
        assert_eq!(why(&identity, &token, after(1)).0, Code::RevokedCredential);
        identity.tokens().fetched("bank", set(&[]).as_bytes(), after(2)).unwrap();
        identity.tokens().fetched("bank", set(&[es, rs]).as_bytes(), after(3)).unwrap();
        assert_eq!(why(&identity, &token, after(3)).0, Code::RevokedCredential);
        assert_eq!(why(&identity, &token, after(599)).0, Code::RevokedCredential);
    }
}

#[test]
fn a_second_signature_made_from_the_first_shares_its_lease() {
    // (r, s) and (r, n - s) are equally good, and anyone can make one of the other.
    let signer = signer(Algorithm::Es256);
    let identity = stage(&[issuer()], &[signer]);
    let token = signer.token(&claims());
    let twin = malleate(&token);
    assert_ne!(token, twin);
    let (one, other) = (ask(&identity, &token, NOW).unwrap(), ask(&identity, &twin, NOW).unwrap());
    assert!(Arc::ptr_eq(&one, &other));
    one.lease.end();
    assert_eq!(why(&identity, &token, NOW).0, Code::RevokedCredential);
    assert_eq!(why(&identity, &twin, NOW).0, Code::RevokedCredential);
}

#[test]
fn a_key_that_leaves_the_set_takes_its_tokens_and_streams_with_it() {
    let (gone, kept) = (signer(Algorithm::Es256), signer(Algorithm::EdDsa));
    let identity = stage(&[issuer()], &[gone, kept]);
    let (cut, safe) = (gone.token(&claims()), kept.token(&claims()));
    let (streaming, other) = (ask(&identity, &cut, NOW).unwrap(), ask(&identity, &safe, NOW).unwrap());
    let report = identity.tokens().fetched("bank", set(&[kept]).as_bytes(), after(20)).unwrap();
    assert_eq!((report.new, report.kept, report.gone), (0, 1, 1));
    assert!(!streaming.lease.stands(after(20)) && other.lease.stands(after(20)));
    assert_eq!(why(&identity, &cut, after(20)).1, "the token names a key that its issuer does not publish");
    ask(&identity, &safe, after(20)).unwrap();
    // Published again, it signs again; the old lease stays ended.
    identity.tokens().fetched("bank", set(&[gone, kept]).as_bytes(), after(40)).unwrap();
    assert!(ask(&identity, &cut, after(40)).unwrap().lease.stands(after(40)) && !streaming.lease.stands(after(40)));
}

#[test]
fn rotation_costs_one_retry() {
    let (old, new) = (Signer::new(Algorithm::Es256, "2026-10"), Signer::new(Algorithm::Es256, "2026-11"));
    let identity = stage(&[issuer()], &[&old]);
    let tokens = identity.tokens();
    let token = new.token(&claims());
    assert_eq!(why(&identity, &token, after(5)).0, Code::BadCredential, "the set is seconds old: there is no such key");
    assert!(tokens.wanted(after(5)).is_empty());
    let refusal = ask(&identity, &token, after(30)).unwrap_err();
    assert_eq!((refusal.code, refusal.retry_after), (Code::UnconfirmedCredential, Some(Duration::from_secs(1))));
    assert_eq!(tokens.wanted(after(30)), ["bank".into()]);
    assert_eq!(why(&identity, &token, after(30)).0, Code::UnconfirmedCredential, "still under way");
    tokens.fetched("bank", set(&[&old, &new]).as_bytes(), after(30)).unwrap();
    ask(&identity, &token, after(31)).unwrap();
    ask(&identity, &old.token(&claims()), after(31)).unwrap();
}

#[test]
fn an_issuer_out_of_reach_is_refused_at_the_bound_and_comes_back() {
    let (signer, rules) = (signer(Algorithm::EdDsa), KeyRules::default());
    let long = Issuer { max_lifetime: Duration::from_hours(24), ..issuer() };
    let identity = stage(&[long], &[signer]);
    let token = signer.token(&claims().with("exp", after(80_000).seconds().to_string()));
    let bound = rules.max_age.as_secs();
    for second in [0, 700, bound - 1] {
        for name in identity.tokens().wanted(after(second)) {
            identity.tokens().failed(&name);
        }
        ask(&identity, &token, after(second)).unwrap();
    }
    for second in [bound, bound + 1, 2 * bound] {
        assert_eq!(why(&identity, &token, after(second)).0, Code::UnconfirmedCredential, "though it is remembered");
        let fresh = signer.token(&claims().with("exp", after(90_000).seconds().to_string()));
        assert_eq!(why(&identity, &fresh, after(second)).0, Code::UnconfirmedCredential);
        assert!(!identity.tokens().status(after(second))[0].usable);
    }
    identity.tokens().fetched("bank", set(&[signer]).as_bytes(), after(2 * bound)).unwrap();
    ask(&identity, &token, after(2 * bound)).unwrap();
    let status = &identity.tokens().status(after(2 * bound))[0];
    assert_eq!((&*status.name, status.keys, status.fetched, status.usable), ("bank", 1, Some(after(2 * bound)), true));
}

#[test]
fn before_the_first_fetch_nothing_is_confirmed() {
    let signer = signer(Algorithm::EdDsa);
    let identity = stage(&[], &[]);
    identity.tokens().set_issuers(vec![issuer()]).unwrap();
    assert_eq!(why(&identity, &signer.token(&claims()), NOW).0, Code::UnconfirmedCredential);
    assert_eq!(identity.tokens().wanted(NOW), ["bank".into()]);
    assert!(identity.tokens().fetched("bank", b"<html>", NOW).is_err());
    assert_eq!(why(&identity, &signer.token(&claims()), NOW).0, Code::UnconfirmedCredential);
    assert_eq!(identity.tokens().fetched("nobody", set(&[signer]).as_bytes(), NOW), Ok(KeyReport::default()));
    identity.tokens().failed("nobody");
}

#[test]
fn a_reload_keeps_what_is_as_it_was_and_ends_what_is_not() {
    let signer = signer(Algorithm::EdDsa);
    let second = || Issuer { name: "second".into(), url: "https://second.example".into(), ..issuer() };
    let identity = stage(&[issuer(), second()], &[signer]);
    let tokens = identity.tokens();
    let (one, two) = (signer.token(&claims()), signer.token(&claims().with("iss", "\"https://second.example\"")));
    let (first, other) = (ask(&identity, &one, NOW).unwrap(), ask(&identity, &two, NOW).unwrap());
    assert_eq!((&*first.subject, &*other.subject), ("bank/u-4711", "second/u-4711"));

    tokens.set_issuers(vec![second(), issuer()]).unwrap();
    assert!(Arc::ptr_eq(&first, &ask(&identity, &one, NOW).unwrap()) && other.lease.stands(NOW));

    // What cannot be taken changes nothing.
    tokens.set_issuers(vec![issuer(), issuer()]).unwrap_err();
    assert!(first.lease.stands(NOW));

    // A change of rules ends the leases; the keys need not be fetched again, and nobody has to wait.
    let rule = RoleRule { claim: RoleClaim::Scope, value: "ask".into(), role: "asker".into() };
    tokens.set_issuers(vec![Issuer { roles: vec![rule], ..issuer() }, second()]).unwrap();
    assert!(!first.lease.stands(NOW) && other.lease.stands(NOW));
    assert_eq!(&*ask(&identity, &one, NOW).unwrap().roles[0], "asker");
    assert!(tokens.wanted(NOW).is_empty());

    // An algorithm that is taken away is not used, keys or not.
    tokens.set_issuers(vec![Issuer { algorithms: vec![Algorithm::Es256], ..issuer() }]).unwrap();
    assert_eq!(why(&identity, &one, NOW).1, "the token's algorithm is not its issuer's");
    assert!(!other.lease.stands(NOW));
    assert_eq!(why(&identity, &two, NOW).1, "the token is of no issuer that is known");
}

#[test]
fn a_token_bound_to_a_certificate_wants_that_certificate() {
    let signer = signer(Algorithm::EdDsa);
    let identity = stage(&[issuer()], &[signer]);
    let (own, other) = (&b"the bearer's certificate"[..], &b"another one"[..]);
    let hash = data_encoding::BASE64URL_NOPAD.encode(digest(&SHA256, own).as_ref());
    let token = signer.token(&claims().with("cnf", format!("{{\"x5t#S256\":\"{hash}\"}}")));
    for _ in 0..2 {
        for certificate in [None, Some(other), Some(&b""[..])] {
            let refusal = ask_with(&identity, &token, certificate, NOW).unwrap_err();
            assert_eq!(
                (refusal.code, &*refusal.reason),
                (Code::BadCredential, "the token is bound to another certificate")
            );
        }
        let principal = ask_with(&identity, &token, Some(own), NOW).unwrap();
        assert!(principal.claims.as_ref().unwrap().confirmation.is_some());
    }
    // One that is not bound is not troubled by a certificate.
    ask_with(&identity, &signer.token(&claims()), Some(other), NOW).unwrap();
}

#[test]
fn a_token_bound_to_a_key_is_no_bearer_token() {
    let signer = signer(Algorithm::EdDsa);
    let identity = stage(&[issuer()], &[signer]);
    let hash = data_encoding::BASE64URL_NOPAD.encode(&[1; 32]);
    let token = signer.token(&claims().with("cnf", format!("{{\"jkt\":\"{hash}\"}}")));
    assert_eq!(why(&identity, &token, NOW).1, "the token is bound to a key and came as a bearer token");
    let unknown = signer.token(&claims().with("cnf", "{\"kid\":\"k\"}"));
    assert_eq!(why(&identity, &unknown, NOW).1, "the key that the token is bound to is not understood");
}

#[test]
fn requests_reloads_and_rotations_run_at_once() {
    let (one, other) = (signer(Algorithm::EdDsa), signer(Algorithm::Es256));
    let identity = stage(&[issuer()], &[one, other]);
    let (kept, moving) = (one.token(&claims()), other.token(&claims()));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| (0..2000).for_each(|_| drop(ask(&identity, &kept, NOW).unwrap())));
            scope.spawn(|| (0..500).for_each(|_| drop(ask(&identity, &moving, NOW))));
        }
        scope.spawn(|| {
            for turn in 0..300 {
                let keys: &[_] = if turn % 2 == 0 { &[one] } else { &[one, other] };
                identity.tokens().fetched("bank", set(keys).as_bytes(), NOW).unwrap();
                identity.tokens().set_issuers(vec![issuer()]).unwrap();
            }
        });
    });
    let held = ask(&identity, &moving, NOW).unwrap();
    identity.tokens().fetched("bank", set(&[one]).as_bytes(), NOW).unwrap();
    assert!(!held.lease.stands(NOW) && ask(&identity, &moving, NOW).is_err());
}

/// The same token with the other signature that is as good.
fn malleate(token: &str) -> String {
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let bytes = data_encoding::BASE64URL_NOPAD.decode(signature.as_bytes()).unwrap();
    let (r, s) = bytes.split_at(32);
    let mut borrow = 0;
    let mut other: Vec<u8> = ORDER
        .iter()
        .zip(s)
        .rev()
        .map(|(n, s)| {
            let difference = i16::from(*n) - i16::from(*s) - borrow;
            borrow = i16::from(difference < 0);
            difference.rem_euclid(256) as u8
        })
        .collect();
    other.reverse();
    format!("{signed}.{}", data_encoding::BASE64URL_NOPAD.encode(&[r, &other].concat()))
}

/// The order of P-256.
const ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7,
    0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

#[test]
fn a_token_is_revoked_by_all_that_it_is_and_the_next_one_stands() {
    let signer = signer(Algorithm::Es256);
    let identity = stage(&[issuer()], &[signer]);
    let token = signer.token(&claims().with("sid", "\"s-1\""));
    let (revoked, later) = (after(60), after(61));
    let held = ask(&identity, &token, NOW).unwrap();
    // One that the issuer made afterwards: its clock may be ahead by the leeway, so that much later.
    let fresh = |seconds: u64| {
        let issued = revoked.plus(Duration::from_secs(seconds)).seconds();
        signer.token(&claims().with("sid", "\"s-1\"").with("jti", "\"t-2\"").with("iat", issued.to_string()))
    };
    let targets = [
        "everything",
        "tenant:bank",
        "issuer:bank",
        "client:bank/notebook",
        "principal:bank/bank/u-4711",
        "credential:token:bank/u-4711",
        "session:bank/s-1",
    ];
    for target in targets {
        identity.board().replace([(target.parse().unwrap(), revoked)]);
        assert_eq!(why(&identity, &token, later).0, Code::RevokedCredential, "{target}");
        assert!(!held.lease.stands(later), "a stream in flight ends: {target}");
        assert_eq!(why(&identity, &fresh(4), later).0, Code::RevokedCredential, "{target}");
        assert!(ask(&identity, &fresh(5), later).is_ok(), "{target}");
        identity.board().replace([(target.parse().unwrap(), Timestamp::MAX)]);
        assert_eq!(why(&identity, &fresh(5), later).0, Code::RevokedCredential, "shut out: {target}");
    }
    identity.board().replace([("token:bank/t-1".parse().unwrap(), Timestamp::MAX)]);
    assert_eq!(why(&identity, &token, later).0, Code::RevokedCredential);
    assert!(ask(&identity, &fresh(5), later).is_ok(), "another token of the same bearer");
    for other in ["issuer:other", "client:other/notebook", "session:other/s-1", "token:other/t-1", "role:clerk"] {
        identity.board().replace([(other.parse().unwrap(), Timestamp::MAX)]);
        assert!(ask(&identity, &token, later).is_ok(), "{other}");
    }
}

/// What the directory of an issuer says of `u-4711` in the tenant `bank`.
fn directory(issuer: &str, groups: &[&str]) -> Directory {
    let groups = groups.iter().map(|group| Arc::from(*group)).collect();
    Directory::new(issuer.into(), [("bank".into(), "u-4711".into(), groups)])
}

#[test]
fn groups_of_the_directory_outrank_those_of_tokens_from_the_next_request_on() {
    let signer = signer(Algorithm::EdDsa);
    let rule = |group: &str| RoleRule { claim: RoleClaim::Group, value: group.into(), role: group.into() };
    let identity = stage(&[Issuer { roles: vec![rule("staff"), rule("night")], ..issuer() }], &[signer]);
    let token = signer.token(&claims().with("groups", "[\"staff\"]"));
    let roles = || ask(&identity, &token, NOW).unwrap().roles.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(roles(), ["staff"]);
    let before = ask(&identity, &token, NOW).unwrap();
    identity.tokens().set_directory(directory("bank", &["night"]));
    assert_eq!(roles(), ["night"]);
    // Roles that the directory gave can be revoked as well.
    identity.board().revoke("role:night".parse().unwrap(), Timestamp::MAX);
    assert_eq!(ask(&identity, &token, NOW).unwrap_err().code, Code::RevokedCredential);
    identity.board().replace([]);
    identity.tokens().set_directory(directory("bank", &[]));
    assert_eq!(roles(), Vec::<String>::new());
    // Whom the directory does not know is as the token says: nobody there, another issuer's, another tenant's.
    identity.tokens().set_directory(directory("other", &["night"]));
    assert_eq!(roles(), ["staff"]);
    let elsewhere = [("shop".into(), "u-4711".into(), vec!["night".into()])];
    identity.tokens().set_directory(Directory::new("bank".into(), elsewhere));
    assert_eq!(roles(), ["staff"]);
    assert!(before.lease.stands(NOW), "what was in flight under other groups is cut by revocation alone");
}

#[test]
fn a_token_whose_lease_was_ended_stays_ended_whatever_the_directory_says() {
    let signer = signer(Algorithm::EdDsa);
    let identity = stage(&[issuer()], &[signer]);
    let token = signer.token(&claims());
    ask(&identity, &token, NOW).unwrap().lease.end();
    identity.tokens().set_directory(directory("bank", &["night"]));
    assert_eq!(ask(&identity, &token, NOW).unwrap_err().code, Code::RevokedCredential);
}

#[test]
fn the_directory_says_which_groups_there_are_where_a_token_could_not_hold_them() {
    let signer = signer(Algorithm::Rs256);
    let rule = RoleRule { claim: RoleClaim::Group, value: "night".into(), role: "night".into() };
    let url = format!("https://login.microsoftonline.com/{TENANT}/v2.0");
    let entra = Issuer { url: url.clone().into(), profile: Profile::Entra, roles: vec![rule], ..issuer() };
    let identity = stage(&[entra], &[signer]);
    let claims = claims()
        .with("iss", format!("{url:?}"))
        .with("tid", format!("{TENANT:?}"))
        .with("ver", "\"2.0\"")
        .with("azp", "\"c\"")
        .with("oid", "\"o-1\"")
        .with("scp", "\"ask\"")
        .with("_claim_names", "{\"groups\":\"src1\"}");
    let token = signer.token_of(signer.header().with("typ", "\"JWT\"").text().as_bytes(), claims.text().as_bytes());
    assert!(ask(&identity, &token, NOW).is_err());
    let known = [("bank".into(), "o-1".into(), vec!["night".into()])];
    identity.tokens().set_directory(Directory::new("bank".into(), known));
    assert_eq!(&*ask(&identity, &token, NOW).unwrap().roles, &["night".into()][..]);
}
