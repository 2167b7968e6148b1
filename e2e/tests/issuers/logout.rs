//! What ends at a certified provider ends here: somebody signs out there, and an issuer asks that all that somebody holds ends.

use countersign_testkit::{Answer, Deployment, Plan, request, until};
use serde_json::{Value, json};

use super::{SCOPES, ask, pausing, stream};
use crate::server::{GATEWAY, Issuers};

fn sign_in(issuers: &Issuers, who: &str) -> String {
    let said = issuers.tell("plain", json!({"signIn": {"who": who, "resource": GATEWAY}}));
    said["token"].as_str().unwrap_or_else(|| panic!("no token: {said}")).to_owned()
}

/// Whether a token opens the door; models are listed without the provider.
fn opens(gateway: &Deployment, token: &str) -> bool {
    gateway.get("/v1/models", token).status == 200
}

fn refused(gateway: &Deployment, token: &str) {
    let answer = ask(gateway, token);
    assert_eq!((answer.status, answer.code().as_deref()), (401, Some("CS0204")), "{}", answer.text());
}

fn cut(streaming: &mut countersign_testkit::Client) {
    let rest = String::from_utf8_lossy(&streaming.rest_of_stream()).into_owned();
    assert!(rest.contains("CS0204") && !rest.contains("[DONE]"), "{rest}");
}

#[test]
fn who_signs_out_at_the_provider_is_cut_off_here() {
    let Some(issuers) = Issuers::start() else { return };
    let section = issuers.section("plain", &format!("{SCOPES}\nsignals = {{ logout = \"notebook\" }}"));
    let (gateway, begun) = pausing(Plan::new().admin(), &section);
    let told = format!("http://{}/ssf/logout", gateway.clear);
    let _ = issuers.tell("plain", json!({ "logout": told }));
    let (alice, bob) = (sign_in(&issuers, "u-alice"), sign_in(&issuers, "u-bob"));
    until("keys", || opens(&gateway, &alice).then_some(()));

    let mut streaming = stream(&gateway, &alice);
    assert!(begun.wait());
    let _ = streaming.until("ordinary");
    assert_eq!(issuers.tell("plain", json!({"signOut": "u-alice"}))["status"], 303);
    cut(&mut streaming);
    refused(&gateway, &alice);
    assert!(opens(&gateway, &bob), "whoever else is signed in stays so");
    assert!(opens(&gateway, &sign_in(&issuers, "u-alice")), "another session is another");
}

#[test]
fn an_issuer_that_asks_for_it_has_all_that_somebody_holds_end() {
    let Some(issuers) = Issuers::start() else { return };
    let endpoint = format!("{GATEWAY}/global-token-revocation");
    let more = format!(
        "{SCOPES}\nleeway_seconds = 0\nsignals = {{ revocation = {{ endpoint = {endpoint:?}, client = \"gateway\" }} }}"
    );
    let (gateway, begun) = pausing(Plan::new().admin(), &issuers.section("plain", &more));
    let (alice, bob) = (sign_in(&issuers, "u-alice"), sign_in(&issuers, "u-bob"));
    until("keys", || opens(&gateway, &alice).then_some(()));
    let mut streaming = stream(&gateway, &alice);
    assert!(begun.wait());
    let _ = streaming.until("ordinary");

    let signed = |claims: Value| {
        let said = issuers.tell("plain", json!({ "revoke": claims }));
        said["token"].as_str().expect("a token").to_owned()
    };
    let of = |who: &str| json!({"sub_id": {"format": "iss_sub", "iss": issuers.url("plain"), "sub": who}});
    let revoke = |token: &str, body: &Value| -> Answer {
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        gateway.exchange(&request("POST", "/global-token-revocation", &headers, body.to_string().as_bytes()))
    };
    let own = issuers.tell("plain", json!({"idToken": true}))["token"].as_str().expect("a token").to_owned();
    for (what, token, body, expected) in [
        ("another's access token", bob.clone(), of("u-alice"), 401),
        ("an ID token", own, of("u-alice"), 401),
        ("another type", signed(json!({"aud": endpoint, "typ": "at+jwt"})), of("u-alice"), 401),
        ("another audience", signed(json!({"aud": GATEWAY})), of("u-alice"), 401),
        ("another client", signed(json!({"aud": endpoint, "sub": "notebook"})), of("u-alice"), 403),
        (
            "nobody's address",
            signed(json!({"aud": endpoint})),
            json!({"sub_id": {"format": "email", "email": "a@b.example"}}),
            404,
        ),
        ("no subject", signed(json!({"aud": endpoint})), json!({}), 400),
    ] {
        let answer = revoke(&token, &body);
        assert_eq!(answer.status, expected, "{what}: {}", answer.text());
    }
    assert!(opens(&gateway, &alice) && opens(&gateway, &bob));

    let asking = signed(json!({ "aud": endpoint }));
    assert_eq!(revoke(&asking, &of("u-alice")).status, 204);
    cut(&mut streaming);
    refused(&gateway, &alice);
    assert_eq!(revoke(&asking, &of("u-bob")).status, 401, "it is good once");
    assert!(opens(&gateway, &bob));
    // What was issued until then is refused for good, and who signs in again is let in.
    let gateway = gateway.restart();
    until("keys", || opens(&gateway, &bob).then_some(()));
    refused(&gateway, &alice);
    until("a new token", || opens(&gateway, &sign_in(&issuers, "u-alice")).then_some(()));
}
