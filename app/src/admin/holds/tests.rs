use countersign_audit::record::Record;
use countersign_seal::Scope;
use http::StatusCode;
use serde_json::{Value, json};

use crate::admin::tests::{World, posting};

/// A second person who may do everything.
async fn second(world: &World) -> String {
    let new = json!({"subject": "second", "roles": ["root"], "kind": "person"});
    let (_, made) = world.post("/admin/v1/keys", new).await;
    made["secret"].as_str().unwrap().to_owned()
}

async fn post_as(world: &World, key: &str, path: &str, body: Value) -> (StatusCode, Value) {
    let (status, _, value) = world.ask(posting(path, key, &body)).await;
    (status, value)
}

#[tokio::test]
async fn what_is_held_is_not_forgotten_until_two_have_released_it() {
    let world = World::new("").await;
    let other = second(&world).await;
    let body = json!({"tenant": "bank", "person": "ann", "from": "2026-03-01", "reason": "case 4711"});
    let (status, hold) = world.post("/admin/v1/holds", body).await;
    assert_eq!((status, &hold["standing"]), (StatusCode::CREATED, &json!("in-force")), "{hold}");

    // Neither the person, nor with them the tenant; others as ever.
    let data = world.assembly.state().data().clone();
    let scope = Scope { tenant: "bank", subject: "ann", conversation: None };
    let key = data.key(&scope).unwrap().id();
    for held in [
        json!({"tenant": "bank", "person": "ann"}),
        json!({"tenant": "bank", "person": "ann", "conversation": "c-9"}),
        json!({"tenant": "bank"}),
    ] {
        let (status, said) = world.post("/admin/v1/forget", held).await;
        assert_eq!((status, &said["code"]), (StatusCode::CONFLICT, &json!("CS0808")), "{said}");
    }
    assert_eq!(data.key(&scope).unwrap().id(), key);
    let (status, _) = world.post("/admin/v1/forget", json!({"tenant": "bank", "person": "ben"})).await;
    assert_eq!(status, StatusCode::OK);

    // One person is one, however often they ask.
    let release = format!("/admin/v1/holds/{}/release", hold["id"].as_str().unwrap());
    let why = json!({"reason": "settled"});
    for _ in 0..2 {
        let (status, hold) = world.post(&release, why.clone()).await;
        assert_eq!((status, &hold["standing"]), (StatusCode::OK, &json!("release-asked")), "{hold}");
    }
    let (status, _) = world.post("/admin/v1/forget", json!({"tenant": "bank", "person": "ann"})).await;
    assert_eq!(status, StatusCode::CONFLICT);
    let (_, hold) = post_as(&world, &other, &release, why.clone()).await;
    assert_eq!((&hold["standing"], &hold["released_by"]), (&json!("released"), &json!("default/second")));
    let (status, _) = world.post("/admin/v1/forget", json!({"tenant": "bank", "person": "ann"})).await;
    assert_eq!(status, StatusCode::OK);
    assert_ne!(data.key(&scope).unwrap().id(), key);

    let (_, list) = world.get("/admin/v1/holds").await;
    assert_eq!((list["items"].as_array().unwrap().len(), &list["items"][0]["standing"]), (1, &json!("released")));
    let changed = |record: &Record| match record {
        Record::Changed(c) => Some((c.action.to_string(), c.what.clone())),
        _ => None,
    };
    let actions: Vec<_> = world.records().await.iter().filter_map(changed).collect();
    let actions: Vec<_> = actions.iter().map(|(action, what)| (action.as_str(), what.as_str())).collect();
    let id = hold["id"].as_str().unwrap();
    // No receipt of a forgetting that was refused.
    let expected = [("addHold", id), ("forget", r#"tenant "bank" person "ben""#), ("releaseHold", id)];
    assert_eq!(actions.get(1..4).unwrap(), expected);
    assert_eq!(actions.get(4..).unwrap().len(), 3);
}

#[tokio::test]
async fn a_hold_that_makes_no_sense_is_refused() {
    let world = World::new("").await;
    for bad in [
        json!({"person": "ann", "reason": "r"}),
        json!({"tenant": "bank"}),
        json!({"tenant": "bank", "reason": ""}),
        json!({"tenant": "bank", "from": "soon", "reason": "r"}),
        json!({"tenant": "bank", "from": "2026-02-01", "until": "2026-01-01", "reason": "r"}),
        json!({"tenant": "bank", "reason": "r", "forever": true}),
    ] {
        assert_eq!(world.post("/admin/v1/holds", bad.clone()).await.0, StatusCode::BAD_REQUEST, "{bad}");
    }
    let why = json!({"reason": "r"});
    let (status, _) = world.post("/admin/v1/holds/hol_00000000000000000000000000/release", why).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}
