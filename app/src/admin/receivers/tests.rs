use std::time::Duration;

use countersign_core::{Target, Timestamp};
use countersign_identity::{
    Tokens,
    token::{Algorithm, Event, Issuer, KeyRules, Profile},
};
use http::StatusCode;
use serde_json::{Value, json};

use crate::{admin::tests::World, clock};

const RECEIVER: &str = "[[receiver]]\nname = \"siem\"\naudience = \"https://siem.example\"\npolled_by = \"default/root\"\n\
                        [[receiver]]\nname = \"other\"\naudience = \"https://other.example\"\npolled_by = \"default/else\"\n";

async fn world() -> World {
    World::with("resource = \"https://ai.example\"", RECEIVER).await
}

async fn revoke(world: &World, target: &str) -> String {
    let (status, made) = world.post("/admin/v1/revocations", json!({"target": target, "reason": "r"})).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    made["id"].as_str().unwrap().to_owned()
}

async fn poll(world: &World, body: Value) -> Vec<String> {
    let (status, said) = world.post("/ssf/poll/siem", body).await;
    assert_eq!(status, StatusCode::OK, "{said}");
    said["sets"].as_object().unwrap().keys().cloned().collect()
}

#[tokio::test]
async fn a_receiver_fetches_what_it_has_not_acknowledged_and_no_more() {
    let world = world().await;
    // What was there before the receiver came is none of its business.
    revoke(&world, "principal:default/before").await;
    assert!(poll(&world, json!({})).await.is_empty());
    let mut ids = Vec::new();
    for n in 0..3 {
        ids.push(revoke(&world, &format!("principal:default/u-{n}")).await);
        // A role is nothing that others could act on.
        revoke(&world, "role:teller").await;
    }
    assert_eq!(poll(&world, json!({})).await, ids);
    assert_eq!(poll(&world, json!({"maxEvents": 1, "returnImmediately": true})).await, ids[..1]);
    // Acknowledged out of order: what lies before stays due, and what was acknowledged is said again by a later poll.
    assert_eq!(poll(&world, json!({"ack": [ids[1]]})).await, [ids[0].clone(), ids[2].clone()]);
    assert_eq!(poll(&world, json!({"ack": [ids[0]]})).await, ids[1..]);
    let why = json!({"err": "invalid_request", "description": "no such user"});
    assert_eq!(poll(&world, json!({"ack": [ids[1]], "setErrs": {ids[2].as_str(): why}})).await, [""; 0]);
    assert!(poll(&world, json!({})).await.is_empty());
}

#[tokio::test]
async fn only_a_receivers_own_principal_polls_it() {
    let world = world().await;
    for name in ["other", "nobody"] {
        let (status, said) = world.post(&format!("/ssf/poll/{name}"), json!({})).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{said}");
    }
}

#[tokio::test]
async fn what_is_said_verifies_by_what_is_published() {
    verifies("", Algorithm::EdDsa).await;
    verifies("algorithm = \"EdDSA\"", Algorithm::EdDsa).await;
    verifies("algorithm = \"RS256\"", Algorithm::Rs256).await;
}

/// Whether an event of a receiver with `more` in its configuration is believed by one who accepts this algorithm and no other.
async fn verifies(more: &str, algorithm: Algorithm) {
    let receiver = RECEIVER.replace("polled_by = \"default/root\"", &format!("polled_by = \"default/root\"\n{more}"));
    let world = World::with("resource = \"https://ai.example\"", &receiver).await;
    poll(&world, json!({})).await;
    revoke(&world, "principal:default/alice").await;
    let (_, said) = world.post("/ssf/poll/siem", json!({})).await;
    let token = said["sets"].as_object().unwrap().values().next().unwrap().as_str().unwrap().to_owned();
    let (status, metadata) = world.get("/.well-known/ssf-configuration").await;
    assert_eq!((status, &metadata["issuer"]), (StatusCode::OK, &json!("https://ai.example")));
    assert_eq!(metadata["jwks_uri"], "https://ai.example/ssf/jwks");
    let (_, keys) = world.get("/ssf/jwks").await;
    // Read as another gateway would that takes this one for an issuer.
    let tokens = Tokens::default();
    let issuer = Issuer {
        name: "gateway".into(),
        url: "https://ai.example".into(),
        tenant: "t".into(),
        tenants: None,
        audiences: vec!["x".into()],
        algorithms: vec![algorithm],
        profile: Profile::Rfc9068,
        roles: vec![],
        extra: vec![],
        leeway: Duration::from_secs(5),
        max_lifetime: Duration::from_hours(1),
        keys: KeyRules::default(),
        introspection: None,
        speaks_for: None,
    };
    tokens.set_issuers(vec![issuer]).unwrap();
    tokens.fetched("gateway", keys.to_string().as_bytes(), clock::now()).unwrap();
    let audiences = |_: &str| vec!["https://siem.example".to_owned()];
    let signal = tokens.signal(token.as_bytes(), &audiences, clock::now()).unwrap();
    assert_eq!(signal.events, [Event::SessionRevoked]);
    assert_eq!(signal.about.narrowest(), [Target::Principal("t".into(), "gateway/default/alice".into())]);
    assert!(signal.issued <= clock::now() && signal.issued > Timestamp(0));
}

#[tokio::test]
async fn without_receivers_there_is_no_transmitter() {
    let world = World::new("").await;
    for path in ["/.well-known/ssf-configuration", "/ssf/jwks"] {
        assert_eq!(world.get(path).await.0, StatusCode::NOT_FOUND, "{path}");
    }
}
