//! Pooling, retries, failover and breakers, in simulated time.

use super::{script::*, *};
use crate::{Dialect, Phase};

fn one() -> Vec<Target> {
    vec![target("a", Dialect::OpenAi)]
}

fn two() -> Vec<Target> {
    vec![target("a", Dialect::OpenAi), target("b", Dialect::OpenAi)]
}

fn serves(acts: Vec<Act>) -> Dialled {
    Dialled::Serves(vec![acts])
}

fn says(status: u16, headers: &str) -> Dialled {
    serves(vec![answer(status, headers, "")])
}

#[tokio::test(start_paused = true)]
async fn a_connection_serves_many_requests_whole_and_streaming() {
    let events = STREAM.to_owned() + &chunk("data: 1\n\n") + &chunk("data: [DONE]\n\n") + "0\r\n\r\n";
    let world = World::new([("a", Dialled::Serves(vec![json("1"), vec![say(events)], json("3")]))]);
    let provider = provider(&world, one());
    assert_eq!(ask(&provider, false).await.unwrap(), "1");
    assert_eq!(ask(&provider, true).await.unwrap(), "data: 1\n\ndata: [DONE]\n\n");
    assert_eq!(ask(&provider, false).await.unwrap(), "3");
    assert_eq!(world.requests().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn events_that_are_ready_together_come_together() {
    let events: String = (0..54).map(|i| chunk(&format!("data: {i}\n\n"))).collect();
    let world = World::one(vec![say(STREAM.to_owned() + &events + "0\r\n\r\n")]);
    let provider = provider(&world, one());
    let (_, upstream) = provider.dispatch(intended(Format::Chat, true, ASK)).await.ok().unwrap();
    let Upstream::Stream(mut body) = upstream else { panic!("not a stream") };
    let first = body.next().await.unwrap().unwrap();
    assert!(first.ends_with(b"data: 53\n\n"));
    assert_eq!(body.next().await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn a_stream_dropped_at_its_last_event_leaves_its_connection_and_one_dropped_before_does_not() {
    let event = chunk("data: 1\n\n");
    let complete = vec![say(format!("{STREAM}{event}0\r\n\r\n"))];
    let running = vec![say(format!("{STREAM}{event}")), Act::Hang];
    let world = World::new([("a", Dialled::Serves(vec![complete, running])), ("a", serves(json("2")))]);
    let provider = provider(&world, one());
    for _ in 0..2 {
        let (_, upstream) = provider.dispatch(intended(Format::Chat, true, ASK)).await.ok().unwrap();
        let Upstream::Stream(mut body) = upstream else { panic!("not a stream") };
        body.next().await.unwrap();
    }
    assert_eq!(world.left(), 1);
    assert_eq!(ask(&provider, false).await.unwrap(), "2");
}

#[tokio::test(start_paused = true)]
async fn a_pooled_connection_that_is_gone_is_replaced_once() {
    let world = World::new([("a", serves(json("1"))), ("a", serves(json("2")))]);
    let provider = provider(&world, one());
    assert_eq!(ask(&provider, false).await.unwrap(), "1");
    // The server has closed; that is found out in time.
    assert_eq!(ask(&provider, false).await.unwrap(), "2");
    assert_eq!(world.requests().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_pooled_connection_that_breaks_inside_an_answer_is_not_retried() {
    let world = World::new([("a", Dialled::Serves(vec![json("1"), vec![say("HTTP/1.1 2")]]))]);
    let provider = provider(&world, one());
    ask(&provider, false).await.unwrap();
    assert_eq!(code(ask(&provider, false).await), Code::ProviderUnreachable);
    assert_eq!(world.requests().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_not_used_after_its_time() {
    let world = World::new([("a", Dialled::Serves(vec![json("1"), json("never")])), ("a", serves(json("2")))]);
    let provider = provider(&world, one());
    ask(&provider, false).await.unwrap();
    tokio::time::advance(Duration::from_secs(31)).await;
    assert_eq!(ask(&provider, false).await.unwrap(), "2");
}

#[tokio::test(start_paused = true)]
async fn what_was_not_worked_on_is_retried_and_nothing_else() {
    for status in [408, 429, 502, 503, 504, 529] {
        let world = World::new([("a", says(status, "")), ("a", Dialled::Refused), ("a", serves(json("ok")))]);
        assert_eq!(ask(&provider(&world, one()), false).await.unwrap(), "ok", "{status}");
    }
    for status in [400, 401, 403, 404, 409, 422, 500, 501] {
        let world = World::new([("a", says(status, "retry-after: 1\r\n"))]);
        code(ask(&provider(&world, one()), false).await);
        assert_eq!(world.requests().len(), 1, "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn retries_end_after_two_and_wait_in_between() {
    let world = World::new(std::iter::repeat_n(("a", says(503, "")), 3));
    let start = Instant::now();
    assert_eq!(code(ask(&provider(&world, one()), false).await), Code::ProviderUnreachable);
    let waited = start.elapsed();
    assert!((Duration::from_millis(150)..=Duration::from_millis(460)).contains(&waited), "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn a_short_retry_after_is_waited_for_and_a_long_one_is_passed_on() {
    let world = World::new([("a", says(429, "retry-after: 2\r\n")), ("a", serves(json("ok")))]);
    let start = Instant::now();
    ask(&provider(&world, one()), false).await.unwrap();
    assert_eq!(start.elapsed(), Duration::from_secs(2));

    let world = World::new([("a", says(429, "retry-after: 30\r\n"))]);
    let refusal = ask(&provider(&world, one()), false).await.unwrap_err();
    assert_eq!((refusal.code, refusal.retry_after), (Code::ProviderLimited, Some(Duration::from_secs(30))));
    for odd in ["-1", "soon", "Wed, 21 Oct 2026 07:28:00 GMT", "99999999999999999999"] {
        let dials = std::iter::repeat_n(("a", says(429, &format!("retry-after: {odd}\r\n"))), 3);
        assert_eq!(ask(&provider(&World::new(dials), one()), false).await.unwrap_err().retry_after, None);
    }
}

#[tokio::test(start_paused = true)]
async fn the_next_target_is_asked_before_the_same_one_again() {
    for first in [Dialled::Refused, says(429, "retry-after: 30\r\n"), says(503, ""), says(401, "")] {
        let world = World::new([("a", first), ("b", serves(json("b")))]);
        let provider = provider(&world, two());
        let start = Instant::now();
        let (dispatched, upstream) = provider.dispatch(intended(Format::Chat, false, ASK)).await.ok().unwrap();
        assert_eq!((&**dispatched.target(), read(upstream).await.unwrap()), ("b", "b".into()));
        assert_eq!(start.elapsed(), Duration::ZERO);
    }
}

#[tokio::test(start_paused = true)]
async fn a_target_that_refused_the_credential_is_not_asked_again() {
    let world = World::new([("a", says(401, "")), ("b", says(503, "")), ("b", serves(json("b")))]);
    assert_eq!(ask(&provider(&world, two()), false).await.unwrap(), "b");
}

#[tokio::test(start_paused = true)]
async fn a_failing_target_is_left_alone_and_asked_again_later() {
    let world = World::new([
        ("a", says(500, "")),
        ("a", says(500, "")),
        ("a", says(500, "")),
        ("a", says(500, "")),
        ("a", says(500, "")),
        ("a", serves(json("back"))),
        ("a", serves(json("and stays"))),
    ]);
    let provider = provider(&world, one());
    for _ in 0..5 {
        assert_eq!(code(ask(&provider, false).await), Code::ProviderUnreachable);
    }
    let (refusal, called) = provider.dispatch(intended(Format::Chat, false, ASK)).await.err().unwrap();
    assert_eq!((refusal.code, called, refusal.retry_after), (Code::ProviderDown, None, Some(Duration::from_secs(5))));
    assert_eq!(provider.health(), [("a".into(), Phase::Open)]);
    tokio::time::advance(Duration::from_secs(5)).await;
    assert_eq!(ask(&provider, false).await.unwrap(), "back");
    assert_eq!(provider.health(), [("a".into(), Phase::Closed)]);
    assert_eq!(ask(&provider, false).await.unwrap(), "and stays");
}

#[tokio::test(start_paused = true)]
async fn streams_that_break_count_against_the_target_and_refusals_do_not() {
    let broken = serves(vec![say(STREAM.to_owned() + "5\r\n")]);
    let world = World::new(std::iter::repeat_n(("a", broken), 5));
    let broken = provider(&world, one());
    for _ in 0..5 {
        assert_eq!(code(ask(&broken, true).await), Code::ProviderUnreachable);
    }
    assert_eq!(code(ask(&broken, true).await), Code::ProviderDown);

    let world = World::new(std::iter::repeat_n(("a", says(400, "")), 20));
    let refusing = provider(&world, one());
    for _ in 0..20 {
        assert_eq!(code(ask(&refusing, true).await), Code::ProviderRefused);
    }
}
