use countersign_core::{Target, Timestamp};
use countersign_store::{RevocationRecord, StoreError};
use http::StatusCode;
use serde_json::Value;

use crate::admin::tests::{World, posting};

fn revocation(id: &str, target: &Target) -> RevocationRecord {
    RevocationRecord {
        id: id.into(),
        target: target.to_string().into(),
        before: Timestamp::MAX,
        until: None,
        at: Timestamp(1),
        by: "test".into(),
        reason: "test".to_owned(),
        lifted: None,
    }
}

#[tokio::test]
async fn a_revocation_that_cannot_be_kept_is_taken_back_and_takes_nothing_else_with_it() {
    let world = World::new("").await;
    let force = world.assembly.force();
    let (clerk, root) = (Target::Role("clerk".into()), Target::Role("root".into()));
    force.revoke(clerk.clone(), &revocation("rev_1", &clerk)).await.unwrap();
    // The store has one of that id.
    let failed = force.revoke(root.clone(), &revocation("rev_1", &root)).await;
    assert!(matches!(failed, Err(StoreError::Exists)), "{failed:?}");
    assert_eq!(world.get("/admin/v1/revocations").await.0, StatusCode::UNAUTHORIZED, "in force at once");
    force.refresh().await.unwrap();
    let (status, list) = world.get("/admin/v1/revocations").await;
    assert_eq!(status, StatusCode::OK, "{list}");
    assert_eq!(list["items"].as_array().map(Vec::len), Some(1), "{list}");
    let clerk = posting("/admin/v1/revocations", &world.clerk, &Value::Null);
    assert_eq!(world.ask(clerk).await.0, StatusCode::UNAUTHORIZED, "what was kept stands");
}
