//! Secrets where they do not belong in requests to the gateway itself, and the one secret that it tells.

use countersign_testkit::{Deployment, request};
use serde_json::{Value, json};

use crate::{ISSUER, PERSON, PROMPT, PROVIDER_KEY, said::Said, token};

/// Asks for what is refused, with secrets in every part; makes a key and gives its text.
pub(crate) fn ask(gateway: &Deployment, root: &str, said: &mut Said) -> String {
    let bearer = format!("Bearer {root}");
    let post = |path: &str, kind: &str, more: &[(&str, &str)], body: &str| {
        let mut headers = vec![("authorization", bearer.as_str()), ("content-type", kind)];
        headers.extend(more);
        gateway.exchange(&request("POST", path, &headers, body.as_bytes()))
    };
    let key = |body: Value| post("/admin/v1/keys", "application/json", &[], &body.to_string());
    let revoke = |body: Value| post("/admin/v1/revocations", "application/json", &[], &body.to_string());
    for (what, answer) in [
        ("a secret for a subject", key(json!({"subject": format!("{PERSON} {PROVIDER_KEY}"), "roles": ["staff"]}))),
        ("a secret for a role", key(json!({"subject": "x", "roles": [PERSON]}))),
        ("a secret for a scope", key(json!({"subject": "x", "roles": ["staff"], "scopes": [PROVIDER_KEY]}))),
        ("a secret for a kind", key(json!({"subject": "x", "roles": ["staff"], "kind": PROVIDER_KEY}))),
        ("a secret for a field", key(json!({"subject": "x", "roles": ["staff"], PROVIDER_KEY: 1}))),
        ("a secret for a target", revoke(json!({"target": PROVIDER_KEY, "reason": "r"}))),
        ("a secret for a moment", revoke(json!({"target": "role:x", "reason": "r", "before": PROMPT}))),
        ("a secret for JSON", post("/admin/v1/keys", "application/json", &[], PROVIDER_KEY)),
        ("a secret for a type", post("/admin/v1/keys", &format!("text/{PROMPT}"), &[], "{}")),
        ("a secret for an id", post(&format!("/admin/v1/keys/{PROVIDER_KEY}/revoke"), "x/y", &[], "")),
        ("a page with a secret", post("/admin/v1/keys", "application/json", &[("origin", PROMPT)], "{}")),
        ("a secret for a cursor", gateway.get(&format!("/admin/v1/keys?cursor={PROVIDER_KEY}"), root)),
        ("a secret for a parameter", gateway.get(&format!("/admin/v1/keys?{PROMPT}=1"), root)),
        ("a token for an event", post("/ssf/events", "application/secevent+jwt", &[], &token(ISSUER))),
        ("a secret for an event", post("/ssf/events", "application/secevent+jwt", &[], PROVIDER_KEY)),
        (
            "a token for a logout",
            post("/ssf/logout", "application/x-www-form-urlencoded", &[], &format!("logout_token={}", token(ISSUER))),
        ),
        (
            "a token and an address for a global revocation",
            post(
                "/global-token-revocation",
                "application/json",
                &[("authorization", &format!("Bearer {}", token(ISSUER)))],
                &json!({"sub_id": {"format": "email", "email": PROMPT}}).to_string(),
            ),
        ),
    ] {
        said.refused(what, &answer);
    }
    let body = json!({"subject": "robot", "roles": ["staff"]}).to_string();
    let made = || post("/admin/v1/keys", "application/json", &[("idempotency-key", PROMPT)], &body);
    let answer = made();
    let secret = answer.json()["secret"].as_str().expect("the key, once").to_owned();
    said.add("the answer to the same again", made().body);
    said.add("the list of keys", gateway.get("/admin/v1/keys", root).body);
    secret
}
