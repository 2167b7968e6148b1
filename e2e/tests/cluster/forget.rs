//! Whom one node forgets, none of the others can read: not in its own log, and not behind a stand-in.

use countersign_testkit::{Answer, Deployment, Upstream, chat_ask, request, until};
use serde_json::{Value, json};

use super::{answers, nodes::Cluster};

const MAIL: &str = "ann.smith@canary.example";
const RULES: &str = r#"
[[rule]]
find = "personal/email"
in = "prompt"
do = "tokenize"

[[rule]]
find = "personal/phone"
in = "prompt"
do = "tokenize"
as = "deterministic"
"#;

const POLICY: &str = r#"
@id("keeper") permit (
    principal in Countersign::Role::"admin",
    action in [Countersign::Action::"forget", Countersign::Action::"reveal"],
    resource
);
"#;

/// Asks in one conversation; the stand-ins that the provider saw, for an address and for a number.
fn says(upstream: &Upstream, node: &Deployment, key: &str) -> [String; 2] {
    let bearer = format!("Bearer {key}");
    let headers =
        [("authorization", bearer.as_str()), ("content-type", "application/json"), ("countersign-conversation", "c-1")];
    let body = chat_ask(&format!("Mail {MAIL} or call her phone +44 20 7946 0958.")).to_string();
    let answer = node.exchange(&request("POST", "/v1/chat/completions", &headers, body.as_bytes()));
    assert_eq!(answer.status, 200, "{}", answer.text());
    let sent = upstream.seen().pop().expect("a request").text();
    ["EMAIL", "PHONE"].map(|entity| {
        let from = sent.find(&format!("[{entity}_")).unwrap_or_else(|| panic!("a stand-in in {sent}"));
        let token = &sent[from..];
        token[..=token.find(']').expect("its end")].to_owned()
    })
}

fn post(node: &Deployment, admin: &str, path: &str, body: &Value) -> Answer {
    let bearer = format!("Bearer {admin}");
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    node.exchange(&request("POST", path, &headers, body.to_string().as_bytes()))
}

#[test]
fn whom_one_node_forgets_no_other_can_read() {
    let upstream = answers();
    let Some(cluster) = Cluster::under(&upstream, RULES, POLICY) else { return };
    let (ann, bob) = (cluster.key("ann"), cluster.key("bob"));
    let all = |key: &str| cluster.nodes.iter().map(|node| says(&upstream, node, key)).collect::<Vec<_>>();
    let (hers, his) = (all(&ann), all(&bob));
    assert!(hers.iter().all(|tokens| *tokens == hers[0]), "one conversation, one stand-in, whichever node: {hers:?}");
    assert!(his[0][0] != hers[0][0] && his[0][1] == hers[0][1], "{his:?}");
    let logs = || {
        let show = |node: &Deployment| node.home.must(&["audit", "show", "--last", "1000", "--bodies"]);
        cluster.nodes.iter().map(show).collect::<Vec<_>>()
    };
    until("all of it to be on record", || logs().iter().all(|log| log.contains("as you say")).then_some(()));
    let before = logs();
    assert!(before.iter().all(|log| log.contains(&hers[0][0]) && log.contains(&his[0][0])), "{before:?}");

    let forgotten =
        post(&cluster.nodes[0], &cluster.admin, "/admin/v1/forget", &json!({"tenant": "default", "person": "ann"}));
    assert_eq!(forgotten.status, 200, "{}", forgotten.text());
    for (node, log) in cluster.nodes.iter().zip(logs()) {
        assert!(!log.contains(&hers[0][0]) && log.contains(&his[0][0]), "{log}");
        // The gateways that run have let go of her keys, too: nobody can make her stand-ins again.
        until("the node to know", || (says(&upstream, node, &ann)[0] != hers[0][0]).then_some(()));
        assert_eq!(says(&upstream, node, &bob), his[0]);
    }
    let again = all(&ann);
    assert!(again.iter().all(|tokens| *tokens == again[0]), "they agree on her new key: {again:?}");

    // What lasts is the tenant's.
    let reveal = json!({"tenant": "default", "token": hers[0][1]});
    let value = |node: &Deployment| post(node, &cluster.admin, "/admin/v1/reveal", &reveal);
    assert!(cluster.nodes.iter().all(|node| value(node).status == 200), "{}", value(&cluster.nodes[1]).text());
    assert_eq!(post(&cluster.nodes[1], &cluster.admin, "/admin/v1/forget", &json!({"tenant": "default"})).status, 200);
    for node in &cluster.nodes {
        until("the node to know", || (value(node).status == 404).then_some(()));
        assert!(says(&upstream, node, &bob) != his[0]);
    }
    assert!(logs().iter().all(|log| !log.contains("as you say") || !log.contains(&his[0][0])));
}
