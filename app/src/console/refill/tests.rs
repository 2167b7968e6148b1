use countersign_audit::record::{Intent, Opened, Outcome as Ended, Place, Refused};

use super::*;

fn id(n: u64) -> RequestId {
    RequestId::new(Timestamp(n * 1000), [0; 10])
}

fn who() -> Named {
    Named {
        tenant: "acme".into(),
        subject: "<script>".into(),
        kind: "person".into(),
        roles: [].into(),
        credential: "key_1".into(),
        method: "api-key".into(),
        acts: Vec::new(),
    }
}

fn opened() -> Record {
    Record::Opened(Opened { at: 0, origin: "node".into(), torn: None })
}

fn refused(n: u64) -> Record {
    Record::Refused(Refused {
        request: id(n),
        at: n,
        who: Some(who()),
        from: Place { ip: None, listener: "main".into() },
        call: None,
        code: "CS0501".into(),
        reason: "no".into(),
        findings: Findings::default(),
        body: None,
    })
}

#[test]
fn a_request_is_told_when_its_outcome_is_and_only_of_the_time_before_the_start() {
    let mut rows = Rows::default();
    let mut intent: Intent = serde_json::from_value(serde_json::json!({
        "request": id(1).to_string(), "at": 1, "who": who(), "from": {"listener": "main"},
        "call": {"format": "chat", "model": "small", "stream": false, "attachments": 0}, "permit": "all"
    }))
    .unwrap();
    intent.findings = Findings::default();
    let outcome: Ended = serde_json::from_value(serde_json::json!({
        "request": id(1).to_string(), "intent": 1, "at": 9, "tenant": "acme", "status": 200, "target": "local",
        "upstream_called": true, "bytes": 5, "duration": 8
    }))
    .unwrap();
    rows.take(0, opened());
    rows.take(1, Record::Intent(intent));
    assert!(rows.done.is_empty());
    rows.take(2, Record::Outcome(outcome.clone()));
    // Its intent is in a file that was not read.
    rows.take(3, Record::Outcome(Ended { intent: 77, ..outcome }));
    rows.take(4, refused(2));
    rows.take(5, opened());
    rows.take(6, refused(3));
    assert_eq!((rows.done.len(), rows.before), (3, 2));
    let (one, two) = (&rows.done[0], &rows.done[1]);
    assert_eq!(
        (one.outcome, one.model.as_deref(), one.target.as_deref(), one.took),
        (Outcome::Answered, Some("small"), Some("local"), 8)
    );
    assert_eq!((two.outcome, two.code), (Outcome::Refused, Some(Code::PromptRefused)));
    assert!(rows.left.is_empty() && one.record == Some(1));
}
