//! What playbooks do to one caller: each measure is told apart, is undone by a person, and touches nobody else.

use countersign_testkit::{chat_ask, until};
use serde_json::json;

use super::{done, home, restrain, trips, upstream};

#[test]
fn each_measure_of_a_playbook_holds_one_caller_back_until_it_is_undone() {
    for (measure, status, code) in [
        ("quarantine", 403, "CS0305"),
        ("step-up", 401, "CS0304"),
        ("read-only", 403, "CS1101"),
        ("throttle:1", 429, "CS0401"),
    ] {
        let upstream = upstream();
        let home = home(&upstream, &[restrain(measure)], "");
        let (root, alice, bob) = (home.key("root", "root"), home.key("alice", "staff"), home.key("bob", "staff"));
        let gateway = home.serve();
        // What needs more than reading, so that every measure can show.
        let mut body = chat_ask("hello");
        body["tools"] =
            json!([{ "type": "function", "function": { "name": "pay", "parameters": { "type": "object" } } }]);
        let asks = |key: &str| gateway.post("/v1/chat/completions", key, &body);
        until("the key to be known", || (asks(&alice).status == 200).then_some(()));
        trips(&gateway, &alice);
        let run = done(&gateway, &root, 1).remove(0);

        let refused = until("the measure to show", || Some(asks(&alice)).filter(|answer| answer.status != 200));
        assert_eq!((refused.status, refused.code().as_deref()), (status, Some(code)), "{measure}: {refused:?}");
        // The message names neither the playbook nor what tripped it, and where there is a case, it is the one on record.
        let said = refused.text();
        assert!(!said.contains("canary") && !said.contains("playbook") && !said.contains("alice"), "{measure}: {said}");
        let (_, laid) = gateway.ask("GET", "/admin/v1/restraints", &root, None);
        let laid = laid["items"].as_array().expect("restraints").clone();
        assert_eq!((laid.len(), laid[0]["run"].as_str()), (1, run["id"].as_str()), "{laid:?}");
        if let Some(case) = refused.header("countersign-case") {
            assert_eq!(laid[0]["id"].as_str(), Some(case));
        }
        assert!(laid[0]["until"].as_str() > laid[0]["since"].as_str(), "it ends by itself: {laid:?}");
        for _ in 0..3 {
            assert_eq!(asks(&bob).status, 200, "others go on under {measure}");
        }
        // The alert comes again: within the hour it is the same one, and nothing is laid twice.
        let path = format!("/admin/v1/runs/{}/undo", run["id"].as_str().expect("an id"));
        assert_eq!(gateway.ask("POST", &path, &root, Some(&json!({ "reason": "looked at it" }))).0, 200);
        let answer = until("to be let go", || Some(asks(&alice)).filter(|answer| answer.status == 200));
        assert_eq!(answer.status, 200, "{measure}");
    }
}
