use countersign_core::{Secret, life::Stamps, principal::PrincipalKind};
use countersign_seal::KeyRing;
use futures_util::FutureExt;
use proptest::prelude::*;

use super::*;
use crate::{
    CertificateField, NamePattern,
    key::{NewKey, PURPOSE, create},
};

const NOW: Timestamp = Timestamp(1_900_000_000_000_000);

fn ring(roots: &[u8]) -> KeyRing {
    let bytes = roots.iter().flat_map(|root| [*root; 32]).collect();
    KeyRing::from_bytes(Secret::new(bytes)).unwrap()
}

fn stage(ring: &KeyRing) -> Identity {
    Identity::new(Stamps::issue().identify, ring, vec![], Outside::default()).unwrap()
}

fn key(ring: &KeyRing) -> (String, KeyRecord) {
    let new = NewKey {
        tenant: "bank".into(),
        subject: "teller".into(),
        kind: PrincipalKind::Person,
        roles: vec!["teller".into()],
        scopes: vec!["model:small".into()],
        expires: Some(Timestamp(NOW.0 + 100)),
        now: Timestamp(NOW.0 - 100),
        note: String::new(),
    };
    let (text, record) = create(&ring.hasher(PURPOSE).unwrap(), new).unwrap();
    (text.expose().clone(), record)
}

fn ask(identity: &Identity, now: Timestamp, presented: Presented<'_>) -> Result<Arc<Principal>, Code> {
    identity
        .identify(RequestId::new(now, [0; 10]), now, Peer::default(), &presented)
        .now_or_never()
        .expect("nothing is waited for")
        .map(|identified| identified.principal().clone())
        .map_err(|refusal| refusal.code)
}

fn by_key(identity: &Identity, now: Timestamp, text: &str) -> Result<Arc<Principal>, Code> {
    ask(identity, now, Presented { api_key: Some(text.as_bytes()), ..Presented::default() })
}

fn bearer(identity: &Identity, value: &[u8]) -> Result<Arc<Principal>, Code> {
    ask(identity, NOW, Presented { authorization: Some(value), ..Presented::default() })
}

#[test]
fn a_key_says_who_asks_in_either_header() {
    let own = ring(&[1]);
    let (identity, (text, record)) = (stage(&own), key(&own));
    identity.load(vec![record.clone()]);
    let principal = by_key(&identity, NOW, &text).unwrap();
    assert_eq!((&*principal.tenant, &*principal.subject), ("bank", "teller"));
    assert_eq!((&*principal.roles[0], &*principal.scopes[0]), ("teller", "model:small"));
    assert_eq!((&principal.credential, principal.method), (&record.id, Method::ApiKey));
    for scheme in ["Bearer ", "bearer ", "BEARER "] {
        let other = bearer(&identity, format!("{scheme}{text}").as_bytes()).unwrap();
        assert!(Arc::ptr_eq(&principal.lease, &other.lease), "one key is one lease");
    }
    let value = format!("Bearer {text}");
    let both =
        Presented { authorization: Some(value.as_bytes()), api_key: Some(text.as_bytes()), ..Presented::default() };
    assert!(ask(&identity, NOW, both).is_ok(), "the same key twice is one key");
}

#[test]
fn a_browsers_session_says_who_asks_and_stands_beside_no_other_credential() {
    let own = ring(&[1]);
    let (identity, (text, record)) = (stage(&own), key(&own));
    identity.load(vec![record]);
    let owner = by_key(&identity, NOW, &text).unwrap();
    let (cookie, _) = identity.browsers().open(&owner, NOW).unwrap();
    let shown = Presented { cookie: Some(cookie.expose().as_bytes()), ..Presented::default() };
    assert_eq!(ask(&identity, NOW, shown).unwrap().credential, owner.credential);
    let both = Presented { api_key: Some(text.as_bytes()), ..shown };
    assert_eq!(ask(&identity, NOW, both).unwrap_err(), Code::BadCredential);
    // Elsewhere it is worth nothing.
    assert_eq!(by_key(&identity, NOW, cookie.expose()).unwrap_err(), Code::BadCredential);
    identity.suspend();
    assert_eq!(ask(&identity, NOW, shown).unwrap_err(), Code::OutOfTouch);
    identity.resume();
    identity.load(Vec::new());
    assert_eq!(ask(&identity, NOW, shown).unwrap_err(), Code::RevokedCredential);
}

#[test]
fn nothing_presented_and_nonsense_presented_differ() {
    let identity = stage(&ring(&[1]));
    assert_eq!(ask(&identity, NOW, Presented::default()).unwrap_err(), Code::NoCredential);
    let (huge, text) = (vec![b'a'; 10 << 20], key(&ring(&[1])).0);
    let after = [b"Bearer csk_", huge.as_slice()].concat();
    for value in [
        &b""[..],
        b"Bearer",
        b"Bearer ",
        b"Basic dXNlcjpwYXNz",
        b"Bearer  csk_",
        b"Bearer\tcsk_",
        b"Bearer csk_",
        b"Bearer sk-ant-api03-aaaaaaaa",
        b"\xff\xfe",
        b"Bearer \0\0\0",
        huge.as_slice(),
        after.as_slice(),
        text.as_bytes(),
        format!("Bearer {text} ").as_bytes(),
        format!("Bearer {text},Bearer {text}").as_bytes(),
        format!("Bearer Bearer {text}").as_bytes(),
    ] {
        let shown = String::from_utf8_lossy(&value[..value.len().min(40)]).into_owned();
        assert_eq!(bearer(&identity, value).unwrap_err(), Code::BadCredential, "{shown}");
        let as_key = Presented { api_key: Some(value), ..Presented::default() };
        assert_eq!(ask(&identity, NOW, as_key).unwrap_err(), Code::BadCredential, "{shown}");
    }
    // A well-formed key that nobody made, and any key before the first load.
    assert_eq!(by_key(&identity, NOW, &text).unwrap_err(), Code::BadCredential);
}

#[test]
fn two_keys_in_one_request_are_refused_though_each_is_good() {
    let own = ring(&[1]);
    let (identity, one, other) = (stage(&own), key(&own), key(&own));
    identity.load(vec![one.1, other.1]);
    let value = format!("Bearer {}", one.0);
    let both =
        Presented { authorization: Some(value.as_bytes()), api_key: Some(other.0.as_bytes()), ..Presented::default() };
    assert_eq!(ask(&identity, NOW, both).unwrap_err(), Code::BadCredential);
    let broken =
        Presented { authorization: Some(b"Basic eDp5"), api_key: Some(other.0.as_bytes()), ..Presented::default() };
    assert_eq!(ask(&identity, NOW, broken).unwrap_err(), Code::BadCredential, "a bad credential is not passed over");
}

#[test]
fn a_credential_header_may_be_there_once() {
    let gather = |headers: &[(&'static str, &'static [u8])]| Presented::gather(headers.iter().copied(), None);
    let good = gather(&[("Authorization", b"a"), ("host", b"h"), ("X-Api-Key", b"k"), ("host", b"h")]).unwrap();
    assert_eq!((good.authorization, good.api_key), (Some(&b"a"[..]), Some(&b"k"[..])));
    for twice in ["authorization", "AUTHORIZATION", "x-api-key", "X-API-KEY"] {
        let lower: &'static str = if twice.len() == 13 { "authorization" } else { "x-api-key" };
        assert_eq!(gather(&[(lower, b"a"), (twice, b"a")]).unwrap_err().code, Code::BadCredential, "{twice}");
        assert_eq!(gather(&[(lower, b"a"), (twice, b"")]).unwrap_err().code, Code::BadCredential, "{twice}");
    }
    assert!(!format!("{good:?}").contains("97"), "what was presented is not shown");
}

#[test]
fn a_key_expires_at_its_moment_and_revocation_outlasts_that() {
    let own = ring(&[1]);
    let (identity, (text, record)) = (stage(&own), key(&own));
    identity.load(vec![record.clone()]);
    let lease = by_key(&identity, Timestamp(NOW.0 + 99), &text).unwrap().lease.clone();
    assert!(lease.stands(Timestamp(NOW.0 + 99)) && !lease.stands(Timestamp(NOW.0 + 100)));
    assert_eq!(by_key(&identity, Timestamp(NOW.0 + 100), &text).unwrap_err(), Code::ExpiredCredential);
    identity.load(vec![KeyRecord { revoked_at: Some(NOW), ..record }]);
    assert_eq!(by_key(&identity, Timestamp(NOW.0 + 100), &text).unwrap_err(), Code::RevokedCredential);
}

#[test]
fn revoking_a_key_ends_what_is_in_flight_and_a_reload_does_not() {
    let own = ring(&[1]);
    let (identity, one, other) = (stage(&own), key(&own), key(&own));
    identity.load(vec![one.1.clone(), other.1.clone()]);
    let (cut, kept) = (by_key(&identity, NOW, &one.0).unwrap(), by_key(&identity, NOW, &other.0).unwrap());
    identity.load(vec![other.1.clone(), one.1.clone()]);
    assert!(cut.lease.stands(NOW) && Arc::ptr_eq(&by_key(&identity, NOW, &one.0).unwrap(), &cut));
    identity.load(vec![KeyRecord { revoked_at: Some(NOW), ..one.1.clone() }, other.1.clone()]);
    assert!(!cut.lease.stands(NOW) && kept.lease.stands(NOW));
    assert_eq!(by_key(&identity, NOW, &one.0).unwrap_err(), Code::RevokedCredential);
    // A key that was revoked before this process began.
    let fresh = stage(&own);
    fresh.load(vec![KeyRecord { revoked_at: Some(NOW), ..one.1 }]);
    assert_eq!(by_key(&fresh, NOW, &one.0).unwrap_err(), Code::RevokedCredential);
}

#[test]
fn a_key_that_vanished_or_changed_is_cut_too() {
    let own = ring(&[1]);
    let (identity, one, other) = (stage(&own), key(&own), key(&own));
    identity.load(vec![one.1.clone(), other.1.clone()]);
    let (gone, changed) = (by_key(&identity, NOW, &one.0).unwrap(), by_key(&identity, NOW, &other.0).unwrap());
    identity.load(vec![KeyRecord { roles: vec!["guest".into()], ..other.1 }]);
    assert!(!gone.lease.stands(NOW) && !changed.lease.stands(NOW));
    assert_eq!(by_key(&identity, NOW, &one.0).unwrap_err(), Code::BadCredential);
    assert_eq!(&*by_key(&identity, NOW, &other.0).unwrap().roles[0], "guest");
    identity.load(vec![]);
    assert_eq!(by_key(&identity, NOW, &other.0).unwrap_err(), Code::BadCredential);
}

#[test]
fn while_the_store_cannot_be_read_no_key_passes() {
    let own = ring(&[1]);
    let (identity, (text, record)) = (stage(&own), key(&own));
    identity.load(vec![record.clone()]);
    let held = by_key(&identity, NOW, &text).unwrap();
    identity.suspend();
    assert_eq!(by_key(&identity, NOW, &text).unwrap_err(), Code::OutOfTouch);
    identity.load(vec![record]);
    assert!(Arc::ptr_eq(&by_key(&identity, NOW, &text).unwrap(), &held));
}

#[test]
fn another_rings_key_is_unknown_and_a_rotated_rings_old_key_is_not() {
    let (old, rotated, foreign) = (ring(&[1]), ring(&[1, 2]), ring(&[2]));
    let (text, record) = key(&old);
    let identity = |own: &KeyRing| {
        let identity = stage(own);
        identity.load(vec![record.clone()]);
        identity
    };
    assert!(by_key(&identity(&old), NOW, &text).is_ok());
    assert!(by_key(&identity(&rotated), NOW, &text).is_ok());
    assert_eq!(by_key(&identity(&foreign), NOW, &text).unwrap_err(), Code::BadCredential);
    assert_eq!(by_key(&identity(&old), NOW, &key(&ring(&[2])).0).unwrap_err(), Code::BadCredential);
}

#[test]
fn half_a_hash_is_not_enough() {
    let own = ring(&[1]);
    let (identity, (text, mut record)) = (stage(&own), key(&own));
    record.hash[31] ^= 1;
    identity.load(vec![record]);
    assert_eq!(by_key(&identity, NOW, &text).unwrap_err(), Code::BadCredential);
}

#[test]
fn a_certificate_says_who_asks_and_a_key_overrules_it() {
    let own = ring(&[1]);
    let rule = CertificateRule {
        field: CertificateField::CommonName,
        name: NamePattern::Exact("batch".into()),
        tenant: "bank".into(),
        subject: None,
        kind: PrincipalKind::Service,
        roles: vec![],
        scopes: vec![],
    };
    let identity = Identity::new(Stamps::issue().identify, &own, vec![rule], Outside::default()).unwrap();
    let mut params = rcgen::CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(rcgen::DnType::CommonName, "batch");
    let der = params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().der().to_vec();
    let with = |api_key| Presented { api_key, certificate: Some(&der), ..Presented::default() };
    assert_eq!(&*ask(&identity, NOW, with(None)).unwrap().subject, "batch");
    let (text, record) = key(&own);
    assert_eq!(ask(&identity, NOW, with(Some(text.as_bytes()))).unwrap_err(), Code::BadCredential, "no falling back");
    identity.load(vec![record]);
    assert_eq!(&*ask(&identity, NOW, with(Some(text.as_bytes()))).unwrap().subject, "teller");
    identity.set_rules(vec![]);
    assert_eq!(ask(&identity, NOW, with(None)).unwrap_err(), Code::BadCredential);
}

#[test]
fn no_refusal_shows_the_key() {
    let own = ring(&[1]);
    let (identity, (text, record)) = (stage(&own), key(&own));
    let mut wrong = text.clone();
    wrong.pop();
    identity.load(vec![KeyRecord { revoked_at: Some(NOW), ..record }]);
    for given in [&text, &wrong] {
        let presented = Presented { api_key: Some(given.as_bytes()), ..Presented::default() };
        let identified = identity.identify(RequestId::new(NOW, [0; 10]), NOW, Peer::default(), &presented);
        let refusal = identified.now_or_never().unwrap().unwrap_err();
        let shown = format!("{refusal} {refusal:?} {presented:?} {identity:?}");
        assert!(!shown.contains(&text[4..12]), "{shown}");
    }
}

#[test]
fn requests_and_reloads_run_at_once() {
    let own = ring(&[1]);
    let (identity, (text, record)) = (stage(&own), key(&own));
    identity.load(vec![record.clone()]);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| (0..500).for_each(|_| identity.load(vec![record.clone()])));
            scope.spawn(|| (0..2_000).for_each(|_| drop(by_key(&identity, NOW, &text).unwrap())));
        }
    });
    let held = by_key(&identity, NOW, &text).unwrap();
    identity.load(vec![]);
    assert!(!held.lease.stands(NOW));
}

#[test]
fn the_fuzz_corpus_passes() {
    for (folder, certificate) in [("identity_key", false), ("identity_certificate", true)] {
        let folder = format!("{}/../../../fuzz/corpus/{folder}", env!("CARGO_MANIFEST_DIR"));
        for file in std::fs::read_dir(folder).unwrap() {
            refused_or_known(&std::fs::read(file.unwrap().path()).unwrap(), certificate);
        }
    }
}

/// Any bytes are a credential that is not known, whatever header or handshake they came in.
fn refused_or_known(bytes: &[u8], certificate: bool) {
    let identity = stage(&ring(&[1]));
    let presented = if certificate {
        Presented { certificate: Some(bytes), ..Presented::default() }
    } else {
        Presented { authorization: Some(bytes), ..Presented::default() }
    };
    assert_eq!(ask(&identity, NOW, presented).unwrap_err(), Code::BadCredential);
}

proptest! {
    #[test]
    fn any_bytes_are_refused(bytes: Vec<u8>) {
        refused_or_known(&bytes, false);
        refused_or_known(&bytes, true);
    }
}

#[test]
fn a_key_is_revoked_by_all_that_it_is_and_stands_again_when_that_is_lifted() {
    let own = ring(&[1]);
    let (identity, (text, record)) = (stage(&own), key(&own));
    identity.load(vec![record.clone()]);
    let held = by_key(&identity, NOW, &text).unwrap();
    let targets = ["everything", "tenant:bank", "role:teller", "principal:bank/teller"].map(String::from);
    for target in targets.into_iter().chain([format!("credential:{}", record.id)]) {
        // What is issued at that moment or later stands.
        identity.board().replace([(target.parse().unwrap(), record.created)]);
        assert!(by_key(&identity, NOW, &text).is_ok() && held.lease.stands(NOW), "{target}");
        identity.board().replace([(target.parse().unwrap(), NOW)]);
        assert_eq!(by_key(&identity, NOW, &text).unwrap_err(), Code::RevokedCredential, "{target}");
        assert!(!held.lease.stands(NOW), "a stream in flight ends: {target}");
        identity.board().replace([]);
        assert!(by_key(&identity, NOW, &text).is_ok(), "{target}");
    }
    for other in ["tenant:other", "role:clerk", "principal:bank/clerk", "credential:key_x", "issuer:bank"] {
        identity.board().replace([(other.parse().unwrap(), Timestamp::MAX)]);
        assert!(by_key(&identity, NOW, &text).is_ok(), "{other}");
    }
    // A key that is read for the first time after the revocation is covered by it all the same.
    identity.board().replace([("role:teller".parse().unwrap(), NOW)]);
    identity.load(vec![]);
    identity.load(vec![record]);
    assert_eq!(by_key(&identity, NOW, &text).unwrap_err(), Code::RevokedCredential);
}
