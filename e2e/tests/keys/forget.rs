//! Somebody is forgotten while the gateway serves: by command and by API, on record, off the disk.

use countersign_testkit::{Plan, request, until};
use serde_json::{Value, json};

use super::{ask, holds, state, upstream};

const POLICY: &str = r#"
permit (principal in Countersign::Role::"staff", action, resource);
permit (principal in Countersign::Role::"officer", action == Countersign::Action::"forget", resource);
"#;

#[test]
fn who_is_forgotten_is_read_by_nobody_and_the_log_still_verifies() {
    let upstream = upstream();
    let home = Plan::new().target("openai", &upstream, &["m"]).policy(POLICY).admin().write();
    let (ann, bob) = (home.key("ann", "staff"), home.key("bob", "staff"));
    let (officer, gateway) = (home.key("eve", "officer"), home.serve());
    ask(&gateway, &ann, "what ann said");
    ask(&gateway, &bob, "what bob said");
    let post = |key: &str, body: &Value| {
        let bearer = format!("Bearer {key}");
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        gateway.exchange(&request("POST", "/admin/v1/forget", &headers, body.to_string().as_bytes()))
    };
    // Only whom the policy permits it, and only whole names.
    let whom = json!({"tenant": "default", "person": "ann"});
    assert_eq!(post(&ann, &whom).status, 403);
    for bad in [
        json!({}),
        json!({"tenant": ""}),
        json!({"tenant": "default", "conversation": "c"}),
        json!({"tenant": "default", "person": ""}),
    ] {
        let refused = post(&officer, &bad);
        assert_eq!(refused.status, 400, "{bad}: {}", refused.text());
    }
    // The records are whole before.
    until("both to be settled", || {
        let log = gateway.home.must(&["audit", "show", "--last", "1000", "--bodies"]);
        (log.contains("what ann said")
            && log.contains("what bob said")
            && log.matches("an answer that is kept").count() == 2)
            .then_some(())
    });
    let before = seeds(&gateway.home);
    let forgotten = post(&officer, &whom);
    assert_eq!(forgotten.status, 200, "{}", forgotten.text());
    let receipt: Value = serde_json::from_str(&forgotten.text()).expect("JSON");
    let key = receipt["key"].as_str().expect("a key").to_owned();
    let log = gateway.home.must(&["audit", "show", "--last", "1000", "--bodies"]);
    assert!(!log.contains("what ann said") && log.contains("what bob said"), "{log}");
    assert!(log.contains("sealed under a key that is not here any more"), "{log}");
    assert!(log.contains(&format!("forget tenant \"default\" person \"ann\", key from {key} to destroyed")), "{log}");
    // Not a byte of the seed that led to her key is left in a file.
    for seed in before {
        assert!(!holds(&gateway.home.path("state"), seed.as_bytes()), "a seed is still there");
    }
    // She may come back, and is kept by another key; she is forgotten again, by command this time.
    ask(&gateway, &ann, "ann came back");
    until("her record", || {
        gateway.home.must(&["audit", "show", "--last", "1000", "--bodies"]).contains("ann came back").then_some(())
    });
    let said = gateway.home.must(&["vault", "forget", "--tenant", "default", "--person", "ann"]);
    assert!(said.starts_with("destroyed key ") && !said.contains(&key), "{said}");
    assert!(!gateway.home.must(&["audit", "show", "--last", "1000", "--bodies"]).contains("ann came back"));
    until("the note to be on record", || {
        let log = gateway.home.must(&["audit", "show", "--last", "1000"]);
        (log.matches("forget tenant").count() == 2).then_some(())
    });
    // Everybody of the tenant.
    assert_eq!(post(&officer, &json!({"tenant": "default"})).status, 200);
    assert!(!gateway.home.must(&["audit", "show", "--last", "1000", "--bodies"]).contains("what bob said"));
    let (_, home) = gateway.stop();
    let verified = home.must(&["audit", "verify"]);
    assert!(verified.contains("verified: ") && verified.contains("of somebody who was forgotten"), "{verified}");
    // What was in force stays so after a restart.
    let gateway = home.serve();
    ask(&gateway, &bob, "a new beginning");
    assert!(!gateway.home.must(&["audit", "show", "--last", "1000", "--bodies"]).contains("what bob said"));
}

/// The sealed seeds that stand in the store now, but for the one that names are hashed with.
fn seeds(home: &countersign_testkit::Home) -> Vec<String> {
    // As text: base64 of an envelope begins with its version and that of the root, 1 and 1.
    let mut found = Vec::new();
    for name in ["countersign.db", "countersign.db-wal"] {
        let bytes = std::fs::read(state(home, name)).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        for (at, _) in text.match_indices(ROOT) {
            let seed: String = text[at + ROOT.len()..]
                .chars()
                .take_while(|c| c.is_ascii_alphanumeric() || "+/=".contains(*c))
                .collect();
            if seed.len() > 80 {
                found.push(seed[..80].to_owned());
            }
        }
    }
    assert!(!found.is_empty(), "the root's seed stands in the store");
    found
}

/// The place of the seed that everything follows from until somebody is forgotten.
const ROOT: &str = "0-000000000000000000000000000000000000";
