//! SCIM of the real binary, driven by scim2-tester, which reads what the server says of itself and tries each of it.

use std::{path::Path, process::Command};

use countersign_testkit::{Plan, Reply, Upstream, chat_answer, request};

const POLICY: &str = r#"
@id("directory")
permit (principal in Countersign::Role::"directory", action == Countersign::Action::"provision", resource);
"#;

const ISSUER: &str = r#"
[[issuer]]
name = "bank"
url = "https://id.bank.example"
kind = "rfc9068"
audiences = ["https://ai.bank.example"]
directory = true
"#;

#[test]
fn scim2_tester_passes() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let python = root.join(".tools/venv/bin/python");
    let installed = Command::new(&python).args(["-c", "import scim2_tester"]).output();
    if !installed.is_ok_and(|output| output.status.success()) {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "scim2-tester is not installed: run `cargo xtask test`");
        #[expect(clippy::print_stderr, reason = "a test that was skipped says so")]
        {
            eprintln!("SKIPPED: scim2-tester is not installed; `cargo xtask test` installs it");
        }
        return;
    }
    let upstream = Upstream::start(|_| Reply::json(200, &chat_answer("hello")));
    let plan = Plan::new().target("openai", &upstream, &["m"]).policy(POLICY).admin();
    let plan = plan.top("resource = \"https://ai.bank.example\"\n").more(ISSUER);
    let home = plan.rates("per_minute = 100000\nburst = 10000").write();
    let (key, stranger) = (home.key("sync", "directory"), home.key("eve", "staff"));
    let gateway = home.serve();
    let url = format!("http://{}/scim/v2", gateway.clear);
    let output = Command::new(&python).arg(root.join("e2e/clients/scim.py")).args([&url, &key]).output();
    let output = output.expect("Python runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains(" 0 failed") && !said.contains("passed over"), "{said}");
    // Whom the policy does not permit it sees nothing of it.
    let bearer = format!("Bearer {stranger}");
    for path in ["/scim/v2/Users", "/scim/v2/Schemas"] {
        assert_eq!(gateway.exchange(&request("GET", path, &[("authorization", &bearer)], b"")).status, 403, "{path}");
    }
}
