//! Token exchange at the running gateway: an agent with a key of its own and a certified provider's token of whom it acts for.

use countersign_testkit::{Answer, Deployment, Plan, chat_ask, request};
use serde_json::{Value, json};

use super::{CHAT, SCOPES, ask_until, upstream};
use crate::server::{GATEWAY, Issuers, RESOURCE};

const POLICY: &str = r#"
@id("staff") permit (
    principal in Countersign::Role::"staff",
    action in [
        Countersign::Action::"ask", Countersign::Action::"receive", Countersign::Action::"requestAccess",
        Countersign::Action::"openSession", Countersign::Action::"approveRequest", Countersign::Action::"revoke"
    ],
    resource
);
@id("responders") permit (principal in Countersign::Role::"responder", action, resource)
when { context has grant && context.grant.acts.contains("default/robot") && context.possession == "dpop" };
"#;

const ACCESS: &str = r#"
[[access]]
name = "incident"
roles = ["responder"]
for = ["model:m"]
longest_minutes = 30
approvers = ["lead"]
"#;

const PATH: &str = "/oauth/token";

/// An exchange by the agent, for whoever the token is of.
fn exchange(gateway: &Deployment, agent: &str, case: &str, token: &str, proof: &str) -> Answer {
    let form = format!(
        "grant_type=urn:ietf:params:oauth:grant-type:token-exchange&scope={case}&subject_token={token}\
         &subject_token_type=urn:ietf:params:oauth:token-type:access_token"
    );
    let bearer = format!("Bearer {agent}");
    let kind = "application/x-www-form-urlencoded";
    let headers = [("authorization", bearer.as_str()), ("content-type", kind), ("dpop", proof)];
    gateway.exchange(&request("POST", PATH, &headers, form.as_bytes()))
}

#[test]
fn an_agent_acts_for_the_bearer_of_a_providers_token() {
    let Some(issuers) = Issuers::start() else { return };
    let upstream = upstream();
    let home = Plan::new()
        .target("openai", &upstream, &["m"])
        .policy(POLICY)
        .top(RESOURCE)
        .more(&issuers.section("plain", SCOPES))
        .more(ACCESS)
        .admin()
        .write();
    let agent = home.key_of("agent", "robot", &["staff"]);
    let lead = home.key_of("person", "lead", &["staff", "lead"]);
    let gateway = home.serve();
    let holder = issuers.token("plain", "gateway.use", GATEWAY);
    ask_until(&gateway, &holder, 200);
    let post = |path: &str, key: &str, body: Value| gateway.post(path, key, &body).json();

    let wish = json!({"access": "incident", "for": ["model:m"], "purpose": "nightly report", "minutes": 10,
                      "actor": {"subject": "robot"}});
    let case = post("/admin/v1/access", &holder, wish);
    let id = case["id"].as_str().unwrap_or_else(|| panic!("{case}"));
    assert_eq!(post(&format!("/admin/v1/access/{id}/approve"), &lead, json!({}))["standing"], "granted");

    // The agent's key is introduced by a proof for no token, with a nonce.
    let prove = |more: Value| {
        let mut claims = json!({ "htm": "POST", "htu": format!("{GATEWAY}{PATH}") });
        claims.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        issuers.prove(claims)
    };
    let told = exchange(&gateway, &agent, id, &holder, &prove(json!({ "nonce": "x" })));
    assert_eq!((told.status, &told.json()["error"]), (401, &json!("use_dpop_nonce")));
    let nonce = told.header("dpop-nonce").expect("a nonce").to_owned();
    let forged = issuers.tell("plain", json!({ "forge": true }))["token"].as_str().expect("a token").to_owned();
    for token in [&forged, &lead, &agent] {
        let refused = exchange(&gateway, &agent, id, token, &prove(json!({ "nonce": nonce })));
        assert_eq!((refused.status, &refused.json()["error"]), (400, &json!("invalid_grant")));
    }
    let answer = exchange(&gateway, &agent, id, &holder, &prove(json!({ "nonce": nonce })));
    assert_eq!((answer.status, &answer.json()["token_type"]), (200, &json!("DPoP")), "{}", answer.text());
    let session = answer.json()["access_token"].as_str().expect("a credential").to_owned();

    let asks = || {
        let proof = issuers
            .prove(json!({ "htm": "POST", "htu": format!("{GATEWAY}{CHAT}"), "token": session, "nonce": nonce }));
        let authorization = format!("DPoP {session}");
        let headers =
            [("authorization", &*authorization), ("content-type", "application/json"), ("dpop", proof.as_str())];
        gateway.exchange(&request("POST", CHAT, &headers, chat_ask("hi").to_string().as_bytes()))
    };
    assert_eq!(asks().status, 200, "{}", asks().text());
    assert_eq!(gateway.post(CHAT, &session, &chat_ask("hi")).status, 401, "without its key");

    // What the provider issued is revoked, and with it what was opened on it.
    let revoked = post("/admin/v1/revocations", &lead, json!({"target": "issuer:plain", "reason": "a test"}));
    assert_eq!(revoked["standing"], "in-force", "{revoked}");
    let refused = asks();
    assert_eq!((refused.status, refused.code().as_deref()), (401, Some("CS0204")));
    let records = gateway.stop().1.must(&["audit", "export"]);
    assert!(records.contains("default/robot") && !records.contains(&session[4..]));
}
