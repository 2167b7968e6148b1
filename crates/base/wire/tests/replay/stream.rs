//! Any bytes as a streamed answer. The first byte chooses the format and how the stream is cut.

use bytes::Bytes;
use countersign_core::Format;
use countersign_wire::{Event, Events, Limits, WireError};

/// Reads; how the bytes are cut changes nothing, and the events together are the stream.
///
/// # Panics
/// When that is not so.
pub(crate) fn check(data: &[u8]) {
    let Some((way, stream)) = data.split_first() else { return };
    let way = usize::from(way.wrapping_sub(b'a'));
    let format = Format::ALL[way % Format::ALL.len()];
    let (whole, error) = read(format, &[stream]);
    let pieces: Vec<&[u8]> = stream.chunks(1 + way / Format::ALL.len()).collect();
    let (cut, cut_error) = read(format, &pieces);
    assert_eq!(error, cut_error);
    assert_eq!(whole.iter().map(shown).collect::<Vec<_>>(), cut.iter().map(shown).collect::<Vec<_>>());
    let together: Vec<u8> = whole.iter().flat_map(|event| event.document.bytes().to_vec()).collect();
    assert!(stream.starts_with(&together));
}

fn read(format: Format, chunks: &[&[u8]]) -> (Vec<Event>, Option<WireError>) {
    let mut events = Events::new(format, Limits::default());
    let mut out = Vec::new();
    for chunk in chunks {
        events.push(Bytes::copy_from_slice(chunk));
        loop {
            match events.next_event() {
                Ok(Some(event)) => out.push(event),
                Ok(None) => break,
                Err(error) => return (out, Some(error)),
            }
        }
    }
    (out, None)
}

fn shown(event: &Event) -> String {
    format!("{:?}", (&event.document, event.usage, event.terminal, event.logprobs))
}
