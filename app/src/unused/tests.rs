use std::sync::Arc;

use countersign_audit::record::{self, Answered, Asked, Intent, Place};
use countersign_core::{RequestId, principal::PrincipalKind};

use super::*;

const FROM: Timestamp = Timestamp(1_000);
const NOW: Timestamp = Timestamp(9_000);

fn who(credential: &str, roles: &[&str]) -> Who {
    Who {
        tenant: "bank".into(),
        subject: "ann".into(),
        kind: "person".into(),
        roles: roles.iter().map(|role| Arc::from(*role)).collect(),
        credential: credential.into(),
        method: "api-key".into(),
        acts: Vec::new(),
    }
}

fn place() -> Place {
    Place { ip: None, listener: "inside".into() }
}

fn asked(at: u64, who: Who, model: &str, permit: &'static str) -> Record {
    let call = Asked {
        format: "chat".into(),
        model: model.into(),
        stream: false,
        max_tokens: None,
        tools: Vec::new(),
        tools_in_all: None,
        attachments: 0,
    };
    Record::Intent(Intent {
        request: RequestId::new(Timestamp(at), [0; 10]),
        at,
        who,
        from: place(),
        call,
        permit: permit.into(),
        findings: Default::default(),
        taint: None,
        spotlight: None,
        charge: Default::default(),
        conversation: None,
        values: 0,
        body: None,
    })
}

fn key(id: &str, scopes: &[&str]) -> KeyRecord {
    KeyRecord {
        id: id.into(),
        hash: [0; 32],
        tenant: "bank".into(),
        subject: "ann".into(),
        kind: PrincipalKind::Person,
        roles: vec!["staff".into()],
        scopes: scopes.iter().map(|scope| Arc::from(*scope)).collect(),
        created: Timestamp(0),
        expires: None,
        revoked_at: None,
        note: String::new(),
    }
}

fn report(records: &[Record], keys: &[KeyRecord], given: &Given) -> Vec<String> {
    let mut uses = Uses::default();
    for record in records {
        uses.take(record, FROM);
    }
    let unused = uses.unused(&Held { keys, cases: &[], given }, FROM, NOW);
    unused.into_iter().map(|one| format!("{} {}", one.kind, one.permission)).collect()
}

#[test]
fn what_is_on_record_was_used_and_the_rest_is_named() {
    let given = Given {
        roles: ["teller", "auditor"].map(String::from).into(),
        policies: ["staff may ask", "night shift"].map(String::from).into(),
        listeners: Vec::new(),
    };
    let keys = [
        key("key_1", &["model:small", "model:large", "format:chat"]),
        key("key_2", &[]),
        key("key_3", &[]),
        KeyRecord { revoked_at: Some(Timestamp(5)), ..key("key_4", &[]) },
        KeyRecord { expires: Some(NOW), ..key("key_5", &[]) },
    ];
    let answered = Record::Answered(Answered {
        request: RequestId::new(NOW, [0; 10]),
        at: 2_000,
        who: who("key_3", &[]),
        from: place(),
        what: "models".into(),
        findings: record::Findings::default(),
    });
    let records = [
        asked(2_000, who("key_1", &["staff"]), "small", "staff may ask"),
        asked(2_000, who("token:entra/u#ab12", &["teller"]), "small", "staff may ask, other"),
        // Before the time that is looked at.
        asked(999, who("key_2", &["auditor"]), "large", "night shift"),
        answered,
    ];
    assert_eq!(
        report(&records, &keys, &given),
        [
            "scope model:large of key_1 of bank/ann",
            "key key_2 of bank/ann (staff)",
            "role auditor",
            "policy night shift"
        ]
    );
    assert_eq!(report(&[], &[], &Given::default()), Vec::<String>::new());
}
