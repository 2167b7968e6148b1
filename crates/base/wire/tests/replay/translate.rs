//! Any bytes as a body or a stream to translate. The first byte chooses what and between which formats.

use bytes::BytesMut;
use countersign_core::Format;
use countersign_wire::translate::{self, Stream, TranslateError};
use serde_json::Value;

const WAYS: [(&str, Format, Format); 12] = [
    ("ask", Format::Chat, Format::Messages),
    ("ask", Format::Responses, Format::Messages),
    ("ask", Format::Completions, Format::Messages),
    ("ask", Format::Messages, Format::Chat),
    ("answer", Format::Messages, Format::Chat),
    ("answer", Format::Messages, Format::Responses),
    ("answer", Format::Messages, Format::Completions),
    ("answer", Format::Chat, Format::Messages),
    ("stream", Format::Messages, Format::Chat),
    ("stream", Format::Messages, Format::Responses),
    ("stream", Format::Messages, Format::Completions),
    ("stream", Format::Chat, Format::Messages),
];

/// Translates; what comes out is JSON, and what comes out of a stream is events that hold JSON.
///
/// # Panics
/// When that is not so.
pub(crate) fn check(data: &[u8]) {
    let Some((way, body)) = data.split_first() else { return };
    let (kind, from, to) = WAYS[usize::from(way.wrapping_sub(b'a')) % WAYS.len()];
    match kind {
        "ask" => is_json(translate::ask(from, to, body)),
        "answer" => is_json(translate::answer(from, to, body)),
        _ => {
            let mut stream = Stream::new(from, to);
            let mut out = BytesMut::new();
            for event in split(body) {
                // An error ends the stream; what follows is ignored, which is tried too.
                let _ = stream.push(event, &mut out);
            }
            stream.finish(&mut out);
            for line in out.as_ref().split(|b| *b == b'\n') {
                match line.strip_prefix(b"data: ") {
                    Some(b"[DONE]") => {}
                    Some(data) => assert!(serde_json::from_slice::<Value>(data).is_ok(), "an event's data is JSON"),
                    None => assert!(line.is_empty() || line.starts_with(b"event: "), "a line is of an event"),
                }
            }
        }
    }
}

fn is_json(translated: Result<bytes::Bytes, TranslateError>) {
    if let Ok(body) = translated {
        assert!(serde_json::from_slice::<Value>(&body).is_ok_and(|v| v.is_object()), "a translation is an object");
    }
}

/// Events end at a blank line; the splitter proper is not what is tried here.
fn split(mut body: &[u8]) -> Vec<&[u8]> {
    let mut events = Vec::new();
    while let Some(end) = body.windows(2).position(|w| w == b"\n\n") {
        let (event, rest) = body.split_at(end + 2);
        events.push(event);
        body = rest;
    }
    events.push(body);
    events
}
