use std::sync::Arc;

use aws_lc_rs::{
    digest::{SHA256, digest},
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair},
};
use countersign_audit::record::Record;
use countersign_core::life::Peer;
use data_encoding::BASE64URL_NOPAD;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};

use super::{
    super::tests::{World, posting},
    *,
};

const MORE: &str = r#"
resource = "https://ai.bank.example"
[[access]]
name = "incident"
roles = ["responder"]
for = ["model:m"]
longest_minutes = 30
approvers = ["lead"]
[[certificate]]
common_name = "ann"
kind = "person"
roles = ["root"]
[[certificate]]
common_name = "robot"
kind = "agent"
roles = ["root"]
"#;

/// A company where Ann and her robot come with certificates, and Bob approves.
struct Company {
    world: World,
    bob: String,
    joe: String,
    ann: Arc<[u8]>,
    robot: Arc<[u8]>,
}

impl Company {
    async fn new() -> Self {
        let world = World::new(MORE).await;
        let mut keys = Vec::new();
        for (name, role) in [("bob", "lead"), ("joe", "clerk")] {
            let new = json!({"subject": name, "roles": ["root", role], "kind": "person"});
            keys.push(world.post("/admin/v1/keys", new).await.1["secret"].as_str().unwrap().to_owned());
        }
        let [bob, joe] = keys.try_into().unwrap();
        Self { world, bob, joe, ann: certificate("ann"), robot: certificate("robot") }
    }

    async fn by(&self, certificate: Option<&Arc<[u8]>>, request: Request<String>) -> (StatusCode, HeaderMap, Value) {
        let peer = Peer { ip: None, listener: "inside".into() };
        let request = request.map(|text| Full::new(Bytes::from(text)));
        let answer = self.world.gateway().handle(request, peer, certificate.cloned()).await;
        let (parts, body) = answer.into_parts();
        let body = body.collect().await.ok().unwrap().to_bytes();
        (parts.status, parts.headers, serde_json::from_slice(&body).unwrap_or_default())
    }

    /// Access for whoever asks so, granted.
    async fn granted(
        &self,
        asks: impl Fn(Request<String>) -> Request<String>,
        who: Option<&Arc<[u8]>>,
        more: Value,
    ) -> String {
        let mut wish = json!({"access": "incident", "for": ["model:m"], "purpose": "ticket 7", "minutes": 30});
        wish.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let request = Request::post("/admin/v1/access").header("content-type", "application/json");
        let (_, _, case) = self.by(who, asks(request.body(wish.to_string()).unwrap())).await;
        let id = case["id"].as_str().unwrap_or_else(|| panic!("{case}")).to_owned();
        let approve = posting(&format!("/admin/v1/access/{id}/approve"), &self.bob, &json!({}));
        assert_eq!(self.world.ask(approve).await.2["standing"], "granted");
        id
    }

    async fn models(&self, scheme: &str, token: &str, certificate: Option<&Arc<[u8]>>) -> (StatusCode, Value) {
        let request = Request::get("/v1/models").header("authorization", format!("{scheme} {token}"));
        let (status, _, value) = self.by(certificate, request.body(String::new()).unwrap()).await;
        (status, value)
    }
}

fn same(request: Request<String>) -> Request<String> {
    request
}

fn certificate(name: &str) -> Arc<[u8]> {
    let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    let key = rcgen::KeyPair::generate().unwrap();
    params.self_signed(&key).unwrap().der().to_vec().into()
}

fn exchange(scope: &str, more: &str) -> Request<String> {
    let request = Request::post(PATH).header("content-type", FORM);
    request.body(format!("grant_type={}&scope={scope}{more}", GRANT.replace(':', "%3A"))).unwrap()
}

#[tokio::test]
async fn a_session_is_bound_to_the_certificate_it_was_asked_for_with_and_ends_with_its_case() {
    let company = Company::new().await;
    let id = company.granted(same, Some(&company.ann), json!({})).await;
    let (status, headers, token) = company.by(Some(&company.ann), exchange(&id, "")).await;
    assert_eq!((status, &headers["cache-control"]), (StatusCode::OK, &"no-store".parse().unwrap()), "{token}");
    assert_eq!((&token["token_type"], &token["scope"]), (&json!("Bearer"), &json!(id)));
    assert!((1790..=1800).contains(&token["expires_in"].as_u64().unwrap()), "{token}");
    let text = token["access_token"].as_str().unwrap();
    assert_eq!(company.models("Bearer", text, Some(&company.ann)).await.0, StatusCode::OK);
    for certificate in [None, Some(&company.robot)] {
        assert!(company.models("Bearer", text, certificate).await.1.to_string().contains("CS0202"));
    }
    assert!(company.models("DPoP", text, Some(&company.ann)).await.1.to_string().contains("CS0206"));
    // It opens no other, asks for nothing, and does nothing to the gateway.
    let mut again = exchange(&id, "");
    again.headers_mut().insert("authorization", format!("Bearer {text}").parse().unwrap());
    assert_eq!(company.by(Some(&company.ann), again).await.0, StatusCode::FORBIDDEN);

    // Another process reads the same from the store.
    company.world.assembly.force().distrust();
    company.world.assembly.force().refresh().await.unwrap();
    assert_eq!(company.models("Bearer", text, Some(&company.ann)).await.0, StatusCode::OK);

    let request = Request::post(format!("/admin/v1/my/access/{id}/end")).body(String::new()).unwrap();
    assert_eq!(company.by(Some(&company.ann), request).await.2["standing"], "ended");
    assert_eq!(company.models("Bearer", text, Some(&company.ann)).await.0, StatusCode::UNAUTHORIZED);
    let (status, _, said) = company.by(Some(&company.ann), exchange(&id, "")).await;
    assert_eq!(
        (status, &said["error"], &said["code"]),
        (StatusCode::BAD_REQUEST, &json!("invalid_grant"), &json!("CS0208"))
    );

    let records = company.world.records().await;
    let opened = records.iter().find_map(|r| match r {
        Record::Changed(c) if c.action == "openSession" => Some(c),
        _ => None,
    });
    assert_eq!(opened.unwrap().becomes["case"], id);
    assert!(records.iter().all(|r| !serde_json::to_string(r).unwrap().contains(&text[4..])));
}

#[tokio::test]
async fn an_agent_acts_for_a_person_who_hands_over_their_own_credential() {
    let company = Company::new().await;
    let by_joe = |mut request: Request<String>| {
        request.headers_mut().insert("authorization", format!("Bearer {}", company.joe).parse().unwrap());
        request
    };
    let id = company.granted(by_joe, None, json!({"actor": {"subject": "robot"}})).await;
    let with = |token: &str| format!("&subject_token={token}&subject_token_type={ACCESS_TOKEN}");
    let (status, _, token) = company.by(Some(&company.robot), exchange(&id, &with(&company.joe))).await;
    assert_eq!(status, StatusCode::OK, "{token}");
    let text = token["access_token"].as_str().unwrap();
    assert_eq!(company.models("Bearer", text, Some(&company.robot)).await.0, StatusCode::OK);

    // Neither alone, nor anybody else's word.
    for (who, more) in [
        (&company.robot, String::new()),
        (&company.robot, with(&company.bob)),
        (&company.robot, with("csk_nonsense")),
        (&company.ann, with(&company.joe)),
    ] {
        let (status, _, said) = company.by(Some(who), exchange(&id, &more)).await;
        assert_eq!((status, &said["error"]), (StatusCode::BAD_REQUEST, &json!("invalid_grant")), "{said}");
    }
    let alone = by_joe(exchange(&id, ""));
    assert_eq!(company.by(None, alone).await.2["error"], "invalid_grant");

    // Who revokes the holder's key, or the agent, ends it.
    let (_, keys) = company.world.get("/admin/v1/keys").await;
    let keys = keys["items"].as_array().unwrap();
    let key = keys.iter().find(|key| key["subject"] == "joe").unwrap()["id"].as_str().unwrap();
    company.world.post(&format!("/admin/v1/keys/{key}/revoke"), Value::Null).await;
    assert!(company.models("Bearer", text, Some(&company.robot)).await.1.to_string().contains("CS0204"));

    let records = company.world.records().await;
    let acted = records.iter().any(|r| {
        matches!(r, Record::Answered(a) if a.who.acts == ["default/robot".into()]
        && &*a.who.subject == "joe" && a.who.method == "session")
    });
    assert!(acted, "who acts is on record");
}

#[tokio::test]
async fn a_caller_with_an_api_key_introduces_a_key_and_proves_it_from_then_on() {
    let company = Company::new().await;
    let by_joe = |mut request: Request<String>| {
        request.headers_mut().insert("authorization", format!("Bearer {}", company.joe).parse().unwrap());
        request
    };
    let id = company.granted(by_joe, None, json!({})).await;
    assert_eq!(company.by(None, by_joe(exchange(&id, ""))).await.2["error"], "invalid_grant", "bound to nothing");

    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let prove = |method: &str, path: &str, nonce: &str, token: Option<&str>| {
        let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
        let encode = |bytes: &[u8]| BASE64URL_NOPAD.encode(bytes);
        let jwk = json!({"kty": "EC", "crv": "P-256", "x": encode(x), "y": encode(y)});
        let header = json!({"typ": "dpop+jwt", "alg": "ES256", "jwk": jwk});
        let mut claims = json!({
            "jti": format!("{method}{path}{nonce}{}", token.is_some()), "htm": method, "nonce": nonce,
            "htu": format!("https://ai.bank.example{path}"), "iat": crate::clock::now().seconds(),
        });
        if let Some(token) = token {
            claims["ath"] = encode(digest(&SHA256, token.as_bytes()).as_ref()).into();
        }
        let signed = format!("{}.{}", encode(header.to_string().as_bytes()), encode(claims.to_string().as_bytes()));
        let signature = pair.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", encode(signature.as_ref()))
    };
    let ask = |proof: String| {
        let mut request = by_joe(exchange(&id, ""));
        request.headers_mut().insert("dpop", proof.parse().unwrap());
        request
    };
    let (status, headers, said) = company.by(None, ask(prove("POST", PATH, "x", None))).await;
    assert_eq!((status, &said["error"]), (StatusCode::UNAUTHORIZED, &json!("use_dpop_nonce")));
    let nonce = headers["dpop-nonce"].to_str().unwrap();
    let proof = prove("POST", PATH, nonce, None);
    let (status, _, token) = company.by(None, ask(proof.clone())).await;
    assert_eq!((status, &token["token_type"]), (StatusCode::OK, &json!("DPoP")), "{token}");
    assert_eq!(company.by(None, ask(proof)).await.2["error"], "invalid_dpop_proof");

    let text = token["access_token"].as_str().unwrap();
    let mut request = Request::get("/v1/models").header("authorization", format!("DPoP {text}"));
    request = request.header("dpop", prove("GET", "/v1/models", nonce, Some(text)));
    assert_eq!(company.by(None, request.body(String::new()).unwrap()).await.0, StatusCode::OK);
    assert!(company.models("Bearer", text, None).await.1.to_string().contains("CS0206"));
    assert!(company.models("DPoP", text, None).await.1.to_string().contains("CS0206"));
}

#[tokio::test]
async fn what_is_no_exchange_is_refused_in_the_words_of_oauth() {
    let company = Company::new().await;
    let body = |text: &str| {
        let request = Request::post(PATH).header("content-type", FORM);
        request.body(text.to_owned()).unwrap()
    };
    let grant = format!("grant_type={GRANT}");
    for bad in [
        "",
        "grant_type=client_credentials&scope=acc_1",
        &grant,
        &format!("{grant}&scope=acc_1&scope=acc_2"),
        &format!("{grant}&scope=acc_1&subject_token=x"),
        &format!("{grant}&scope=acc_1&subject_token=x&subject_token_type=urn:other"),
        &format!("{grant}&scope=acc_1&actor_token=x"),
        &format!("{grant}&scope=acc_1&requested_token_type=urn:other"),
        &format!("{grant}&scope=%zz"),
    ] {
        let (status, _, said) = company.by(Some(&company.ann), body(bad)).await;
        assert_eq!((status, &said["error"]), (StatusCode::BAD_REQUEST, &json!("invalid_request")), "{bad}: {said}");
    }
    let (status, _, said) = company.by(Some(&company.ann), body(&format!("{grant}&scope=acc_none"))).await;
    assert_eq!((status, &said["error"]), (StatusCode::BAD_REQUEST, &json!("invalid_grant")));
    let (status, _, said) = company.by(None, body(&format!("{grant}&scope=acc_none"))).await;
    assert_eq!((status, &said["error"]), (StatusCode::UNAUTHORIZED, &json!("invalid_client")));
}
