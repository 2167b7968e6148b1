//! Registered texts in answers: the same verdict whole and in a stream, however it is cut, and never more held than must be.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use countersign_core::{
    Action, Channel, Code, Document, Finding, Judge, Secret, Side, Slot, SlotKind, Timestamp, Trust, life::Released,
};
use countersign_prints::{Builder, Index, Key, RUN, Shape, Source};

use crate::{
    Config,
    testing::{Stage, judge_all, readmitted},
};

const NOW: Timestamp = Timestamp(1);

const TERMS: &str = "Loans above four million need two signatures from the committee, one of them from outside the branch that proposed it. \
    Where turnover falls in two quarters running, the officer in charge lowers the ceiling by a third and writes to the owner within nine \
    working days.";

const BEFORE: &str = "Of course. Here is what I was able to find about it: ";

fn stage(source: impl FnOnce(Vec<u8>) -> Box<dyn Source>) -> Stage {
    let key = Key::new(&Secret::new([3; 32]));
    let mut builder = Builder::new(&key, Shape::Passages, "rules", Vec::new(), Vec::new()).unwrap();
    builder.add("terms.txt", TERMS).unwrap();
    let index = Index::open(source(builder.finish().unwrap().1), &[key]).unwrap();
    Stage::new(Config { registered: vec![Arc::new(index)], ..Config::default() })
}

fn slot(text: &str, grows: Option<u32>) -> Slot {
    let span = 0..text.len();
    Slot {
        span,
        decoded: None,
        kind: SlotKind::Text,
        channel: Channel::Assistant,
        trust: Trust::Model,
        grows,
        call: None,
    }
}

fn document(text: &str, grows: Option<u32>) -> Document {
    Document::new(text.as_bytes().to_vec().into(), vec![slot(text, grows)]).unwrap()
}

/// What comes of a stream that is cut every `size` bytes: what reached the caller, whether it was ended, what was found, and the most
/// that was held.
fn stream(stage: &Stage, judge: Arc<dyn Judge>, text: &str, size: usize) -> (String, bool, Vec<Finding>, usize) {
    let mut watch = stage.guard.watch(readmitted(stage, judge, ""));
    let (mut bytes, mut ended, mut held) = (Vec::new(), false, 0);
    let pieces: Vec<&[u8]> = text.as_bytes().chunks(size).collect();
    for (at, piece) in pieces.iter().enumerate() {
        watch.push(document(std::str::from_utf8(piece).unwrap(), Some(0)));
        let step = if at + 1 == pieces.len() { watch.finish(NOW) } else { watch.settle(NOW) };
        bytes.extend(step.released.map(Released::into_bytes).unwrap_or_default());
        ended |= step.ended.is_some();
        held = held.max(watch.held());
    }
    (String::from_utf8(bytes).unwrap(), ended, watch.findings().to_vec(), held)
}

fn whole(stage: &Stage, judge: Arc<dyn Judge>, text: &str) -> Option<(String, Vec<Finding>)> {
    let released = stage.guard.release_whole(&readmitted(stage, judge, ""), &document(text, None), NOW);
    released.ok().map(|(released, found)| (String::from_utf8(released.into_bytes().to_vec()).unwrap(), found))
}

/// Masks what is longer than so many words.
struct Beyond(u32);

impl Judge for Beyond {
    fn judge(&self, _: Side, finding: &Finding) -> Action {
        let long = finding.reproduced.as_ref().is_some_and(|it| it.words > self.0);
        if long { Action::Mask } else { Action::Allow }
    }
}

#[test]
fn a_registered_text_is_masked_alike_whole_and_however_a_stream_is_cut() {
    let stage = stage(|bytes| Box::new(bytes));
    let text = format!("{BEFORE}{TERMS} Shall I say more?");
    let (masked, found) = whole(&stage, judge_all(Action::Mask), &text).unwrap();
    assert_eq!(masked, format!("{BEFORE}[masked:document-leak]. Shall I say more?"));
    let it = found.first().and_then(|f| f.reproduced.clone()).unwrap();
    assert_eq!((&*it.source, it.words, found.len()), ("rules: terms.txt", 46, 1));
    for size in [1, 2, 3, 5, 8, 13, 40, 1000] {
        let (told, ended, streamed, held) = stream(&stage, judge_all(Action::Mask), &text, size);
        assert_eq!((told, ended), (masked.clone(), false), "{size}");
        assert_eq!(streamed.first().map(|f| (&f.reproduced, &f.span)), found.first().map(|f| (&f.reproduced, &f.span)));
        assert!(held < 200 + size, "{held} bytes are held");
    }
}

#[test]
fn up_to_the_length_that_policy_allows_a_text_is_quoted() {
    let stage = stage(|bytes| Box::new(bytes));
    let quote = TERMS.split(' ').take(24).collect::<Vec<_>>().join(" ");
    let (text, all) = (format!("{BEFORE}{quote}, and so on."), format!("{BEFORE}{TERMS}"));
    let beyond: Arc<dyn Judge> = Arc::new(Beyond(24));
    assert_eq!(whole(&stage, beyond.clone(), &text).unwrap().0, text);
    let (masked, _) = whole(&stage, beyond.clone(), &all).unwrap();
    assert_eq!(masked, format!("{BEFORE}{quote}[masked:document-leak]."));
    for size in [1, 7, 50] {
        assert_eq!(stream(&stage, beyond.clone(), &text, size).0, text);
        assert_eq!(stream(&stage, beyond.clone(), &all, size).0, masked);
        let (told, ended, ..) = stream(&stage, judge_all(Action::Cut), &all, size);
        assert!(ended && BEFORE.starts_with(&told), "not a word of it has left: {told}");
    }
}

#[test]
fn ordinary_text_is_held_for_less_than_a_run_of_words() {
    let stage = stage(|bytes| Box::new(bytes));
    let text = "The weather in the hills is mild for most of the year, and visitors are advised to bring a coat all the same. ".repeat(40);
    let (told, ended, found, held) = stream(&stage, judge_all(Action::Cut), &text, 1);
    assert_eq!((told, ended, found), (text, false, vec![]));
    assert!(held <= RUN * 9, "{held}");
}

#[test]
fn encoded_it_is_found_with_its_length() {
    let stage = stage(|bytes| Box::new(bytes));
    let text = format!("{BEFORE}{} and that is all", data_encoding::BASE64.encode(TERMS.as_bytes()));
    let (masked, found) = whole(&stage, Arc::new(Beyond(40)), &text).unwrap();
    assert!(masked.contains("[masked:document-leak]"), "{masked}");
    assert_eq!(found.first().and_then(|f| f.reproduced.as_ref()).map(|it| it.words), Some(46));
}

/// Bytes that cannot be read any more once they have been opened.
struct Failing(Vec<u8>, Arc<AtomicBool>);

impl Source for Failing {
    fn len(&self) -> u64 {
        self.0.len() as u64
    }

    fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<()> {
        if self.1.load(Ordering::Relaxed) { Err(io::ErrorKind::Other.into()) } else { self.0.read_at(at, into) }
    }
}

#[test]
fn where_an_index_cannot_be_read_nothing_that_it_might_know_passes() {
    let gone = Arc::new(AtomicBool::new(false));
    let stage = stage(|bytes| Box::new(Failing(bytes, gone.clone())));
    gone.store(true, Ordering::Relaxed);
    let text = format!("{BEFORE}{TERMS}");
    for action in [Action::Allow, Action::Mask] {
        let refused =
            stage.guard.release_whole(&readmitted(&stage, judge_all(action), ""), &document(&text, None), NOW);
        assert_eq!(refused.unwrap_err().refusal.code, Code::AnswerRefused);
        let (told, ended, ..) = stream(&stage, judge_all(action), &text, 6);
        assert!(ended && !told.contains("Loans"), "{told}");
    }
    // What reminds of nothing is not asked about.
    assert!(whole(&stage, judge_all(Action::Mask), BEFORE).is_some());
}
