//! Runs the fuzzing corpora through the functions that the fuzz targets call.

#[path = "replay/ask.rs"]
mod ask;
#[path = "replay/json.rs"]
mod json;
#[path = "replay/sse.rs"]
mod sse;
#[path = "replay/stream.rs"]
mod stream;

use std::{fs, path::Path};

fn replay(name: &str, check: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../fuzz/corpus").join(name);
    let files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| fs::read(entry.unwrap().path()).unwrap()).collect();
    assert!(files.len() >= 5, "{name} has {} files", files.len());
    for file in &files {
        check(file);
        // Cut anywhere, and with any byte turned: what a fuzzer would try first.
        for at in (0..file.len().min(1_000)).step_by(5) {
            check(&file[..at]);
            let mut turned = file.clone();
            turned[at] ^= 0x15;
            check(&turned);
        }
    }
}

#[test]
fn the_json_corpus_holds() {
    replay("json", json::check);
}

#[test]
fn the_sse_corpus_holds() {
    replay("sse", sse::check);
}

#[test]
fn the_ask_corpus_holds() {
    replay("ask", ask::check);
}

#[test]
fn the_stream_corpus_holds() {
    replay("stream", stream::check);
}
