use std::{convert::Infallible, time::Duration};

use bytes::Bytes;
use countersign_audit::record::Record;
use countersign_identity::token::{Algorithm, Issuer, KeyRules, Profile};
use futures_util::FutureExt;
use http::header;
use http_body::Frame;
use http_body_util::{BodyExt, Empty, StreamBody};
use tokio::time::timeout;

use super::*;
use crate::support::World;

/// How the requests of a world ended, as (route, outcome) with their number, from the metrics themselves.
fn ended(world: &World) -> Vec<String> {
    let text = world.gateway.metrics().text().unwrap();
    assert!(text.contains("countersign_in_flight 0\n"), "{text}");
    let lines = text.lines().filter_map(|l| l.strip_prefix("countersign_requests_total"));
    lines.map(str::to_owned).collect()
}

/// What is on record besides that the log was opened: in a word each.
async fn recorded(world: &World) -> Vec<String> {
    let word = |record: &Record| match record {
        Record::Opened(_) => None,
        Record::Intent(_) => Some("intent".to_owned()),
        Record::Outcome(o) => Some(format!("outcome {}", o.status)),
        Record::Refused(r) => Some(format!("refused {}", r.code)),
        Record::Answered(r) => Some(format!("answered {}", r.what)),
        Record::Changed(_) => Some("changed".to_owned()),
        Record::Strangers(r) => Some(format!("{} strangers from {}", r.count, r.from)),
        Record::Gap(_) => Some("gap".to_owned()),
        Record::GivenUp(_) => Some("given up".to_owned()),
    };
    world.records().await.iter().filter_map(word).collect()
}

#[tokio::test]
async fn an_answer_whole_or_streamed_is_settled_once() {
    for stream in [false, true] {
        let world = World::new();
        let answer = world.gateway.handle(world.ask("openai", stream), Peer::default(), None).await;
        assert_eq!(answer.status(), 200);
        answer.into_body().collect().await.ok().unwrap();
        assert_eq!(ended(&world), [r#"{route="chat",outcome="ok"} 1"#]);
        assert_eq!(recorded(&world).await, ["intent", "outcome 200"]);
    }
}

#[tokio::test]
async fn a_refusal_is_on_record_once_before_it_is_said() {
    let world = World::new();
    let mut ask = world.ask("openai", false);
    ask.headers_mut().remove(header::AUTHORIZATION);
    assert_eq!(world.gateway.handle(ask, Peer::default(), None).await.status(), 401);
    assert_eq!(ended(&world), [r#"{route="chat",outcome="no-credential"} 1"#]);
    assert_eq!(recorded(&world).await, ["refused CS0201"]);
}

fn get(world: &World, path: &str) -> http::Request<Empty<Bytes>> {
    let bearer = format!("Bearer {}", world.key);
    http::Request::get(path).header(header::AUTHORIZATION, bearer).body(Empty::new()).unwrap()
}

#[tokio::test]
async fn what_the_gateway_answers_by_itself_is_on_record_first() {
    let world = World::new();
    for (path, what) in [("/v1/models", "models"), ("/metrics", "metrics")] {
        assert_eq!(world.gateway.handle(get(&world, path), Peer::default(), None).await.status(), 200, "{what}");
    }
    assert_eq!(recorded(&world).await, ["answered models", "answered metrics"]);
    // The log is closed: what cannot be recorded is not answered.
    let answer = world.gateway.handle(get(&world, "/metrics"), Peer::default(), None).await;
    assert_eq!(answer.status(), 503);
    assert!(
        ended(&world).contains(&r#"{route="metrics",outcome="shutting-down"} 1"#.to_owned()),
        "{:?}",
        ended(&world)
    );
}

#[tokio::test]
async fn a_flood_of_bad_keys_fills_no_log_and_locks_nobody_out() {
    let world = World::new();
    let peer = Peer { ip: Some([203, 0, 113, 7].into()), listener: "front".into() };
    let mut statuses = [0; 2];
    for i in 0..1_000 {
        let mut ask = get(&world, "/v1/models");
        let key = format!("Bearer csk_{i}");
        ask.headers_mut().insert(header::AUTHORIZATION, key.parse().unwrap());
        let answer = world.gateway.handle(ask, peer.clone(), None).await;
        assert_eq!(answer.headers().contains_key(header::RETRY_AFTER), answer.status() == 429);
        statuses[usize::from(answer.status() == 429)] += 1;
        assert!(matches!(answer.status().as_u16(), 401 | 429));
    }
    assert_eq!(statuses, [120, 880]);
    // Whoever has a key passes, from the same address too.
    assert_eq!(world.gateway.handle(get(&world, "/v1/models"), peer.clone(), None).await.status(), 200);
    world.gateway.account_for_strangers(true).await;
    let recorded = recorded(&world).await;
    assert_eq!(recorded.iter().filter(|r| *r == "refused CS0202").count(), 120);
    assert_eq!(recorded[120..], ["answered models", "880 strangers from 203.0.113.7"]);
}

#[tokio::test]
async fn a_flood_of_tokens_that_cannot_be_confirmed_fills_no_log() {
    let world = World::new();
    let issuer = Issuer {
        name: "bank".into(),
        url: "https://id.example".into(),
        tenant: "bank".into(),
        tenants: None,
        audiences: vec!["https://ai.example".into()],
        algorithms: vec![Algorithm::Es256],
        profile: Profile::Rfc9068,
        roles: Vec::new(),
        extra: Vec::new(),
        leeway: Duration::ZERO,
        max_lifetime: Duration::from_hours(1),
        keys: KeyRules::default(),
        introspection: None,
        speaks_for: None,
    };
    world.gateway.stages().identity.tokens().set_issuers(vec![issuer]).unwrap();
    // Nobody signed it, which nobody can know while the issuer's keys are not there. It is `{"alg":"ES256","kid":"k","typ":"at+jwt"}`
    // and `{"iss":"https://id.example"}`.
    let token =
        "Bearer eyJhbGciOiJFUzI1NiIsImtpZCI6ImsiLCJ0eXAiOiJhdCtqd3QifQ.eyJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUifQ.AAAA";
    let peer = Peer { ip: Some([203, 0, 113, 7].into()), listener: "front".into() };
    for _ in 0..500 {
        let mut ask = get(&world, "/v1/models");
        ask.headers_mut().insert(header::AUTHORIZATION, token.parse().unwrap());
        let answer = world.gateway.handle(ask, peer.clone(), None).await;
        assert_eq!((answer.status().as_u16(), &answer.headers()[header::RETRY_AFTER]), (503, &"1".parse().unwrap()));
    }
    world.gateway.account_for_strangers(true).await;
    let recorded = recorded(&world).await;
    assert_eq!(recorded.iter().filter(|r| *r == "refused CS0205").count(), 120);
    assert_eq!(recorded[120..], ["380 strangers from 203.0.113.7"]);
}

#[tokio::test]
async fn a_model_that_nobody_serves_is_refused_before_the_intent_and_not_named() {
    let world = World::new();
    let answer = world.gateway.handle(world.ask("sk-a-key-in-the-wrong-place", false), Peer::default(), None).await;
    assert_eq!(answer.status(), 404);
    let records = world.records().await;
    assert!(matches!(&records[1], Record::Refused(r) if r.code == "CS0701"), "{records:?}");
    assert!(!format!("{records:?}").contains("in-the-wrong-place"));
}

#[tokio::test]
async fn a_caller_who_goes_away_while_a_refusal_is_recorded_changes_nothing() {
    let world = World::new();
    let mut ask = world.ask("openai", false);
    ask.headers_mut().remove(header::AUTHORIZATION);
    // Looked at once and dropped: the record is on its way all the same.
    drop(world.gateway.handle(ask, Peer::default(), None).now_or_never());
    assert_eq!(ended(&world).len(), 1);
    assert_eq!(recorded(&world).await, ["refused CS0201"]);
}

#[tokio::test]
async fn a_caller_who_goes_away_before_asking_is_not_counted_as_served() {
    let world = World::new();
    let never = StreamBody::new(futures_util::stream::pending::<Result<Frame<Bytes>, Infallible>>());
    let (parts, _) = world.ask("openai", false).into_parts();
    let ask = http::Request::from_parts(parts, never);
    assert!(world.gateway.handle(ask, Peer::default(), None).now_or_never().is_none());
    // The account is closed on a task of its own.
    timeout(Duration::from_secs(20), async {
        while world.gateway.metrics().in_flight.get() != 0 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
    assert_eq!(ended(&world), [r#"{route="chat",outcome="client-closed"} 1"#]);
    assert!(recorded(&world).await.is_empty());
}

#[tokio::test]
async fn a_stream_that_the_caller_leaves_is_settled_as_such() {
    let world = World::new();
    let answer = world.gateway.handle(world.ask("openai", true), Peer::default(), None).await;
    drop(answer.into_body());
    assert_eq!(ended(&world), [r#"{route="chat",outcome="client-closed"} 1"#]);
    assert_eq!(recorded(&world).await, ["intent", "outcome 499"]);
}

#[tokio::test]
async fn labels_hold_nothing_a_caller_wrote() {
    let world = World::new();
    let model = "a-model-of-the-callers-own";
    let answer = world.gateway.handle(world.ask(model, false), Peer::default(), None).await;
    assert_eq!(answer.status(), 404);
    let odd = http::Request::get("/a/path/of/the/callers/own").body(http_body_util::Empty::<Bytes>::new()).unwrap();
    world.gateway.handle(odd, Peer::default(), None).await;
    let text = world.gateway.metrics().text().unwrap();
    assert!(!text.contains("callers"), "{text}");
    assert!(text.contains(r#"route="unknown""#));
}
