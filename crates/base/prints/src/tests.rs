use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use countersign_core::Secret;
use proptest::prelude::*;

use super::*;
use crate::words::Words;

pub(crate) fn key() -> Key {
    Key::new(&Secret::new([7; 32]))
}

pub(crate) fn built(shape: Shape, texts: &[(&str, &str)]) -> Vec<u8> {
    let mut builder = Builder::new(&key(), shape, "set", Vec::new(), Vec::new()).unwrap();
    for (name, text) in texts {
        builder.add(name, text).unwrap();
    }
    builder.finish().unwrap().1
}

fn index(shape: Shape, texts: &[(&str, &str)]) -> Index {
    Index::open(Box::new(built(shape, texts)), &[key()]).unwrap()
}

/// What is found in a text that arrives in pieces cut at `cuts`, as spans of it. Checks that nothing is reported before what was open.
fn found(index: &Index, text: &str, cuts: &[usize]) -> Vec<Match> {
    let (mut trail, mut words, mut open, mut out) = (Trail::new(index), Words::default(), 0, Vec::<Match>::new());
    let (view, _) = view::view(text);
    let mut ends: Vec<usize> = cuts.iter().map(|cut| cut % (view.len() + 1)).collect();
    ends.sort_unstable();
    ends.push(view.len());
    for (at, end) in ends.iter().enumerate() {
        words.read(&view[..*end], at + 1 == ends.len(), |word| {
            if let Some(it) = trail.push(word, index).unwrap() {
                assert!(it.span.start >= open, "{it:?} begins before {open}");
                out.push(it);
            }
        });
        open = trail.open().min(words.open());
    }
    out
}

/// Whole passages: span, words and source.
fn passages(index: &Index, text: &str) -> Vec<(std::ops::Range<usize>, u32, String)> {
    let mut all: Vec<(std::ops::Range<usize>, u32, String)> = Vec::new();
    for it in found(index, text, &[]) {
        match all.last_mut().filter(|_| it.more) {
            Some(last) => (last.0.end, last.1) = (it.span.end, it.words),
            None => all.push((it.span, it.words, it.source.to_string())),
        }
    }
    all
}

/// Words that say nothing, none twice.
fn words(seed: u64, count: usize) -> Vec<String> {
    (0..count as u64).map(|n| format!("w{:x}", words::mix(seed << 32 | n))).collect()
}

#[test]
fn a_passage_is_found_with_its_length_and_its_document() {
    let (a, b) = (words(1, 300).join(" "), words(2, 300).join(" "));
    let index = index(Shape::Passages, &[("a.txt", &a), ("b.txt", &b)]);
    assert_eq!((index.units(), index.shape()), (2, Shape::Passages));
    let piece = words(2, 300)[100..140].join(" ");
    let text = format!("As it says: {piece} and nothing else");
    assert_eq!(passages(&index, &text), [(12..12 + piece.len(), 40, "set: b.txt".to_owned())]);
    assert_eq!(passages(&index, &words(3, 300).join(" ")), []);
}

#[test]
fn what_a_run_is_dressed_in_makes_no_difference() {
    let text = "The lender may at any time and without notice reduce the facility where, in its sole opinion, the borrower's \
        turnover has fallen below four million euros in two consecutive quarters.";
    let index = index(Shape::Passages, &[("terms", text)]);
    let all = passages(&index, text)[0].1;
    assert_eq!(all, 31);
    for dressed in [
        text.to_uppercase(),
        text.replace(' ', "\n> "),
        text.replace([',', '.', '\''], " "),
        text.replace(' ', " \u{200b}* "),
        text.replace(' ', "\u{a0}"),
        text.chars().flat_map(|c| [c, '\u{200d}']).collect(),
        text.chars()
            .map(|c| if c.is_ascii_lowercase() { char::from_u32(c as u32 - 97 + 0x1d41a).unwrap() } else { c })
            .collect(),
        text.replace('o', "\\u006f"),
    ] {
        assert_eq!(passages(&index, &dressed).first().map(|p| p.1), Some(all), "{dressed}");
    }
}

#[test]
fn few_changes_do_not_hide_a_passage_and_many_do() {
    let whole = words(1, 300);
    let index = index(Shape::Passages, &[("a", &whole.join(" "))]);
    let change = |every: usize| -> u32 {
        let text: Vec<String> =
            whole.iter().enumerate().map(|(n, w)| if n % every == 0 { format!("x{n}") } else { w.clone() }).collect();
        passages(&index, &text.join(" ")).iter().map(|p| p.1).sum()
    };
    assert!(change(20) > 240, "{}", change(20));
    assert!(change(10) > 200, "{}", change(10));
    assert_eq!(change(6), 0, "no group of six is left");
    // Sentences in another order are still of the same document.
    let shuffled: Vec<String> = whole.chunks(20).rev().map(|s| s.join(" ")).collect();
    let found = passages(&index, &shuffled.join(" "));
    assert!(found.iter().map(|p| p.1).sum::<u32>() > 280, "{found:?}");
}

#[test]
fn boilerplate_says_nothing() {
    let clause = words(9, 40).join(" ");
    let texts: Vec<(String, String)> = (0..50)
        .map(|n| (n.to_string(), format!("{} {clause} {}", words(n, 60).join(" "), words(n + 99, 60).join(" "))))
        .collect();
    let texts: Vec<(&str, &str)> = texts.iter().map(|(n, t)| (n.as_str(), t.as_str())).collect();
    let index = index(Shape::Passages, &texts);
    assert_eq!(passages(&index, &clause), []);
    assert_eq!(passages(&index, &words(7, 60).join(" ")).len(), 1);
    let mut builder = Builder::new(&key(), Shape::Passages, "s", Vec::new(), Vec::new()).unwrap();
    for (name, text) in &texts {
        assert_eq!(builder.add(name, text).unwrap(), Added::Registered);
    }
    assert_eq!(builder.add("again", texts[0].1).unwrap(), Added::Known);
    assert_eq!(builder.add("short", &words(5, RUN - 1).join(" ")).unwrap(), Added::TooShort);
    let (built, bytes) = builder.finish().unwrap();
    assert!(built.common > 0 && built.units == 50 && built.bytes == bytes.len() as u64, "{built:?}");
}

const RECORDS: &str = "id,name,iban,city\n\
    4711001,Anna Schmidt,DE89370400440532013000,Bonn\n\
    4711002,Bartholomew Featherstone,GB29NWBK60161331926819,Leeds\n\
    4711003,Chiara Lombardi,IT60X0542811101000000123456,Torino";

#[test]
fn a_record_is_found_by_two_fields_in_any_order() {
    let lines: Vec<(String, &str)> =
        RECORDS.lines().enumerate().map(|(n, l)| (format!("crm.csv:{}", n + 1), l)).collect();
    let lines: Vec<(&str, &str)> = lines.iter().map(|(n, l)| (n.as_str(), *l)).collect();
    let index = index(Shape::Records, &lines);
    for (text, want) in [
        ("IBAN: GB29NWBK60161331926819 (holder: bartholomew FEATHERSTONE)", Some("set: crm.csv:3")),
        ("Name: Chiara Lombardi\nAccount: IT60X0542811101000000123456", Some("set: crm.csv:4")),
        ("customer 4711001 is called Anna Schmidt", Some("set: crm.csv:2")),
        ("Anna Schmidt is a common name, and so is Chiara Lombardi", None),
        ("the account DE89370400440532013000 is in Bonn", None),
        ("4711001 is the number, and 4711002 the next", None),
    ] {
        let found = passages(&index, text);
        assert_eq!(found.first().map(|f| f.2.as_str()), want, "{text}: {found:?}");
    }
    // Each of a list is found.
    let list = "Anna Schmidt DE89370400440532013000, Bartholomew Featherstone GB29NWBK60161331926819, Chiara Lombardi \
        IT60X0542811101000000123456";
    let found = passages(&index, list);
    assert_eq!(found.iter().map(|f| &list[f.0.clone()]).collect::<Vec<_>>(), list.split(", ").collect::<Vec<_>>());
}

#[test]
fn an_index_that_is_not_as_it_was_made_is_refused() {
    let bytes = built(Shape::Passages, &[("a", &words(1, 60).join(" "))]);
    assert!(Index::open(Box::new(bytes.clone()), &[Key::new(&Secret::new([8; 32])), key()]).is_ok());
    for at in 0..bytes.len() {
        let mut bad = bytes.clone();
        bad[at] ^= 1;
        assert!(Index::open(Box::new(bad), &[key()]).is_err(), "byte {at}");
        assert!(Index::open(Box::new(bytes[..at].to_vec()), &[key()]).is_err(), "cut at {at}");
    }
    let longer = [bytes.as_slice(), &[0]].concat();
    assert!(Index::open(Box::new(longer), &[key()]).is_err());
    let other = Index::open(Box::new(bytes.clone()), &[Key::new(&Secret::new([8; 32]))]);
    assert!(matches!(other, Err(IndexError::OtherKey)));
    let body = &bytes[..bytes.len() - key::ID - format::CODE];
    assert_eq!(key().close(body), bytes);
    let mut newer = body.to_vec();
    let at = body.len() - format::FOOTER;
    newer[at] = 2;
    assert!(matches!(Index::open(Box::new(key().close(&newer)), &[key()]), Err(IndexError::Version(2))));
}

#[test]
fn an_index_tells_nothing_without_its_key() {
    let text = words(1, 200).join(" ");
    let [mine, theirs] = [7, 8].map(|byte| {
        let mut builder =
            Builder::new(&Key::new(&Secret::new([byte; 32])), Shape::Passages, "s", Vec::new(), Vec::new()).unwrap();
        builder.add("a", &text).unwrap();
        // The same words at another place have other checks.
        builder.add("b", &format!("before {text}")).unwrap();
        builder.finish().unwrap().1
    });
    let words = 200;
    let checks = |bytes: &[u8], at: usize| bytes[8 + at..8 + at + words].to_vec();
    let same = |a: &[u8], b: &[u8]| a.iter().zip(b).filter(|(a, b)| a == b).count();
    assert!(same(&checks(&mine, 0), &checks(&theirs, 0)) < 10);
    assert!(same(&checks(&mine, 0), &checks(&mine, words + 1)) < 10);
}

#[test]
fn a_document_costs_little_memory() {
    let texts: Vec<(String, String)> = (0..300).map(|n| (n.to_string(), words(n, 360).join(" "))).collect();
    let texts: Vec<(&str, &str)> = texts.iter().map(|(n, t)| (n.as_str(), t.as_str())).collect();
    let index = index(Shape::Passages, &texts);
    // As many words as 2 KB of English have.
    let each = index.resident() / index.units() as usize;
    assert!(each <= 150, "{each} bytes a document");
}

/// Bytes that cannot be read any more once they have been opened.
struct Failing(Vec<u8>, Arc<AtomicBool>);

impl Source for Failing {
    fn len(&self) -> u64 {
        self.0.len() as u64
    }

    fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<()> {
        if self.1.load(Ordering::Relaxed) { Err(torn()) } else { self.0.read_at(at, into) }
    }
}

#[test]
fn what_cannot_be_read_is_no_clean_text() {
    let text = words(1, 60).join(" ");
    let gone = Arc::new(AtomicBool::new(false));
    let source = Failing(built(Shape::Passages, &[("a", &text)]), gone.clone());
    let index = Index::open(Box::new(source), &[key()]).unwrap();
    gone.store(true, Ordering::Relaxed);
    let mut trail = Trail::new(&index);
    assert!(words_of(&text).iter().any(|word| trail.push(word, &index).is_err()));
}

#[test]
fn a_long_answer_is_held_no_longer_than_a_short_one() {
    let text = words(1, 4000).join(" ");
    let index = index(Shape::Passages, &[("a", &text)]);
    // Followed all along, restarted at every turn, and never open for more than a row of words.
    let long = text.repeat((1 << 20) / text.len());
    let (mut trail, mut words, mut held) = (Trail::new(&index), Words::default(), 0);
    words.read(long.as_bytes(), true, |word| {
        trail.push(word, &index).unwrap();
        held = held.max(word.end - trail.open().min(word.end));
    });
    assert!(held < RUN * 24, "{held}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_run_is_found_wherever_it_stands_and_however_the_text_is_cut(
        doc in 40usize..200, at in 0usize..1000, run in RUN..40, before in 0usize..40, after in 0usize..20, cuts in prop::collection::vec(0usize..4000, 0..6),
    ) {
        let (doc, run) = (words(1, doc), run);
        let at = at % (doc.len() - run + 1);
        let index = index(Shape::Passages, &[("other", &words(5, 90).join(" ")), ("doc", &doc.join(" "))]);
        let text = [words(2, before), doc[at..at + run].to_vec(), words(3, after)].concat().join(" ");
        let whole = found(&index, &text, &[]);
        prop_assert_eq!(&found(&index, &text, &cuts), &whole);
        prop_assert_eq!(whole.first().map(|m| m.words >= RUN as u32 && &*m.source == "set: doc"), Some(true));
        // Of the words behind a run, one in 256 is taken for the document's.
        let counted = whole.last().map_or(0, |m| m.words as usize);
        prop_assert!((run..run + 7).contains(&counted), "{} of {}", counted, run);
        let shorter = [words(2, before), doc[at..at + GROUP - 1].to_vec(), words(3, after)].concat().join(" ");
        prop_assert!(found(&index, &shorter, &cuts).is_empty());
    }

    #[test]
    fn few_words_that_come_again_and_again_are_found_and_cut_alike(
        picks in prop::collection::vec(0usize..6, 30..120), text in prop::collection::vec(0usize..6, 0..200), cuts in prop::collection::vec(0usize..900, 0..6),
    ) {
        let say = |picks: &[usize]| picks.iter().map(|p| ["aa", "bb", "cc", "dd", "ee", "ff"][*p]).collect::<Vec<_>>().join(" ");
        let index = index(Shape::Passages, &[("doc", &say(&picks))]);
        let text = [say(&text), say(&picks[3..3 + RUN]), say(&text)].join(" ");
        let whole = found(&index, &text, &[]);
        prop_assert_eq!(&found(&index, &text, &cuts), &whole);
        prop_assert!(!whole.is_empty());
    }
}
