//! Tokens that say nothing by themselves: a certified provider is asked about them.

use std::{io::Write, process::Stdio, thread};

use countersign_testkit::{Deployment, Home, Plan, Upstream, until};
use serde_json::json;

use super::{INVALID, ask, ask_until, judge, upstream};
use crate::server::{GATEWAY, Issuers, RESOURCE};

const OPAQUE: &str = "https://gateway.example/opaque";

/// A gateway that asks `plain`, and remembers for so many seconds.
fn asking(issuers: &Issuers, upstream: &Upstream, seconds: u64) -> Deployment {
    let more = format!(
        "scopes = {{ \"gateway.use\" = \"staff\" }}\n\
         tenant_claim = \"client_id\"\ntenants = {{ {:?} = \"bank\" }}\n\
         introspect = {{ client_id = \"gateway\", secret = {{ sealed = \"issuer\" }}, seconds = {seconds} }}",
        super::CLIENT
    );
    let section =
        issuers.section("plain", &more).replace(&format!("[{GATEWAY:?}]"), &format!("[{GATEWAY:?}, {OPAQUE:?}]"));
    let home = Plan::new().target("openai", upstream, &["m"]).top(RESOURCE).more(&section).write();
    seal(&home, "issuer", "the gateway's secret");
    home.serve()
}

fn seal(home: &Home, name: &str, secret: &str) {
    let mut command = home.command(&["secret", "set", name]);
    let mut process = command.stdin(Stdio::piped()).spawn().expect("the binary runs");
    process.stdin.take().expect("a pipe").write_all(secret.as_bytes()).expect("it reads");
    assert!(process.wait().expect("our own process").success());
}

#[test]
fn an_opaque_token_passes_as_its_issuer_says_and_is_asked_about_once() {
    let Some(issuers) = Issuers::start() else { return };
    let upstream = upstream();
    let gateway = asking(&issuers, &upstream, 30);
    let token = issuers.token("plain", "gateway.use", OPAQUE);
    assert!(!token.contains('.'), "it says nothing by itself");
    // Not even keys are needed for it.
    for _ in 0..10 {
        let answer = ask(&gateway, &token);
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    assert_eq!(issuers.questions("plain"), 1);
    let short = ask(&gateway, &issuers.token("plain", "opaque", OPAQUE));
    judge(&short, 403, "CS0301", Some("error=\"insufficient_scope\", "), "a token that gives no role");
    for (what, token) in [
        ("another audience", issuers.token("plain", "gateway.use", "https://other.example/opaque")),
        ("a token of nobody", "x".repeat(43)),
    ] {
        judge(&ask(&gateway, &token), 401, "CS0202", INVALID, what);
        judge(&ask(&gateway, &token), 401, "CS0202", INVALID, what);
    }
    assert_eq!(issuers.questions("plain"), 4, "what is none is remembered too");
    // A signed token of the same issuer is not asked about.
    ask_until(&gateway, &issuers.token("plain", "gateway.use", GATEWAY), 200);
    assert_eq!(issuers.questions("plain"), 4);
    let doctor = String::from_utf8_lossy(&gateway.home.run(&["doctor"]).stdout).into_owned();
    assert!(doctor.contains("`plain` says what tokens are worth"), "{doctor}");
    let log = gateway.home.must(&["audit", "export"]);
    assert!(log.contains("bank") && !log.contains(&token) && !gateway.log().contains(&token), "{log}");
}

#[test]
fn a_revoked_opaque_token_is_refused_when_its_answer_is_forgotten() {
    let Some(issuers) = Issuers::start() else { return };
    let upstream = upstream();
    let gateway = asking(&issuers, &upstream, 1);
    let token = issuers.token("plain", "gateway.use", OPAQUE);
    assert_eq!(ask(&gateway, &token).status, 200);
    issuers.revoke("plain", &token);
    judge(&ask_until(&gateway, &token, 401), 401, "CS0202", INVALID, "a revoked token");
}

#[test]
fn an_issuer_that_does_not_answer_refuses_its_opaque_tokens_and_no_others() {
    let Some(issuers) = Issuers::start() else { return };
    let upstream = upstream();
    let gateway = asking(&issuers, &upstream, 1);
    let token = issuers.token("plain", "gateway.use", OPAQUE);
    let signed = issuers.token("plain", "gateway.use", GATEWAY);
    ask_until(&gateway, &signed, 200);
    assert_eq!(ask(&gateway, &token).status, 200);
    for mode in ["down", "junk", "page", "moved", "slow"] {
        let _ = issuers.tell("plain", json!({"mode": mode}));
        let refused = ask_until(&gateway, &token, 503);
        judge(&refused, 503, "CS0205", None, mode);
        assert_eq!(ask(&gateway, &signed).status, 200, "{mode}: its keys are known");
        let _ = issuers.tell("plain", json!({"mode": "up"}));
        until("the token passes again", || {
            if ask(&gateway, &token).status == 200 {
                return Some(());
            }
            thread::sleep(std::time::Duration::from_millis(100));
            None
        });
    }
}
