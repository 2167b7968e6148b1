use std::{env, fs, path::Path};

use countersign_core::RequestId;
use countersign_core::alert::Reason;
use serde_json::{Value, json};

use super::*;
use crate::{SHIPPED, shipped};

fn text(name: &str) -> &'static str {
    SHIPPED.iter().find(|(known, _)| *known == name).unwrap().1
}

/// A shipped playbook with one thing changed.
fn changed(change: impl Fn(&mut Value)) -> Result<Playbook, Fault> {
    let mut value: Value = serde_json::from_str(text("canary-tripped")).unwrap();
    change(&mut value);
    Playbook::read(serde_json::to_string_pretty(&value).unwrap().as_bytes())
}

fn alert(pattern: Pattern, of: &str, risk: u8) -> Alert {
    let because =
        Reason { request: RequestId::new(Timestamp(1), [0; 10]), at: Timestamp(1), what: "refusals", weight: 900 };
    Alert { at: Timestamp(9), pattern, of: of.parse().unwrap(), tenant: "bank".into(), risk, because: vec![because] }
}

#[test]
fn every_shipped_playbook_is_read_and_named_as_its_file() {
    let names: Vec<_> = shipped().into_iter().map(|playbook| playbook.name).collect();
    assert_eq!(names, SHIPPED.iter().map(|(name, _)| *name).collect::<Vec<_>>());
    for pattern in Pattern::ALL.iter().filter(|pattern| **pattern != Pattern::Campaign) {
        let alert = alert(*pattern, "session:okta/s1", 100);
        assert!(shipped().iter().any(|playbook| playbook.fits(&alert)), "nothing is set off by {pattern}");
    }
}

/// The published schemas of CACAO; none where they are not at hand, which is allowed outside CI alone.
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn cacao() -> Option<jsonschema::Validator> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../../shared/vectors/cacao/schemas");
    let mut files = Vec::new();
    let mut folders = vec![folder.clone()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).into_iter().flatten().flatten().map(|entry| entry.path()) {
            if entry.is_dir() { folders.push(entry) } else { files.push(entry) }
        }
    }
    if files.is_empty() {
        assert!(env::var_os("CI").is_none(), "the schemas of CACAO are not there");
        eprintln!("SKIPPED: the schemas of CACAO are not in {}", folder.display());
        return None;
    }
    let schema = |path: &Path| serde_json::from_str::<Value>(&fs::read_to_string(path).unwrap()).unwrap();
    let resources = files.iter().filter(|path| path.extension().is_some_and(|e| e == "json")).map(|path| {
        let schema = schema(path);
        (schema["$id"].as_str().unwrap().to_owned(), jsonschema::Resource::from_contents(schema))
    });
    let registry = jsonschema::Registry::new().extend(resources).unwrap().prepare().unwrap();
    Some(jsonschema::options().with_registry(&registry).build(&schema(&folder.join("playbook.json"))).unwrap())
}

#[test]
fn playbooks_hold_by_the_schemas_of_cacao() {
    let Some(validator) = cacao() else { return };
    let branching = forked(|_| {}).to_string();
    for (name, text) in SHIPPED.iter().copied().chain([("forked", branching.as_str())]) {
        let value: Value = serde_json::from_str(text).unwrap();
        let errors: Vec<_> = validator.iter_errors(&value).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{name}: {errors:?}");
    }
    let mut broken: Value = serde_json::from_str(text("canary-tripped")).unwrap();
    broken["workflow_start"] = json!("start");
    assert!(!validator.is_valid(&broken), "the schemas are looked at");
}

/// `kind`, and a UUID that begins with the number.
fn id(kind: &str, number: u32) -> String {
    format!("{kind}--{number:08}-0000-4000-8000-000000000000")
}

/// That one, as it is read.
pub(crate) fn forks() -> Playbook {
    read(&forked(|_| {})).unwrap()
}

/// A playbook that forks in every way that there is: parallel (a switch; an action), then an if, then an action. Its steps are changed.
fn forked(change: impl Fn(&mut Value)) -> Value {
    let mut value: Value = serde_json::from_str(text("canary-tripped")).unwrap();
    let agent = value["agent_definitions"].as_object().unwrap().keys().next().unwrap().clone();
    let action = |channel: &str, next: String| {
        json!({
            "type": "action", "name": channel, "commands": [{ "type": "x-countersign" }], "agent": agent,
            "on_completion": next, "step_extensions": { EXTENSION: { "do": "notify", "channel": channel } }
        })
    };
    value["workflow_start"] = json!(id("start", 1));
    value["workflow"] = json!({
        id("start", 1): { "type": "start", "on_completion": id("parallel", 2) },
        id("parallel", 2): {
            "type": "parallel", "next_steps": [id("switch-condition", 3), id("action", 4)],
            "on_completion": id("if-condition", 5)
        },
        id("switch-condition", 3): {
            "type": "switch-condition", "switch": "__of__:value",
            "cases": { "session": id("action", 6), "default": id("action", 7) }, "on_completion": id("action", 8)
        },
        id("action", 4): action("second", id("end", 14)),
        id("if-condition", 5): {
            "type": "if-condition", "condition": "__risk__:value >= 80", "on_true": id("action", 9),
            "on_completion": id("action", 10)
        },
        id("action", 6): action("session", id("end", 16)),
        id("action", 7): action("other", id("end", 17)),
        id("action", 8): action("first", id("end", 18)),
        id("action", 9): action("grave", id("end", 19)),
        id("action", 10): action("last", id("end", 20)),
        id("end", 14): { "type": "end" }, id("end", 16): { "type": "end" }, id("end", 17): { "type": "end" },
        id("end", 18): { "type": "end" }, id("end", 19): { "type": "end" }, id("end", 20): { "type": "end" }
    });
    change(&mut value["workflow"]);
    value
}

fn read(value: &Value) -> Result<Playbook, Fault> {
    Playbook::read(value.to_string().as_bytes())
}

#[test]
fn branches_are_gone_through_one_after_the_other_and_each_step_once() {
    let playbook = forks();
    for (of, risk, wanted) in [
        ("session:okta/s1", 90, vec!["session", "first", "second", "grave", "last"]),
        ("tenant:bank", 79, vec!["other", "first", "second", "last"]),
    ] {
        let told = Told::from(&alert(Pattern::CanaryTripped, of, risk));
        let plan = playbook.plan(&told);
        assert_eq!(plan.iter().map(|planned| planned.name).collect::<Vec<_>>(), wanted);
        // Step by step it is the same, and it ends with the last.
        let (mut at, mut names) = (playbook.start().to_owned(), Vec::new());
        while let Some(planned) = playbook.from(&at, &told) {
            names.push(planned.name);
            at = planned.next.to_owned();
        }
        assert_eq!((names, at), (wanted, id("end", 20)));
    }
    // Without a case that fits, what comes after is next.
    let bare = read(&forked(|steps| {
        steps[id("switch-condition", 3)]["cases"] = json!({ "client": id("action", 6), "session": id("action", 7) });
    }));
    let told = Told::from(&alert(Pattern::CanaryTripped, "tenant:bank", 10));
    assert_eq!(bare.unwrap().plan(&told)[0].name, "first");
}

#[test]
fn a_fork_that_would_take_a_step_twice_is_refused() {
    type Change = fn(&mut Value);
    let cases: &[(Change, &str)] = &[
        (|s| s[id("action", 4)]["on_completion"] = json!(id("end", 18)), "lead to `end--"),
        (|s| s[id("parallel", 2)]["next_steps"] = json!([id("action", 4), id("action", 4)]), "lead to `action--"),
        (|s| s[id("parallel", 2)]["on_completion"] = json!(id("action", 4)), "lead to `action--"),
        (|s| s[id("action", 9)]["on_completion"] = json!(id("action", 10)), "lead to `action--"),
        (|s| s[id("action", 8)]["on_completion"] = json!(id("switch-condition", 3)), "back to itself"),
        (|s| s[id("action", 4)]["on_completion"] = json!(id("parallel", 2)), "back to itself"),
        (|s| s[id("parallel", 2)]["next_steps"] = json!([id("action", 4)]), "two branches"),
        (|s| s[id("switch-condition", 3)]["cases"] = json!({}), "no cases"),
        (|s| s[id("switch-condition", 3)]["switch"] = json!("__prompt__:value"), "none of the variables"),
        (|s| s[id("if-condition", 5)]["on_failure"] = json!(id("end", 19)), "on_failure"),
        (|s| s[id("if-condition", 5)]["type"] = json!("while-condition"), "while-condition"),
        (
            |s| {
                let twin = "action--00000008-0000-4000-8000-000000000001";
                s[twin] = s[id("action", 9)].clone();
                s[id("if-condition", 5)]["on_false"] = json!(twin);
            },
            "same eight digits",
        ),
    ];
    for (change, says) in cases {
        let fault = read(&forked(change)).unwrap_err();
        assert!(fault.to_string().contains(says), "{fault} does not say {says}");
    }
}

#[test]
fn what_is_not_understood_is_refused() {
    assert!(changed(|_| {}).is_ok());
    type Change = fn(&mut Value);
    let action = |value: &mut Value, change: &dyn Fn(&mut Value)| {
        for (id, step) in value["workflow"].as_object_mut().unwrap() {
            if id.starts_with("action--") {
                change(step);
                return;
            }
        }
    };
    let of_act: &[(Change, &str)] = &[
        (|s| s["commands"] = json!([{ "type": "bash" }]), "`bash`"),
        (|s| s["commands"] = json!([{ "type": "x-countersign", "command": "rm" }]), "command"),
        (|s| s["commands"] = json!([]), "one command"),
        (|s| s["commands"] = json!([{ "type": "x-countersign" }, { "type": "x-countersign" }]), "one command"),
        (|s| s["agent"] = json!("organization--00000000-0000-4000-8000-000000000000"), "not defined"),
        (|s| s["on_failure"] = s["on_completion"].clone(), "on_failure"),
        (|s| s["delay"] = json!(5), "delay"),
        (|s| s["type"] = json!("playbook-action"), "playbook-action"),
        (|s| s["step_extensions"][EXTENSION]["minutes"] = json!(0), "minutes"),
        (|s| s["step_extensions"][EXTENSION]["minutes"] = json!(43_201), "minutes"),
        (|s| s["step_extensions"][EXTENSION]["measure"] = json!("throttle:0"), "throttle:0"),
        (|s| s["step_extensions"][EXTENSION]["do"] = json!("delete"), "delete"),
        (|s| s["step_extensions"][EXTENSION]["extra"] = json!(1), "extra"),
        (
            |s| {
                s["step_extensions"]["extension-definition--00000000-0000-4000-8000-000000000000"] =
                    s["step_extensions"][EXTENSION].clone()
            },
            "nothing else",
        ),
    ];
    for (change, says) in of_act {
        let fault = changed(|value| action(value, &|step| change(step))).unwrap_err();
        assert!(fault.to_string().contains(says), "{fault} does not say {says}");
    }
    let of_all: &[(Change, &str)] = &[
        (|v| v["spec_version"] = json!("cacao-1.1"), "CACAO 2.0"),
        (|v| v["id"] = json!("playbook--1"), "playbook--1"),
        (|v| v["valid_until"] = json!("2026-11-23T00:00:00Z"), "valid_until"),
        (|v| v["workflow_exception"] = json!("x"), "workflow_exception"),
        (|v| v["revoked"] = json!(true), "revoked"),
        (|v| v["name"] = json!("canary\u{202e}"), "name"),
        (|v| v["workflow_start"] = json!("start--00000000-0000-4000-8000-000000000000"), "no start step"),
        (|v| v["playbook_extensions"][EXTENSION]["on"] = json!(["calm"]), "calm"),
        (|v| v["playbook_extensions"][EXTENSION]["on"] = json!([]), "at least one"),
        (|v| v["playbook_extensions"][EXTENSION]["of"] = json!(["everything"]), "everything"),
        (|v| v["playbook_extensions"][EXTENSION]["risk_at_least"] = json!(101), "0 to 100"),
        (|v| v["extension_definitions"][EXTENSION]["version"] = json!("2.0.0"), "1.0.0"),
        (|v| v["workflow"]["end--00000000-0000-4000-8000-000000000000"] = json!({ "type": "end" }), "never reached"),
        (|v| v["workflow"]["end--zz"] = json!({ "type": "end" }), "UUID"),
    ];
    for (change, says) in of_all {
        let fault = changed(change).unwrap_err();
        assert!(fault.to_string().contains(says), "{fault} does not say {says}");
    }
    let fault = Playbook::read(b"{\n  \"type\": \"playbook\",\n  \"type\": \"playbook\"\n}").unwrap_err();
    assert_eq!(fault.line, Some(3), "{fault}");
    for text in ["", "[]", "{", "null", "{\"type\":\"playbook\"}"] {
        assert!(Playbook::read(text.as_bytes()).is_err());
    }
    assert!(Playbook::read(&vec![b' '; LONGEST + 1]).is_err());
}

#[test]
fn a_step_that_leads_back_or_nowhere_is_refused() {
    let with_next = |next: fn(&str) -> Value| {
        changed(|value| {
            let steps = value["workflow"].as_object_mut().unwrap();
            let first = steps.keys().find(|id| id.starts_with("action--")).unwrap().clone();
            steps[&first]["on_completion"] = next(&first);
        })
    };
    assert!(with_next(|first| json!(first)).unwrap_err().what.contains("back to itself"));
    assert!(with_next(|_| json!("end--00000000-0000-4000-8000-000000000000")).unwrap_err().what.contains("not there"));
}

#[test]
fn a_playbook_is_set_off_by_what_it_names_and_once_in_its_time() {
    let playbook = Playbook::read(text("repeated-extraction").as_bytes()).unwrap();
    let session = "session:okta/s1";
    assert!(playbook.fits(&alert(Pattern::RepeatedExtraction, session, 60)));
    assert!(!playbook.fits(&alert(Pattern::RepeatedExtraction, session, 59)), "not far enough");
    assert!(!playbook.fits(&alert(Pattern::CanaryTripped, session, 90)), "something else");
    assert!(!playbook.fits(&alert(Pattern::RepeatedExtraction, "tenant:bank", 90)), "a whole tenant");
    let hour = 3_600_000_000;
    let slot = |of: &str, at| playbook.slot(&of.parse().unwrap(), Timestamp(at));
    assert_eq!(slot(session, 0), slot(session, hour - 1));
    assert_ne!(slot(session, 0), slot(session, hour));
    assert_ne!(slot(session, 0), slot("session:okta/s2", 0));
}

#[test]
fn the_plan_follows_the_conditions() {
    let playbook = Playbook::read(text("repeated-extraction").as_bytes()).unwrap();
    let plan = |risk| {
        let told = Told::from(&alert(Pattern::RepeatedExtraction, "session:okta/s1", risk));
        playbook.plan(&told).iter().map(|planned| planned.act.what()).collect::<Vec<_>>()
    };
    assert_eq!(plan(70), ["restrain throttle:6 for 60 min", "notify security"]);
    assert_eq!(plan(85), ["restrain throttle:6 for 60 min", "restrain quarantine for 60 min", "notify security"]);
    assert_eq!(playbook.channels().collect::<Vec<_>>()[0], "security");
}

#[test]
fn what_harms_more_than_one_needs_two() {
    let quarantine = Act::Restrain { measure: Measure::Quarantine, span: Duration::from_secs(60) };
    let notify = Act::Notify { channel: "security".into() };
    let observe = Act::Restrain { measure: Measure::Observe, span: Duration::from_secs(60) };
    for (target, people) in [
        ("session:okta/s1", 0),
        ("principal:bank/alice", 0),
        ("credential:key_1", 0),
        ("client:okta/c", 2),
        ("tenant:bank", 2),
        ("role:clerk", 2),
        ("issuer:okta", 2),
        ("everything", 2),
    ] {
        let target: Target = target.parse().unwrap();
        assert_eq!((quarantine.people(&target), Act::Revoke.people(&target)), (people, people), "{target}");
        assert_eq!((notify.people(&target), observe.people(&target)), (0, 0));
    }
}

#[test]
fn the_fuzz_corpus_of_playbooks_passes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../fuzz/corpus/playbook");
    let mut read = 0;
    for entry in fs::read_dir(folder).unwrap() {
        if Playbook::read(&fs::read(entry.unwrap().path()).unwrap()).is_ok() {
            read += 1;
        }
    }
    assert!(read > 0);
}
