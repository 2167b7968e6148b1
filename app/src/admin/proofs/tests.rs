use countersign_audit::{
    Checkpoint,
    note::read_key,
    proof::{Growth, Proof, Trust},
};
use http::{Request, StatusCode};

use crate::admin::tests::World;

#[tokio::test]
async fn a_request_is_proved_by_api_and_the_look_is_on_record() {
    let world = World::new("").await;
    let (_, first) = world.get("/admin/v1/audit/checkpoint").await;
    let request = Request::get("/v1/models").header("authorization", format!("Bearer {}", world.root));
    let (status, headers, _) = world.ask(request.body(String::new()).unwrap()).await;
    assert_eq!(status, StatusCode::OK);
    let id = headers["x-request-id"].to_str().unwrap().to_owned();

    let (status, found) = world.get(&format!("/admin/v1/audit/requests/{id}")).await;
    assert_eq!(status, StatusCode::OK, "{found}");
    assert_eq!(found["records"][0]["record"]["answered"]["what"], "models");
    let (origin, key) = read_key(found["keys"][0].as_str().unwrap()).unwrap();
    let proof = Proof::read(found["records"][0]["proof"].as_str().unwrap().as_bytes()).unwrap();
    let trust = Trust { origin: &origin, keys: &[key], witnesses: &[] };
    assert_eq!(proof.verify(&trust).unwrap().entry.record.request().unwrap().to_string(), id);

    let older = Checkpoint::peek(first.as_str().unwrap().as_bytes()).unwrap();
    let (status, growth) = world.get(&format!("/admin/v1/audit/growth?old={}", older.size)).await;
    assert_eq!(status, StatusCode::OK);
    let growth = Growth::read(growth.as_str().unwrap().as_bytes()).unwrap();
    assert!(growth.verify(&older, trust.keys).unwrap().size > older.size);

    for (path, status) in [
        ("requests/req_00000000000000000000000000", StatusCode::NOT_FOUND),
        ("requests/x", StatusCode::BAD_REQUEST),
        ("growth", StatusCode::BAD_REQUEST),
        ("growth?old=1000000", StatusCode::BAD_REQUEST),
    ] {
        assert_eq!(world.get(&format!("/admin/v1/audit/{path}")).await.0, status, "{path}");
    }
    let looks = format!("{:?}", world.records().await);
    assert!(looks.contains("readAudit") && looks.contains(&id), "{looks}");
}
