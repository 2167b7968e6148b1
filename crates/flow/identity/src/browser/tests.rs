use countersign_core::{Claims, Confirmation, Groups, Target, principal::PrincipalKind};
use countersign_seal::KeyRing;

use super::*;

const NOW: Timestamp = Timestamp(1_900_000_000_000_000);

fn browsers() -> Browsers {
    let ring = KeyRing::from_bytes(Secret::new(vec![1; 32])).unwrap();
    Browsers::new(ring.hasher(PURPOSE).unwrap(), Arc::default())
}

fn person(lease: Lease) -> Principal {
    Principal {
        tenant: "bank".into(),
        subject: "teller".into(),
        kind: PrincipalKind::Person,
        roles: ["teller".into()].into(),
        scopes: [].into(),
        credential: "key_1".into(),
        method: Method::ApiKey,
        claims: None,
        session: None,
        lease: Arc::new(lease),
    }
}

fn code<T>(of: Result<T, Refusal>) -> Code {
    of.err().expect("a refusal").code
}

#[test]
fn a_session_is_its_owners_until_it_is_over_or_closed() {
    let browsers = browsers();
    let (cookie, ends) = browsers.open(&person(Lease::new(None)), NOW).unwrap();
    let cookie = cookie.expose().as_bytes();
    let principal = browsers.principal(cookie, NOW).unwrap();
    assert_eq!((&*principal.subject, &*principal.credential, ends), ("teller", "key_1", NOW.plus(LONGEST)));
    assert_eq!(code(browsers.principal(cookie, ends)), Code::ExpiredCredential);
    for other in [&b""[..], b"csb_", b"csk_aaaaaaaa", &[&cookie[..cookie.len() - 1], b"!"].concat(), &[0xff; 53]] {
        assert_eq!(code(browsers.principal(other, NOW)), Code::BadCredential);
    }
    browsers.close(cookie);
    assert!(!principal.lease.stands(NOW), "what runs on the session ends with it");
    assert_eq!(code(browsers.principal(cookie, NOW)), Code::BadCredential);
}

#[test]
fn a_session_ends_with_the_credential_it_was_opened_with() {
    let browsers = browsers();
    let short = NOW.plus(Duration::from_secs(5));
    let (cookie, ends) = browsers.open(&person(Lease::new(Some(short))), NOW).unwrap();
    assert_eq!(ends, short);
    assert_eq!(code(browsers.principal(cookie.expose().as_bytes(), short)), Code::ExpiredCredential);

    let who = person(Lease::new(None));
    let (cookie, _) = browsers.open(&who, NOW).unwrap();
    who.lease.end();
    assert_eq!(code(browsers.principal(cookie.expose().as_bytes(), NOW)), Code::RevokedCredential);
    assert_eq!(code(browsers.open(&who, NOW)), Code::RevokedCredential);

    let covering = [Target::Role("teller".into())].into();
    let who = person(Lease::new(None).under(browsers.board.clone(), covering, NOW));
    let (cookie, _) = browsers.open(&who, NOW).unwrap();
    let of_session = browsers.principal(cookie.expose().as_bytes(), NOW).unwrap();
    assert!(of_session.lease.revocable().is_some(), "what is opened on it in turn can be revoked as well");
    browsers.board.revoke(Target::Role("teller".into()), Timestamp::MAX);
    assert_eq!(code(browsers.principal(cookie.expose().as_bytes(), NOW)), Code::RevokedCredential);
}

#[test]
fn a_credential_that_is_bound_to_a_key_opens_none() {
    let browsers = browsers();
    let bound = Claims {
        issuer: "idp".into(),
        subject: "teller".into(),
        client: None,
        scopes: Vec::new(),
        roles: Vec::new(),
        groups: Groups::Listed(Vec::new()),
        acr: None,
        amr: Vec::new(),
        auth_time: None,
        id: None,
        session: None,
        confirmation: Some(Confirmation::Key([7; 32])),
        acts: Vec::new(),
        issued: NOW,
        expires: NOW.plus(LONGEST),
        extra: Vec::new(),
    };
    let by_proof = Principal { method: Method::AccessToken, claims: Some(Arc::new(bound)), ..person(Lease::new(None)) };
    let by_certificate = Principal { method: Method::ClientCertificate, ..person(Lease::new(None)) };
    let by_session = Principal { method: Method::Session, ..person(Lease::new(None)) };
    for who in [by_proof, by_certificate, by_session] {
        assert_eq!(code(browsers.open(&who, NOW)), Code::BadCredential, "{:?}", who.method);
    }
}

#[test]
fn a_link_is_followed_once_and_within_its_minute() {
    let browsers = browsers();
    let who = Arc::new(person(Lease::new(None)));
    let link = browsers.link(&who, NOW).unwrap();
    assert_eq!(&*browsers.follow(link.expose(), NOW).unwrap().subject, "teller");
    assert_eq!(code(browsers.follow(link.expose(), NOW)), Code::BadCredential);
    let late = browsers.link(&who, NOW).unwrap();
    assert_eq!(code(browsers.follow(late.expose(), NOW.plus(FOLLOWED))), Code::BadCredential);
    let (cookie, _) = browsers.open(&who, NOW).unwrap();
    assert_eq!(code(browsers.follow(cookie.expose(), NOW)), Code::BadCredential, "a cookie is no link");
}

#[test]
fn sessions_and_links_are_bounded_and_what_is_over_makes_room() {
    let browsers = browsers();
    let who = Arc::new(person(Lease::new(None)));
    for _ in 0..MOST {
        browsers.open(&who, NOW).unwrap();
        browsers.link(&who, NOW).unwrap();
    }
    assert_eq!(code(browsers.open(&who, NOW)), Code::Overloaded);
    assert_eq!(code(browsers.link(&who, NOW)), Code::Overloaded);
    let later = NOW.plus(LONGEST);
    assert!(browsers.open(&who, later).is_ok() && browsers.link(&who, later).is_ok());
}
