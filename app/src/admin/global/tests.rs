use countersign_audit::record::Record;
use http::{Request, StatusCode};
use serde_json::{Value, json};

use crate::{
    admin::{
        signals::tests::Bank,
        tests::{World, posting},
    },
    clock,
};

const ENDPOINT: &str = "https://ai.example/global-token-revocation";

/// `org` speaks for the people of `bank`, which a directory keeps in step; `other` may ask for its own.
const ISSUERS: &str = r#"
[[issuer]]
name = "bank"
url = "https://id.bank.example"
kind = "rfc9068"
audiences = ["https://ai.example"]
roles = { clerk = "clerk" }
directory = true

[[issuer]]
name = "org"
url = "https://bank.example"
kind = "okta"
speaks_for = "bank"
signals = { revocation = { endpoint = "https://ai.example/global-token-revocation", client = "gateway" } }

[[issuer]]
name = "other"
url = "https://other.example"
kind = "rfc9068"
audiences = ["https://ai.example"]
signals = { revocation = { endpoint = "https://ai.example/global-token-revocation", client = "gateway" } }
"#;

fn claims(id: &str) -> Value {
    let now = clock::now().seconds();
    json!({
        "iss": "https://bank.example", "sub": "gateway", "aud": ENDPOINT, "jti": id,
        "iat": now, "nbf": now - 300, "exp": now + 300,
    })
}

fn alice() -> Value {
    json!({"format": "iss_sub", "iss": "https://bank.example", "sub": "alice"})
}

async fn ask(world: &World, token: &str, body: &Value) -> (StatusCode, Value) {
    let (status, _, said) = world.ask(posting("/global-token-revocation", token, body)).await;
    (status, said)
}

async fn bank() -> (Bank, String) {
    let bank = Bank::with(ISSUERS).await;
    let token = bank.token(60);
    assert_eq!(bank.models(&token).await.0, StatusCode::OK);
    (bank, token)
}

#[tokio::test]
async fn all_that_somebody_holds_ends_once_and_on_record() {
    let (bank, held) = bank().await;
    let asking = bank.sign("global-token-revocation+jwt", &claims("r-1"));
    let (status, said) = ask(&bank.world, &asking, &json!({"sub_id": alice()})).await;
    assert_eq!((status, said), (StatusCode::NO_CONTENT, json!("")));
    let (status, said) = bank.models(&held).await;
    assert!(status == StatusCode::UNAUTHORIZED && said.to_string().contains("CS0204"), "{said}");
    // A token is good for one request, whoever it names, and so is one that was taken along the way.
    let bob = json!({"format": "opaque", "id": "bob"});
    for subject in [alice(), bob.clone(), json!({"format": "email", "email": "nobody@bank.example"})] {
        let (status, said) = ask(&bank.world, &asking, &json!({"sub_id": subject})).await;
        assert_eq!((status, &said["code"]), (StatusCode::UNAUTHORIZED, &json!("CS0202")), "{said}");
    }
    // Who signs in anew is let in; tokens say to the second when they were issued.
    let revocations = bank.world.get("/admin/v1/revocations").await.1;
    let made = revocations["items"].as_array().unwrap();
    assert_eq!(made.len(), 1, "{made:?}");
    assert_eq!((&made[0]["target"], &made[0]["by"]), (&json!("principal:default/bank/alice"), &json!("issuer:org")));
    assert_eq!(made[0]["reason"], "global-token-revocation");
    let records = bank.world.records().await;
    let changed = records.iter().find_map(|r| match r {
        Record::Changed(c) if c.action == "sendSignals" => Some(c),
        _ => None,
    });
    let changed = changed.unwrap();
    assert_eq!(
        (changed.what.as_str(), &changed.becomes["revoked"]),
        ("event r-1 of org", &"principal:default/bank/alice".to_owned())
    );
}

#[tokio::test]
async fn no_other_token_and_nobody_elses_issuer_logs_anybody_out() {
    let (bank, held) = bank().await;
    let stranger = Bank::with(ISSUERS).await;
    let good = claims("r-1");
    let but = |name: &str, value: Value| {
        let mut claims = claims("r-1");
        claims[name] = value;
        bank.sign("global-token-revocation+jwt", &claims)
    };
    let unsigned = {
        let part = |value: &Value| data_encoding::BASE64URL_NOPAD.encode(value.to_string().as_bytes());
        format!("{}.{}.", part(&json!({"alg": "none", "typ": "global-token-revocation+jwt"})), part(&good))
    };
    let past = clock::now().seconds() - 600;
    let body = json!({"sub_id": alice()});
    for (what, token, expected) in [
        ("an access token", held.clone(), 401),
        ("an API key", bank.world.root.clone(), 401),
        ("an ID token", bank.sign("JWT", &good), 401),
        ("a logout token", bank.sign("logout+jwt", &good), 401),
        ("unsigned", unsigned, 401),
        ("another's signature", stranger.sign("global-token-revocation+jwt", &good), 401),
        ("an issuer that may not ask", but("iss", json!("https://id.bank.example")), 401),
        ("an issuer nobody knows", but("iss", json!("https://evil.example")), 401),
        ("for another endpoint", but("aud", json!("https://ai.example/ssf/logout")), 401),
        ("expired", but("exp", json!(past)), 401),
        ("from the future", but("iat", json!(clock::now().seconds() + 600)), 401),
        ("another client", but("sub", json!("notebook")), 403),
        ("another issuer's subject", but("iss", json!("https://other.example")), 403),
        ("nothing", String::new(), 401),
    ] {
        let (status, said) = ask(&bank.world, &token, &body).await;
        assert_eq!(status.as_u16(), expected, "{what}: {said}");
    }
    let without = Request::post("/global-token-revocation").header("content-type", "application/json");
    let (status, _, said) = bank.world.ask(without.body(body.to_string()).unwrap()).await;
    assert_eq!((status, &said["code"]), (StatusCode::UNAUTHORIZED, &json!("CS0201")));
    assert_eq!(bank.models(&held).await.0, StatusCode::OK);
}

#[tokio::test]
async fn an_address_is_whoever_the_directory_says_it_is() {
    let (bank, held) = bank().await;
    let mut shown = 0;
    let mut fresh = || {
        shown += 1;
        bank.sign("global-token-revocation+jwt", &claims(&format!("r-{shown}")))
    };
    let mail = |address: &str| json!({"sub_id": {"format": "email", "email": address}});
    let (status, said) = ask(&bank.world, &fresh(), &mail("alice@bank.example")).await;
    assert_eq!((status, &said["code"]), (StatusCode::NOT_FOUND, &json!("CS0801")), "{said}");
    for bad in
        [json!({}), json!({"sub_id": {"format": "phone_number", "phone_number": "+1"}}), json!({"sub_id": "alice"})]
    {
        let (status, said) = ask(&bank.world, &fresh(), &bad).await;
        assert_eq!((status, &said["code"]), (StatusCode::BAD_REQUEST, &json!("CS0101")), "{said}");
    }
    let user = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "Alice@bank.example", "externalId": "alice",
    });
    assert_eq!(bank.world.post("/scim/v2/Users", user).await.0, StatusCode::CREATED);
    assert_eq!(bank.models(&held).await.0, StatusCode::OK);
    assert_eq!(ask(&bank.world, &fresh(), &mail("alice@Bank.example")).await.0, StatusCode::NO_CONTENT);
    assert!(bank.models(&held).await.1.to_string().contains("CS0204"));
    // Of another issuer's people the directory says nothing.
    let mut other = claims("o-1");
    other["iss"] = json!("https://other.example");
    let asking = bank.sign("global-token-revocation+jwt", &other);
    assert_eq!(ask(&bank.world, &asking, &mail("alice@bank.example")).await.0, StatusCode::NOT_FOUND);
}
