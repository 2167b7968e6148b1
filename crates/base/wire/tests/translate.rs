//! Golden translations: `tests/golden/KIND.FROM.TO.NAME.in.EXT` must become the file with `out` for `in`.
//!
//! After a change that is meant, run with `GOLDEN=write` and review the difference.

use std::{fs, path::Path};

use bytes::{Bytes, BytesMut};
use countersign_core::Format;
use countersign_wire::{
    Answer, Ask, Events, Limits,
    translate::{self, Stream},
};
use serde_json::Value;

#[path = "replay/translate.rs"]
mod replay;

fn format(name: &str) -> Format {
    Format::ALL.into_iter().find(|f| f.as_str() == name).unwrap()
}

fn pretty(json: &[u8]) -> String {
    let value: Value = serde_json::from_slice(json).unwrap();
    serde_json::to_string_pretty(&value).unwrap() + "\n"
}

#[test]
fn translations_are_what_they_were() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut files: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.contains(".in."))
        .collect();
    files.sort();
    assert!(files.len() >= 20, "golden files are missing");
    let mut wrong = Vec::new();
    for name in files {
        let [kind, from, to] = *name.split('.').take(3).collect::<Vec<_>>().as_slice() else { panic!("{name}") };
        let (from, to) = (format(from), format(to));
        let input = fs::read(folder.join(&name)).unwrap();
        let got = match kind {
            "ask" => pretty(&translate::ask(from, to, &input).unwrap()),
            "answer" => pretty(&translate::answer(from, to, &input).unwrap()),
            _ => {
                let mut stream = Stream::new(from, to);
                let mut out = BytesMut::new();
                for event in String::from_utf8(input).unwrap().split_inclusive("\n\n") {
                    stream.push(event.as_bytes(), &mut out).unwrap();
                }
                stream.finish(&mut out);
                String::from_utf8(out.to_vec()).unwrap()
            }
        };
        let golden = folder.join(name.replace(".in.", ".out."));
        if std::env::var_os("GOLDEN").is_some_and(|v| v == "write") {
            fs::write(&golden, &got).unwrap();
        }
        if fs::read_to_string(&golden).unwrap_or_default() != got {
            wrong.push(format!("{name}:\n{got}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What is translated is screened next: the codecs have to read it, find its text and know its end.
#[test]
fn the_codecs_read_what_is_translated() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let limits = Limits::default();
    for entry in fs::read_dir(&folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let mut parts = name.split('.');
        let (Some(kind), Some(to), true) = (parts.next(), parts.nth(1), name.contains(".out.")) else { continue };
        let (to, body) = (format(to), Bytes::from(fs::read(folder.join(&name)).unwrap()));
        match kind {
            "ask" => drop(Ask::read(to, body, &limits).unwrap_or_else(|e| panic!("{name}: {e}"))),
            "answer" => {
                let answer = Answer::read(to, body, &limits).unwrap_or_else(|e| panic!("{name}: {e}"));
                assert_eq!(answer.usage.is_some(), !name.contains(".error."), "{name}");
            }
            _ => {
                let mut events = Events::new(to, limits);
                events.push(body);
                let (mut text, mut used) = (String::new(), false);
                while let Some(event) = events.next_event().unwrap_or_else(|e| panic!("{name}: {e}")) {
                    let growing = event.document.leaves().filter(|leaf| leaf.grows.is_some());
                    text.extend(growing.map(|leaf| leaf.text.to_owned()));
                    used |= event.usage.is_some();
                    assert!(!event.logprobs, "{name}");
                }
                events.finish().unwrap_or_else(|e| panic!("{name}: {e}"));
                assert!(!text.is_empty(), "{name}");
                assert!(used || name.contains(".error."), "{name}");
                if name.contains(".everything.") {
                    for expected in ["Let me ", "Looking \"ü😀\"\n", "{\"city\": \"Zürich\"}"] {
                        assert!(text.contains(expected), "{name}: {text}");
                    }
                }
            }
        }
    }
}

#[test]
fn the_fuzzing_corpus_holds() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../fuzz/corpus/translate");
    let files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| fs::read(entry.unwrap().path()).unwrap()).collect();
    assert!(files.len() >= 12);
    for file in &files {
        replay::check(file);
        // Cut anywhere, and with any byte turned: what a fuzzer would try first.
        for at in (0..file.len().min(2_000)).step_by(7) {
            replay::check(&file[..at]);
            let mut turned = file.clone();
            turned[at] ^= 0x15;
            replay::check(&turned);
        }
    }
}
