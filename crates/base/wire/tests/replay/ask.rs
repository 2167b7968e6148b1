//! Any bytes as a request, as an answer, as a verdict, and as texts to be looked at. The first byte chooses the format.

use bytes::Bytes;
use countersign_core::{Document, Edit, Format, RequestId, Timestamp};
use countersign_wire::{
    Answer, Ask, Limits,
    anonymize::Anonymize,
    inspect::{Inspect, Shape, Verdict},
    json::Doc,
    second,
};

/// Reads; a body whose every leaf was replaced is still JSON, and no leaf of it is left.
///
/// # Panics
/// When that is not so.
pub(crate) fn check(data: &[u8]) {
    let Some((way, body)) = data.split_first() else { return };
    let format = Format::ALL[usize::from(way.wrapping_sub(b'a')) % Format::ALL.len()];
    let (body, limits) = (Bytes::copy_from_slice(body), Limits::default());
    if let Ok(ask) = Ask::read(format, body.clone(), &limits) {
        replaced(&ask.document);
        marked(format, &ask);
        let bare = ask.without_logprobs(format, &limits).expect("what asks for no probabilities is still a request");
        assert!(!bare.logprobs && (ask.logprobs || bare.document.bytes() == ask.document.bytes()));
    }
    for shape in [Shape::Guard, Shape::Moderations, Shape::Analyze] {
        if let Ok(asked) = Inspect::read(shape, &body, &limits) {
            asked.texts.iter().flat_map(|text| &text.parts).for_each(|part| replaced(&part.document));
            let verdicts: Vec<Verdict> = asked.texts.iter().map(|_| Verdict::default()).collect();
            let said = asked.answer(&verdicts, RequestId::new(Timestamp(1), [1; 10]));
            Doc::read(&said, &limits).expect("what is said is JSON");
        }
    }
    if let Ok(asked) = Anonymize::read(&body, &limits)
        && let Ok(said) = asked.answer("salt", |_, parts| parts.len().to_string())
    {
        Doc::read(&said, &limits).expect("what is said is JSON");
    }
    let _ = second::opinion(&body);
    if let Ok(answer) = Answer::read(format, body, &limits) {
        replaced(&answer.document);
    }
}

/// Where text can be marked, there is room for a notice; what was marked is still a request in the format, with the same texts.
fn marked(format: Format, ask: &Ask) {
    if ask.room.texts.is_empty() {
        return;
    }
    let mark = |leaf: &usize| Edit { leaf: *leaf, span: 0..0, with: "\u{e400}".into() };
    let edits: Vec<Edit> = ask.room.texts.iter().map(mark).collect();
    let gap = ask.room.notice.as_ref().expect("there is room for a notice");
    let bytes = ask.document.edited_with(&edits, Some((gap, "\u{e400}a \"notice\""))).expect("there is room for marks");
    let limits = Limits { body: bytes.len(), nodes: usize::MAX, ..Limits::default() };
    let again = Ask::read(format, bytes, &limits).expect("what was marked is still a request");
    assert_eq!(again.room.texts.len(), ask.room.texts.len());
    let bare = again.document.without(&['\u{e400}']).expect("there are marks");
    for (before, after) in ask.room.texts.iter().zip(&again.room.texts) {
        assert_eq!(ask.document.text(*before).replace('\u{e400}', ""), bare.text(*after));
    }
}

fn replaced(document: &Document) {
    let edits: Vec<Edit> = document
        .leaves()
        .enumerate()
        // Names made alike would be twins.
        .map(|(leaf, l)| Edit { leaf, span: 0..l.text.len(), with: format!("\"\n{leaf}") })
        .collect();
    let bytes = document.edited(&edits).expect("the leaves can be replaced");
    Doc::read(&bytes, &Limits::default()).expect("what was edited is still JSON");
}
