//! A node that is killed in the middle of a playbook: another goes on with the run, and each of its steps takes effect once.

use std::collections::BTreeSet;

use countersign_testkit::{Gate, Reply, Upstream, chat_answer, chat_ask, request, until, with_length};
use serde_json::Value;

use super::nodes::{CANARY, Cluster};

const POLICY: &str = r#"
@id("operator") permit (
    principal in Countersign::Role::"admin",
    action in [Countersign::Action::"listRuns", Countersign::Action::"listRestraints"],
    resource
);
"#;

#[test]
fn another_node_goes_on_with_what_a_killed_one_has_begun() {
    let upstream = Upstream::start(|_| Reply::json(200, &chat_answer(CANARY)));
    // Whoever is told says nothing until the node is dead.
    let dead = Gate::new();
    let security = Upstream::start({
        let dead = dead.clone();
        move |_| Reply::new().wait(&dead).send(with_length(200, "application/json", b"{}"))
    });
    let more = format!(
        "[playbooks]\nact = [\"canary-tripped\"]\nat_least = 100\n\n\
         [[channel]]\nname = \"security\"\nurl = \"{}/told\"\ncleartext = \"i-accept-cleartext-on-loopback\"\n",
        security.url()
    );
    let Some(mut cluster) = Cluster::under(&upstream, &more, POLICY) else { return };
    let keys: Vec<String> = (0..3).map(|n| cluster.key(&format!("p{n}"))).collect();
    let ask = |node: usize, cluster: &Cluster, path: &str| {
        let bearer = format!("Bearer {}", cluster.admin);
        let answer = cluster.nodes[node].exchange(&request("GET", path, &[("authorization", &bearer)], b""));
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    };
    let told = || -> BTreeSet<String> {
        let heads = security.seen().into_iter().map(|asked| asked.head.to_ascii_lowercase());
        heads.filter_map(|h| h.lines().find_map(|l| Some(l.strip_prefix("webhook-id:")?.trim().to_owned()))).collect()
    };
    for key in &keys {
        let refused = cluster.nodes[0].post("/v1/chat/completions", key, &chat_ask("hello"));
        assert_eq!(refused.code().as_deref(), Some("CS0502"), "{refused:?}");
    }
    until("three to be told of", || (told().len() == 3).then_some(()));
    cluster.kill(0);
    dead.open();

    let runs = until("the others to go on", || {
        let page = ask(0, &cluster, "/admin/v1/runs");
        let mut runs = page["items"].as_array().cloned().unwrap_or_default();
        runs.retain(|run| run["playbook"] == "canary-tripped");
        (runs.len() == 3 && runs.iter().all(|run| run["standing"] == "done")).then_some(runs)
    });
    // Nothing is laid twice, nobody is told twice under another name, and both nodes hold everybody back.
    let laid = ask(1, &cluster, "/admin/v1/restraints")["items"].as_array().expect("restraints").clone();
    assert_eq!((laid.len(), told().len()), (3, 3), "{laid:?} {:?}", told());
    for run in &runs {
        let id = run["id"].as_str().expect("an id");
        assert_eq!(laid.iter().filter(|of| of["run"] == id).count(), 1, "{laid:?}");
        let shown = ask(1, &cluster, &format!("/admin/v1/runs/{id}"));
        let outcomes: Vec<&Value> = shown["steps"].as_array().expect("steps").iter().map(|s| &s["outcome"]).collect();
        assert!(outcomes.len() == 2 && outcomes[0] != "" && outcomes[1] == "told", "{shown}");
    }
    for (node, key) in cluster.nodes.iter().flat_map(|node| keys.iter().map(move |key| (node, key))) {
        until("the node to hold them back", || {
            let refused = node.post("/v1/chat/completions", key, &chat_ask("hello"));
            (refused.code().as_deref() == Some("CS0305")).then_some(())
        });
    }
}
