//! What a provider can do wrong, and the code each comes to.

use super::{script::*, *};
use crate::Dialect;

async fn comes_to(stream: bool, acts: Vec<Act>) -> Code {
    let world = World::one(acts);
    code(ask(&provider(&world, vec![target("a", Dialect::OpenAi)]), stream).await)
}

const LEAK: &str = r#"{"error":{"message":"canary-leak"}}"#;

#[tokio::test(start_paused = true)]
async fn statuses_come_to_codes_and_bodies_are_never_echoed() {
    for (status, expected) in [
        (400, Code::ProviderRefused),
        (404, Code::ProviderRefused),
        (413, Code::ProviderRefused),
        (422, Code::ProviderRefused),
        (401, Code::ProviderUnreachable),
        (403, Code::ProviderUnreachable),
        (500, Code::ProviderUnreachable),
        (501, Code::ProviderUnreachable),
        (204, Code::ProviderMalformed),
        (201, Code::ProviderMalformed),
        (302, Code::ProviderMalformed),
    ] {
        for stream in [false, true] {
            let body = if status == 204 { "" } else { LEAK };
            let got = comes_to(
                stream,
                vec![answer(status, "content-type: application/json\r\nlocation: http://canary\r\n", body)],
            )
            .await;
            assert_eq!(got, expected, "{status}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn answers_of_the_wrong_kind_are_withheld() {
    let chunked = "transfer-encoding: chunked\r\n\r\n";
    for (stream, acts) in [
        (false, vec![answer(200, "content-type: text/html\r\n", "<html>canary</html>")]),
        (true, vec![answer(200, "content-type: text/html\r\n", "<html>canary</html>")]),
        (false, vec![answer(200, "", LEAK)]),
        (false, vec![answer(200, "content-type: application/jsonp\r\n", LEAK)]),
        (true, vec![answer(200, "content-type: application/json\r\n", LEAK)]),
        (false, vec![answer(200, "content-type: text/event-stream\r\n", "data: canary\n\n")]),
        (false, vec![answer(200, "content-type: application/json\r\ncontent-encoding: gzip\r\n", LEAK)]),
        (true, vec![answer(200, "content-type: text/event-stream\r\ncontent-encoding: br\r\n", LEAK)]),
        (false, vec![say("SSH-2.0-canary\r\n\r\n")]),
        (
            false,
            vec![say(format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 5\r\n{chunked}0\r\n\r\n"
            ))],
        ),
        (false, vec![say(format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n{chunked}canary\r\n"))]),
        (true, vec![say(format!("{STREAM}{}zz\r\n", chunk("data: canary\n\n")))]),
        (false, vec![say("HTTP/1.1 101 Switching Protocols\r\nupgrade: h2c\r\n\r\n")]),
        (false, vec![say(format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "canary".repeat(10_000)))]),
    ] {
        assert_eq!(comes_to(stream, acts).await, Code::ProviderMalformed);
    }
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_breaks_off_is_unreachable() {
    for (stream, text) in [
        (
            false,
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{\"canary\":".to_owned(),
        ),
        (false, "HTTP/1.1 200 OK\r\ncontent-t".to_owned()),
        (false, String::new()),
        (true, STREAM.to_owned() + &chunk("data: canary\n\n")),
        (true, STREAM.to_owned() + "5\r\nca"),
    ] {
        assert_eq!(comes_to(stream, vec![say(text)]).await, Code::ProviderUnreachable);
    }
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_takes_too_long_is_timed_out_in_every_phase() {
    let (second, hour) = (Duration::from_secs(1), Duration::from_secs(3600));
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2000\r\n\r\n";
    let slowly = |text: &str| text.bytes().flat_map(|b| [say(vec![b]), Act::Wait(second)]).collect::<Vec<_>>();
    let drip = std::iter::repeat_n([say("x"), Act::Wait(second)], 2000).flatten();
    for (stream, acts, seconds) in [
        (false, vec![Act::Hang], 120),
        (false, vec![Act::Wait(hour)], 120),
        // One byte a second: the head is not there in time.
        (false, slowly(&format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "y".repeat(200))), 120),
        (false, vec![say(head), Act::Hang], 600),
        (false, [say(head)].into_iter().chain(drip).collect(), 600),
        (true, vec![say(STREAM), say(chunk("data: canary\n\n")), Act::Hang], 60),
        (true, vec![say(STREAM), Act::Repeat(chunk("data: canary\n\n").into())], 600),
    ] {
        let start = Instant::now();
        assert_eq!(comes_to(stream, acts).await, Code::ProviderTimeout);
        assert_eq!(start.elapsed().as_secs(), seconds);
    }
    let world = World::new(std::iter::repeat_n(("a", Dialled::Never), 3));
    let start = Instant::now();
    assert_eq!(code(ask(&provider(&world, vec![target("a", Dialect::OpenAi)]), false).await), Code::ProviderTimeout);
    assert_eq!((start.elapsed().as_secs(), world.left()), (15, 0));
}

/// In real time: simulated time stands still while there is something to do.
#[tokio::test]
async fn a_provider_that_never_pauses_is_timed_out_as_one_that_does() {
    let floods = Dialled::Floods(STREAM.into(), chunk(": still there\n\n").into());
    let mut target = target("a", Dialect::OpenAi);
    target.timeouts.total = Duration::from_millis(50);
    let provider = provider(&World::new([("a", floods)]), vec![target]);
    assert_eq!(code(ask(&provider, true).await), Code::ProviderTimeout);
}

#[tokio::test(start_paused = true)]
async fn a_whole_answer_is_bounded() {
    let endless = [
        say("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"),
        Act::Repeat(chunk(&"x".repeat(1 << 20)).into()),
    ];
    assert_eq!(comes_to(false, endless.to_vec()).await, Code::ProviderMalformed);
    // One that says so beforehand is not even read.
    let long = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 99999999999\r\n\r\n";
    let start = Instant::now();
    assert_eq!(comes_to(false, vec![say(long), Act::Hang]).await, Code::ProviderMalformed);
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn which_provider_was_called_is_told() {
    let refused = World::new(std::iter::repeat_n(("a", Dialled::Refused), 3));
    let answered = World::one(vec![answer(500, "", "")]);
    for (world, called) in [(refused, None), (answered, Some("a"))] {
        let provider = provider(&world, vec![target("a", Dialect::OpenAi)]);
        let failed = provider.dispatch(intended(Format::Chat, false, ASK)).await.err().unwrap();
        assert_eq!((failed.0.code, failed.1.as_deref()), (Code::ProviderUnreachable, called));
    }
}
