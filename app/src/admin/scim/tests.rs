use countersign_audit::record::Record;
use countersign_core::Target;
use http::{HeaderMap, Request, StatusCode};
use serde_json::{Value, json};

use crate::admin::tests::World;

const ISSUER: &str = "[[issuer]]\nname = \"bank\"\nurl = \"https://id.bank.example\"\nkind = \"rfc9068\"\naudiences = [\"x\"]\ndirectory = true\n";
const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
const PATCH: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

async fn world() -> World {
    World::with("resource = \"https://ai.bank.example\"", ISSUER).await
}

async fn send(
    world: &World,
    method: &str,
    path: &str,
    tag: Option<&str>,
    body: Option<Value>,
) -> (StatusCode, HeaderMap, Value) {
    let request = Request::builder().method(method).uri(format!("/scim/v2{path}"));
    let request = request.header("authorization", format!("Bearer {}", world.root));
    let request = match tag {
        Some(tag) => request.header(if method == "GET" { "if-none-match" } else { "if-match" }, tag),
        None => request,
    };
    let request = match body {
        Some(body) => request.header("content-type", "application/scim+json").body(body.to_string()),
        None => request.body(String::new()),
    };
    world.ask(request.unwrap()).await
}

async fn make(world: &World, path: &str, body: Value) -> Value {
    let (status, headers, made) = send(world, "POST", path, None, Some(body)).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    assert_eq!(headers["location"].to_str().unwrap(), made["meta"]["location"]);
    made
}

async fn patch(world: &World, resource: &Value, operations: Value) -> (StatusCode, Value) {
    let kind = if resource["schemas"][0] == USER { "Users" } else { "Groups" };
    let path = format!("/{kind}/{}", resource["id"].as_str().unwrap());
    let body = json!({ "schemas": [PATCH], "Operations": operations });
    let (status, _, value) = send(world, "PATCH", &path, None, Some(body)).await;
    (status, value)
}

/// Whether the board shuts a subject out.
fn shut_out(world: &World, subject: &str) -> bool {
    let target = Target::Principal("default".into(), format!("bank/{subject}").into());
    world.gateway().stages().identity.board().covers(&[target], crate::clock::now())
}

fn ada() -> Value {
    json!({ "schemas": [USER], "userName": "Ada", "externalId": "ext-1", "active": true, "name": { "givenName": "Ada" } })
}

#[tokio::test]
async fn a_user_is_made_found_changed_and_deleted() {
    let world = world().await;
    let made = make(&world, "/Users", ada()).await;
    assert!(made.get("name").is_none(), "what is not needed is not kept");
    let path = format!("/Users/{}", made["id"].as_str().unwrap());
    assert_eq!(made["meta"]["location"], format!("https://ai.bank.example/scim/v2{path}"));
    let (status, headers, found) = send(&world, "GET", &path, None, None).await;
    assert_eq!((status, &found), (StatusCode::OK, &made));
    let tag = headers["etag"].to_str().unwrap().to_owned();
    assert_eq!(send(&world, "GET", &path, Some(&tag), None).await.0, StatusCode::NOT_MODIFIED);

    let filter = |text: &str| format!("/Users?filter={}", text.replace(' ', "+").replace('"', "%22"));
    for (text, count) in
        [("userName eq \"ADA\"", 1), ("externalId eq \"ext-1\" and active eq true", 1), ("externalId eq \"x\"", 0)]
    {
        let (status, _, list) = send(&world, "GET", &filter(text), None, None).await;
        assert_eq!((status, &list["totalResults"]), (StatusCode::OK, &json!(count)), "{text}");
    }
    let (status, _, fault) = send(&world, "GET", &filter("userName eq"), None, None).await;
    assert_eq!((status, &fault["scimType"]), (StatusCode::BAD_REQUEST, &json!("invalidFilter")));

    let (status, _, fault) = send(&world, "POST", "/Users", None, Some(ada())).await;
    assert_eq!((status, &fault["scimType"]), (StatusCode::CONFLICT, &json!("uniqueness")));
    let mut second = ada();
    second["displayName"] = "Ada L.".into();
    assert_eq!(
        send(&world, "PUT", &path, Some("W/\"7\""), Some(second.clone())).await.0,
        StatusCode::PRECONDITION_FAILED
    );
    let (status, headers, changed) = send(&world, "PUT", &path, Some(&tag), Some(second)).await;
    assert_eq!(
        (status, &changed["displayName"], headers["etag"].to_str().unwrap()),
        (StatusCode::OK, &json!("Ada L."), "W/\"2\"")
    );

    assert_eq!(send(&world, "DELETE", &path, Some(&tag), None).await.0, StatusCode::PRECONDITION_FAILED);
    assert_eq!(send(&world, "DELETE", &path, None, None).await.0, StatusCode::NO_CONTENT);
    for method in ["GET", "DELETE"] {
        assert_eq!(send(&world, method, &path, None, None).await.0, StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn lists_come_in_pages_and_as_much_of_each_as_is_asked_for() {
    let world = world().await;
    for i in 0..5 {
        make(&world, "/Users", json!({ "schemas": [USER], "userName": format!("u{i}"), "displayName": "x" })).await;
    }
    let names = |list: &Value| -> Vec<String> {
        list["Resources"].as_array().unwrap().iter().map(|u| u["userName"].as_str().unwrap_or("-").to_owned()).collect()
    };
    for (query, total, expected) in [
        ("?count=2", 5, vec!["u0", "u1"]),
        ("?startIndex=4&count=10", 5, vec!["u3", "u4"]),
        ("?startIndex=0&count=1", 5, vec!["u0"]),
        ("?startIndex=99", 5, vec![]),
        ("?count=0", 5, vec![]),
        ("?count=-1", 5, vec![]),
        ("?count=1&attributes=displayName", 5, vec!["-"]),
        ("?count=1&excludedAttributes=displayName,meta", 5, vec!["u0"]),
        ("?sortBy=userName&sortOrder=descending&count=1", 5, vec!["u0"]),
    ] {
        let (status, _, list) = send(&world, "GET", &format!("/Users{query}"), None, None).await;
        assert_eq!(
            (status, &list["totalResults"], names(&list)),
            (StatusCode::OK, &json!(total), expected.into_iter().map(String::from).collect()),
            "{query}"
        );
    }
    for (path, body, total) in [
        ("/Users/.search", json!({ "filter": "userName eq \"u1\"", "attributes": ["userName"] }), 1),
        ("/.search", json!({ "count": 1 }), 5),
        ("/Groups/.search", json!({}), 0),
    ] {
        let (status, _, list) = send(&world, "POST", path, None, Some(body)).await;
        assert_eq!((status, &list["totalResults"]), (StatusCode::OK, &json!(total)), "{path}");
    }
    for bad in [json!([]), json!({ "count": "x" }), json!({ "attributes": "x" }), json!({ "filter": 1 })] {
        assert_eq!(send(&world, "POST", "/.search", None, Some(bad)).await.0, StatusCode::BAD_REQUEST);
    }
    for bad in
        ["?count=x", "?attributes=a&excludedAttributes=b", "?attributes=a%20b", "?unheardOf=1", "?count=1&count=2"]
    {
        let (status, _, fault) = send(&world, "GET", &format!("/Users{bad}"), None, None).await;
        assert_eq!((status, &fault["status"]), (StatusCode::BAD_REQUEST, &json!("400")), "{bad}");
    }
}

#[tokio::test]
async fn who_is_deactivated_or_deleted_is_shut_out_until_let_in_again() {
    let world = world().await;
    let made = make(&world, "/Users", ada()).await;
    assert!(!shut_out(&world, "ext-1"));
    let active = |value: Value| json!([{ "op": "Replace", "path": "active", "value": value }]);
    for (value, out) in [(json!("False"), true), (json!(true), false), (json!(false), true)] {
        assert_eq!(patch(&world, &made, active(value)).await.0, StatusCode::OK);
        assert_eq!(shut_out(&world, "ext-1"), out);
    }
    // Revocations of the admin API and the directory's stand beside each other.
    let (status, revoked) =
        world.post("/admin/v1/revocations", json!({ "target": "role:x", "reason": "r", "block": true })).await;
    assert_eq!(status, StatusCode::CREATED);
    assert!(shut_out(&world, "ext-1"));
    let covered =
        |text: &str| world.gateway().stages().identity.board().covers(&[text.parse().unwrap()], crate::clock::now());
    assert_eq!(patch(&world, &made, active(json!(true))).await.0, StatusCode::OK);
    assert!(covered("role:x") && !shut_out(&world, "ext-1"));
    let lift = format!("/admin/v1/revocations/{}/lift", revoked["id"].as_str().unwrap());
    assert_eq!(patch(&world, &made, active(json!(false))).await.0, StatusCode::OK);
    assert_eq!(world.post(&lift, Value::Null).await.0, StatusCode::OK);
    assert!(!covered("role:x") && shut_out(&world, "ext-1"));
    assert_eq!(patch(&world, &made, active(json!(true))).await.0, StatusCode::OK);

    let path = format!("/Users/{}", made["id"].as_str().unwrap());
    assert_eq!(send(&world, "DELETE", &path, None, None).await.0, StatusCode::NO_CONTENT);
    assert!(shut_out(&world, "ext-1"));
    make(&world, "/Users", ada()).await;
    assert!(!shut_out(&world, "ext-1"));
}

#[tokio::test]
async fn members_come_and_go_and_are_shown_on_both_sides() {
    let world = world().await;
    let (ada, group) = (make(&world, "/Users", ada()).await, json!({ "schemas": [GROUP], "displayName": "night" }));
    let group = make(&world, "/Groups", group).await;
    let add = json!([{ "op": "add", "path": "members", "value": [{ "value": ada["id"] }] }]);
    let (status, after) = patch(&world, &group, add.clone()).await;
    assert_eq!((status, &after["members"][0]["value"]), (StatusCode::OK, &ada["id"]));
    let user = format!("/Users/{}", ada["id"].as_str().unwrap());
    assert_eq!(send(&world, "GET", &user, None, None).await.2["groups"][0]["value"], group["id"]);
    // What changes nothing is no new version.
    let (_, again) = patch(&world, &group, add).await;
    assert_eq!(again["meta"], after["meta"]);
    let (status, fault) =
        patch(&world, &group, json!([{ "op": "add", "path": "members", "value": [{ "value": "usr_x" }] }])).await;
    assert_eq!((status, &fault["scimType"]), (StatusCode::BAD_REQUEST, &json!("invalidValue")));
    let gone = json!([{ "op": "Remove", "path": format!("members[value eq \"{}\"]", ada["id"].as_str().unwrap()) }]);
    assert!(patch(&world, &group, gone).await.1.get("members").is_none());
}

#[tokio::test]
async fn every_change_is_on_record_without_names_of_people() {
    let world = world().await;
    let made = make(&world, "/Users", ada()).await;
    patch(&world, &made, json!([{ "op": "replace", "path": "active", "value": false }])).await;
    // What was put on record and could not be done is refused on record.
    assert_eq!(send(&world, "POST", "/Users", None, Some(ada())).await.0, StatusCode::CONFLICT);
    let path = format!("/Users/{}", made["id"].as_str().unwrap());
    send(&world, "DELETE", &path, None, None).await;
    let records = world.records().await;
    let changed: Vec<_> =
        records.iter().filter_map(|r| if let Record::Changed(c) = r { Some(c) } else { None }).collect();
    let said: Vec<_> = changed.iter().map(|c| (&*c.action, c.was.get("active"), c.becomes.get("active"))).collect();
    let (yes, no) = ("true".to_owned(), "false".to_owned());
    assert_eq!(
        said,
        [
            ("provision", None, Some(&yes)),
            ("provision", Some(&yes), Some(&no)),
            ("provision", None, Some(&yes)),
            ("provision", Some(&no), None)
        ]
    );
    let undone: Vec<_> =
        records.iter().filter_map(|r| if let Record::Refused(r) = r { Some(r) } else { None }).collect();
    assert_eq!(undone.iter().map(|r| (r.request, &*r.code)).collect::<Vec<_>>(), [(changed[2].request, "CS0802")]);
    assert!(!format!("{changed:?}").contains("Ada"));
}

#[tokio::test]
async fn a_gateway_that_no_directory_provisions_takes_nothing() {
    let world = World::new("").await;
    let (status, _, fault) = send(&world, "POST", "/Users", None, Some(ada())).await;
    assert_eq!((status, &fault["status"]), (StatusCode::FORBIDDEN, &json!("403")));
    for path in ["/Unheard", "/Users/usr_x"] {
        assert_eq!(send(&world, "GET", path, None, None).await.0, StatusCode::NOT_FOUND);
    }
    for path in [
        "/ServiceProviderConfig",
        "/ResourceTypes",
        "/ResourceTypes/User",
        "/Schemas",
        "/Schemas/urn:ietf:params:scim:schemas:core:2.0:Group",
    ] {
        assert_eq!(send(&world, "GET", path, None, None).await.0, StatusCode::OK, "{path}");
        assert_eq!(
            send(&world, "GET", &format!("{path}?filter=id+pr"), None, None).await.0,
            StatusCode::FORBIDDEN,
            "{path}"
        );
    }
}
