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
