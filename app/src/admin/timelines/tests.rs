use countersign_audit::record::Record;
use countersign_core::{Event, Onlooker};
use http::StatusCode;
use serde_json::json;

use crate::{
    admin::tests::{World, posting},
    clock,
    watch::tests::refused,
};

const MALLORY: &str = "principal:bank/mallory";
const PATH: &str = "/admin/v1/watch/timeline?of=principal:bank/mallory";

/// One where mallory has been refused again and again, and eve less often.
async fn world() -> World {
    let world = World::new("").await;
    for n in 0..8 {
        let feed = world.assembly.feed();
        feed.saw(refused("mallory", n, clock::now()));
        if n < 2 {
            feed.saw(refused("eve", n, clock::now()));
        }
    }
    // The feed is followed in a task of its own.
    world.until(PATH, |timeline| timeline["events"] == 8).await;
    world
}

#[tokio::test]
async fn timelines_are_listed_by_risk_with_the_requests_that_it_rests_on() {
    let world = world().await;
    let (status, list) = world.get("/admin/v1/watch").await;
    let items = list["items"].as_array().unwrap();
    let risks: Vec<_> = items.iter().map(|item| item["risk"].as_u64().unwrap()).collect();
    assert!(status == StatusCode::OK && risks.is_sorted_by(|a, b| a >= b), "{list}");
    let place = |of: &str| items.iter().position(|item| item["of"] == of).unwrap();
    assert!(place(MALLORY) < place("principal:bank/eve"), "{list}");
    assert_eq!(world.get("/admin/v1/watch?limit=1").await.1["items"].as_array().unwrap().len(), 1);

    let (status, one) = world.get(PATH).await;
    assert_eq!(
        (status, &one["tenant"], &one["pattern"]),
        (StatusCode::OK, &json!("bank"), &json!("repeated-extraction"))
    );
    let because = one["because"].as_array().unwrap();
    assert!(one["risk"].as_u64().unwrap() >= 50 && !because.is_empty(), "{one}");
    assert!(because.iter().all(|reason| reason["request"].as_str().unwrap().starts_with("req_")), "{one}");

    for bad in
        ["/admin/v1/watch?limit=0", "/admin/v1/watch?x=1", "/admin/v1/watch/timeline", "/admin/v1/watch/timeline?of=x"]
    {
        assert_eq!(world.get(bad).await.0, StatusCode::BAD_REQUEST, "{bad}");
    }
    assert_eq!(world.get("/admin/v1/watch/timeline?of=principal:bank/nobody").await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn whoever_finds_a_timeline_harmless_is_on_record_with_the_reason() {
    let world = world().await;
    let was = world.get(PATH).await.1["risk"].to_string();
    let harmless = |of: &str, reason: &str| json!({"of": of, "reason": reason});
    // Who may not release is refused, and so is what says no reason or names nobody.
    let (status, ..) = world.ask(posting("/admin/v1/watch/calm", &world.clerk, &harmless(MALLORY, "a test"))).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    for (body, wanted) in [
        (harmless(MALLORY, " "), StatusCode::BAD_REQUEST),
        (harmless(MALLORY, &"x".repeat(1025)), StatusCode::BAD_REQUEST),
        (harmless("mallory", "a test"), StatusCode::BAD_REQUEST),
        (harmless("principal:bank/nobody", "a test"), StatusCode::NOT_FOUND),
        (json!({"of": MALLORY}), StatusCode::BAD_REQUEST),
    ] {
        assert_eq!(world.post("/admin/v1/watch/calm", body.clone()).await.0, wanted, "{body}");
    }
    assert_eq!(world.get(PATH).await.1["risk"].to_string(), was);
    let (status, calm) = world.post("/admin/v1/watch/calm", harmless(MALLORY, "penetration test")).await;
    assert_eq!((status, &calm["risk"], &calm["because"]), (StatusCode::OK, &json!(0), &json!([])));
    assert!(world.get("/admin/v1/watch").await.1["items"].as_array().unwrap().iter().all(|item| item["of"] != MALLORY));

    let records = world.records().await;
    let changes: Vec<_> =
        records.iter().filter_map(|r| if let Record::Changed(c) = r { Some(c) } else { None }).collect();
    let [change] = changes[..] else { panic!("one change: {changes:?}") };
    assert_eq!((&*change.action, &*change.what, &*change.who.subject), ("release", MALLORY, "root"));
    assert_eq!((&change.was["risk"], &*change.becomes["risk"]), (&was, "0"));
    assert_eq!(change.becomes["reason"], "penetration test");
}

#[tokio::test]
async fn a_timeline_stays_as_it_is_where_nothing_can_be_recorded() {
    let world = world().await;
    world.gateway().stages().audit.close().await;
    let (status, _) = world.post("/admin/v1/watch/calm", json!({"of": MALLORY, "reason": "a test"})).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    let of = MALLORY.parse().unwrap();
    assert!(world.assembly.watch.timeline(&of, clock::now()).unwrap().risk.score >= 50);
}

#[tokio::test]
async fn metrics_count_timelines_alerts_and_what_was_missed() {
    let world = world().await;
    let text = || world.gateway().metrics().text().unwrap();
    let value = |name: &str| -> u64 {
        let text = text();
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("{name}: {text}")).trim().parse().unwrap()
    };
    // Two people and their tenant.
    assert_eq!(value("countersign_watch_timelines "), 3);
    assert!(value("countersign_alerts_total{pattern=\"repeated-extraction\"} ") >= 1);
    assert_eq!(value("countersign_watch_missed_requests_total "), 0);
    // Nobody looks while these come, so the oldest are lost, and counted.
    for n in 0..20_000 {
        world.assembly.feed().saw(Event { who: None, ..refused("mallory", n, clock::now()) });
    }
    while value("countersign_watch_missed_requests_total ") == 0 {
        tokio::task::yield_now().await;
    }
    assert!(value("countersign_watch_missed_requests_total ") < 20_000);
}
