//! The role of an auditor, as the example has it, tried by every route there is.

use std::{collections::BTreeSet, fs};

use countersign_audit::record::Record;
use countersign_store::Store;
use http::{HeaderMap, Request, StatusCode};
use serde_json::{Value, json};

use super::{
    Permit, Route, routes,
    tests::{World, posting},
};

/// Routes that an auditor may use and that are no `GET`: each with what it does, which changes nothing.
const ASKED_BY_POST: [(&str, &str); 5] = [
    ("verifyAudit", "reads the log"),
    ("tryPolicy", "reads a draft that comes with it"),
    ("simulatePolicy", "asks a draft that comes with it about what is on record"),
    ("signOut", "ends the asker's own session at the console"),
    ("linkConsole", "signs the asker in at the console, as the asker"),
];

/// What is no evidence, though it changes nothing, or is taken off a queue by being read.
const NO_EVIDENCE: [&str; 1] = ["pollEvents"];

async fn world() -> World {
    let policy = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/auditor/policy.cedar");
    World::under(&fs::read_to_string(policy).unwrap(), "", "").await
}

async fn key(world: &World, subject: &str, roles: &[&str]) -> String {
    let new = json!({"subject": subject, "roles": roles, "kind": "person"});
    let (_, made) = world.post("/admin/v1/keys", new).await;
    made["secret"].as_str().unwrap().to_owned()
}

async fn ask(world: &World, route: &Route, key: &str) -> (StatusCode, HeaderMap, Value) {
    let path = route.path.replace("{id}", "x").replace("{receiver}", "x");
    let request = Request::builder().method(&route.method).uri(path).header("authorization", format!("Bearer {key}"));
    let request = request.body(String::new()).unwrap();
    if route.name == "followTraffic" {
        // It has no end.
        let (parts, _) = world.open(request).await;
        return (parts.status, parts.headers, Value::Null);
    }
    world.ask(request).await
}

/// Whether it is for an auditor.
fn is_evidence(route: &Route) -> bool {
    matches!(route.permit, Permit::Action(action) if action.reads()) && !NO_EVIDENCE.contains(&route.name)
}

/// What can be changed by a route, as the store has it.
async fn kept(store: &Store) -> String {
    format!(
        "{:?} {:?} {:?} {:?} {:?} {:?} {:?}",
        store.keys().await.unwrap(),
        store.revocations(None, 99).await.unwrap(),
        store.restraints(None, 99).await.unwrap(),
        store.holds(None, 99).await.unwrap(),
        store.cases(None, None, 99).await.unwrap(),
        store.data_keys().await.unwrap(),
        store.directory_if_changed(&mut countersign_store::Revision::default()).await.unwrap(),
    )
}

#[tokio::test]
async fn an_auditor_sees_the_evidence_and_changes_nothing_by_any_route() {
    let world = world().await;
    // Whatever else they are: the role of an auditor takes away what the others give.
    let auditors = [key(&world, "ada", &["auditor"]).await, key(&world, "both", &["auditor", "root"]).await];
    let (_, hold) = world.post("/admin/v1/holds", json!({"tenant": "bank", "reason": "r"})).await;
    let before = kept(world.assembly.state().store()).await;
    let mut seen = 0;
    for route in routes() {
        let Permit::Action(action) = route.permit else { continue };
        for auditor in &auditors {
            let (status, _, said) = ask(&world, route, auditor).await;
            let refused = status == StatusCode::FORBIDDEN && said.to_string().contains("CS0301");
            assert_eq!(
                refused,
                !is_evidence(route),
                "{} {} ({}): {status} {said}",
                route.method,
                route.path,
                action.as_str()
            );
            seen += usize::from(!refused);
        }
        if is_evidence(route) && route.method != http::Method::GET {
            let known = ASKED_BY_POST.iter().any(|(name, _)| *name == route.name);
            assert!(known, "{}: an auditor may use it; does it change anything?", route.name);
        }
    }
    assert!(seen > 40, "{seen}");
    // With all that it takes, too.
    let release = format!("/admin/v1/holds/{}/release", hold["id"].as_str().unwrap());
    for (path, body) in [
        ("/admin/v1/keys", json!({"subject": "eve", "roles": ["root"]})),
        ("/admin/v1/revocations", json!({"target": "role:root", "reason": "r"})),
        ("/admin/v1/forget", json!({"tenant": "shop"})),
        ("/admin/v1/holds", json!({"tenant": "shop", "reason": "r"})),
        (release.as_str(), json!({"reason": "r"})),
    ] {
        for auditor in &auditors {
            assert_eq!(world.ask(posting(path, auditor, &body)).await.0, StatusCode::FORBIDDEN, "{path}");
        }
    }
    assert_eq!(kept(world.assembly.state().store()).await, before);
}

#[tokio::test]
async fn every_look_of_an_auditor_is_on_record() {
    let world = world().await;
    let auditor = key(&world, "ada", &["auditor"]).await;
    let mut looks = Vec::new();
    for route in routes().filter(|route| is_evidence(route) && route.name != "followTraffic") {
        let (_, headers, _) = ask(&world, route, &auditor).await;
        looks.push((route.name, headers["x-request-id"].to_str().unwrap().to_owned()));
    }
    let one = "/admin/v1/watch/timeline?of=principal%3Adefault%2Fada";
    let request = Request::get(one).header("authorization", format!("Bearer {auditor}"));
    let (status, ..) = world.ask(request.body(String::new()).unwrap()).await;
    let records = world.records().await;
    let by_her = |record: &Record| match record {
        Record::Answered(r) => Some((&*r.who.subject == "ada", r.request.to_string())),
        Record::Refused(r) => Some((r.who.as_ref().is_some_and(|w| &*w.subject == "ada"), r.request.to_string())),
        Record::Changed(r) => Some((&*r.who.subject == "ada", r.request.to_string())),
        _ => None,
    };
    let on_record: BTreeSet<_> =
        records.iter().filter_map(by_her).filter(|(hers, _)| *hers).map(|(_, id)| id).collect();
    for (name, request) in looks {
        assert!(on_record.contains(&request), "{name} is not on record");
    }
    // With whom it was about.
    let about =
        |record: &&Record| matches!(record, Record::Answered(r) if r.what.starts_with("getTimeline of=principal"));
    assert!(status != StatusCode::OK || records.iter().any(|record| about(&record)), "{status}");
}
