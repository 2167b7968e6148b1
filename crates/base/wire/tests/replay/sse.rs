//! Any bytes as a stream of events.

use bytes::Bytes;
use countersign_wire::sse::{Splitter, fields};

/// Splits; how the bytes are cut changes nothing, nothing is lost, and fields lie within their events.
///
/// # Panics
/// When that is not so.
pub(crate) fn check(data: &[u8]) {
    let whole = split(&[data]);
    let single: Vec<&[u8]> = data.chunks(1).collect();
    assert_eq!(whole, split(&single));
    assert!(data.starts_with(&whole.concat()));
    for (i, event) in whole.iter().enumerate() {
        assert!(fields(event, i == 0).all(|field| event.get(field.value).is_some()));
    }
}

fn split(chunks: &[&[u8]]) -> Vec<Bytes> {
    let mut splitter = Splitter::new(1 << 16);
    let mut events = Vec::new();
    for chunk in chunks {
        splitter.push(Bytes::copy_from_slice(chunk));
        while let Ok(Some(event)) = splitter.next_event() {
            events.push(event);
        }
    }
    events
}
