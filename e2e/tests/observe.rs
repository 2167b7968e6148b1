//! What the gateway answers by itself, the list of models and the metrics: who may have it, how often, and what is on record of it.

use std::{
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

use countersign_testkit::{Home, Plan, Reply, Upstream, chat_answer, chat_ask, request};
use serde_json::Value;

const CHAT: &str = "/v1/chat/completions";

fn upstream() -> Upstream {
    Upstream::start(|_asked| Reply::json(200, &chat_answer("hello")))
}

/// Every record of the log, by its kind.
fn records(home: &Home) -> Vec<(String, Value)> {
    let lines = home.must(&["audit", "export"]);
    let kind = |line: &str| {
        let record = serde_json::from_str::<Value>(line).expect("a line of JSON")["record"].take();
        record.as_object().and_then(|kinds| kinds.iter().next()).map(|(kind, said)| (kind.clone(), said.clone()))
    };
    lines.lines().filter_map(kind).collect()
}

#[test]
fn prometheus_own_parser_reads_the_metrics() {
    let upstream = upstream();
    let home = Plan::new().target("openai", &upstream, &["m"]).write();
    let (key, observer) = (home.key("alice", "staff"), home.key("olga", "observer"));
    let gateway = home.serve();
    for _ in 0..3 {
        assert_eq!(gateway.post(CHAT, &key, &chat_ask("hi")).status, 200);
    }
    assert_eq!(gateway.post(CHAT, "csk_nobody", &chat_ask("hi")).status, 401);
    let metrics = gateway.get("/metrics", &observer);
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert_eq!((metrics.status, metrics.header("content-type")), (200, Some(kind)));
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.tools/venv/bin/python");
    if !python.exists() {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "Python is not installed: run `cargo xtask test`");
        #[expect(clippy::print_stderr, reason = "a test that was skipped says so")]
        {
            eprintln!("SKIPPED: Prometheus' parser is not installed; `cargo xtask test` installs it");
        }
        return;
    }
    let mut parser = Command::new(python)
        .args(["-c", PARSE])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("Python runs");
    parser.stdin.take().expect("a pipe").write_all(&metrics.body).expect("Python reads");
    let output = parser.wait_with_output().expect("our own process");
    assert!(output.status.success(), "the parser refuses it: {}", metrics.text());
    let samples: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let sample = |name: &str, labels: &[(&str, &str)]| {
        let fits = |s: &&Value| s[0] == name && labels.iter().all(|(label, value)| s[1][*label] == *value);
        samples.as_array().and_then(|all| all.iter().find(fits)).and_then(|s| s[2].as_f64())
    };
    let requests = "countersign_requests_total";
    assert_eq!(sample(requests, &[("route", "chat"), ("outcome", "ok")]), Some(3.0), "{samples}");
    assert_eq!(sample(requests, &[("route", "chat"), ("outcome", "bad-credential")]), Some(1.0), "{samples}");
    let seconds = "countersign_request_duration_seconds_count";
    assert_eq!(sample(seconds, &[("route", "chat")]), Some(4.0), "{samples}");
    assert_eq!(sample("countersign_in_flight", &[]), Some(1.0), "the scrape itself: {samples}");
}

/// Reads OpenMetrics text and prints name, labels and value of every sample.
const PARSE: &str = "
import json, sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families as families
print(json.dumps([[s.name, s.labels, s.value] for f in families(sys.stdin.read()) for s in f.samples]))
";

#[test]
fn who_observes_is_policys_to_say_and_is_on_record() {
    let upstream = upstream();
    let home = Plan::new().target("openai", &upstream, &["m"]).write();
    let keys = [home.key("alice", "staff"), home.key("olga", "observer"), home.key("wanda", "watch")];
    let gateway = home.serve();
    let home = gateway.home.clone();
    let statuses = || keys.each_ref().map(|key| gateway.get("/metrics", key).status);
    assert_eq!(statuses(), [403, 200, 403], "what `init` writes");
    assert_eq!(gateway.get("/v1/models", &keys[0]).status, 200);
    // A policy from before there was such an action opens the metrics to nobody, the role of that name included.
    let permit = |role: &str, action: &str| {
        format!("permit (principal in Countersign::Role::\"{role}\", action{action}, resource);\n")
    };
    let before = permit("staff", "") + &permit("observer", "");
    let reload = |policy: &str| {
        let times = gateway.log().matches("\"reloaded\"").count();
        home.put("policy.cedar", policy);
        gateway.hangup();
        countersign_testkit::until("the reload", || {
            (gateway.log().matches("\"reloaded\"").count() > times).then_some(())
        });
    };
    reload(&before);
    assert_eq!(statuses(), [403, 403, 403]);
    reload(&(before + &permit("watch", " == Countersign::Action::\"observe\"")));
    assert_eq!(statuses(), [403, 403, 200]);
    let (_, home) = gateway.stop();
    let answered: Vec<_> = records(&home)
        .into_iter()
        .filter(|(kind, _)| kind == "answered")
        .map(|(_, r)| format!("{} {}", r["who"]["subject"].as_str().unwrap_or_default(), r["what"]))
        .collect();
    assert_eq!(answered, ["olga \"metrics\"", "alice \"models\"", "wanda \"metrics\""]);
}

#[test]
fn rates_hold_for_everything_and_before_a_body_is_read() {
    let upstream = upstream();
    let home = Plan::new().target("openai", &upstream, &["m"]).rates("per_minute = 4\nburst = 4").write();
    let (key, observer, bob) = (home.key("alice", "staff"), home.key("olga", "observer"), home.key("bob", "staff"));
    let gateway = home.serve();
    for key in [&key, &observer] {
        let path = if *key == observer { "/metrics" } else { "/v1/models" };
        let statuses: Vec<u16> = (0..6).map(|_| gateway.get(path, key).status).collect();
        assert_eq!(statuses, [200, 200, 200, 200, 429, 429], "{path}");
    }
    // What is refused costs too: a program that asks for what it may not have uses up its own share.
    let key = &bob;
    let statuses: Vec<u16> = (0..5).map(|_| gateway.get("/no-such-endpoint", key).status).collect();
    assert_eq!(statuses, [404, 404, 404, 404, 429]);
    // The body is announced and never sent.
    let headers = [("authorization", &*format!("Bearer {key}")), ("content-type", "application/json")];
    let mut ask = request("POST", CHAT, &headers, b"{}");
    ask.truncate(ask.len() - 2);
    assert_eq!(gateway.exchange(&ask).status, 429);
    assert!(upstream.seen().is_empty());
}

#[test]
fn a_flood_of_bad_keys_is_recorded_in_part_and_counted_in_whole() {
    let upstream = upstream();
    let home = Plan::new().target("openai", &upstream, &["m"]).write();
    let key = home.key("alice", "staff");
    let gateway = home.serve();
    let flood = |times: u32| -> Vec<u16> {
        let mut client = gateway.client();
        let ask = |i| request("GET", "/v1/models", &[("authorization", &format!("Bearer csk_{i}"))], b"");
        let answer = |i| {
            client.send(ask(i)).expect("the gateway reads");
            client.answer().expect("the gateway answers").expect("the gateway answers").status
        };
        (0..times).map(answer).collect()
    };
    let statuses = flood(500);
    let refused = statuses.iter().filter(|status| **status == 401).count();
    assert!(statuses.iter().all(|status| [401, 429].contains(status)), "{statuses:?}");
    assert_eq!(gateway.post(CHAT, &key, &chat_ask("hi")).status, 200, "a good key passes from the same address");
    let (_, home) = gateway.stop();
    let records = records(&home);
    let one_by_one = records.iter().filter(|(kind, _)| kind == "refused").count();
    assert_eq!(one_by_one, refused);
    let counted: u64 = records
        .iter()
        .filter(|(kind, _)| kind == "strangers")
        .map(|(_, r)| {
            assert_eq!(r["from"], "127.0.0.1");
            assert!(r["first"].as_u64() <= r["last"].as_u64());
            r["count"].as_u64().unwrap_or_default()
        })
        .sum();
    // A minute that ended in the midst of it gives each its due twice.
    assert!([120, 240].contains(&refused), "{refused} were recorded one by one");
    assert_eq!(counted, 500 - refused as u64);
    assert!(home.must(&["audit", "verify"]).contains("verified"));
}
