use std::{convert::Infallible, time::Duration};

use bytes::Bytes;
use countersign_audit::record::Record;
use futures_util::FutureExt;
use http::header;
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
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
        Record::Gap(_) => Some("gap".to_owned()),
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
