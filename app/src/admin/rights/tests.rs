use countersign_audit::record::Record;
use http::{Request, StatusCode};
use serde_json::{Value, json};

use crate::admin::tests::{POLICY, World, posting};

fn item<'a>(report: &'a Value, who: &str) -> &'a Value {
    report["items"].as_array().unwrap().iter().find(|item| item["who"] == who).unwrap()
}

/// What was decided on record: what it was about, and the members.
async fn decided(world: &World) -> Vec<(String, String, Vec<(String, String)>)> {
    let changed = |record: Record| match record {
        Record::Changed(c) => {
            let becomes = c.becomes.into_iter().map(|(name, value)| (name.into_owned(), value)).collect();
            Some((c.action.into_owned(), c.what, becomes))
        }
        _ => None,
    };
    world.records().await.into_iter().filter_map(changed).collect()
}

#[tokio::test]
async fn a_review_says_who_may_do_what_and_when_it_was_used_last() {
    let world = World::new("").await;
    world.known_request().await;
    let (status, report) = world.get("/admin/v1/rights?days=30").await;
    assert_eq!(status, StatusCode::OK, "{report}");
    let (root, clerk) = (item(&report, "default/root"), item(&report, "default/clerk"));
    assert_eq!((&root["models"], &clerk["models"]), (&json!(["m"]), &json!(["m"])));
    assert!(root["actions"].as_array().unwrap().contains(&json!("createKey")), "{root}");
    assert_eq!(clerk["actions"], json!([]), "{clerk}");
    assert!(root["last_used"].is_string() && clerk.get("last_used").is_none(), "{report}");
    assert_eq!(clerk["roles"], json!(["clerk"]));
    // That it was looked at is on record, by its hash.
    let digest = report["digest"].as_str().unwrap();
    assert!(decided(&world).await.iter().any(|(action, what, _)| action == "reportUnused" && what.ends_with(digest)));
}

#[tokio::test]
async fn what_is_decided_is_on_record_and_keys_that_are_not_kept_end() {
    let world = World::new("").await;
    let (_, report) = world.get("/admin/v1/rights").await;
    let clerk = item(&report, "default/clerk")["item"].as_str().unwrap().to_owned();
    let root = item(&report, "default/root")["item"].as_str().unwrap().to_owned();
    let certify =
        |decisions: Value| json!({"report": report["digest"], "decisions": decisions, "note": "third quarter"});

    // Nobody's own word keeps their own key.
    let (status, said) = world.post("/admin/v1/rights/certify", certify(json!({root: "keep"}))).await;
    assert_eq!((status, &said["code"]), (StatusCode::FORBIDDEN, &json!("CS0807")), "{said}");

    let decisions = json!({clerk.clone(): "revoke", "policy:night": "revoke", "role:teller": "keep"});
    let (status, done) = world.post("/admin/v1/rights/certify", certify(decisions)).await;
    assert_eq!(status, StatusCode::OK, "{done}");
    assert_eq!((&done["revoked"], &done["left"]), (&json!([&clerk[4..]]), &json!(["policy:night"])));
    let request = Request::get("/v1/models").header("authorization", format!("Bearer {}", world.clerk));
    assert_eq!(world.ask(request.body(String::new()).unwrap()).await.0, StatusCode::UNAUTHORIZED);

    let (_, what, becomes) = decided(&world).await.pop().unwrap();
    let (id, digest) = (done["id"].as_str().unwrap(), report["digest"].as_str().unwrap());
    assert_eq!(what, format!("{id}, report {digest}"));
    let said = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let mut wanted = [
        said(&clerk, "revoke"),
        said("note", "third quarter"),
        said("policy:night", "revoke"),
        said("role:teller", "keep"),
    ];
    wanted.sort();
    assert_eq!(becomes, wanted);
}

#[tokio::test]
async fn a_review_ends_nothing_by_the_word_of_who_may_not_end_it() {
    let reviewers = r#"permit (principal in Countersign::Role::"reviewer",
        action in [Countersign::Action::"reportUnused", Countersign::Action::"certifyAccess"], resource);"#;
    let world = World::under(&format!("{POLICY}{reviewers}"), "", "").await;
    let new = json!({"subject": "rae", "roles": ["reviewer"], "kind": "person"});
    let (_, made) = world.post("/admin/v1/keys", new).await;
    let reviewer = made["secret"].as_str().unwrap().to_owned();
    let (_, report) = world.get("/admin/v1/rights").await;
    let clerk = item(&report, "default/clerk")["item"].as_str().unwrap().to_owned();
    let ask = async |decisions: Value, report: &str| {
        let body = json!({"report": report, "decisions": decisions, "note": "n"});
        world.ask(posting("/admin/v1/rights/certify", &reviewer, &body)).await.0
    };
    let digest = report["digest"].as_str().unwrap();
    assert_eq!(ask(json!({clerk.clone(): "revoke"}), digest).await, StatusCode::FORBIDDEN);
    assert_eq!(ask(json!({clerk.clone(): "keep"}), digest).await, StatusCode::OK);
    assert_eq!(ask(json!({clerk.clone(): "keep"}), "soon").await, StatusCode::BAD_REQUEST);
    assert_eq!(ask(json!({"key:key_1": "keep"}), digest).await, StatusCode::NOT_FOUND);
    let many: serde_json::Map<_, _> = (0..129).map(|n| (format!("role:{n}"), json!("keep"))).collect();
    for bad in [json!({}), json!({"clerk": "keep"}), json!({"shoe:x": "keep"}), json!({"role:": "keep"}), many.into()] {
        assert_eq!(ask(bad.clone(), digest).await, StatusCode::BAD_REQUEST, "{bad}");
    }
    let longest: serde_json::Map<_, _> = (0..128).map(|n| (format!("role:{n:0160}"), json!("revoke"))).collect();
    assert_eq!(ask(longest.into(), digest).await, StatusCode::OK, "as many as a record holds");
    let ended = decided(&world).await.iter().filter(|(.., becomes)| becomes.iter().any(|(_, v)| v == "revoke")).count();
    assert_eq!(ended, 1, "the last alone");
    assert!(world.assembly.state().store().keys().await.unwrap().iter().all(|key| key.revoked_at.is_none()));
}
