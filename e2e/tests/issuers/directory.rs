//! A directory beside a certified provider: whose token is good and whose time is over all the same.

use countersign_testkit::{Deployment, Plan, Upstream, request};
use serde_json::{Value, json};

use super::{CLIENT, ask, ask_until, stream};
use crate::server::{GATEWAY, Issuers, RESOURCE};

const POLICY: &str = r#"
@id("staff") permit (principal in Countersign::Role::"staff", action, resource);
@id("directory") permit (principal in Countersign::Role::"directory", action == Countersign::Action::"provision", resource);
"#;
const SCHEMAS: &str = "urn:ietf:params:scim:schemas:core:2.0:";

fn scim(gateway: &Deployment, key: &str, method: &str, path: &str, body: &Value) -> Value {
    let bearer = format!("Bearer {key}");
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/scim+json")];
    let answer = gateway.exchange(&request(method, &format!("/scim/v2{path}"), &headers, body.to_string().as_bytes()));
    assert!((200..300).contains(&answer.status), "{method} {path}: {}", answer.text());
    answer.json()
}

fn patch(operation: &Value) -> Value {
    json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [operation] })
}

#[test]
fn the_directory_says_who_is_in_which_group_and_cuts_off_who_has_left() {
    let Some(issuers) = Issuers::start() else { return };
    let upstream = Upstream::silent();
    let section = issuers.section("plain", "groups = { \"night\" = \"staff\" }\ndirectory = true");
    let plan = Plan::new().target("openai", &upstream, &["m"]).policy(POLICY).top(RESOURCE).admin();
    let home = plan.more(&section).write();
    let sync = home.key("sync", "directory");
    let gateway = home.serve();
    let token = issuers.token("plain", "gateway.use", GATEWAY);
    // The token is good, and gives no role by itself.
    ask_until(&gateway, &token, 403);

    let user =
        json!({ "schemas": [format!("{SCHEMAS}User")], "userName": "ada", "externalId": CLIENT, "active": true });
    let user = scim(&gateway, &sync, "POST", "/Users", &user);
    let group = json!({ "schemas": [format!("{SCHEMAS}Group")], "displayName": "night" });
    let group = scim(&gateway, &sync, "POST", "/Groups", &group);
    let group = format!("/Groups/{}", group["id"].as_str().expect("an id"));
    let members = json!([{ "value": user["id"] }]);
    assert_eq!(ask(&gateway, &token).status, 403);
    scim(&gateway, &sync, "PATCH", &group, &patch(&json!({ "op": "add", "path": "members", "value": members })));
    assert_eq!(ask(&gateway, &token).status, 200, "from the next request on");
    scim(&gateway, &sync, "PATCH", &group, &patch(&json!({ "op": "remove", "path": "members" })));
    assert_eq!(ask(&gateway, &token).status, 403, "from the next request on");
    scim(&gateway, &sync, "PATCH", &group, &patch(&json!({ "op": "add", "path": "members", "value": members })));

    let mut streaming = stream(&gateway, &token);
    let _ = streaming.until("ordinary sentence");
    let path = format!("/Users/{}", user["id"].as_str().expect("an id"));
    scim(&gateway, &sync, "PATCH", &path, &patch(&json!({ "op": "replace", "value": { "active": false } })));
    let refused = ask(&gateway, &token);
    assert_eq!((refused.status, refused.code().as_deref()), (401, Some("CS0204")));
    let rest = String::from_utf8_lossy(&streaming.rest_of_stream()).into_owned();
    assert!(rest.contains("CS0204") && !rest.contains("[DONE]"), "{rest}");
    // A restart forgets nothing of it.
    let gateway = gateway.restart();
    let refused = ask_until(&gateway, &token, 401);
    assert_eq!(refused.code().as_deref(), Some("CS0204"));
    scim(&gateway, &sync, "PATCH", &path, &patch(&json!({ "op": "replace", "value": { "active": true } })));
    assert_eq!(ask(&gateway, &token).status, 200);
}
