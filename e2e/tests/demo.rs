//! The demo does what the README says of it.

use std::process::Command;

use countersign_testkit::binary;
use serde_json::Value;

#[test]
fn the_demo_shows_attacks_that_succeed_without_the_gateway_and_fail_with_it() {
    let output = Command::new(binary()).args(["demo", "--once", "--format", "json"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let count = |path: &str| report.pointer(path).and_then(Value::as_u64).unwrap();

    assert!(count("/attacks/tried") + count("/ordinary/tried") + count("/look_alike/tried") >= 80);
    assert!(report["families"].as_object().unwrap().len() >= 10);
    assert_eq!(count("/attacks/without"), count("/attacks/tried"), "an attack that fails anyway shows nothing");
    assert!(count("/attacks/with") * 10 < count("/attacks/without"), "{report:#}");
    assert_eq!(count("/ordinary/passed"), count("/ordinary/tried"), "{report:#}");
    // A text that quotes an attack word for word is taken for one, and no other is.
    let disturbed = report["disturbed"].as_array().unwrap();
    assert!(
        disturbed.iter().all(|text| text.as_str().unwrap().contains("Attackers write sentences such as")),
        "{report:#}"
    );
    assert_eq!(count("/look_alike/passed") + disturbed.len() as u64, count("/look_alike/tried"), "{report:#}");
    assert!(count("/values_the_assistant_read/without") > 0, "{report:#}");
    assert_eq!(count("/values_the_assistant_read/with"), 0, "{report:#}");
    assert!(report["revocation"]["cut"] == true && report["revocation"]["refused_next"] == true, "{report:#}");
    assert!(report["quarantine"]["after"].is_u64() && report["quarantine"]["others_served"] == true, "{report:#}");
    assert_eq!(report["audit"]["verified"], true);
    assert!(count("/altered_copy/found_at_record") < count("/audit/records"), "{report:#}");
}
