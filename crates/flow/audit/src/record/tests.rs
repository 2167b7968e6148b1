use countersign_core::{Channel, Format, Kind, Reproduced};
use proptest::prelude::*;

use super::*;

fn call(model: &str, tools: usize) -> Call {
    Call {
        format: Format::Chat,
        model: model.into(),
        stream: true,
        max_tokens: Some(9),
        tools: (0..tools).map(|i| format!("tool-{i}-{}", "\u{1}".repeat(90)).into()).collect(),
        attachments: 2,
    }
}

fn finding(leaf: usize) -> Finding {
    Finding {
        kind: Kind::Secret,
        rule: "secret/github-token",
        channel: Channel::ToolArguments,
        leaf,
        span: 3..leaf + 9,
        confidence: 0.75,
        digest: [leaf as u8; 8],
        reproduced: None,
    }
}

fn refused(model: &str, tools: usize, findings: usize, reason: &str) -> Record {
    let findings: Vec<_> = (0..findings).map(finding).collect();
    Record::Refused(Refused {
        request: RequestId::new(Timestamp(5_000_000), [7; 10]),
        at: 6,
        who: Some(Who {
            tenant: "acme".into(),
            subject: "u-1".into(),
            kind: "person".into(),
            roles: ["clerk".into()].into(),
            credential: "k-1".into(),
            method: "api-key".into(),
            acts: Vec::new(),
        }),
        from: Place { ip: Some([10, 0, 0, 1].into()), listener: "main".into() },
        call: Some((&call(model, tools)).into()),
        code: "CS0501".into(),
        reason: reason.to_owned(),
        findings: findings.as_slice().into(),
        body: Some(Sealed { sha256: [9; 32], bytes: 70 }),
    })
}

proptest! {
    #[test]
    fn round_trip(model in ".{0,40}", tools in 0_usize..5, findings in 0_usize..9, reason in ".{0,40}") {
        let entry = Entry { v: VERSION, record: refused(&model, tools, findings, &reason) };
        let json = serde_json::to_vec(&entry).unwrap();
        prop_assert_eq!(Entry::read(&json).unwrap(), entry);
    }

    #[test]
    fn never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Entry::read(&bytes);
    }
}

#[test]
fn the_form_is_stable() {
    let entry = Entry { v: 1, record: refused("m", 0, 1, "why") };
    assert_eq!(
        serde_json::to_string(&entry).unwrap(),
        concat!(
            r#"{"v":1,"record":{"refused":{"request":"req_00000004w80w3ge1r70w3ge1r7","at":6,"#,
            r#""who":{"tenant":"acme","subject":"u-1","kind":"person","roles":["clerk"],"credential":"k-1","method":"api-key"},"#,
            r#""from":{"ip":"10.0.0.1","listener":"main"},"#,
            r#""call":{"format":"chat","model":"m","stream":true,"max_tokens":9,"attachments":2},"#,
            r#""code":"CS0501","reason":"why","#,
            r#""findings":{"count":1,"first":[{"kind":"secret","rule":"secret/github-token","channel":"tool-arguments","leaf":0,"#,
            r#""span":[3,9],"confidence":750,"digest":"0000000000000000"}]},"#,
            r#""body":{"sha256":"0909090909090909090909090909090909090909090909090909090909090909","bytes":70}}}}"#
        )
    );
}

fn changed(value: &str) -> Record {
    let Record::Refused(of) = refused("m", 0, 0, "") else { unreachable!() };
    Record::Changed(Changed {
        request: of.request,
        at: 7,
        who: of.who.unwrap(),
        from: of.from,
        action: "liftRevocation".into(),
        what: "rev_1".into(),
        was: [("state".into(), "in force".into())].into(),
        becomes: [("state".into(), value.into())].into(),
    })
}

#[test]
fn a_change_says_what_it_was_and_what_it_becomes() {
    let entry = Entry { v: VERSION, record: changed("lifted") };
    let json = serde_json::to_string(&entry).unwrap();
    let end = r#""action":"liftRevocation","what":"rev_1","was":{"state":"in force"},"becomes":{"state":"lifted"}}}}"#;
    assert!(json.ends_with(end), "{json}");
    assert_eq!(Entry::read(json.as_bytes()).unwrap(), entry);
}

#[test]
fn the_longest_entry_fits_a_bundle() {
    let mut record = refused(&"\u{1}".repeat(500), 5_000, 5_000, &"\u{1}".repeat(512));
    let reproduced = Some(Reproduced { source: "\u{1}".repeat(500).into(), words: u32::MAX });
    let finding = |leaf| Finding { reproduced: reproduced.clone(), ..finding(leaf) };
    if let Record::Refused(refused) = &mut record {
        refused.findings = (0..5_000).map(finding).collect::<Vec<_>>().as_slice().into();
    }
    let json = serde_json::to_vec(&Entry { v: VERSION, record }).unwrap();
    assert!(json.len() <= crate::frame::MAX_ENTRY, "{}", json.len());
}

#[test]
fn a_registered_text_is_named_with_how_much_of_it_was_reproduced() {
    let reproduced = Some(Reproduced { source: "terms: lending.txt".into(), words: 40 });
    let findings = Findings::from(&[Finding { reproduced, ..finding(0) }][..]);
    let json = serde_json::to_string(&findings).unwrap();
    assert!(json.ends_with(r#""digest":"0000000000000000","source":"terms: lending.txt","words":40}]}"#), "{json}");
    assert_eq!(serde_json::from_str::<Findings>(&json).unwrap(), findings);
}

#[test]
fn a_newer_entry_is_named_as_such() {
    assert!(matches!(Entry::read(br#"{"v":2,"what":"unheard of"}"#), Err(BadEntry::Newer(2))));
    assert!(matches!(Entry::read(br#"{"v":1,"what":"unheard of"}"#), Err(BadEntry::Form)));
}

#[test]
fn clipping_keeps_characters_whole() {
    assert_eq!(&*clip(&"äöü".into(), 3), "ä");
}

#[test]
fn a_token_is_named_by_issuer_subject_and_a_hash_of_its_id() {
    let claims = |id: Option<&str>| countersign_core::Claims {
        issuer: "bank".into(),
        subject: "u-1".into(),
        client: None,
        scopes: Vec::new(),
        roles: Vec::new(),
        groups: countersign_core::Groups::Listed(Vec::new()),
        acr: None,
        amr: Vec::new(),
        auth_time: None,
        id: id.map(Into::into),
        session: None,
        confirmation: None,
        issued: Timestamp(0),
        expires: Timestamp(1),
        acts: Vec::new(),
        extra: Vec::new(),
    };
    let who = |claims| -> Who {
        (&Principal {
            tenant: "acme".into(),
            subject: "bank/u-1".into(),
            kind: countersign_core::principal::PrincipalKind::Person,
            roles: [].into(),
            scopes: [].into(),
            credential: "token:bank/u-1".into(),
            method: countersign_core::principal::Method::AccessToken,
            claims: Some(Arc::new(claims)),
            session: None,
            lease: Arc::new(countersign_core::Lease::new(None)),
        })
            .into()
    };
    // The first eight bytes of the SHA-256 of `abc` (FIPS 180-4).
    assert_eq!(&*who(claims(Some("abc"))).credential, "token:bank/u-1#ba7816bf8f01cfea");
    assert_eq!(&*who(claims(None)).credential, "token:bank/u-1");
}
