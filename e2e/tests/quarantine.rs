//! Restraints on the real binary: who is set aside is refused and cut, with a case to name; who is slowed, held to reading or asked for a
//! login is told so; and whoever is released goes on.

use std::collections::BTreeSet;

use countersign_testkit::{
    Client, Deployment, Gate, Home, Plan, Reply, Upstream, chat_answer, chat_ask, request, until, with_length,
};
use serde_json::{Value, json};

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

fn home(upstream: &Upstream) -> Home {
    Plan::new().target("openai", upstream, &["m"]).policy(POLICY).admin().write()
}

fn restrain(gateway: &Deployment, root: &str, measure: &str) -> String {
    let body = json!({ "target": "principal:default/alice", "measure": measure, "minutes": 5, "reason": "a test" });
    let (status, made) = gateway.ask("POST", "/admin/v1/restraints", root, Some(&body));
    assert_eq!((status, made["standing"].as_str()), (201, Some("in-force")), "{measure}: {made}");
    made["id"].as_str().expect("an id").to_owned()
}

fn release(gateway: &Deployment, root: &str, case: &str) {
    let path = format!("/admin/v1/restraints/{case}/release");
    let (status, said) = gateway.ask("POST", &path, root, Some(&json!({ "reason": "looked at it" })));
    assert_eq!((status, said["standing"].as_str()), (200, Some("released")), "{said}");
}

fn stream(gateway: &Deployment, key: &str) -> Client {
    let mut body = chat_ask("hi");
    body["stream"] = true.into();
    let bearer = format!("Bearer {key}");
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let mut client = gateway.client();
    client.send(request("POST", "/v1/chat/completions", &headers, body.to_string().as_bytes())).expect("it reads");
    let _ = client.until("ordinary sentence");
    client
}

#[test]
fn who_is_set_aside_is_cut_and_refused_with_a_case_until_somebody_releases_them() {
    let upstream = Upstream::silent();
    let home = home(&upstream);
    let (root, alice, bob) = (home.key("root", "root"), home.key("alice", "staff"), home.key("bob", "staff"));
    let gateway = home.serve();
    let asks = |key: &str| gateway.post("/v1/chat/completions", key, &chat_ask("hi"));
    assert_eq!(asks(&alice).status, 200);
    let (mut hers, mut his) = (stream(&gateway, &alice), stream(&gateway, &bob));

    let case = restrain(&gateway, &root, "quarantine");
    let refused = asks(&alice);
    assert_eq!((refused.status, refused.code().as_deref()), (403, Some("CS0305")));
    assert_eq!(refused.header("countersign-case"), Some(case.as_str()));
    assert!(!refused.text().contains("alice") && !refused.text().contains("a test"), "{}", refused.text());
    let rest = String::from_utf8_lossy(&hers.rest_of_stream()).into_owned();
    assert!(rest.contains("CS0305") && !rest.contains("[DONE]"), "{rest}");
    assert_eq!(asks(&bob).status, 200, "others go on");

    let (status, shown) = gateway.ask("GET", &format!("/admin/v1/restraints/{case}"), &root, None);
    assert_eq!((status, shown["by"].as_str()), (200, Some("default/root")));
    assert_eq!(gateway.ask("GET", "/admin/v1/restraints", &bob, None).0, 403, "not everybody looks");
    release(&gateway, &root, &case);
    assert_eq!(asks(&alice).status, 200);
    // Bob's stream has gone on all the while, and is cut by his own.
    let _ = gateway.home.must(&["quarantine", "add", "principal:default/bob", "--reason", "a test"]);
    assert!(String::from_utf8_lossy(&his.rest_of_stream()).contains("CS0305"));
    // Nobody who is set aside lets themselves go; the command line does.
    let _ = gateway.home.must(&["quarantine", "add", "tenant:default", "--reason", "a test"]);
    let _ = until("everybody to be set aside", || Some(asks(&alice)).filter(|answer| answer.status == 403));
    assert_eq!(gateway.ask("GET", "/admin/v1/restraints", &root, None).0, 403);
    let listed: Value =
        serde_json::from_str(&gateway.home.must(&["quarantine", "list", "--format", "json"])).expect("JSON");
    for case in listed.as_array().expect("a list") {
        let _ = gateway.home.must(&["quarantine", "release", case["id"].as_str().expect("an id"), "--reason", "over"]);
    }
    let _ = until("everybody to be released", || Some(asks(&alice)).filter(|answer| answer.status == 200));
    assert!(gateway.home.must(&["quarantine", "list"]).contains("nobody"));
    assert!(gateway.home.must(&["quarantine", "show", &case]).contains("released"));
}

#[test]
fn less_than_quarantine_is_told_apart() {
    let upstream = Upstream::silent();
    let home = home(&upstream);
    let (root, alice) = (home.key("root", "root"), home.key("alice", "staff"));
    let gateway = home.serve();
    let asks = |body: &Value| gateway.post("/v1/chat/completions", &alice, body);

    let case = restrain(&gateway, &root, "read-only");
    let mut with_tool = chat_ask("hi");
    with_tool["tools"] =
        json!([{ "type": "function", "function": { "name": "pay", "parameters": { "type": "object" } } }]);
    let refused = asks(&with_tool);
    assert_eq!((refused.status, refused.code().as_deref()), (403, Some("CS1101")));
    assert_eq!(refused.header("countersign-case"), Some(case.as_str()));
    assert_eq!(asks(&chat_ask("hi")).status, 200);
    release(&gateway, &root, &case);
    assert_eq!(asks(&with_tool).status, 200);

    let case = restrain(&gateway, &root, "step-up");
    let refused = asks(&chat_ask("hi"));
    assert_eq!(
        (refused.status, refused.code().as_deref()),
        (401, Some("CS0304")),
        "an API key says nothing of a login"
    );
    release(&gateway, &root, &case);

    let case = restrain(&gateway, &root, "observe");
    assert_eq!(asks(&chat_ask("hi")).status, 200);
    release(&gateway, &root, &case);

    let case = restrain(&gateway, &root, "throttle:1");
    let refused = until("the rate to be used up", || Some(asks(&chat_ask("hi"))).filter(|answer| answer.status != 200));
    assert_eq!((refused.status, refused.code().as_deref()), (429, Some("CS0401")));
    assert!(refused.header("retry-after").is_some());
    release(&gateway, &root, &case);

    for (field, value) in [
        ("target", json!("planet:mars")),
        ("measure", json!("throttle:0")),
        ("minutes", json!(0)),
        ("reason", json!("")),
    ] {
        let mut body =
            json!({ "target": "principal:default/alice", "measure": "observe", "minutes": 5, "reason": "a test" });
        body[field] = value;
        assert_eq!(gateway.ask("POST", "/admin/v1/restraints", &root, Some(&body)).0, 400, "{field}");
    }
}

#[test]
fn a_restraint_outlives_a_kill_and_its_record_comes_first() {
    let upstream = Upstream::silent();
    let home = home(&upstream);
    let (root, alice) = (home.key("root", "root"), home.key("alice", "staff"));
    let gateway = home.serve();
    let case = restrain(&gateway, &root, "quarantine");
    let gateway = gateway.kill().serve();
    assert_eq!(gateway.post("/v1/chat/completions", &alice, &chat_ask("hi")).code().as_deref(), Some("CS0305"));
    release(&gateway, &root, &case);
    let (_, home) = gateway.stop();
    let said = home.must(&["audit", "verify"]);
    assert!(!said.is_empty());
}

#[test]
fn playbooks_go_on_after_kills_and_each_of_their_steps_takes_effect_once() {
    let canary = "osprey-vellum-4417-kestrel";
    let upstream = Upstream::start(|_| Reply::json(200, &chat_answer(canary)));
    // Whoever is told says nothing until there were kills enough.
    let enough = Gate::new();
    let security = Upstream::start({
        let enough = enough.clone();
        move |_| Reply::new().wait(&enough).send(with_length(200, "application/json", b"{}"))
    });
    let home = Plan::new()
        .target("openai", &upstream, &["m"])
        .policy(POLICY)
        .guard("canaries = \"canaries.txt\"")
        .more("[playbooks]\nact = [\"canary-tripped\"]\nat_least = 100")
        .more(&format!(
            "[[channel]]\nname = \"security\"\nurl = \"{}/told\"\ncleartext = \"i-accept-cleartext-on-loopback\"",
            security.url()
        ))
        .admin()
        .write();
    home.put("canaries.txt", canary);
    let root = home.key("root", "root");
    let people: Vec<String> = (0..4).map(|n| home.key(&format!("p{n}"), "staff")).collect();
    // Which messages arrived: one that comes again has the name that it had.
    let told = || -> BTreeSet<String> {
        let heads = security.seen().into_iter().map(|asked| asked.head.to_ascii_lowercase());
        heads.filter_map(|h| h.lines().find_map(|l| Some(l.strip_prefix("webhook-id:")?.trim().to_owned()))).collect()
    };
    let trips = |gateway: &Deployment, key: &str| {
        let refused = gateway.post("/v1/chat/completions", key, &chat_ask("hi"));
        assert_eq!(refused.code().as_deref(), Some("CS0502"));
    };

    let gateway = home.serve();
    people[..3].iter().for_each(|key| trips(&gateway, key));
    until("three to be told of", || (told().len() == 3).then_some(()));
    // Wherever in its run the last one is when the kill comes.
    trips(&gateway, &people[3]);
    let before = security.seen().len();
    let gateway = gateway.kill().serve();
    until("the runs to go on", || (security.seen().len() > before).then_some(()));
    let gateway = gateway.kill();
    enough.open();
    let gateway = gateway.serve();

    let runs = until("the runs to end", || {
        let (_, page) = gateway.ask("GET", "/admin/v1/runs", &root, None);
        let mut runs = page["items"].as_array().cloned().unwrap_or_default();
        runs.retain(|run| run["playbook"] == "canary-tripped");
        (runs.len() >= 3 && runs.iter().all(|run| run["standing"] == "done")).then_some(runs)
    });
    let (_, laid) = gateway.ask("GET", "/admin/v1/restraints", &root, None);
    let laid = laid["items"].as_array().expect("restraints");
    assert_eq!((laid.len(), told().len()), (runs.len(), runs.len()), "{laid:?} {:?}", told());
    for run in &runs {
        let id = run["id"].as_str().expect("an id");
        assert_eq!(laid.iter().filter(|of| of["run"] == id && of["standing"] == "in-force").count(), 1, "{laid:?}");
        let (_, shown) = gateway.ask("GET", &format!("/admin/v1/runs/{id}"), &root, None);
        let outcomes: Vec<_> = shown["steps"].as_array().expect("steps").iter().map(|step| &step["outcome"]).collect();
        assert!(outcomes.len() == 2 && outcomes[0] != "" && outcomes[1] == "told", "{shown}");
    }
    for key in &people[..3] {
        let refused = gateway.post("/v1/chat/completions", key, &chat_ask("hi"));
        assert_eq!(refused.code().as_deref(), Some("CS0305"));
    }
    let (_, home) = gateway.stop();
    assert!(!home.must(&["audit", "verify"]).is_empty());
}

#[test]
fn playbooks_are_listed_checked_and_tried_without_a_gateway() {
    let upstream = Upstream::silent();
    let home =
        Plan::new().target("openai", &upstream, &["m"]).more("[playbooks]\nact = [\"canary-tripped\"]\n").write();
    let listed = home.must(&["playbook", "list"]);
    assert!(
        listed.contains("canary-tripped           acts") && listed.contains("runaway-agent            dry run"),
        "{listed}"
    );
    let plan =
        home.must(&["playbook", "dry-run", "canary-tripped", "--pattern", "canary-tripped", "--of", "session:okta/s1"]);
    assert!(plan.contains("1. Set aside: restrain quarantine for 480 min"), "{plan}");
    home.put("mine.json", "{\n  \"type\": \"playbook\",\n  \"while\": 1\n}");
    let refused = home.run(&["playbook", "check", home.path("mine.json").to_str().expect("a path")]);
    assert_eq!(refused.status.code(), Some(64));
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("CS1102") && said.contains("line 3") && said.contains("while"), "{said}");
    let broken = Plan::new().target("openai", &upstream, &["m"]).more("[playbooks]\nact = [\"calm\"]\n").write();
    let refused = broken.run(&["check"]);
    assert_eq!(refused.status.code(), Some(64));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("`calm`"));
}
