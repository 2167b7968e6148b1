use std::{
    io::{Read, Write},
    net::TcpListener,
    sync::{Arc, Mutex},
    thread,
};

use tracing::subscriber::with_default;

use super::*;

fn config(level: &str, otlp: Option<String>) -> Telemetry {
    Telemetry { log: LogFormat::Json, level: level.to_owned(), otlp }
}

/// Log lines, kept.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Lines {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// A collector that takes one batch; what it was sent, head and body.
fn collector(status: &'static str) -> (String, thread::JoinHandle<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/otel", listener.local_addr().unwrap());
    let receiver = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let (mut got, mut buffer) = (Vec::new(), [0; 4096]);
        loop {
            let n = stream.read(&mut buffer).unwrap();
            got.extend_from_slice(&buffer[..n]);
            let text = String::from_utf8_lossy(&got).to_lowercase();
            let Some(head) = got.windows(4).position(|w| w == b"\r\n\r\n") else { continue };
            let length = text.split("content-length: ").nth(1).unwrap().split("\r\n").next().unwrap();
            if n == 0 || got.len() >= head + 4 + length.parse::<usize>().unwrap() {
                break;
            }
        }
        write!(stream, "HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n").unwrap();
        got
    });
    (address, receiver)
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|w| w == text.as_bytes())
}

#[test]
fn spans_reach_the_collector_with_their_fields_and_nothing_else_does() {
    let (address, receiver) = collector("200 OK");
    let lines = Lines::default();
    let (subscriber, guard) = build(&config("trace", Some(address)), lines.clone()).unwrap();
    with_default(subscriber, || {
        let span = tracing::info_span!(
            target: "countersign_gateway::ledger",
            "gateway.request",
            "gen_ai.operation.name" = "chat",
            "gen_ai.request.model" = tracing::field::Empty,
            "gen_ai.usage.input_tokens" = tracing::field::Empty,
        );
        span.record("gen_ai.request.model", "small-1");
        span.record("gen_ai.usage.input_tokens", 17_u64);
        span.in_scope(|| {
            tracing::info!(target: "countersign_gateway", note = "canary-in-a-log-line", "refused");
            tracing::error_span!(target: "hyper::proto", "foreign", header = "canary-in-a-foreign-span")
                .in_scope(|| {});
            tracing::debug_span!(target: "countersign_gateway", "detail", text = "canary-in-a-detail").in_scope(|| {});
        });
    });
    drop(guard);
    let got = receiver.join().unwrap();
    assert!(got.starts_with(b"POST /otel/v1/traces HTTP/1.1\r\n"));
    for expected in [
        "application/x-protobuf",
        "gateway.request",
        "gen_ai.request.model",
        "small-1",
        "gen_ai.usage.input_tokens",
        "countersign",
    ] {
        assert!(holds(&got, expected), "{expected}");
    }
    for unwanted in ["canary", "foreign", "detail", "code.file", "thread"] {
        assert!(!holds(&got, unwanted), "{unwanted}");
    }
    assert!(lines.text().contains("canary-in-a-log-line"));
}

#[test]
fn without_a_collector_no_span_is_made() {
    let (subscriber, _guard) = build(&config("trace", None), Lines::default()).unwrap();
    with_default(subscriber, || {
        assert!(tracing::info_span!(target: "countersign_gateway", "gateway.request").is_disabled());
    });
}

#[test]
fn log_lines_are_json_objects_and_others_speak_only_when_something_is_wrong() {
    let lines = Lines::default();
    let (subscriber, _guard) = build(&config("trace", None), lines.clone()).unwrap();
    with_default(subscriber, || {
        tracing::trace!(target: "countersign", n = 1, "ours");
        tracing::trace!(target: "countersign_guard::normal", "ours");
        tracing::trace!(target: "countersign::cmd", "ours");
        tracing::info!(target: "countersigned", "a stranger's");
        tracing::info!(target: "hyper::proto", "authorization: Bearer x");
        tracing::warn!(target: "hyper::proto", "trouble");
    });
    let text = lines.text();
    let parsed: Vec<serde_json::Value> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let messages: Vec<_> = parsed.iter().map(|l| l["message"].as_str().unwrap()).collect();
    assert_eq!(messages, ["ours", "ours", "ours", "trouble"]);
    assert_eq!((&parsed[0]["n"], &parsed[0]["level"]), (&1.into(), &"TRACE".into()));
}

#[test]
fn the_level_holds_for_everyone() {
    let lines = Lines::default();
    let (subscriber, _guard) = build(&config("error", None), lines.clone()).unwrap();
    with_default(subscriber, || {
        tracing::warn!(target: "countersign", "quiet");
        tracing::warn!(target: "hyper", "quiet");
        tracing::error!(target: "countersign", "loud");
    });
    assert_eq!(lines.text().lines().count(), 1);
}

#[test]
fn a_collector_that_refuses_or_is_gone_holds_nothing_up() {
    let (address, receiver) = collector("503 Service Unavailable");
    let gone = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    for address in [address, gone] {
        let (subscriber, guard) = build(&config("info", Some(address)), Lines::default()).unwrap();
        with_default(subscriber, || drop(tracing::info_span!(target: "countersign", "gateway.request")));
        drop(guard);
    }
    assert!(!receiver.join().unwrap().is_empty());
}

#[test]
fn what_does_not_hold_is_refused() {
    for bad in [config("loud", None), config("info", Some("collector:4318".to_owned()))] {
        let refused = build(&bad, Lines::default()).map(|_| ()).unwrap_err();
        assert_eq!(refused.code, Code::ConfigInvalid);
    }
}
