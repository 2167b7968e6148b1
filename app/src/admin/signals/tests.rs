use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use countersign_audit::record::Record;
use data_encoding::BASE64URL_NOPAD;
use http::{Request, StatusCode};
use serde_json::{Value, json};

use crate::{
    admin::tests::{World, posting},
    clock,
};

const CAEP: &str = "https://schemas.openid.net/secevent/caep/event-type/";

const CONFIG: &str = r#"
resource = "https://ai.example"
"#;

const ISSUER: &str = r#"
[[issuer]]
name = "bank"
url = "https://id.bank.example"
kind = "rfc9068"
audiences = ["https://ai.example"]
roles = { clerk = "clerk" }
signals = { audiences = ["https://ai.example/ssf/events"], logout = "gateway" }
"#;

/// A gateway that trusts the issuer `bank`, whose key this is.
pub(in crate::admin) struct Bank {
    pub(in crate::admin) world: World,
    pair: Ed25519KeyPair,
}

impl Bank {
    async fn new() -> Self {
        Self::with(ISSUER).await
    }

    /// The same with other issuers, all of one key.
    pub(in crate::admin) async fn with(issuers: &str) -> Self {
        let world = World::with(CONFIG, issuers).await;
        let pair = Ed25519KeyPair::generate().unwrap();
        let x = BASE64URL_NOPAD.encode(pair.public_key().as_ref());
        let set = json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "k", "x": x}]});
        let stages = world.gateway().stages();
        let wanted = stages.identity.tokens().wanted(clock::now());
        assert!(!wanted.is_empty());
        for name in wanted {
            stages.identity.tokens().fetched(&name, set.to_string().as_bytes(), clock::now()).unwrap();
        }
        Self { world, pair }
    }

    pub(in crate::admin) fn sign(&self, typ: &str, claims: &Value) -> String {
        let header = json!({"alg": "EdDSA", "kid": "k", "typ": typ});
        let part = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
        let signed = format!("{}.{}", part(&header), part(claims));
        format!("{signed}.{}", BASE64URL_NOPAD.encode(self.pair.sign(signed.as_bytes()).as_ref()))
    }

    /// An access token of Alice, in the session `s-1`, that was issued so many seconds ago.
    pub(in crate::admin) fn token(&self, ago: u64) -> String {
        let issued = clock::now().seconds() - ago;
        self.sign(
            "at+jwt",
            &json!({
                "iss": "https://id.bank.example", "aud": "https://ai.example", "sub": "alice", "client_id": "notebook",
                "jti": format!("t-{ago}"), "iat": issued, "exp": issued + 3600, "roles": ["clerk"], "sid": "s-1",
            }),
        )
    }

    pub(in crate::admin) async fn models(&self, token: &str) -> (StatusCode, Value) {
        let request = Request::get("/v1/models").header("authorization", format!("Bearer {token}"));
        let (status, _, value) = self.world.ask(request.body(String::new()).unwrap()).await;
        (status, value)
    }

    /// Says that something happened to Alice.
    fn event(&self, id: &str, name: &str, members: Value) -> String {
        self.sign(
            "secevent+jwt",
            &json!({
                "iss": "https://id.bank.example", "aud": "https://ai.example/ssf/events", "jti": id,
                "iat": clock::now().seconds(), "events": {format!("{CAEP}{name}"): members},
                "sub_id": {"format": "iss_sub", "iss": "https://id.bank.example", "sub": "alice"},
            }),
        )
    }

    async fn push(&self, token: &str) -> (StatusCode, Value) {
        let mut request = posting("/ssf/events", &self.world.root, &json!({}));
        request.headers_mut().insert("content-type", "application/secevent+jwt".parse().unwrap());
        *request.body_mut() = token.to_owned();
        let (status, _, value) = self.world.ask(request).await;
        (status, value)
    }

    async fn log_out(&self, form: String) -> (StatusCode, Value) {
        let request = Request::post("/ssf/logout").header("content-type", "application/x-www-form-urlencoded");
        let (status, _, value) = self.world.ask(request.body(form).unwrap()).await;
        (status, value)
    }
}

#[tokio::test]
async fn an_event_takes_the_tokens_that_were_there_and_not_those_that_come_after() {
    for name in ["session-revoked", "token-claims-change"] {
        let bank = Bank::new().await;
        let old = bank.token(60);
        assert_eq!(bank.models(&old).await.0, StatusCode::OK);
        assert_eq!(bank.push(&bank.event("e-1", name, json!({}))).await.0, StatusCode::ACCEPTED);
        let (status, said) = bank.models(&old).await;
        assert!(status == StatusCode::UNAUTHORIZED && said.to_string().contains("CS0204"), "{name}: {said}");
        let revocations = bank.world.get("/admin/v1/revocations").await.1;
        let made = &revocations["items"][0];
        assert_eq!((&made["target"], &made["by"]), (&json!("principal:default/bank/alice"), &json!("issuer:bank")));
        // Whoever lifts it may.
        let id = made["id"].as_str().unwrap();
        bank.world.post(&format!("/admin/v1/revocations/{id}/lift"), Value::Null).await;
        assert_eq!(bank.models(&old).await.0, StatusCode::OK);
        // The same event again changes nothing, and its sender need not send it a third time.
        assert_eq!(bank.push(&bank.event("e-1", name, json!({}))).await.0, StatusCode::ACCEPTED);
        assert_eq!(bank.models(&old).await.0, StatusCode::OK);
        let records = bank.world.records().await;
        let changed = records.iter().find_map(|r| match r {
            Record::Changed(c) if c.action == "sendSignals" => Some(c),
            _ => None,
        });
        let changed = changed.unwrap();
        assert_eq!((&*changed.who.subject, changed.what.as_str()), ("bank", "event e-1 of bank"));
        assert_eq!(changed.becomes["revoked"], "principal:default/bank/alice");
    }
}

#[tokio::test]
async fn what_an_event_says_of_standing_is_kept_and_read_again() {
    let bank = Bank::new().await;
    let alice = |what: &str, value: &str| countersign_store::StandingRecord {
        tenant: "default".into(),
        subject: "bank/alice".into(),
        what: what.into(),
        value: value.into(),
    };
    let risk = bank.event("e-1", "risk-level-change", json!({"current_level": "HIGH", "principal": "USER"}));
    assert_eq!(bank.push(&risk).await.0, StatusCode::ACCEPTED);
    let device = bank.event("e-2", "device-compliance-change", json!({"current_status": "not-compliant"}));
    assert_eq!(bank.push(&device).await.0, StatusCode::ACCEPTED);
    let store = bank.world.assembly.state().store();
    let kept = store.standings_if_changed(&mut countersign_store::Revision::default()).await.unwrap().unwrap();
    assert_eq!(kept, [alice("compliant", "no"), alice("risk", "high")]);
    assert_eq!(bank.models(&bank.token(60)).await.0, StatusCode::OK, "no policy speaks of it");
}

#[tokio::test]
async fn a_logout_token_proves_itself_and_ends_the_session() {
    let bank = Bank::new().await;
    let token = bank.token(60);
    assert_eq!(bank.models(&token).await.0, StatusCode::OK);
    let now = clock::now().seconds();
    let logout = json!({
        "iss": "https://id.bank.example", "aud": "gateway", "jti": "l-1", "iat": now, "exp": now + 120, "sid": "s-1",
        "events": {"http://schemas.openid.net/event/backchannel-logout": {}},
    });
    let form = |typ: &str| format!("logout_token={}", bank.sign(typ, &logout));
    for bad in [form("JWT"), "logout_token=x".into(), "x=1".into(), String::new(), "logout_token=%".into()] {
        let (status, said) = bank.log_out(bad).await;
        assert_eq!((status, &said["err"]), (StatusCode::BAD_REQUEST, &json!("invalid_request")), "{said}");
    }
    assert_eq!(bank.models(&token).await.0, StatusCode::OK);
    assert_eq!(bank.log_out(form("logout+jwt")).await.0, StatusCode::OK);
    assert!(bank.models(&token).await.1.to_string().contains("CS0204"));
}

#[tokio::test]
async fn an_event_that_cannot_be_believed_is_refused_in_the_words_of_its_standard() {
    let bank = Bank::new().await;
    let stranger = Bank { world: World::new("").await, pair: Ed25519KeyPair::generate().unwrap() };
    let forged = stranger.event("e-1", "session-revoked", json!({}));
    let (status, said) = bank.push(&forged).await;
    assert_eq!((status, &said["err"]), (StatusCode::BAD_REQUEST, &json!("invalid_key")), "{said}");
    let (status, said) = stranger.push(&forged).await;
    assert_eq!((status, &said["err"]), (StatusCode::BAD_REQUEST, &json!("invalid_issuer")), "{said}");
    let (status, said) = bank.push(&bank.token(60)).await;
    assert_eq!((status, &said["err"]), (StatusCode::BAD_REQUEST, &json!("invalid_request")), "{said}");
    // Without a credential, however good the event.
    let good = bank.event("e-1", "session-revoked", json!({}));
    let request = Request::post("/ssf/events").header("content-type", "application/secevent+jwt");
    let (status, _, said) = bank.world.ask(request.body(good).unwrap()).await;
    assert_eq!((status, &said["err"]), (StatusCode::UNAUTHORIZED, &json!("authentication_failed")), "{said}");
}

#[tokio::test]
async fn an_event_that_could_not_be_recorded_may_come_again() {
    let bank = Bank::new().await;
    let event = bank.event("e-1", "session-revoked", json!({}));
    bank.world.gateway().stages().audit.close().await;
    assert_eq!(bank.push(&event).await.0, StatusCode::SERVICE_UNAVAILABLE);
    let state = bank.world.assembly.state();
    assert!(state.store().revocations(None, 9).await.unwrap().is_empty());
    let hash = state.ring().hasher("security event").unwrap().hash(b"bank\ne-1");
    assert!(!state.store().knows_signal(&data_encoding::HEXLOWER.encode(&hash)).await.unwrap());
}
