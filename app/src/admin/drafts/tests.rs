use http::StatusCode;
use serde_json::json;

use super::*;
use crate::admin::tests::{World, posting};

const EDITED: &str = "[console]\nedit_policies = true";

async fn save(world: &World, text: &str, of: &Value) -> (StatusCode, Value) {
    let save = json!({"draft": {"file": "policy.cedar", "text": text}, "of": of, "note": "a test"});
    world.post("/admin/v1/policies/save", save).await
}

fn draft(text: &str) -> Value {
    json!({"file": "policy.cedar", "text": text})
}

#[tokio::test]
async fn a_draft_is_tried_simulated_and_saved_and_can_be_undone() {
    let world = World::with("", EDITED).await;
    let (_, there) = world.get("/admin/v1/policies/text").await;
    let (text, of) = (there["files"][0]["text"].as_str().unwrap().to_owned(), &there["version"]);
    assert_eq!((&there["editable"], there["files"][0].get("before")), (&json!(true), None));
    let other = format!("{text}\n@id(\"none\") forbid (principal, action, resource == Countersign::Model::\"m\");");
    // One question.
    let ask = json!({"subject": "alice", "model": "m"});
    let (status, tried) = world.post("/admin/v1/policies/try", json!({"draft": draft(&other), "ask": ask})).await;
    assert_eq!(status, StatusCode::OK, "{tried}");
    assert!(tried["was"].as_str().unwrap().starts_with("allow"), "{tried}");
    assert!(tried["becomes"].as_str().unwrap().starts_with("deny (CS0301); forbid `none`"), "{tried}");
    let (_, checked) = world.post("/admin/v1/policies/try", json!({"draft": draft(&other)})).await;
    assert_eq!(checked, json!({"policies": 3}));
    // The last requests: nobody listens at the target, and the prompt was permitted all the same.
    let question = json!({"model": "m", "messages": [{"role": "user", "content": "Is the shop open?"}]});
    let (status, _) = world.post("/v1/chat/completions", question).await;
    assert_eq!(status, StatusCode::BAD_GATEWAY);
    let (status, simulated) = world.post("/admin/v1/policies/simulate", draft(&other)).await;
    assert_eq!(status, StatusCode::OK, "{simulated}");
    let differ = simulated["differ"].as_array().unwrap();
    assert_eq!((&simulated["requests"], differ.len()), (&json!(1), 1), "{simulated}");
    assert_eq!((&differ[0]["who"], &differ[0]["what"]), (&json!("default/root"), &json!("ask m")));
    // In force at once, on disk, and the text before is kept.
    let (status, saved) = save(&world, &other, of).await;
    assert_eq!(status, StatusCode::OK, "{saved}");
    assert_eq!((&saved["files"][0]["text"], &saved["files"][0]["before"]), (&json!(other), &json!(text)));
    assert_eq!(world.file("policy.cedar"), other);
    let asked = json!({"model": "m", "messages": [{"role": "user", "content": "Is the shop open?"}]});
    assert_eq!(world.post("/v1/chat/completions", asked).await.0, StatusCode::FORBIDDEN);
    let (status, undone) = save(&world, &text, &saved["version"]).await;
    assert_eq!((status, &undone["version"]), (StatusCode::OK, of), "{undone}");
    let changes: Vec<_> = world
        .records()
        .await
        .into_iter()
        .filter_map(|record| match record {
            countersign_audit::record::Record::Changed(changed) if changed.action == "writePolicy" => Some(changed),
            _ => None,
        })
        .collect();
    assert_eq!(changes.len(), 2);
    assert_eq!((&*changes[0].who.subject, changes[0].what.as_str()), ("root", "policy file policy.cedar"));
    assert_eq!(
        (&changes[0].was["sha256"], &changes[0].becomes["sha256"]),
        (&digest_of([&*text]), &digest_of([&*other]))
    );
    assert_eq!((changes[0].becomes["note"].as_str(), &changes[1].becomes["sha256"]), ("a test", &digest_of([&*text])));
}

#[tokio::test]
async fn nothing_is_saved_that_does_not_hold_or_was_overtaken() {
    let world = World::with("", EDITED).await;
    let (_, there) = world.get("/admin/v1/policies/text").await;
    let (text, of) = (there["files"][0]["text"].as_str().unwrap().to_owned(), &there["version"]);
    let (status, no) = save(&world, "permit (principal", of).await;
    assert!(status == StatusCode::BAD_REQUEST && no["detail"].as_str().unwrap().starts_with("policy.cedar:1:"), "{no}");
    // A draft of other policies, one that would lock its writer out, one without a reason, one of another file.
    let longer = format!("{text}\n// longer");
    assert_eq!(save(&world, &longer, &json!("0".repeat(64))).await.0, StatusCode::CONFLICT);
    let (status, no) = save(&world, "permit (principal, action, resource);", of).await;
    assert!(
        status == StatusCode::CONFLICT && no["detail"].as_str().unwrap().contains("could not save another"),
        "{no}"
    );
    let silent = json!({"draft": draft(&longer), "of": of, "note": ""});
    assert_eq!(world.post("/admin/v1/policies/save", silent).await.0, StatusCode::BAD_REQUEST);
    let elsewhere = json!({"draft": {"file": "../countersign.toml", "text": ""}, "of": of, "note": "x"});
    let (status, no) = world.post("/admin/v1/policies/save", elsewhere).await;
    assert!(status == StatusCode::CONFLICT && no["detail"] == "there is no such policy file", "{no}");
    // Somebody changed the file and has not reloaded.
    world.write("policy.cedar", &format!("{text}\n// by hand"));
    let (status, no) = save(&world, &longer, of).await;
    assert!(status == StatusCode::CONFLICT && no["detail"].as_str().unwrap().contains("reload first"), "{no}");
    assert!(world.file("policy.cedar").ends_with("// by hand"));
    assert_eq!(&world.get("/admin/v1/policies/text").await.1["version"], of);
}

#[tokio::test]
async fn what_is_not_switched_on_saves_nothing_and_each_action_is_its_own() {
    let world = World::new("").await;
    let (_, there) = world.get("/admin/v1/policies/text").await;
    assert_eq!(there["editable"], false);
    let text = there["files"][0]["text"].as_str().unwrap();
    assert_eq!(save(&world, &format!("{text} "), &there["version"]).await.0, StatusCode::CONFLICT);
    assert_eq!(world.file("policy.cedar"), text);
    // Whoever may read policies and no requests does not learn of requests by simulating.
    let reader = format!(
        "{text}permit (principal in Countersign::Role::\"clerk\", action == Countersign::Action::\"readPolicy\", resource);"
    );
    let world = World::with("", EDITED).await;
    let (_, there) = world.get("/admin/v1/policies/text").await;
    assert_eq!(save(&world, &reader, &there["version"]).await.0, StatusCode::OK);
    let (status, _, no) = world.ask(posting("/admin/v1/policies/simulate", &world.clerk, &draft(&reader))).await;
    assert_eq!((status, &no["code"]), (StatusCode::FORBIDDEN, &json!("CS0301")));
    let (status, ..) =
        world.ask(posting("/admin/v1/policies/try", &world.clerk, &json!({"draft": draft(&reader)}))).await;
    assert_eq!(status, StatusCode::OK);
    let save = json!({"draft": draft(&reader), "of": there["version"], "note": "x"});
    let (status, _, no) = world.ask(posting("/admin/v1/policies/save", &world.clerk, &save)).await;
    assert_eq!((status, &no["code"]), (StatusCode::FORBIDDEN, &json!("CS0301")));
}

#[test]
fn the_last_requests_are_whole_and_no_more() {
    let question = |n: u16| {
        let [a, b] = n.to_be_bytes();
        (RequestId::new(Timestamp(1), [a, b, 0, 0, 0, 0, 0, 0, 0, 0]), Question::default())
    };
    // Each asked about twice.
    let questions: Vec<_> = (0..1200).flat_map(|n| [question(n), question(n)]).collect();
    let kept = last(questions);
    assert_eq!((kept.len(), kept.first().map(|(id, _)| *id)), (2000, Some(question(200).0)));
    assert_eq!(last(vec![question(1)]).len(), 1);
}
