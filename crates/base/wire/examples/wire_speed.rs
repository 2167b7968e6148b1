//! Measures how fast bodies and events are read: `cargo run --release -p countersign-wire --example wire_speed`.

use std::{hint::black_box, io::Write, time::Instant};

use bytes::Bytes;
use countersign_core::Format;
use countersign_wire::{Answer, Ask, Events, Limits};

fn main() -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    let limits = Limits::default();
    for size in [1024, 16 * 1024] {
        for (name, filler) in
            [("plain", "the quick brown fox "), ("lines", "a line of text that is not short, as such go\\n")]
        {
            let body = chat(size, filler);
            let bytes = Bytes::from(body);
            let each = measure(|| {
                black_box(Ask::read(Format::Chat, bytes.clone(), &limits).is_ok());
            });
            let rate = bytes.len() as f64 / each * 1e3;
            writeln!(out, "ask, chat, {} bytes, {name}: {each:.0} ns, {rate:.0} MB/s", bytes.len())?;
        }
    }
    let answer = Bytes::from(
        r#"{"id":"chatcmpl-1","object":"chat.completion","created":1700000000,"model":"m-1","choices":[{"index":0,"message":{"role":"assistant","content":"TEXT"},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":12,"total_tokens":21}}"#
            .replace("TEXT", &"an answer of some words ".repeat(40)),
    );
    let each = measure(|| {
        black_box(Answer::read(Format::Chat, answer.clone(), &limits).is_ok());
    });
    writeln!(out, "answer, chat, {} bytes: {each:.0} ns", answer.len())?;

    for (name, format, event) in [
        ("chat", Format::Chat, CHAT_EVENT),
        ("messages", Format::Messages, MESSAGES_EVENT),
        ("responses", Format::Responses, RESPONSES_EVENT),
    ] {
        for (way, texts) in [("same shape", [" word", " more"]), ("read in full", [" word", "\",\"x\":\"y"])] {
            // Two shapes in turn are read in full each time.
            let stream: String = (0..1000).map(|i| event.replace("TEXT", texts[i % 2])).collect();
            let stream = Bytes::from(stream);
            let each = measure(|| {
                let mut events = Events::new(format, limits);
                events.push(stream.clone());
                while let Ok(Some(event)) = events.next_event() {
                    black_box(&event);
                }
            });
            writeln!(out, "event, {name}, {way}: {:.0} ns", each / 1000.0)?;
        }
    }
    Ok(())
}

fn chat(size: usize, filler: &str) -> String {
    let text = filler.repeat(size / filler.len());
    format!(
        r#"{{"model":"m-1","messages":[{{"role":"system","content":"Be brief and kind."}},{{"role":"user","content":"{text}"}}],"temperature":0.7,"max_tokens":200,"stream":false}}"#
    )
}

/// Nanoseconds of one call: the best of several rounds.
fn measure(mut call: impl FnMut()) -> f64 {
    let mut best = f64::INFINITY;
    for _ in 0..20 {
        let start = Instant::now();
        let mut calls = 0;
        while start.elapsed().as_millis() < 20 {
            call();
            calls += 1;
        }
        best = best.min(start.elapsed().as_nanos() as f64 / f64::from(calls));
    }
    best
}

const CHAT_EVENT: &str = "data: {\"id\":\"chatcmpl-9x\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\"model\":\"m-1\",\"system_fingerprint\":\"fp_1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"TEXT\"},\"logprobs\":null,\"finish_reason\":null}]}\n\n";
const MESSAGES_EVENT: &str = "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"TEXT\"}}\n\n";
const RESPONSES_EVENT: &str = "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"sequence_number\":12,\"item_id\":\"msg_1\",\"output_index\":0,\"content_index\":0,\"delta\":\"TEXT\",\"logprobs\":[],\"obfuscation\":\"x1\"}\n\n";
