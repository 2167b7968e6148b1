use std::sync::Arc;

use countersign_core::{
    Call, Format, Kind, Lease, Principal, Timestamp,
    life::Peer,
    principal::{Method, PrincipalKind},
};
use proptest::prelude::*;

use super::*;
use crate::{cases::Decision, facts::Kinds};

pub(crate) fn principal(tenant: &str, subject: &str, roles: &[&str]) -> Arc<Principal> {
    Arc::new(Principal {
        tenant: tenant.into(),
        subject: subject.into(),
        kind: PrincipalKind::Person,
        roles: roles.iter().map(|role| Arc::from(*role)).collect(),
        scopes: Arc::new([]),
        credential: "key_test".into(),
        method: Method::ApiKey,
        claims: None,
        session: None,
        lease: Arc::new(Lease::new(None)),
    })
}

pub(crate) fn call(model: &str) -> Call {
    Call {
        format: Format::Chat,
        model: model.into(),
        stream: false,
        max_tokens: None,
        tools: Vec::new(),
        attachments: 0,
    }
}

fn parse(text: &str) -> Policy {
    Policy::parse(&[("test.cedar", text)]).unwrap()
}

fn errors(text: &str) -> String {
    Policy::parse(&[("test.cedar", text)]).unwrap_err().to_string()
}

fn permits(policy: &Policy, who: &Arc<Principal>, model: &str) -> bool {
    let (peer, call) = (Peer::default(), call(model));
    let said = policy.ask(&Facts::ask(who, &peer, &call, Timestamp(0)), policy.mentions());
    assert!(said.failed.is_empty(), "{:?}", said.failed);
    said.answer == Answer::Permitted
}

#[test]
fn only_a_forbid_that_names_it_has_a_say_about_a_call_of_a_tool() {
    let ask = |policy: &Policy, rest: &str| {
        let question = format!("action = \"callTool\"\nmethod = \"session\"\n{rest}");
        policy.explain(&toml::from_str(&question).unwrap()).unwrap()
    };
    // What names no action, or another, says nothing; and where nothing does, the tool may be called.
    let quiet = parse(r#"forbid (principal, action, resource) when { resource.name == "mail" };"#);
    assert!(!quiet.watches_tools());
    assert_eq!(ask(&quiet, "tool = \"mail\"").decision, Decision::Allow);
    let policy = parse(STARTER);
    assert!(policy.watches_tools());
    for (rest, allowed) in [
        ("tool = \"mail\"\ntaint = \"untrusted\"", true),
        ("tool = \"mail\"\ntaint = \"finding\"", false),
        ("tool = \"search\"\ntaint = \"finding\"", true),
        ("tool = \"search \"\ntaint = \"finding\"", false),
        ("tool = \"mail\"\ntaint = \"finding\"\ngrant = { access = \"a\", things = [\"tool:mail\"] }", true),
        ("tool = \"mails\"\ntaint = \"finding\"\ngrant = { access = \"a\", things = [\"tool:mail\"] }", false),
        ("tool = \"mail\"\ntaint = \"finding\"\ngrant = { access = \"a\", things = [\"model:mail\"] }", false),
    ] {
        let said = ask(&policy, rest);
        assert_eq!(said.decision == Decision::Allow, allowed, "{rest}");
        assert!(allowed || said.code == Some(Code::ToolRefused));
    }
    let copied = r#"forbid (principal, action == Countersign::Action::"callTool", resource) when { context.copied };"#;
    let copied = parse(copied);
    assert_eq!(ask(&copied, "tool = \"x\"\ncopied = true").decision, Decision::Deny);
    assert_eq!(ask(&copied, "tool = \"x\"").decision, Decision::Allow);
    // One that names it anywhere is asked, whatever its head says.
    let inside = r#"forbid (principal, action, resource) when { action == Countersign::Action::"callTool" };"#;
    assert_eq!(ask(&parse(inside), "tool = \"x\"").decision, Decision::Deny);
    let permit = r#"permit (principal, action == Countersign::Action::"callTool", resource);"#;
    assert!(Policy::parse(&[("p.cedar", permit)]).unwrap_err().to_string().contains("says nothing"));
}

#[test]
fn the_starter_and_its_examples_validate() {
    assert_eq!(parse(STARTER).len(), 4);
    // Lines commented out that are policy text: everything from `@id` to the line that ends with a semicolon.
    let mut open = false;
    let examples: String = STARTER
        .lines()
        .filter_map(|line| {
            let text = line.strip_prefix("// ").unwrap_or_default();
            open |= text.starts_with("@id");
            let keep = open.then(|| format!("{text}\n"));
            open &= !text.ends_with(';');
            keep
        })
        .collect();
    assert_eq!(parse(&examples).len(), 4);
}

#[test]
fn what_the_how_to_shows_validates() {
    let text = include_str!("../../../../../docs/how-to/write-policy.md");
    let shown: String = text.split("```cedar\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(parse(&shown).len() >= 8);
}

#[test]
fn nothing_is_permitted_by_default() {
    let none = Policy::parse::<&str, &str>(&[]).unwrap();
    assert!(none.is_empty() && !permits(&none, &principal("t", "s", &["staff"]), "m"));
}

#[test]
fn forbid_wins() {
    let policy = parse(
        "permit(principal, action, resource); forbid(principal, action, resource) when { resource.name == \"x\" };",
    );
    let who = principal("t", "s", &[]);
    assert!(permits(&policy, &who, "m") && !permits(&policy, &who, "x"));
}

#[test]
fn mistakes_are_named_with_place_and_remedy() {
    let text = "permit(principal, action, resource);\n\npermit(principal, action, resource)\n  when { context.stram };";
    assert!(errors(text).starts_with("test.cedar:4:10: "), "{}", errors(text));
    assert!(errors(text).contains("did you mean `stream`?"), "{}", errors(text));
    for (wrong, place) in [
        ("permit(principal, action, resource)", "test.cedar:1:"),
        ("permit(principal, action, resource) when { context.max_tokens < 5 };", "test.cedar:1:44: "),
        ("permit(principal == Countersign::User::\"x\", action, resource);", "test.cedar:1:21: "),
        ("permit(principal, action == Countersign::Action::\"write\", resource);", "test.cedar:1:29: "),
        ("permit(principal, action, resource) when { 1 < \"a\" };", "test.cedar:1:48: "),
        ("\n permit(principal == ?principal, action, resource);", "test.cedar:2:2: "),
        ("permit(principal, action, resource) when { context.findings.contains(\"x\") };", "test.cedar:1:"),
        ("permit(principal, action, resource) when { false };", "test.cedar:1:"),
        (
            "@id(\"a\") permit(principal, action, resource);\n@id(\"a\") permit(principal, action, resource);",
            "test.cedar:2:1: ",
        ),
        ("@step_up(\"acr=mfa\") permit(principal, action, resource);", "test.cedar:1:1: "),
        ("@step_up(\"mfa\") forbid(principal, action, resource);", "test.cedar:1:1: "),
        ("@step_up forbid(principal, action, resource);", "test.cedar:1:1: "),
        ("@id(\"a\\nb\") permit(principal, action, resource);", "test.cedar:1:1: "),
        ("permit(principal in Countersign::Role::\"t\u{0435}ller\", action, resource);", "test.cedar:1:"),
        ("permit(principal in Countersign::Role::\"a\u{202e}b\", action, resource);", "test.cedar:1:"),
    ] {
        let message = errors(wrong);
        assert!(message.starts_with(place), "{wrong}: {message}");
        for line in message.lines() {
            assert!(line.starts_with("test.cedar:") && line.contains("; "), "no place or no remedy: {line}");
            assert!(!line.contains("policy0") && !line.contains(char::is_control), "{line:?}");
        }
    }
}

#[test]
fn every_problem_of_every_file_is_named() {
    let error = Policy::parse(&[("a.cedar", "permit("), ("b.cedar", "forbid nothing;")]).unwrap_err();
    assert!(
        error.problems().iter().any(|p| p.file == "a.cedar") && error.problems().iter().any(|p| p.file == "b.cedar")
    );
}

#[test]
fn names_are_only_names() {
    let policy =
        parse(r#"permit(principal in Countersign::Role::"staff", action, resource == Countersign::Model::"m");"#);
    assert!(permits(&policy, &principal("t", "s", &["staff"]), "m"));
    for role in [
        "",
        "Staff",
        "staff ",
        " staff",
        "staff\0",
        "st\u{0430}ff",
        "\"staff\"",
        "staff\" || true || \"",
        "Role::\"staff\"",
        "Countersign::Role::\"staff\"",
        "ask",
        "Countersign::Action::\"ask\"",
        "*",
        "staff\u{200b}",
    ] {
        assert!(!permits(&policy, &principal("t", "s", &[role]), "m"), "{role:?}");
    }
    for model in ["", "M", "m ", "m\"", "\"m\"", "*", "\u{043c}", "m::m", "Model::\"m\""] {
        assert!(!permits(&policy, &principal("t", "s", &["staff"]), model), "{model:?}");
    }
    // A subject or tenant named like the role is not in the role.
    assert!(!permits(&policy, &principal("staff", "staff", &[]), "m"));
}

#[test]
fn a_role_named_like_an_action_or_a_subject_is_a_role() {
    let policy =
        parse(r#"permit(principal in Countersign::Role::"ask", action == Countersign::Action::"ask", resource);"#);
    assert!(permits(&policy, &principal("t", "s", &["ask", "t/s", "s"]), "m"));
    assert!(!permits(&policy, &principal("t", "ask", &[]), "m"));
}

#[test]
fn tenants_do_not_mix() {
    let policy = parse(r#"permit(principal == Countersign::Person::"bank/alice", action, resource);"#);
    assert!(permits(&policy, &principal("bank", "alice", &[]), "m"));
    for (tenant, subject) in
        [("other", "alice"), ("bank/alice", ""), ("", "bank/alice"), ("bank", "alice/"), ("BANK", "alice")]
    {
        assert!(!permits(&policy, &principal(tenant, subject, &[]), "m"), "{tenant} {subject}");
    }
    let policy = parse(
        r#"permit(principal in Countersign::Tenant::"bank", action, resource) when { principal in Countersign::Role::"r" };"#,
    );
    assert!(permits(&policy, &principal("bank", "a", &["r"]), "m"));
    assert!(!permits(&policy, &principal("shop", "a", &["r", "bank"]), "m"));
}

#[test]
fn a_policy_that_fails_is_an_error_and_no_answer() {
    let policy = parse(
        r#"permit(principal, action, resource);
        @id("overflows") forbid(principal, action, resource) when { context has max_tokens && context.max_tokens * 1000 > 5 };"#,
    );
    let (who, peer) = (principal("t", "s", &[]), Peer::default());
    let big = Call { max_tokens: Some(u64::MAX), ..call("m") };
    let said = policy.ask(&Facts::ask(&who, &peer, &big, Timestamp(0)), policy.mentions());
    assert_eq!((said.answer, names(&said.failed).as_str()), (Answer::Failed, "overflows"));
}

#[test]
fn what_fails_counts_as_what_would_refuse() {
    let yes = |id: &str, effect: &str| format!("@id(\"{id}\") {effect}(principal, action, resource);");
    let fails = |id: &str, effect: &str| {
        format!(
            "@id(\"{id}\") {effect}(principal, action, resource) when {{ context.attachments + 9223372036854775807 > 0 }};"
        )
    };
    let (permit, forbid) = (yes("permit", "permit"), yes("forbid", "forbid"));
    let (bad_permit, bad_forbid) = (fails("bad-permit", "permit"), fails("bad-forbid", "forbid"));
    let (who, peer) = (principal("t", "s", &[]), Peer::default());
    let call = Call { attachments: 1, ..call("m") };
    let facts = Facts::ask(&who, &peer, &call, Timestamp(0));
    for bits in 0_u8..16 {
        let all = [&permit, &forbid, &bad_permit, &bad_forbid];
        let text: String = (0..4).filter(|i| bits >> i & 1 == 1).map(|i| all[i].as_str()).collect();
        let has = |text: &String| all.iter().position(|one| *one == text).is_some_and(|i| bits >> i & 1 == 1);
        let expected = match () {
            () if has(&forbid) => (Answer::Forbidden, "forbid"),
            () if has(&bad_forbid) => (Answer::Failed, ""),
            () if has(&permit) => (Answer::Permitted, "permit"),
            () if has(&bad_permit) => (Answer::Failed, ""),
            () => (Answer::Silent, ""),
        };
        let policy = parse(&text);
        let said = policy.ask(&facts, policy.mentions());
        assert_eq!((said.answer, names(&said.because).as_str()), expected, "{text}");
        let failed: Vec<_> = said.failed.iter().map(|named| named.to_string()).collect();
        assert_eq!(failed.contains(&"bad-permit".into()), has(&bad_permit));
        assert_eq!(failed.contains(&"bad-forbid".into()), has(&bad_forbid));
    }
}

#[test]
fn policies_past_a_bound_are_refused_without_harm() {
    let condition = |inner: &str| format!("permit(principal, action, resource) when {{ {inner} }};");
    let deep = |open: &str, inner: &str, close: &str, n: usize| {
        condition(&[&open.repeat(n), inner, &close.repeat(n)].concat())
    };
    for (name, text) in [
        ("parentheses", deep("(", "true", ")", 100_000)),
        ("sets", deep("[", "true", "]", 100_000)),
        ("unclosed", deep("(", "", "", 100_000)),
        ("records", deep("{a:", "true", "}", 100_000)),
        ("a long policy", condition(&"true && ".repeat(3_000))),
        ("a large file", " ".repeat(shape::MOST_BYTES + 1)),
        ("too many", "permit(principal,action,resource);".repeat(MOST_POLICIES + 1)),
    ] {
        assert!(Policy::parse(&[("t", &text)]).is_err(), "{name}");
    }
}

#[test]
fn the_deepest_policies_within_bounds_do_no_harm() {
    // As deep as the first look lets any chain be, and as long.
    let room = |unit: &str| (shape::MOST_POLICY_BYTES - 100) / unit.len();
    for (unit, end) in [
        ("true&&", "true"),
        ("true||", "true"),
        ("1+", "1==1"),
        ("1*", "1==1"),
        ("if true then ", "true else true"),
        ("if true then true else ", "true"),
        ("!", "true"),
        ("-", "1==1"),
        ("context.time.", "hour==1"),
        ("1==", "1"),
        ("1<", "1"),
        ("1 in ", "1"),
        ("principal.a.", "b"),
        ("principal has a && ", "true"),
        ("[].contains(", "1)"),
        ("a::", "b"),
        ("a", ""),
        ("\"", ""),
        ("@", ""),
        ("{", ""),
        ("//", "\n"),
    ] {
        for n in [63, 84, 126, 127, 250, 255, room(unit)] {
            let text = format!("permit(principal, action, resource) when {{ {}{end} }};", unit.repeat(n));
            // Read, asked and dropped on this thread, whose stack is an ordinary one.
            if let Ok(policy) = Policy::parse(&[("t", &text)]) {
                let (who, peer, call) = (principal("t", "s", &[]), Peer::default(), call("m"));
                let said = policy.ask(&Facts::ask(&who, &peer, &call, Timestamp(0)), policy.mentions());
                // Cedar's evaluator stops before the stack ends, which a debug build's large frames bring about.
                assert!(cfg!(debug_assertions) || said.failed.is_empty(), "{n} times {unit}");
            }
        }
    }
    for n in [250, 1_700] {
        let members = format!("permit(principal, action, resource) when {{ principal{} }};", ".a".repeat(n));
        assert!(Policy::parse(&[("t", &members)]).is_err());
        let calls = format!("permit(principal, action, resource) when {{ ip(\"::1\"){} }};", ".isIpv4()".repeat(n));
        assert!(Policy::parse(&[("t", &calls)]).is_err());
    }
    let long = format!("permit(principal, action, resource) when {{ {}true }};", "true&&".repeat(127));
    assert!(permits(&parse(&long), &principal("t", "s", &[]), "m"));
}

#[test]
fn what_we_ask_fits_the_schema() {
    let (schema, _) = cedar_policy::Schema::from_cedarschema_str(SCHEMA).unwrap();
    let who = principal("t", "s", &["a", "b"]);
    let peer = Peer { ip: Some("10.1.2.3".parse().unwrap()), listener: "front".into() };
    let call = Call { max_tokens: Some(7), tools: vec!["x".into()], attachments: 2, ..call("m") };
    let ask = Facts::ask(&who, &peer, &call, Timestamp(1_000_000));
    let receive = ask.receive(Kind::ALL.into_iter().collect::<Kinds>(), true, "target");
    let socket = Peer::default();
    let bare = Facts::ask(&who, &socket, &call, Timestamp(0));
    for facts in [ask, receive, bare] {
        let (request, entities) = Words::new().question(&facts, Mentions::ALL).unwrap();
        let context = request.context().unwrap().clone();
        cedar_policy::Request::new(
            request.principal().unwrap().clone(),
            request.action().unwrap().clone(),
            request.resource().unwrap().clone(),
            context,
            Some(&schema),
        )
        .unwrap();
        cedar_policy::Entities::from_entities(entities, Some(&schema)).unwrap();
    }
}

proptest! {
    #[test]
    fn parsing_never_panics(text in "\\PC{0,80}|[-permitfodca(),;{}\"=\\\\/@&|! .:?\\[\\]]{0,120}") {
        let _ = Policy::parse(&[("t", &text)]);
    }

    #[test]
    fn any_principal_can_be_asked_about(tenant in any::<String>(), subject in any::<String>(), role in any::<String>(), model in any::<String>()) {
        let policy = parse(r#"permit(principal in Countersign::Role::"staff", action, resource);"#);
        prop_assert_eq!(permits(&policy, &principal(&tenant, &subject, &[&role]), &model), role == "staff");
    }
}

#[test]
fn one_file_can_be_given_another_text_and_the_whole_set_is_read_anew() {
    let files = [("a.cedar", "@id(\"a\") permit(principal, action, resource);"), ("b.cedar", "")];
    let policy = Policy::parse(&files).unwrap();
    assert_eq!(policy.sources().collect::<Vec<_>>(), files);
    let who = principal("bank", "alice", &[]);
    assert!(permits(&policy, &who, "m"));
    let other = policy.with("b.cedar", "forbid(principal, action, resource);").unwrap();
    assert!(!permits(&other, &who, "m") && permits(&policy, &who, "m"));
    // A name used in both files is seen, and a file that is not one of them changes nothing.
    let twice = policy.with("b.cedar", files[0].1).unwrap_err();
    assert!(twice.to_string().starts_with("b.cedar:1:"), "{twice}");
    assert_eq!(policy.with("c.cedar", "forbid(principal, action, resource);").unwrap().len(), 1);
}
