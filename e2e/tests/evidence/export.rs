//! Nothing that is on record is missing at a receiver, whatever happens to it.

use std::collections::BTreeSet;

use countersign_testkit::{Deployment, Home, Plan, Reply, Upstream, chat_ask, until};
use serde_json::Value;

use super::{admin, asked, free_port, rsyslog::Rsyslog, upstream};

/// A gateway that exports to `to`, with a key of somebody who may see metrics.
fn exporting(upstream: &Upstream, form: &str, to: &str, ca: Option<&str>) -> Home {
    let how = match ca {
        Some(file) => format!("ca = {file:?}"),
        None => "cleartext = \"i-accept-cleartext-on-loopback\"".to_owned(),
    };
    let export = format!("[[export]]\nname = \"siem\"\nform = {form:?}\nto = {to:?}\n{how}\n");
    Plan::new().target("openai", upstream, &["m"]).admin().more(&export).write()
}

/// Indexes of the records that have arrived, in CEF.
fn indexes(receiver: &Rsyslog) -> BTreeSet<u64> {
    let index = |line: &String| line.split(" cn1=").nth(1)?.split(' ').next()?.parse().ok();
    receiver.messages().iter().filter_map(index).collect()
}

/// How many records the log has.
fn size(gateway: &Deployment) -> u64 {
    gateway.home.must(&["audit", "export"]).lines().count() as u64
}

fn is_known(gateway: &Deployment, key: &str) {
    until("the key to be known", || (gateway.get("/v1/models", key).status == 200).then_some(()));
}

#[test]
fn a_syslog_receiver_that_is_killed_and_comes_back_misses_nothing() {
    let upstream = upstream();
    let folder = tempfile::tempdir().expect("a folder");
    let port = free_port();
    let Some(mut receiver) = Rsyslog::start(folder.path(), port, None) else { return };
    let gateway = exporting(&upstream, "cef", &format!("tcp://127.0.0.1:{port}"), None).serve();
    let (key, root) = (gateway.home.key("alice", "staff"), gateway.home.key("olga", "observer"));
    is_known(&gateway, &key);
    for _ in 0..3 {
        for _ in 0..40 {
            asked(&gateway, &key);
        }
        let before = indexes(&receiver).len();
        until("records at the receiver", || (indexes(&receiver).len() > before).then_some(()));
        // In the middle of it, with more on its way.
        asked(&gateway, &key);
        receiver.kill();
        for _ in 0..40 {
            asked(&gateway, &key);
        }
        receiver.revive();
    }
    // The gateway itself is killed, too.
    let gateway = gateway.kill().serve();
    is_known(&gateway, &key);
    asked(&gateway, &key);
    let wanted = size(&gateway);
    until("every record at the receiver", || ((0..wanted).all(|n| indexes(&receiver).contains(&n))).then_some(()));
    // What has arrived counts as taken a little later.
    until("how far it has come to be told", || {
        let metrics = admin(&gateway, &root, "/metrics");
        metrics.contains("countersign_export_taken_records{export=\"siem\"}").then_some(())
    });
}

#[test]
fn events_go_over_tls_and_only_to_whom_the_certificate_names() {
    let upstream = upstream();
    let folder = tempfile::tempdir().expect("a folder");
    let port = free_port();
    let home = exporting(&upstream, "ocsf", &format!("tls://localhost:{port}"), Some("tls/chain.pem"));
    let (chain, secret) = (home.path("tls/chain.pem"), home.path("tls/key.pem"));
    let Some(receiver) = Rsyslog::start(folder.path(), port, Some((&chain, &secret))) else { return };
    let gateway = home.serve();
    let key = gateway.home.key("alice", "staff");
    is_known(&gateway, &key);
    let id = asked(&gateway, &key);
    let event = until("the event", || {
        let events = receiver.messages();
        events
            .iter()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .find(|event| event["metadata"]["correlation_uid"] == id.as_str() && event["activity_name"] == "outcome")
    });
    assert_eq!((&event["class_uid"], &event["status_id"]), (&6003.into(), &1.into()), "{event}");
    // One whose certificate is another's is told nothing.
    let said = gateway.home.read("countersign.toml").replace("tls://localhost", "tls://127.0.0.2");
    gateway.home.put("countersign.toml", said);
    let count = receiver.messages().len();
    gateway.hangup();
    let _ = gateway.logged("records are not taken");
    asked(&gateway, &key);
    assert_eq!(receiver.messages().iter().skip(count).filter(|line| line.contains("\"intent\"")).count(), 0);
}

#[test]
fn a_collector_that_refuses_gets_every_record_again_until_it_takes_them() {
    let refusals = std::sync::atomic::AtomicUsize::new(2);
    let refuses = move || {
        refusals
            .fetch_update(std::sync::atomic::Ordering::SeqCst, std::sync::atomic::Ordering::SeqCst, |n| {
                n.checked_sub(1)
            })
            .is_ok()
    };
    let collector =
        Upstream::start(
            move |_| if refuses() { Reply::json(503, &Value::Null) } else { Reply::json(200, &Value::Null) },
        );
    let upstream = upstream();
    let gateway = exporting(&upstream, "otlp", &format!("{}/v1/logs", collector.url()), None).serve();
    let key = gateway.home.key("alice", "staff");
    is_known(&gateway, &key);
    asked(&gateway, &key);
    assert_eq!(gateway.post("/v1/chat/completions", &key, &chat_ask("hello")).status, 200);
    let wanted = size(&gateway);
    until("every record at the collector", || {
        let mut seen = BTreeSet::new();
        // The first two posts were refused.
        for posted in collector.seen().iter().skip(2) {
            let records = posted.json()["resourceLogs"][0]["scopeLogs"][0]["logRecords"].as_array()?.clone();
            for record in records {
                let attributes = record["attributes"].as_array()?.clone();
                let index = attributes.iter().find(|a| a["key"] == "countersign.index")?;
                seen.insert(index["value"]["intValue"].as_str()?.parse::<u64>().ok()?);
            }
        }
        (0..wanted).all(|n| seen.contains(&n)).then_some(())
    });
}
