use super::*;

fn slot(span: Range<usize>, decoded: Option<&str>, kind: SlotKind) -> Slot {
    let decoded = decoded.map(Into::into);
    Slot { span, decoded, kind, channel: Channel::User, trust: Trust::Caller, grows: None, call: None }
}

#[test]
fn edits_are_spliced_and_escaped_and_the_rest_is_kept() {
    let bytes = Bytes::from_static(br#"{"a": "x\ny", "n":123456789 , "b":"plain"}"#);
    let slots = vec![
        slot(7..11, Some("x\ny"), SlotKind::Text),
        slot(18..27, None, SlotKind::Number),
        slot(35..40, None, SlotKind::Text),
    ];
    let doc = Document::new(bytes.clone(), slots).unwrap();
    assert_eq!(doc.edited(&[]).unwrap(), bytes);
    let edits = [Edit { leaf: 1, span: 0..9, with: "[n]".into() }, Edit { leaf: 0, span: 2..3, with: "\"z\"".into() }];
    assert_eq!(doc.edited(&edits).unwrap(), Bytes::from_static(br#"{"a": "x\n\"z\"", "n":"[n]" , "b":"plain"}"#));
}

#[test]
fn what_does_not_hold_together_is_an_error() {
    let bytes = Bytes::from_static("\"é\"".as_bytes());
    assert!(Document::new(bytes.clone(), vec![slot(1..9, None, SlotKind::Text)]).is_err());
    assert!(Document::new(bytes.clone(), vec![slot(1..2, None, SlotKind::Text)]).is_err());
    let doc = Document::new(bytes, vec![slot(1..3, None, SlotKind::Text)]).unwrap();
    for (leaf, span) in [(1, 0..1), (0, 0..1), (0, 0..9)] {
        assert!(doc.edited(&[Edit { leaf, span, with: String::new() }]).is_err());
    }
    let twice = Edit { leaf: 0, span: 0..2, with: String::new() };
    assert!(doc.edited(&[twice.clone(), twice]).is_err());
}

#[test]
fn something_is_said_in_a_gap_beside_edits() {
    let bytes = Bytes::from_static(br#"{"a":"one","b":"two"}"#);
    let doc = Document::new(bytes, vec![slot(6..9, None, SlotKind::Text), slot(16..19, None, SlotKind::Text)]).unwrap();
    let edit = |leaf| Edit { leaf, span: 0..3, with: "x".into() };
    let say = |at, edits: &[Edit]| {
        let gap = Gap { at, before: "<", after: ">" };
        doc.edited_with(edits, Some((&gap, "\"!"))).ok().map(|b| String::from_utf8(b.to_vec()).unwrap())
    };
    for edits in [&[][..], &[edit(0)], &[edit(0), edit(1)]] {
        let plain = String::from_utf8(doc.edited(edits).unwrap().to_vec()).unwrap();
        for (at, around) in [(1..1, "{"), (10..10, "\""), (20..20, "\"}")] {
            let said = say(at, edits).unwrap();
            assert_eq!(said.replacen("<\\\"!>", "", 1), plain);
            assert!(said.contains(&format!("{}<", &around[..1])), "{said}");
        }
    }
    assert_eq!(say(0..21, &[]).unwrap(), "<\\\"!>", "a gap may take the place of something");
    assert_eq!(say(7..7, &[edit(0)]), None);
    assert_eq!(say(22..22, &[]), None);
}

#[test]
fn characters_are_taken_out_wherever_they_are_written() {
    let bytes = Bytes::from("{\"a\": \"x\\ue4ffy\u{e400}\", \"k\u{e400}\":123456789 , \"b\":\"plain\"}");
    let slots = vec![
        slot(7..18, Some("x\u{e4ff}y\u{e400}"), SlotKind::Text),
        slot(22..26, None, SlotKind::Key),
        slot(28..37, None, SlotKind::Number),
        slot(45..50, None, SlotKind::Text),
    ];
    let doc = Document::new(bytes, slots).unwrap();
    assert!(doc.without(&[]).is_none() && doc.without(&['\u{e401}']).is_none());
    let rest = doc.without(&['\u{e400}', '\u{e4ff}']).unwrap();
    assert_eq!(rest.bytes(), &Bytes::from_static(br#"{"a": "xy", "k":123456789 , "b":"plain"}"#));
    assert_eq!((0..4).map(|i| rest.text(i)).collect::<Vec<_>>(), ["xy", "k", "123456789", "plain"]);
    assert!(Document::new(rest.bytes().clone(), rest.slots().to_vec()).is_ok());
    let edit = Edit { leaf: 3, span: 0..5, with: "z".into() };
    assert!(rest.edited(&[edit]).unwrap().ends_with(br#""b":"z"}"#));
}
