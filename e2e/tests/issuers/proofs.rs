//! Tokens that a certified provider bound to a client's key, and proofs of that key at the running gateway.

use countersign_testkit::{Answer, Deployment, Plan, chat_ask, request};
use serde_json::{Value, json};

use super::{CHAT, SCOPES, ask, ask_until, upstream};
use crate::server::{GATEWAY, Issuers, RESOURCE};

/// Asks with a bound token and these proofs.
fn ask_proved(gateway: &Deployment, token: &str, proofs: &[&str]) -> Answer {
    let authorization = format!("DPoP {token}");
    let mut headers = vec![("authorization", &*authorization), ("content-type", "application/json")];
    headers.extend(proofs.iter().map(|proof| ("dpop", *proof)));
    gateway.exchange(&request("POST", CHAT, &headers, chat_ask("hi").to_string().as_bytes()))
}

/// The claims of a good proof.
fn claims(token: &str, nonce: &str) -> Value {
    json!({ "htm": "POST", "htu": format!("{GATEWAY}{CHAT}"), "token": token, "nonce": nonce })
}

fn judge(answer: &Answer, code: &str, error: &str, what: &str) {
    assert_eq!((answer.status, answer.code().as_deref()), (401, Some(code)), "{what}: {}", answer.text());
    let algorithms = "ES256 ES384 EdDSA PS256 RS256";
    let read_on = "resource_metadata=\"https://gateway.example/.well-known/oauth-protected-resource\"";
    let challenge = format!("DPoP realm=\"countersign\", algs=\"{algorithms}\", error=\"{error}\", {read_on}");
    assert_eq!(answer.header("www-authenticate"), Some(&*challenge), "{what}");
    assert_eq!(answer.header("x-should-retry"), Some("false"), "{what}");
}

#[test]
fn a_bound_token_passes_with_a_fresh_proof_and_with_nothing_else() {
    let Some(issuers) = Issuers::start() else { return };
    let upstream = upstream();
    let gateway =
        Plan::new().target("openai", &upstream, &["m"]).top(RESOURCE).more(&issuers.section("plain", SCOPES)).serve();
    ask_until(&gateway, &issuers.token("plain", "gateway.use", GATEWAY), 200);
    let token = issuers.bound_token("plain", "gateway.use", GATEWAY);
    let bearer = issuers.token("plain", "gateway.use", GATEWAY);
    let asked = upstream.seen().len();

    judge(&ask(&gateway, &token), "CS0206", "invalid_dpop_proof", "as a bearer token");
    judge(&ask_proved(&gateway, &token, &[]), "CS0206", "invalid_dpop_proof", "without a proof");
    let early = issuers.prove(json!({ "htm": "POST", "htu": format!("{GATEWAY}{CHAT}"), "token": token }));
    let told = ask_proved(&gateway, &token, &[&early]);
    judge(&told, "CS0207", "use_dpop_nonce", "without a nonce");
    let nonce = told.header("dpop-nonce").expect("a nonce").to_owned();
    let prove = |more: Value| {
        let mut claims = claims(&token, &nonce);
        for (name, value) in more.as_object().expect("an object") {
            claims[name] = value.clone();
        }
        issuers.prove(claims)
    };

    let first = prove(json!({}));
    let passed = ask_proved(&gateway, &token, &[&first]);
    assert_eq!(passed.status, 200, "{}", passed.text());
    let next = passed.header("dpop-nonce").expect("a nonce for the next proof").to_owned();
    judge(&ask_proved(&gateway, &token, &[&first]), "CS0206", "invalid_dpop_proof", "the same proof again");
    assert_eq!(ask_proved(&gateway, &token, &[&prove(json!({ "nonce": next }))]).status, 200);

    let seconds = std::time::SystemTime::UNIX_EPOCH.elapsed().expect("a clock").as_secs();
    for (what, more) in [
        ("another method", json!({ "htm": "GET" })),
        ("another path", json!({ "htu": format!("{GATEWAY}/v1/messages") })),
        ("another host", json!({ "htu": format!("https://evil.example{CHAT}") })),
        ("the address it was dialled at", json!({ "htu": format!("http://127.0.0.1{CHAT}") })),
        ("another token", json!({ "token": bearer })),
        ("no token", json!({ "ath": null })),
        ("an hour ago", json!({ "iat": seconds - 3600 })),
        ("in an hour", json!({ "iat": seconds + 3600 })),
        ("another key", json!({ "holder": "other" })),
        ("an algorithm that is none", json!({ "header": { "alg": "none" } })),
        ("a secret's algorithm", json!({ "header": { "alg": "HS256" } })),
        ("another type", json!({ "header": { "typ": "at+jwt" } })),
        ("a chain of certificates beside the key", json!({ "header": { "x5c": ["AAAA"] } })),
        ("something critical", json!({ "header": { "crit": ["exp"] } })),
        ("a key that is a secret", json!({ "header": { "jwk": { "kty": "oct", "k": "AAAA" } } })),
        ("more than fits", json!({ "pad": "x".repeat(6000) })),
    ] {
        judge(&ask_proved(&gateway, &token, &[&prove(more)]), "CS0206", "invalid_dpop_proof", what);
    }
    let forged = prove(json!({ "nonce": "A".repeat(32) }));
    judge(&ask_proved(&gateway, &token, &[&forged]), "CS0207", "use_dpop_nonce", "a nonce that is not ours");
    let (one, other) = (prove(json!({})), prove(json!({})));
    let twice = ask_proved(&gateway, &token, &[&one, &other]);
    assert_eq!((twice.status, twice.code().as_deref()), (401, Some("CS0202")), "{}", twice.text());
    judge(
        &ask_proved(&gateway, &bearer, &[&prove(json!({ "token": bearer }))]),
        "CS0206",
        "invalid_dpop_proof",
        "not bound",
    );

    // Nothing of that left, nor spoilt what is good.
    assert_eq!(ask_proved(&gateway, &token, &[&prove(json!({}))]).status, 200);
    assert_eq!(ask(&gateway, &bearer).status, 200);
    assert_eq!(upstream.seen().len() - asked, 4);
    assert!(upstream.seen().iter().all(|seen| !seen.text().to_ascii_lowercase().contains("dpop")));
}

#[test]
fn a_policy_can_demand_possession() {
    let Some(issuers) = Issuers::start() else { return };
    let upstream = upstream();
    let home =
        Plan::new().target("openai", &upstream, &["m"]).top(RESOURCE).more(&issuers.section("plain", SCOPES)).write();
    let policy = home.read("policy.cedar");
    let forbid = "forbid (principal, action == Countersign::Action::\"ask\", resource) unless { context.possession == \"dpop\" };";
    home.put("policy.cedar", format!("{policy}\n{forbid}\n"));
    let gateway = home.serve();
    ask_until(&gateway, &issuers.token("plain", "gateway.use", GATEWAY), 403);
    let token = issuers.bound_token("plain", "gateway.use", GATEWAY);
    let proof = |nonce: &str| issuers.prove(claims(&token, nonce));
    let told = ask_proved(&gateway, &token, &[&proof("x")]);
    let nonce = told.header("dpop-nonce").expect("a nonce").to_owned();
    assert_eq!(ask_proved(&gateway, &token, &[&proof(&nonce)]).status, 200);
}

#[test]
fn callers_without_a_nonce_are_told_so_however_many_they_are() {
    let Some(issuers) = Issuers::start() else { return };
    let upstream = upstream();
    let gateway =
        Plan::new().target("openai", &upstream, &["m"]).top(RESOURCE).more(&issuers.section("plain", SCOPES)).serve();
    ask_until(&gateway, &issuers.token("plain", "gateway.use", GATEWAY), 200);
    let token = issuers.bound_token("plain", "gateway.use", GATEWAY);
    let early = issuers.prove(json!({ "htm": "POST", "htu": format!("{GATEWAY}{CHAT}"), "token": token }));
    // More than the strangers of one address who are refused one by one in a minute: a whole office may begin at once.
    let mut nonce = String::new();
    for _ in 0..150 {
        let told = ask_proved(&gateway, &token, &[&early]);
        judge(&told, "CS0207", "use_dpop_nonce", "without a nonce");
        nonce = told.header("dpop-nonce").expect("a nonce").to_owned();
    }
    assert_eq!(ask_proved(&gateway, &token, &[&issuers.prove(claims(&token, &nonce))]).status, 200);
    let log = gateway.home.must(&["audit", "export"]);
    assert!(log.matches("CS0207").count() <= 130, "they are not all recorded one by one");
}
