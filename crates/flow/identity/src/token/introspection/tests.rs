//! Tokens that say nothing by themselves, and issuers that answer well, badly, late or not at all.

use std::{
    collections::VecDeque,
    future::poll_fn,
    sync::atomic::{AtomicUsize, Ordering},
    task::{Poll, Waker},
};

use countersign_core::{
    RequestId,
    life::{Identified, Peer, Stamps},
};
use countersign_seal::KeyRing;
use data_encoding::BASE64URL_NOPAD;

use super::{
    super::testing::{NOW, Object, after, claims, issuer},
    *,
};
use crate::{
    Identity, Outside, Presented,
    token::{Issuer, RoleClaim, RoleRule},
};

/// An issuer that says what it is told to say, when it is told to.
#[derive(Default)]
struct Oracle(Mutex<Told>);

#[derive(Default)]
struct Told {
    asked: Vec<(Arc<str>, String)>,
    answers: VecDeque<Result<Vec<u8>, NoAnswer>>,
    waiting: Vec<Waker>,
}

impl Oracle {
    fn say(&self, answer: impl Into<Vec<u8>>) {
        self.tell(Ok(answer.into()));
    }

    fn tell(&self, answer: Result<Vec<u8>, NoAnswer>) {
        let mut told = self.0.lock().unwrap();
        told.answers.push_back(answer);
        told.waiting.drain(..).for_each(Waker::wake);
    }

    fn asked(&self) -> usize {
        self.0.lock().unwrap().asked.len()
    }
}

impl Introspect for Arc<Oracle> {
    fn introspect(&self, issuer: Arc<str>, token: Secret<String>) -> Asking {
        let own = self.clone();
        own.0.lock().unwrap().asked.push((issuer, token.expose().clone()));
        Box::pin(poll_fn(move |context| {
            let mut told = own.0.lock().unwrap();
            told.answers.pop_front().map_or_else(
                || {
                    told.waiting.push(context.waker().clone());
                    Poll::Pending
                },
                Poll::Ready,
            )
        }))
    }
}

struct World {
    identity: Identity,
    oracle: Arc<Oracle>,
}

impl World {
    fn new(issuers: Vec<Issuer>) -> Self {
        let ring = KeyRing::from_bytes(Secret::new(vec![1; 32])).unwrap();
        let oracle = Arc::new(Oracle::default());
        let outside = Outside { introspect: Arc::new(oracle.clone()), ..Outside::default() };
        let identity = Identity::new(Stamps::issue().identify, &ring, vec![], outside).unwrap();
        identity.tokens().set_issuers(issuers).unwrap();
        Self { identity, oracle }
    }

    async fn begin(&self, token: &str, now: Timestamp) -> Result<Identified, Refusal> {
        let value = format!("Bearer {token}");
        let presented = Presented { authorization: Some(value.as_bytes()), ..Presented::default() };
        self.identity.identify(RequestId::new(now, [0; 10]), now, Peer::default(), &presented).await
    }

    /// Asks where everything is known or answered at once.
    fn ask(&self, token: &str, now: Timestamp) -> Result<Arc<Principal>, Refusal> {
        let identified = self.begin(token, now).now_or_never().expect("nothing is waited for");
        identified.map(|identified| identified.principal().clone())
    }

    fn why(&self, token: &str, now: Timestamp) -> (Code, String) {
        let refusal = self.ask(token, now).expect_err("it is refused");
        assert!(!refusal.reason.contains(token), "a reason holds nothing of the token");
        (refusal.code, refusal.reason.into_owned())
    }
}

fn asking(prefix: &str) -> Issuer {
    let how = Introspection { prefix: prefix.into(), remember: Duration::from_secs(30) };
    Issuer { introspection: Some(how), ..issuer() }
}

fn world() -> World {
    World::new(vec![asking("")])
}

/// What an issuer says of an active token.
fn active() -> Object {
    claims().without("jti").with("active", "true").with("token_type", "\"Bearer\"")
}

#[test]
fn a_token_is_asked_about_once_in_a_while_and_never_past_its_end() {
    let world = world();
    world.oracle.say(active().with("exp", (NOW.seconds() + 100).to_string()).text());
    let first = world.ask("opaque-1", NOW).unwrap();
    assert_eq!((&*first.subject, first.claims.as_deref().unwrap().id.as_deref().unwrap().len()), ("bank/u-4711", 71));
    assert_eq!(world.oracle.0.lock().unwrap().asked, [("bank".into(), "opaque-1".to_owned())]);
    for later in [1, 29] {
        assert!(Arc::ptr_eq(&first, &world.ask("opaque-1", after(later)).unwrap()));
    }
    assert_eq!(world.oracle.asked(), 1);
    world.oracle.say(active().with("exp", (NOW.seconds() + 100).to_string()).text());
    let again = world.ask("opaque-1", after(30)).unwrap();
    assert!(Arc::ptr_eq(&first, &again), "what is said of it is what was said, so its lease is the same");
    assert_eq!(world.oracle.asked(), 2);
    world.oracle.say(active().with("exp", (NOW.seconds() + 70).to_string()).text());
    let shorter = world.ask("opaque-1", after(60)).unwrap();
    assert!(!first.lease.stands(after(60)) && shorter.lease.stands(after(60)), "what is said anew ends the lease");
    assert_eq!(world.why("opaque-1", after(70)), (Code::ExpiredCredential, "the token has expired".into()));
    assert_eq!(world.oracle.asked(), 3);
}

#[test]
fn a_token_that_was_revoked_at_its_issuer_ends_its_streams_with_the_next_question() {
    let world = world();
    world.oracle.say(active().text());
    let stream = world.ask("opaque-1", NOW).unwrap();
    world.oracle.say("{\"active\":false}");
    assert_eq!(
        world.why("opaque-1", after(31)),
        (Code::BadCredential, "its issuer says that the token is not active".into())
    );
    assert!(!stream.lease.stands(after(31)));
    // That is remembered too.
    assert_eq!(world.why("opaque-1", after(40)).0, Code::BadCredential);
    assert_eq!(world.oracle.asked(), 2);
}

#[test]
fn requests_with_one_token_wait_for_one_answer() {
    let world = world();
    let mut context = std::task::Context::from_waker(Waker::noop());
    let (mut one, mut other, mut third) = (
        Box::pin(world.begin("opaque-1", NOW)),
        Box::pin(world.begin("opaque-1", NOW)),
        Box::pin(world.begin("opaque-2", NOW)),
    );
    for waiting in [&mut one, &mut other, &mut third] {
        assert!(waiting.as_mut().poll(&mut context).is_pending());
    }
    assert_eq!(world.oracle.asked(), 2);
    // The one that asked goes away; the other still gets the answer.
    drop(one);
    world.oracle.say(active().text());
    let Poll::Ready(Ok(identified)) = other.as_mut().poll(&mut context) else { panic!("it is answered") };
    assert!(Arc::ptr_eq(identified.principal(), &world.ask("opaque-1", NOW).unwrap()));
    assert!(third.as_mut().poll(&mut context).is_pending());
    // Everybody goes away: the next one asks again.
    drop(third);
    world.oracle.say(active().text());
    world.ask("opaque-2", NOW).unwrap();
    assert_eq!(world.oracle.asked(), 3);
}

#[test]
fn an_issuer_that_does_not_answer_refuses_and_is_asked_again() {
    let world = world();
    let unconfirmed = |answer: Result<&str, NoAnswer>, why: &str| {
        world.oracle.tell(answer.map(|text| text.as_bytes().to_vec()));
        let refusal = world.ask("opaque-1", NOW).unwrap_err();
        assert_eq!((refusal.code, &*refusal.reason), (Code::UnconfirmedCredential, why));
        assert!(refusal.retry_after.is_some());
    };
    unconfirmed(Err(NoAnswer), "issuer `bank` does not say what its tokens are worth");
    let else_ = "issuer `bank` answers a question about a token with something else";
    let long = format!("{{\"active\":true,\"x\":{:?}}}", "x".repeat(MAX_ANSWER));
    let twice = active().text().replacen('{', "{\"active\":false,", 1);
    for text in [
        "",
        "[]",
        "null",
        "<html>",
        "{}",
        "{\"active\":\"true\"}",
        "{\"active\":1}",
        "{\"active\":null}",
        &long,
        &twice,
    ] {
        unconfirmed(Ok(text), else_);
    }
    world.oracle.say(active().text());
    world.ask("opaque-1", NOW).unwrap();
    // What is remembered goes on, and nothing longer.
    world.ask("opaque-1", after(29)).unwrap();
    world.oracle.tell(Err(NoAnswer));
    assert_eq!(world.why("opaque-1", after(30)).0, Code::UnconfirmedCredential);
}

#[test]
fn answers_about_something_else_than_an_access_token_for_us_are_refused() {
    let world = world();
    let bound = |name: &str| format!("{{\"{name}\":\"{}\"}}", BASE64URL_NOPAD.encode(&[1; 32]));
    let said = [
        (active().with("iss", "\"https://evil.example\""), "the token is of another issuer"),
        (active().without("aud"), "the token's audience is malformed"),
        (active().with("aud", "\"https://other.example\""), "the token is for another audience"),
        (active().without("exp"), "the token does not say when it ends"),
        (active().without("iat"), "the token does not say when it was issued"),
        (active().with("exp", "\"tomorrow\""), "a moment in the token is malformed"),
        (
            active().with("exp", (NOW.seconds() + 86_400).to_string()),
            "the token lives longer than its issuer's tokens may",
        ),
        (active().without("client_id"), "a required claim is missing from the token"),
        (active().without("token_type"), "a required claim is missing from the token"),
        (
            active().with("token_type", "\"refresh_token\""),
            "the token's type is not that of an access token, or not what it is bound to",
        ),
        (
            active().with("token_type", "\"DPoP\""),
            "the token's type is not that of an access token, or not what it is bound to",
        ),
        (
            active().with("cnf", bound("jkt")),
            "the token's type is not that of an access token, or not what it is bound to",
        ),
        (active().with("cnf", bound("kid")), "the key that the token is bound to is not understood"),
        (active().with("sub", "\"ann@bank.example\""), "the token's subject is an e-mail address"),
        (active().with("nonce", "\"n\""), "the token is an ID token"),
        (active().with("scope", "[\"x\"]"), "the token's scope is malformed"),
    ];
    for (at, (answer, why)) in said.into_iter().enumerate() {
        world.oracle.say(answer.text());
        assert_eq!(world.why(&format!("opaque-{at}"), NOW), (Code::BadCredential, why.into()));
    }
    world
        .oracle
        .say(active().with("exp", NOW.seconds().to_string()).with("iat", (NOW.seconds() - 9).to_string()).text());
    assert_eq!(world.why("opaque-l", NOW).0, Code::ExpiredCredential);
    world.oracle.say(active().with("cnf", bound("jkt")).with("token_type", "\"DPoP\"").text());
    assert_eq!(world.why("opaque-b", NOW).1, "the token is bound to a key and came as a bearer token");
}

#[test]
fn the_subject_is_the_one_that_stays() {
    let world = World::new(vec![Issuer { profile: Profile::Okta, ..asking("") }]);
    world.oracle.say(active().with("sub", "\"ann@bank.example\"").with("uid", "\"00uAnn\"").text());
    assert_eq!(&*world.ask("okta", NOW).unwrap().subject, "bank/00uAnn");
    world.oracle.say(active().without("sub").without("iss").text());
    let service = world.ask("service", NOW).unwrap();
    assert_eq!((&*service.subject, service.kind), ("bank/notebook", PrincipalKind::Service));
}

#[test]
fn no_token_is_shown_to_an_issuer_it_is_not_of() {
    let named = |name: &str, url: &str, prefix| Issuer { name: name.into(), url: url.into(), ..asking(prefix) };
    let one = || named("one", "https://one.example", "one_");
    let world = World::new(vec![one(), named("two", "https://two.example", "two_")]);
    world.oracle.say(active().with("iss", "\"https://two.example\"").text());
    assert_eq!(&*world.ask("two_x", NOW).unwrap().subject, "two/u-4711");
    assert_eq!(world.why("three_x", NOW).1, "the credential is neither an API key nor an access token");
    assert_eq!(world.oracle.0.lock().unwrap().asked, [("two".into(), "two_x".to_owned())]);
    for other in ["", "one_", "one_more_", "o"] {
        let both = vec![one(), named("two", "https://two.example", other)];
        assert!(world.identity.tokens().set_issuers(both).is_err(), "{other}");
    }
    // Nor what could be a key, or is no token at all.
    for odd in ["csk_x", "a b", "a\"b", "{}", "a%20b", &"a".repeat(MAX_OPAQUE + 1), "\u{e9}"] {
        assert_eq!(world.ask(odd, NOW).unwrap_err().code, Code::BadCredential, "{odd}");
        assert_eq!(world.ask(&format!("one_{odd}x y"), NOW).unwrap_err().code, Code::BadCredential, "{odd}");
    }
    assert_eq!(world.oracle.asked(), 1);
}

#[test]
fn strangers_cannot_flood_an_issuer() {
    let world = world();
    world.oracle.say(active().text());
    world.ask("good", NOW).unwrap();
    for at in 1..MAX_PER_SECOND {
        world.oracle.say("{\"active\":false}");
        assert_eq!(world.why(&format!("bad-{at}"), NOW).0, Code::BadCredential);
    }
    let (code, why) = world.why("one-more", NOW);
    assert_eq!(
        (code, &*why),
        (Code::UnconfirmedCredential, "issuer `bank` is being asked about too many tokens in a second")
    );
    assert_eq!(world.oracle.asked(), MAX_PER_SECOND);
    world.ask("good", NOW).unwrap();
    // In the next second there is room again, though not for more than so many at once.
    let mut context = std::task::Context::from_waker(Waker::noop());
    let texts: Vec<_> = (0..=MAX_FLIGHTS).map(|at| format!("slow-{at}")).collect();
    let mut open: Vec<_> = texts.iter().map(|text| Box::pin(world.begin(text, after(1)))).collect();
    let ready = open.iter_mut().filter_map(|waiting| match waiting.as_mut().poll(&mut context) {
        Poll::Ready(answered) => Some(answered.unwrap_err().reason),
        Poll::Pending => None,
    });
    assert_eq!(ready.collect::<Vec<_>>(), ["issuer `bank` is being asked about too many tokens at once"]);
    drop(open);
    world.oracle.say(active().text());
    world.ask("another", after(1)).unwrap();
}

#[test]
fn what_is_remembered_is_bounded_and_what_streams_hold_is_kept() {
    let mut state = State::default();
    let inactive = || Err(bad("x"));
    for at in 0..MAX_KNOWN as u64 {
        let mut hash = [0; 32];
        hash[..8].copy_from_slice(&at.to_be_bytes());
        assert!(state.remember(hash, inactive(), after(30), NOW).is_ok_and(|worth| worth.is_err()));
    }
    assert!(state.remember([9; 32], inactive(), after(31), after(1)).is_err(), "nothing is forgotten early");
    assert!(state.remember([9; 32], inactive(), after(61), after(31)).is_ok());
    assert_eq!(state.known.len(), 1);
}

#[test]
fn an_issuer_that_is_taken_away_takes_what_is_known_of_its_tokens_along() {
    let world = world();
    world.oracle.say(active().text());
    let held = world.ask("opaque-1", NOW).unwrap();
    let service = Arc::downgrade(&world.identity.tokens().services.load()[0]);
    world.identity.tokens().set_issuers(vec![]).unwrap();
    assert!(!held.lease.stands(NOW) && service.upgrade().is_none());
    assert_eq!(world.why("opaque-1", NOW).1, "the credential is neither an API key nor an access token");
}

#[test]
fn groups_that_the_directory_changes_count_from_the_next_request_on() {
    let rule = RoleRule { claim: RoleClaim::Group, value: "tellers".into(), role: "teller".into() };
    let world = World::new(vec![Issuer { roles: vec![rule], ..asking("") }]);
    let directory = |groups: &[&str]| {
        let member = ("bank".into(), "u-4711".into(), groups.iter().map(|group| Arc::from(*group)).collect());
        world.identity.tokens().set_directory(Directory::new("bank".into(), [member]));
    };
    let said = || world.oracle.say(active().with("groups", "[\"tellers\"]").text());
    said();
    assert_eq!(*world.ask("opaque-1", NOW).unwrap().roles, ["teller".into()]);
    directory(&[]);
    said();
    assert!(world.ask("opaque-1", after(1)).unwrap().roles.is_empty());
    assert!(world.ask("opaque-1", after(2)).unwrap().roles.is_empty());
    directory(&["tellers"]);
    said();
    assert_eq!(*world.ask("opaque-1", after(3)).unwrap().roles, ["teller".into()]);
    assert_eq!(world.oracle.asked(), 3);
}

#[test]
fn a_clock_that_is_set_back_asks_again() {
    let world = world();
    world.oracle.say(active().text());
    world.ask("opaque-1", NOW).unwrap();
    world.oracle.say("{\"active\":false}");
    assert_eq!(world.why("opaque-1", Timestamp(NOW.0 - 1)).0, Code::BadCredential);
}

#[test]
fn a_panic_of_whoever_asks_leaves_no_flight_behind() {
    struct Panics(AtomicUsize);
    impl Introspect for Panics {
        fn introspect(&self, _: Arc<str>, _: Secret<String>) -> Asking {
            let first = self.0.fetch_add(1, Ordering::Relaxed) == 0;
            Box::pin(async move {
                assert!(!first, "the first time");
                Ok(active().text().into_bytes())
            })
        }
    }
    let ring = KeyRing::from_bytes(Secret::new(vec![1; 32])).unwrap();
    let outside = Outside { introspect: Arc::new(Panics(AtomicUsize::new(0))), ..Outside::default() };
    let identity = Identity::new(Stamps::issue().identify, &ring, vec![], outside).unwrap();
    identity.tokens().set_issuers(vec![asking("")]).unwrap();
    let presented = Presented { authorization: Some(b"Bearer opaque-1"), ..Presented::default() };
    let ask = || {
        let identified = identity.identify(RequestId::new(NOW, [0; 10]), NOW, Peer::default(), &presented);
        std::panic::AssertUnwindSafe(identified).catch_unwind().now_or_never().expect("nothing is waited for")
    };
    assert!(ask().is_err());
    assert!(ask().is_ok_and(|identified| identified.is_ok()));
}

#[test]
fn the_fuzz_corpus_of_answers_passes() {
    let corpus = format!("{}/../../../fuzz/corpus/introspection", env!("CARGO_MANIFEST_DIR"));
    let mut tried = 0;
    for file in std::fs::read_dir(corpus).unwrap() {
        let file = file.unwrap();
        let world = world();
        world.oracle.say(std::fs::read(file.path()).unwrap());
        let good = file.file_name().to_string_lossy().starts_with("good");
        assert_eq!(world.ask("opaque-1", NOW).is_ok(), good, "{:?}", file.path());
        tried += 1;
    }
    assert!(tried >= 6);
}
