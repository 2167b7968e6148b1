use countersign_audit::record::{Asked, Findings, Found, Intent, Opened, Outcome, Place, Refused, Who};
use countersign_core::{RequestId, Timestamp};

use super::*;

const STAFF: &str = r#"@id("staff") permit(principal in Countersign::Role::"staff", action, resource);"#;

fn policy(text: &str) -> Policy {
    Policy::parse(&[("p.cedar", text)]).unwrap()
}

fn who(subject: &str) -> Who {
    Who {
        tenant: "bank".into(),
        subject: subject.into(),
        kind: "person".into(),
        roles: ["staff".into()].into(),
        credential: "key_1".into(),
        method: "api-key".into(),
        acts: Vec::new(),
    }
}

fn intent(subject: &str, model: &str, found: &'static str) -> Record {
    let first = Found {
        kind: found.into(),
        rule: "a/rule".into(),
        channel: "user".into(),
        leaf: 0,
        span: [0, 1],
        confidence: 900,
        digest: [0; 8],
        source: None,
        words: None,
    };
    Record::Intent(Intent {
        request: request(1),
        // Monday, the fifth of January 1970, at noon.
        at: (4 * 86_400 + 43_200) * 1_000_000,
        who: who(subject),
        from: Place { ip: None, listener: "front".into() },
        call: asked(model),
        permit: "staff".into(),
        taint: None,
        spotlight: None,
        charge: Default::default(),
        findings: if found.is_empty() { Findings::default() } else { Findings { count: 1, first: vec![first] } },
        conversation: None,
        values: 0,
        body: None,
    })
}

fn asked(model: &str) -> Asked {
    Asked {
        format: "chat".into(),
        model: model.into(),
        stream: false,
        max_tokens: Some(100),
        tools: Vec::new(),
        tools_in_all: None,
        attachments: 0,
    }
}

fn outcome(intent: u64, target: &str) -> Record {
    Record::Outcome(Outcome {
        request: request(2),
        intent,
        at: (4 * 86_400 + 43_260) * 1_000_000,
        tenant: "bank".into(),
        subject: "".into(),
        conversation: None,
        status: 200,
        code: None,
        reason: None,
        target: Some(target.into()),
        upstream_called: true,
        findings: Findings::default(),
        judged: None,
        input_tokens: None,
        output_tokens: None,
        back: Default::default(),
        bytes: 1,
        duration: 1,
        answer: None,
    })
}

fn refused(subject: &str, model: &str) -> Record {
    Record::Refused(Refused {
        request: request(3),
        at: 0,
        who: Some(who(subject)),
        from: Place { ip: None, listener: "front".into() },
        call: Some(asked(model)),
        code: "CS0301".into(),
        reason: "no policy permits it".into(),
        findings: Findings::default(),
        body: None,
    })
}

fn request(n: u8) -> RequestId {
    RequestId::new(Timestamp(1), [n; 10])
}

/// Who, what, how often, and both answers.
type Told = (String, String, u64, String, String);

/// How many questions there were, and what differs.
fn compare(records: &[Record], old: &str, new: &str) -> (u64, Vec<Told>) {
    let (old, new) = (policy(old), policy(new));
    let mut compared = Compared::default();
    for (index, record) in records.iter().enumerate() {
        compared.take(index as u64, record, &old, &new);
    }
    let differ = compared.differ.into_iter().map(|(d, (times, _))| (d.who, d.what, times, d.was, d.becomes));
    (compared.questions, differ.collect())
}

#[test]
fn what_other_policies_decide_otherwise_is_named_with_both_answers() {
    let records =
        [intent("alice", "small", ""), intent("alice", "large", ""), intent("alice", "large", ""), refused("bob", "x")];
    let new =
        format!("{STAFF} @id(\"no-large\") forbid(principal, action, resource == Countersign::Model::\"large\");");
    let (questions, differ) = compare(&records, STAFF, &new);
    assert_eq!((questions, differ.len()), (4, 1));
    let (who, what, times, was, becomes) = &differ[0];
    assert_eq!((who.as_str(), what.as_str(), *times), ("bank/alice", "ask large", 2));
    assert_eq!(was, "allow; permit `staff` at p.cedar:1");
    assert!(becomes.starts_with("deny (CS0301); forbid `no-large` at p.cedar:"), "{becomes}");
    // The other way round, and with no difference.
    assert_eq!(compare(&records, &new, STAFF).1.len(), 1);
    assert_eq!(compare(&records, &new, &new).1, []);
}

#[test]
fn a_refusal_on_record_may_become_a_permission() {
    let new = format!("{STAFF} permit(principal, action, resource);");
    let guest = |record| match record {
        Record::Refused(mut r) => {
            r.who.as_mut().unwrap().roles = [].into();
            Record::Refused(r)
        }
        other => other,
    };
    let (_, differ) = compare(&[guest(refused("eve", "small"))], STAFF, &new);
    assert_eq!((differ.len(), differ[0].4.starts_with("allow")), (1, true));
}

#[test]
fn answers_are_asked_about_with_what_was_found_and_who_answered() {
    let new = format!(
        "{STAFF} forbid(principal, action == Countersign::Action::\"receive\", resource)
           when {{ context.findings.contains(\"secret\") && context.target == \"far\" && context.time.minute == 1 }};"
    );
    let records = [
        intent("alice", "m", "secret"),
        intent("alice", "m", "secret"),
        intent("alice", "m", ""),
        outcome(0, "far"),
        outcome(1, "near"),
        outcome(2, "far"),
        // Of an intent that is not there, and of one that is over.
        outcome(9, "far"),
        outcome(0, "far"),
    ];
    let (questions, differ) = compare(&records, STAFF, &new);
    assert_eq!((questions, differ.len()), (6, 1));
    assert_eq!((differ[0].1.as_str(), differ[0].2), ("receive m", 1));
    assert!(differ[0].4.starts_with("deny (CS0303)"));
}

#[test]
fn what_is_done_to_the_gateway_is_asked_about_too_and_what_is_unknown_is_counted() {
    let changed = |action: &'static str| {
        Record::Changed(countersign_audit::record::Changed {
            request: request(4),
            at: 0,
            who: who("ada"),
            from: Place { ip: None, listener: "admin".into() },
            action: action.into(),
            what: "key_2".into(),
            was: BTreeMap::new(),
            becomes: BTreeMap::new(),
        })
    };
    let opened = Record::Opened(Opened { at: 0, origin: "o".into(), torn: None });
    let old = r#"permit(principal, action == Countersign::Action::"revokeKey", resource);"#;
    let mut compared = Compared::default();
    for record in [changed("revokeKey"), changed("somethingNew"), opened] {
        compared.take(0, &record, &policy(old), &policy(STAFF));
    }
    assert_eq!((compared.questions, compared.unknown, compared.differ.len()), (1, 1, 1));
}

#[test]
fn policies_are_read_from_a_file_or_a_folder_and_mistakes_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    put("a.cedar", STAFF);
    put("b.cedar", "forbid(principal, action, resource == Countersign::Model::\"x\");");
    put("readme.md", "no policy");
    assert_eq!((read(folder.path()).unwrap().len(), read(&folder.path().join("a.cedar")).unwrap().len()), (2, 1));
    put("b.cedar", "forbid(principal");
    let error = read(folder.path()).err().unwrap().to_string();
    assert!(error.contains("CS1002") && error.contains("b.cedar:1:"), "{error}");
    assert!(read(&folder.path().join("absent.cedar")).is_err());
}
