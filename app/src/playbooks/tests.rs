use countersign_core::Pattern;
use countersign_store::{RestraintRecord, StepRecord};
use http::StatusCode;
use serde_json::json;
use tokio::{net::TcpListener, time::sleep};

use super::{hands::named, *};
use crate::admin::tests::World;

#[test]
fn a_step_names_what_it_makes_once_for_ever() {
    let told =
        Told { at: 0, pattern: String::new(), of: String::new(), tenant: String::new(), risk: 0, because: Vec::new() };
    let run = Run { id: "run_01J".into(), told, step: String::new(), dry: false, approved: 0 };
    let step = "action--0b1c2d3e-0000-4000-8000-000000000000";
    assert_eq!(named("qua_", &run, step), "qua_01J-0b1c2d3e");
    assert_eq!(named("qua_", &run, step), named("qua_", &run, step));
}

#[test]
fn the_cap_is_a_share_of_those_seen_and_never_less_than_the_floor() {
    let chosen = Chosen { books: Vec::new(), most_percent: 1, at_least: 5, channels: Vec::new() };
    let playbooks = Playbooks { chosen, secrets: Vec::new() };
    for (seen, most) in [(0, 5), (500, 5), (599, 5), (600, 6), (100_000, 1_000)] {
        assert_eq!(playbooks.most(seen), most, "{seen}");
    }
}

/// Acts by two playbooks, with a cap of two.
const ACTS: &str = "[playbooks]\nact = [\"canary-tripped\", \"data-exfiltration\"]\nat_least = 2\nmost_percent = 0\n";

fn alert(pattern: Pattern, of: &str) -> Alert {
    Alert {
        at: Timestamp(1_800_000_000_000_000),
        pattern,
        of: of.parse().unwrap(),
        tenant: "default".into(),
        risk: 95,
        because: Vec::new(),
    }
}

/// Waits until the runs that there are stand so.
async fn until(world: &World, wanted: &[&str]) -> Vec<RunRecord> {
    loop {
        let runs = world.assembly.state().store().runs(None, 50).await.unwrap();
        let mut standings: Vec<_> = runs.iter().map(|run| run.standing.as_str()).collect();
        standings.sort_unstable();
        if standings == wanted {
            return runs;
        }
        sleep(Duration::from_millis(5)).await;
    }
}

/// Watches for as long as it is there.
struct Watching(tokio::task::JoinHandle<()>);

impl Watching {
    async fn start(world: &World) -> Self {
        let assembly = world.assembly.clone();
        let watching = Self(tokio::spawn(async move { watch(&assembly).await }));
        // On this one thread it runs until it waits for the first alert.
        tokio::task::yield_now().await;
        watching
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[tokio::test]
async fn an_alert_sets_a_playbook_off_once_and_a_flood_waits_for_people() {
    let world = World::with("", ACTS).await;
    let _watching = Watching::start(&world).await;
    for _ in 0..3 {
        world.assembly.feed().raise(alert(Pattern::CanaryTripped, "principal:default/u0"));
    }
    let runs = until(&world, &["done"]).await;
    let store = world.assembly.state().store();
    let steps = store.steps(&runs[0].id).await.unwrap();
    assert!(steps[0].outcome.ends_with("quarantine") && steps[1].outcome.starts_with("not told"), "{steps:?}");
    let laid = store.restraints(None, 50).await.unwrap();
    assert_eq!((laid.len(), &*laid[0].target, &*laid[0].by), (1, "principal:default/u0", "playbook:canary-tripped"));

    for number in 1..5 {
        world.assembly.feed().raise(alert(Pattern::CanaryTripped, &format!("principal:default/u{number}")));
    }
    let runs = until(&world, &["done", "done", "waiting", "waiting", "waiting"]).await;
    assert_eq!(store.restraints(None, 50).await.unwrap().len(), 2);
    // One person lets one go on, and declines another.
    let waiting: Vec<_> = runs.iter().filter(|run| run.standing == "waiting").collect();
    let decide = async |id: &str, word: &str| {
        world.post(&format!("/admin/v1/runs/{id}/{word}"), json!({ "note": "looked at it" })).await.0
    };
    assert_eq!(decide(&waiting[0].id, "approve").await, StatusCode::OK);
    assert_eq!(decide(&waiting[1].id, "decline").await, StatusCode::OK);
    assert_eq!(decide(&waiting[1].id, "approve").await, StatusCode::CONFLICT);
    let _ = until(&world, &["declined", "done", "done", "done", "waiting"]).await;
    assert_eq!(store.restraints(None, 50).await.unwrap().len(), 3);

    // Undone: what it laid is released, and nothing comes after it.
    assert_eq!(
        world.post(&format!("/admin/v1/runs/{}/undo", waiting[0].id), json!({ "reason": "wrong" })).await.0,
        StatusCode::OK
    );
    assert!(store.restraints_of_run(&waiting[0].id).await.unwrap().is_empty());
    let (status, shown) = world.get(&format!("/admin/v1/runs/{}", waiting[0].id)).await;
    assert_eq!(
        (status, &shown["standing"], &shown["votes"][0]["by"]),
        (StatusCode::OK, &json!("undone"), &json!("default/root"))
    );
}

#[tokio::test]
async fn a_whole_tenant_waits_for_two_people_and_one_is_not_two() {
    let world = World::with("", ACTS).await;
    let _watching = Watching::start(&world).await;
    world.assembly.feed().raise(alert(Pattern::DataExfiltration, "client:okta/c"));
    let runs = until(&world, &["waiting"]).await;
    assert_eq!(runs[0].wants, 2);
    let path = format!("/admin/v1/runs/{}/approve", runs[0].id);
    assert_eq!(world.post(&path, json!({ "note": "one" })).await.0, StatusCode::OK);
    assert_eq!(world.post(&path, json!({ "note": "one again" })).await.0, StatusCode::CONFLICT);
    assert!(world.assembly.state().store().restraints(None, 5).await.unwrap().is_empty());
    let other =
        countersign_store::Vote { by: "default/ann".into(), approve: true, at: clock::now(), note: "two".into() };
    assert!(world.assembly.state().store().vote(&runs[0].id, &other).await.unwrap().is_some());
    let _ = until(&world, &["done"]).await;
    assert_eq!(world.assembly.state().store().restraints(None, 5).await.unwrap().len(), 2);
}

#[tokio::test]
async fn what_somebody_left_in_the_middle_is_gone_on_with_under_the_same_name() {
    let world = World::with("", ACTS).await;
    let store = world.assembly.state().store();
    // As a kill leaves it: the run is there and nobody holds it, the step has begun and said nothing, what it does is done.
    let playbook = countersign_playbook::shipped().into_iter().find(|p| p.name == "canary-tripped").unwrap();
    let told = Told::from(&alert(Pattern::CanaryTripped, "principal:default/u0"));
    let step = playbook.from(playbook.start(), &told).unwrap().id.to_owned();
    let run = RunRecord {
        id: new_id("run_", clock::now()).into(),
        slot: "slot".into(),
        playbook: "canary-tripped".into(),
        target: told.of.clone(),
        alert: serde_json::to_string(&told).unwrap(),
        began: clock::now(),
        step: step.clone(),
        standing: "running".into(),
        wants: 0,
        dry: false,
    };
    assert_eq!(store.begin_runs(std::slice::from_ref(&run), Timestamp(0), 9).await.unwrap().len(), 1);
    let begun = StepRecord {
        step: step.clone(),
        target: told.of.clone(),
        what: "restrain".into(),
        harms: true,
        at: clock::now(),
        outcome: String::new(),
    };
    let _ = store.begin_step(&run.id, &begun, Timestamp(0), None).await.unwrap();
    let driven = Run { id: run.id.to_string(), told, step: step.clone(), dry: false, approved: 0 };
    let laid = RestraintRecord {
        id: named("qua_", &driven, &step).into(),
        target: "principal:default/u0".into(),
        measure: "quarantine".into(),
        since: Timestamp(1),
        until: Timestamp::MAX,
        by: "playbook:canary-tripped".into(),
        reason: "before the kill".into(),
        run: Some(run.id.clone()),
        released: None,
    };
    store
        .insert_restraint(&RestraintRecord { until: clock::now().plus(Duration::from_secs(3_600)), ..laid })
        .await
        .unwrap();
    let _watching = Watching::start(&world).await;
    let _ = until(&world, &["done"]).await;
    let all = store.restraints(None, 5).await.unwrap();
    assert_eq!((all.len(), all[0].reason.as_str()), (1, "before the kill"));
    assert_eq!(store.steps(&run.id).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_playbook_that_does_not_act_says_what_it_would_do() {
    let world = World::new("").await;
    let _watching = Watching::start(&world).await;
    world.assembly.feed().raise(alert(Pattern::CanaryTripped, "principal:default/root"));
    let runs = until(&world, &["done"]).await;
    let steps = world.assembly.state().store().steps(&runs[0].id).await.unwrap();
    assert!(runs[0].dry && steps.iter().all(|step| step.outcome.starts_with("dry run: would ")), "{steps:?}");
    assert!(world.assembly.state().store().restraints(None, 5).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_channel_that_never_answers_keeps_nobody_from_being_set_aside() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let channel = format!(
        "[[channel]]\nname = \"security\"\nurl = \"http://{}\"\ncleartext = \"i-accept-cleartext-on-loopback\"\n",
        silent.local_addr().unwrap()
    );
    let world = World::with("", &format!("[playbooks]\nact = [\"canary-tripped\"]\nat_least = 100\n\n{channel}")).await;
    let _watching = Watching::start(&world).await;
    let many = 5 * AT_ONCE;
    for number in 0..many {
        world.assembly.feed().raise(alert(Pattern::CanaryTripped, &format!("principal:default/u{number}")));
    }
    let store = world.assembly.state().store();
    while store.restraints(None, 200).await.unwrap().len() < many {
        sleep(Duration::from_millis(5)).await;
    }
    // Most of them still tell, or wait for a turn to: nobody was held back only once others had given up telling.
    let runs = store.runs(None, 200).await.unwrap();
    let done = runs.iter().filter(|run| run.standing == "done").count();
    assert!(runs.len() == many && done < many - AT_ONCE, "{runs:?}");
}

#[tokio::test]
async fn ten_thousand_alerts_lock_out_as_many_as_may_be_and_no_more() {
    let world = World::with("", ACTS).await;
    let _watching = Watching::start(&world).await;
    let store = world.assembly.state().store();
    let raise = |number: usize| {
        world.assembly.feed().raise(alert(Pattern::CanaryTripped, &format!("principal:default/u{number}")));
    };
    (0..10_000).for_each(raise);
    while world.assembly.feed().unread_alerts() > 0 {
        sleep(Duration::from_millis(20)).await;
    }
    let runs = loop {
        let runs = store.runs(None, 20_000).await.unwrap();
        if runs.iter().all(|run| run.standing != "running") {
            break runs;
        }
        sleep(Duration::from_millis(20)).await;
    };
    // The cap is two, `at_least`: nobody was seen, and a share of nobody is none.
    let laid = store.restraints(None, 50).await.unwrap();
    assert_eq!(laid.len(), 2, "{laid:?}");
    let count = |standing: &str| runs.iter().filter(|run| run.standing == standing).count();
    let (done, waiting) = (count("done"), count("waiting"));
    // Those that had begun when as many waited as may do wait, too.
    let most = usize::try_from(MOST_WAITING).unwrap();
    assert!(done == 2 && (most..most * 2).contains(&waiting), "{done} {waiting}");
}
