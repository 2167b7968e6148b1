//! The weights that come with the crate: what they say of plain cases and of the marked data, on any bytes, and how much they take.
#![expect(clippy::print_stderr, reason = "data that is not there is told of loudly")]

mod replay;

use std::{fs, io::Read as _, path::Path};

use countersign_core::Entity;
use countersign_names::{Tagger, Weights, token};

fn found(text: &str, entity: Entity) -> Vec<&str> {
    let names = Tagger::shipped().tag(text);
    names.into_iter().filter(|name| name.entity == entity).map(|name| &text[name.span]).collect()
}

#[test]
fn plain_cases_come_out_right() {
    for (text, people) in [
        ("My name is Sarah Connor and I live in Paris.", vec!["Sarah Connor"]),
        ("Dear Mr. Johnson,\nBest regards,\nEmily Carter", vec!["Johnson", "Emily Carter"]),
        ("hi, my name is emily carter", vec!["emily carter"]),
        ("{\"name\": \"Emily Carter\", \"active\": true}", vec!["Emily Carter"]),
    ] {
        assert_eq!(found(text, Entity::Person), people, "{text}");
    }
    assert_eq!(found("The flight from Chicago to London was late.", Entity::Location), ["Chicago", "London"]);
    assert_eq!(found("She works at Harvard University.", Entity::Organization), ["Harvard University"]);
}

#[test]
fn what_has_no_names_has_none() {
    for text in [
        "",
        "The branch in the old town opens at nine and closes at five on weekdays.",
        "Account Number: 12345678\nTransaction Type: Deposit\nTotal Balance: $20.00",
        "pub fn new(config: Config) -> Result<Self, Error> { Ok(Self { config }) }",
        "Write to jane.doe@example.com or see https://example.com/Jane/Doe",
        "今日は天気がいいですね。",
    ] {
        assert_eq!(Tagger::shipped().tag(text), [], "{text}");
    }
}

proptest::proptest! {
    #[test]
    fn any_text_has_its_names_within_it_however_it_is_cut(
        text in "\\PC{0,200}",
        words in "([A-Z][a-z]{1,8}[ .,!?\n-]{1,2}){0,200}",
        noise in proptest::collection::vec(proptest::num::u8::ANY, 0..400),
    ) {
        replay::tag(text.as_bytes());
        replay::tag(words.as_bytes());
        replay::tag(&noise);
    }
}

#[test]
fn the_corpus_of_the_fuzzer_holds() {
    let folder = format!("{}/../../../fuzz/corpus/names", env!("CARGO_MANIFEST_DIR"));
    let mut count = 0;
    for entry in fs::read_dir(folder).unwrap() {
        replay::tag(&fs::read(entry.unwrap().path()).unwrap());
        count += 1;
    }
    assert!(count >= 8);
}

/// Ten megabytes of names, of one word, and of no words: each segment is read by itself, so the work is that of its segments.
#[test]
fn ten_megabytes_are_read_segment_by_segment() {
    let sentence = "Sarah Connor of Acme Corp flew from Chicago to Paris with Emily Carter and their dog. ";
    let times = 10_000_000 / sentence.len();
    let tagger = Tagger::shipped();
    let each = tagger.tag(sentence).len();
    assert!(each >= 4);
    assert_eq!(tagger.tag(&sentence.repeat(times)).len(), each * times);
    for text in ["A".repeat(10_000_000), "Aa ".repeat(3_000_000), "\u{301}".repeat(1_000_000), "..@ ".repeat(1_000_000)]
    {
        let mut at = 0;
        while at < text.len() {
            let length = token::segment(&text[at..], true).unwrap();
            assert!((1..=token::MOST).contains(&length));
            at += length;
        }
        assert!(tagger.tag(&text).iter().all(|name| name.span.end <= text.len()));
    }
}

#[test]
fn weights_that_are_cut_off_or_changed_are_not_read() {
    let bytes = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("weights/names.bin")).unwrap();
    assert!(Weights::read(bytes.clone().into()).is_ok());
    for cut in [0, 1, 7, 20, 117, 1000, bytes.len() - 1] {
        assert!(Weights::read(bytes[..cut].to_vec().into()).is_err(), "{cut}");
    }
    let mut broken = bytes.clone();
    broken[8..12].copy_from_slice(&f32::NAN.to_le_bytes());
    assert!(Weights::read(broken.into()).is_err());
    let mut longer = bytes;
    longer[12..20].fill(0xff);
    assert!(Weights::read(longer.into()).is_err());
}

#[test]
fn the_weights_are_those_of_the_model_card() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let weights = fs::read(root.join("weights/names.bin")).unwrap();
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &weights);
    let card = fs::read_to_string(root.join("../../../docs/reference/model-card-names.md")).unwrap();
    let digest = data_encoding::HEXLOWER.encode(digest.as_ref());
    assert!(card.contains(&digest), "the weights changed and the model card did not: {digest}");
    assert!(weights.len() < 4_000_000);
}

/// The marked data is read in place.
#[test]
fn people_are_found_in_the_marked_data() {
    for (set, least) in [("wikigold", 80.0), ("contextual_anonymizer", 80.0), ("btc", 55.0)] {
        let path =
            Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../../../shared/data/pii/dev/{set}.jsonl.gz"));
        let Ok(file) = fs::File::open(&path) else {
            assert!(std::env::var_os("CI").is_none(), "the marked data is not there: {}", path.display());
            eprintln!("SKIPPED: the marked data is not there: {}", path.display());
            return;
        };
        let mut lines = String::new();
        flate2::read::GzDecoder::new(file).read_to_string(&mut lines).unwrap();
        let (mut gold_count, mut found_count, mut gold_hit, mut found_hit) = (0, 0, 0, 0);
        for line in lines.lines() {
            let row: serde_json::Value = serde_json::from_str(line).unwrap();
            let text = row["text"].as_str().unwrap();
            let places: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
            let place = |value: &serde_json::Value| places[value.as_u64().unwrap() as usize];
            let spans = row["spans"].as_array().unwrap().iter().filter(|span| span["type"] == "PERSON");
            let gold: Vec<_> = spans.map(|span| place(&span["start"])..place(&span["end"])).collect();
            let names = Tagger::shipped().tag(text).into_iter().filter(|name| name.entity == Entity::Person);
            let found: Vec<_> = names.map(|name| name.span).collect();
            let touches = |a: &std::ops::Range<usize>, b: &std::ops::Range<usize>| a.start < b.end && b.start < a.end;
            gold_count += gold.len();
            found_count += found.len();
            gold_hit += gold.iter().filter(|a| found.iter().any(|b| touches(a, b))).count();
            found_hit += found.iter().filter(|a| gold.iter().any(|b| touches(a, b))).count();
        }
        let (p, r) = (found_hit as f64 / found_count as f64, gold_hit as f64 / gold_count as f64);
        let f1 = 200.0 * p * r / (p + r);
        assert!(f1 >= least, "{set}: {f1:.1}");
    }
}
