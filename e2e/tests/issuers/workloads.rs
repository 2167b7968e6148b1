//! Workloads of a SPIFFE trust domain by their JWT-SVIDs, with the domain's bundle in a file.

use countersign_testkit::Plan;
use serde_json::{Value, json};

use super::{INVALID, ask, ask_until, judge, upstream};
use crate::server::{Issuers, RESOURCE};

#[test]
fn workloads_pass_by_the_keys_of_their_bundle_and_others_do_not() {
    let Some(issuers) = Issuers::start() else { return };
    let upstream = upstream();
    let section = "[[issuer]]\nname = \"mesh\"\nkind = \"spiffe\"\nurl = \"spiffe://bank.example\"\naudiences = [\"https://gateway.example\"]\n\
                   jwks_file = \"bundle.json\"\nlifetime_seconds = 600\n";
    let home = Plan::new().target("openai", &upstream, &["m"]).top(RESOURCE).more(section).write();
    let svid = |claims: Value| issuers.tell("plain", json!({ "svid": claims }));
    let said = svid(json!({}));
    home.put("bundle.json", said["bundle"].as_str().expect("a bundle"));
    let policy = home.read("policy.cedar");
    let batch =
        "permit (principal == Countersign::Service::\"default/mesh/spiffe://bank.example/batch\", action, resource);";
    home.put("policy.cedar", format!("{policy}\n{batch}\n"));
    let gateway = home.serve();
    let token = |claims: Value| svid(claims)["token"].as_str().expect("a token").to_owned();
    let good = token(json!({}));
    ask_until(&gateway, &good, 200);
    // `iss` says nothing of a workload.
    assert_eq!(ask(&gateway, &token(json!({ "iss": "https://spire.bank.example" }))).status, 200);
    let other = ask(&gateway, &token(json!({ "sub": "spiffe://bank.example/other" })));
    judge(&other, 403, "CS0301", Some("error=\"insufficient_scope\", "), "a workload that no policy knows");
    for (what, claims) in [
        ("another trust domain", json!({ "sub": "spiffe://evil.example/batch" })),
        ("a trust domain alone", json!({ "sub": "spiffe://bank.example" })),
        ("another path to the same", json!({ "sub": "spiffe://bank.example/x/../batch" })),
        ("no workload", json!({ "sub": "batch" })),
        ("another audience", json!({ "aud": ["https://other.example"] })),
        ("no audience", json!({ "aud": null })),
        ("the key for certificates", json!({ "kid": "x509-1" })),
        ("longer than tokens live", json!({ "exp": 4_000_000_000_u64 })),
    ] {
        let refused = ask(&gateway, &token(claims));
        // A key that is not known is looked for first.
        if refused.status == 503 {
            continue;
        }
        judge(&refused, 401, "CS0202", INVALID, what);
    }
    assert_eq!(ask(&gateway, &good).status, 200);
}
