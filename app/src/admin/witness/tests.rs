use std::sync::Arc;

use countersign_audit::{Audit, DiskDir, Keys, note::key_text, proof::Growth, witness::Cosigner};
use countersign_core::{Secret, life::Stamps};
use countersign_seal::{DataKeys, KeyRing};
use http::{Request, StatusCode};

use crate::{admin::tests::World, clock, witness::public_keys};

async fn hand_in(world: &World, body: &str) -> (StatusCode, String, String) {
    let request = Request::post("/witness/add-checkpoint").body(body.to_owned()).unwrap();
    let (status, headers, value) = world.ask(request).await;
    let kind = headers["content-type"].to_str().unwrap().to_owned();
    (status, kind, value.as_str().map_or_else(|| value.to_string(), str::to_owned))
}

#[tokio::test]
async fn a_log_that_is_known_is_cosigned_and_none_goes_back() {
    let ring = Arc::new(KeyRing::from_bytes(Secret::new(vec![7; 32])).unwrap());
    let folder = tempfile::tempdir().unwrap();
    let open = || {
        let data = Arc::new(DataKeys::passing(&ring).unwrap());
        let keys = Keys { ring: ring.clone(), data, origin: "other".to_owned() };
        let dir = Arc::new(DiskDir::open(folder.path().join("audit")).unwrap());
        Audit::open(Stamps::issue().intend, dir, keys, clock::system()).unwrap()
    };
    let audit = open();
    audit.close().await;
    let text = Growth::of(&**audit.dir(), 0).unwrap().to_string();
    let note = audit.checkpoint().note.clone();
    drop(audit);

    let world = World::new("").await;
    assert_eq!(hand_in(&world, &text).await.0, StatusCode::NOT_FOUND, "nobody is known");
    let key = key_text("other", &ring.verifiers("other").unwrap()[0]);
    let world = World::with("", &format!("[audit]\ncosigns = [\"{key}\"]\n")).await;
    let state = world.assembly.state();
    let witness = Cosigner::read(&public_keys(state.ring(), state.node()).unwrap()[0]).unwrap();
    let before = world.gateway().stages().audit.checkpoint().checkpoint.size;

    let (status, _, line) = hand_in(&world, &text).await;
    assert_eq!(status, StatusCode::OK, "{line}");
    assert!(witness.line(&note, &line).is_some(), "{line}");
    let (status, kind, size) = hand_in(&world, &text).await;
    assert_eq!((status, kind.as_str(), size.as_str()), (StatusCode::CONFLICT, "text/x.tlog.size", "1"));

    // A day later, and a shorter history.
    let audit = open();
    audit.close().await;
    let grown = Growth::of(&**audit.dir(), 1).unwrap();
    assert_eq!(hand_in(&world, &grown.to_string()).await.0, StatusCode::OK);
    assert_eq!(hand_in(&world, &text.replace("old 0", "old 1")).await.0, StatusCode::CONFLICT);
    let lie = Growth { old: 2, ..grown.clone() }.to_string();
    assert_ne!(hand_in(&world, &lie).await.0, StatusCode::OK);
    for (body, status) in [
        (String::new(), StatusCode::BAD_REQUEST),
        (text.replace("other", "another"), StatusCode::NOT_FOUND),
        (text.replacen("\n1\n", "\n3\n", 1), StatusCode::FORBIDDEN),
    ] {
        assert_eq!(hand_in(&world, &body).await.0, status, "{body}");
    }
    // It puts nothing on record: two that witness each other would never come to rest.
    world.gateway().stages().audit.close().await;
    assert_eq!(world.gateway().stages().audit.checkpoint().checkpoint.size, before);
}
