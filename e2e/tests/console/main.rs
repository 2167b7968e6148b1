//! The console in a real browser: what it shows, what it lets nobody do, and whether people can use it who see or point otherwise.

use std::path::Path;

use countersign_testkit::{Browser, Deployment, Plan, Reply, Upstream, chat_answer, until};
use serde_json::json;

const POLICY: &str = r#"
@id("all") permit (principal, action in [Countersign::Action::"ask", Countersign::Action::"receive"], resource);
@id("officers") permit (
    principal in Countersign::Role::"officer",
    action in [
        Countersign::Action::"observe", Countersign::Action::"openConsole", Countersign::Action::"readTraffic",
        Countersign::Action::"giveFeedback", Countersign::Action::"readAudit", Countersign::Action::"readPolicy", Countersign::Action::"writePolicy",
        Countersign::Action::"listKeys", Countersign::Action::"revokeKey", Countersign::Action::"listRequests",
        Countersign::Action::"approveRequest", Countersign::Action::"denyRequest",
        Countersign::Action::"listRestraints", Countersign::Action::"release", Countersign::Action::"listRuns"
    ],
    resource
);
@id("auditors") permit (
    principal in Countersign::Role::"auditor",
    action in [
        Countersign::Action::"observe", Countersign::Action::"openConsole", Countersign::Action::"readTraffic",
        Countersign::Action::"readAudit", Countersign::Action::"readPolicy", Countersign::Action::"listKeys",
        Countersign::Action::"listRequests", Countersign::Action::"listRestraints", Countersign::Action::"listRuns"
    ],
    resource
);
@id("askers") permit (principal in Countersign::Role::"clerk", action == Countersign::Action::"requestAccess", resource);
"#;

#[test]
fn a_person_can_use_the_console_and_nobody_elses_page_can() {
    let Some(browser) = Browser::find(&Path::new(env!("CARGO_MANIFEST_DIR")).join("clients")) else { return };
    let canary = "osprey-vellum-4417-kestrel";
    let upstream = Upstream::start(move |asked| {
        let bird = asked.text().contains("Which bird");
        Reply::json(200, &chat_answer(if bird { canary } else { "Yes, from ten to four." }))
    });
    let home = Plan::new()
        .target("openai", &upstream, &["m"])
        .policy(POLICY)
        .guard("canaries = \"canaries.txt\"")
        .more("[playbooks]\nact = [\"canary-tripped\"]\nat_least = 100")
        .admin()
        .top("resource = \"https://gateway.example\"")
        .more("[[access]]\nname = \"books\"\nroles = [\"bookkeeper\"]\nfor = [\"data:books\"]\nlongest_minutes = 60\napprovals = 1\napprovers = [\"officer\"]")
        .more("[console]\nedit_policies = true\n[[price]]\nmodels = [\"m\"]\ninput = \"2\"\noutput = \"8\"\nmost_output = 4096\n[[budget]]\nname = \"each\"\nper = [\"principal\"]\nwindow = \"day\"\ntokens = 1000000")
        .write();
    home.put("canaries.txt", canary);
    let (officer, clerk) = (home.key("olga", "officer"), home.key("carl", "clerk"));
    let (thief, auditor) = (home.key("mallory", "staff"), home.key("ada", "auditor"));
    let gateway = home.serve();
    // What a stranger may write freely and others read.
    let hostile = "<img src=x onerror=window.hacked=1><script>window.hacked=1</script>";
    let wish = json!({"access": "books", "for": ["data:books"], "purpose": hostile, "minutes": 5});
    let asked = gateway.post("/admin/v1/access", &clerk, &wish);
    assert_eq!(asked.status, 201, "{}", asked.text());

    in_a_terminal(&gateway, &officer);
    let report = browser.walk(
        "console.mjs",
        json!({
            "tls": format!("https://{}", gateway.tls),
            "clear": format!("http://{}", gateway.clear),
            "key": officer,
            "thief": thief,
            "auditor": auditor,
            "shots": std::env::var("COUNTERSIGN_SHOTS").ok(),
        }),
    );
    assert_eq!((&report["broken"], &report["done"]), (&json!([]), &json!(true)), "{report:#}");
    assert_eq!(report["violations"], json!([]), "the content security policy was not met");
    assert_eq!(report["foreign"], json!([]), "a page asked somebody else");
    assert_eq!(report["serious"], json!([]), "somebody cannot use it");
    let seen = &report["seen"];
    assert_eq!(
        seen["cookie"],
        json!([{"name": "__Host-countersign", "httpOnly": true, "secure": true, "sameSite": "Strict", "path": "/"}])
    );
    assert_eq!(
        (&seen["scripts"], &seen["field"]),
        (&json!("{}{}"), &json!("")),
        "no credential is in a script's reach"
    );
    assert_eq!((&seen["first"], &seen["focus"]), (&json!("Skip to the content"), &json!("Requests")));
    assert_eq!(seen["stages"][0], "identified", "{seen}");
    assert_eq!((&seen["made"], &seen["hacked"]), (&json!(0), &json!(false)), "what strangers wrote is text");
    assert_eq!(seen["address"], "/console/#/live", "a link does not stay in the history");
    assert_eq!((&seen["elsewhere"][0], &seen["framed"]), (&json!("refused"), &json!(0)), "{seen}");
    assert_eq!(seen["revoked"], 200);
    assert_eq!((&seen["closed"], &seen["open"], &seen["undone"]), (&json!(403), &json!(200), &json!(true)), "{seen}");
    assert_eq!(seen["download"], "policy.cedar");
    assert_eq!((&seen["tripped"], &seen["aside"]), (&json!(403), &json!(403)), "{seen}");
    assert_eq!((&seen["others"], &seen["free"]), (&json!(200), &json!(200)), "{seen}");
    assert_eq!(
        (&seen["presses"], &seen["auditor"]),
        (&json!([]), &json!([403, 403, 403, 403, 403, 403, 403])),
        "{seen}"
    );
    let kept = home_text(&gateway.home.path("state/feedback.jsonl"));
    assert!(kept.contains("false-alarm"), "{kept}");
    let log = gateway.log();
    assert!(!log.contains("csb_") && !log.contains("csl_") && !log.contains(&officer), "no credential is in the log");
}

/// The same picture in a terminal, and a link for a browser.
fn in_a_terminal(gateway: &Deployment, key: &str) {
    let at = format!("http://{}", gateway.clear);
    let run = |arguments: &[&str]| {
        let mut command = gateway.home.command(arguments);
        let output = command.env("COUNTERSIGN_CREDENTIAL", key).output().expect("the binary runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let question = json!({"model": "m", "messages": [{"role": "user", "content": "Is the shop open on Monday?"}]});
    assert_eq!(gateway.post("/v1/chat/completions", key, &question).status, 200);
    let picture = until("the request in the picture", || {
        Some(run(&["top", "--once", "--gateway", &at])).filter(|picture| picture.contains("default/olga"))
    });
    assert!(
        picture.contains("recording yes") && picture.contains("answered") && !picture.contains('\x1b'),
        "{picture}"
    );
    assert!(!picture.contains("Monday"), "no text of a prompt: {picture}");
    let address = run(&["console", "--gateway", &at]);
    assert!(address.starts_with(&format!("{at}/console/#csl_")), "{address}");
}

fn home_text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}
