//! Policies compared on what a gateway has on record.

use countersign_testkit::{Plan, Reply, Upstream, chat_answer, chat_ask};

const OLD: &str = r#"@id("staff") permit (principal in Countersign::Role::"staff", action, resource);"#;

#[test]
fn what_other_policies_would_have_decided_is_told_from_the_record() {
    let upstream = Upstream::start(|_| Reply::json(200, &chat_answer("hello")));
    let home = Plan::new().target("openai", &upstream, &["small", "large"]).policy(OLD).write();
    let (alice, eve) = (home.key("alice", "staff"), home.key("eve", "guest"));
    let gateway = home.serve();
    for (key, model, status) in
        [(&alice, "small", 200), (&alice, "large", 200), (&alice, "large", 200), (&eve, "small", 403)]
    {
        let mut body = chat_ask("hi");
        body["model"] = model.into();
        assert_eq!(gateway.post("/v1/chat/completions", key, &body).status, status);
    }
    let (_, home) = gateway.stop();
    let new = format!(
        "{OLD}\n@id(\"no-large\") forbid (principal, action == Countersign::Action::\"ask\", resource == Countersign::Model::\"large\");\n\
         @id(\"guests\") permit (principal in Countersign::Role::\"guest\", action, resource) when {{ context.scopes.isEmpty() }};"
    );
    home.put("new.cedar", &new);
    let diff = |old: &str, new: &str| {
        home.run(&["policy", "diff", &home.path(old).to_string_lossy(), &home.path(new).to_string_lossy()])
    };
    let output = diff("policy.cedar", "new.cedar");
    let (said, noted) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(1), "{said}{noted}");
    assert!(said.contains("2 x default/alice: ask large, first req_"), "{said}");
    assert!(
        said.contains("was     allow; permit `staff`") && said.contains("becomes deny (CS0301); forbid `no-large`"),
        "{said}"
    );
    assert!(said.contains("1 x default/eve: ask small") && said.contains("becomes allow; permit `guests`"), "{said}");
    assert!(said.contains("7 questions on record asked again, 3 answered otherwise"), "{said}");
    assert!(noted.contains("the new policies read what no record holds") && noted.contains("scopes"), "{noted}");
    let same = diff("policy.cedar", "policy.cedar");
    assert_eq!(same.status.code(), Some(0), "{}", String::from_utf8_lossy(&same.stdout));
    home.put("bad.cedar", "permit (principal");
    let bad = diff("policy.cedar", "bad.cedar");
    assert!(!bad.status.success() && String::from_utf8_lossy(&bad.stderr).contains("bad.cedar:1:"));
}
