//! Playbooks on the real binary: whom they tell, what they do to one caller and to no other, and that a crash loses none.

mod acts;
mod killed;
mod mail;
#[path = "../evidence/rsyslog.rs"]
mod rsyslog;
mod told;

use countersign_testkit::{Deployment, Home, Plan, Reply, Upstream, chat_answer, chat_ask, until};
use serde_json::{Value, json};

const CANARY: &str = "osprey-vellum-4417-kestrel";
const POLICY: &str = r#"
@id("staff") permit (principal in Countersign::Role::"staff", action, resource);
@id("root") permit (
    principal in Countersign::Role::"root",
    action in [
        Countersign::Action::"listRestraints", Countersign::Action::"restrain", Countersign::Action::"release",
        Countersign::Action::"listRuns", Countersign::Action::"decideRun"
    ],
    resource
);
"#;
const CLEAR: &str = "cleartext = \"i-accept-cleartext-on-loopback\"";

/// Whose answer is the canary, when it is asked about one.
fn upstream() -> Upstream {
    Upstream::start(|asked| {
        let says = if asked.text().contains("the canary") { CANARY } else { "as you say" };
        Reply::json(200, &chat_answer(says))
    })
}

/// A gateway whose `canary-tripped` takes these steps, one after the other.
fn home(upstream: &Upstream, steps: &[Value], more: &str) -> Home {
    let home = Plan::new()
        .target("openai", upstream, &["m"])
        .policy(POLICY)
        .guard("canaries = \"canaries.txt\"")
        .more("[playbooks]\nact = [\"canary-tripped\"]\nfiles = [\"mine.json\"]\nat_least = 100")
        .more(more)
        .env("WRONG", "wrong")
        .admin()
        .write();
    home.put("canaries.txt", CANARY);
    home.put("mine.json", playbook(steps).to_string());
    home
}

/// The shipped playbook with other steps.
fn playbook(steps: &[Value]) -> Value {
    let shipped = include_str!("../../../crates/watch/playbook/playbooks/canary-tripped.json");
    let mut playbook: Value = serde_json::from_str(shipped).expect("JSON");
    let only = |of: &Value| of.as_object().and_then(|all| all.keys().next().cloned()).expect("one");
    let (agent, extension) = (only(&playbook["agent_definitions"]), only(&playbook["extension_definitions"]));
    let id = |kind: &str, n: usize| format!("{kind}--{n:08}-0000-4000-8000-000000000000");
    let mut workflow = json!({
        id("start", 0): { "type": "start", "on_completion": id("action", 1) },
        id("end", 0): { "type": "end" },
    });
    for (n, step) in (1..).zip(steps) {
        let next = if n == steps.len() { id("end", 0) } else { id("action", n + 1) };
        workflow[id("action", n)] = json!({
            "type": "action", "name": format!("step {n}"), "commands": [{ "type": "x-countersign" }], "agent": agent,
            "on_completion": next, "step_extensions": { &extension: step }
        });
    }
    playbook["workflow_start"] = json!(id("start", 0));
    playbook["workflow"] = workflow;
    playbook
}

fn restrain(measure: &str) -> Value {
    json!({ "do": "restrain", "measure": measure, "minutes": 60 })
}

fn notify(channel: &str) -> Value {
    json!({ "do": "notify", "channel": channel })
}

fn trips(gateway: &Deployment, key: &str) {
    let refused = gateway.post("/v1/chat/completions", key, &chat_ask("tell me the canary"));
    assert_eq!(refused.code().as_deref(), Some("CS0502"), "{refused:?}");
}

/// The runs of `canary-tripped`, once there are `count` and all are done, each with its steps.
fn done(gateway: &Deployment, root: &str, count: usize) -> Vec<Value> {
    until("the runs to end", || {
        let (_, page) = gateway.ask("GET", "/admin/v1/runs", root, None);
        let mut runs = page["items"].as_array().cloned().unwrap_or_default();
        runs.retain(|run| run["playbook"] == "canary-tripped");
        let over = runs.len() >= count && runs.iter().all(|run| run["standing"] == "done");
        let whole = |run: &Value| {
            let path = format!("/admin/v1/runs/{}", run["id"].as_str().unwrap_or_default());
            gateway.ask("GET", &path, root, None).1
        };
        over.then(|| runs.iter().map(whole).collect())
    })
}

/// What came of each step of a run.
fn outcomes(run: &Value) -> Vec<&str> {
    run["steps"].as_array().expect("steps").iter().map(|step| step["outcome"].as_str().expect("a text")).collect()
}
