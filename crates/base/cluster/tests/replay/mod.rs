//! What the fuzz target `resp` and the corpus test both do.

use countersign_cluster::{Reader, Value};

/// Reads `data` as replies, whole and cut into pieces as long as its first byte says, and compares.
pub(crate) fn check(data: &[u8]) {
    let Some((&size, wire)) = data.split_first() else { return };
    assert_eq!(read(wire, usize::MAX), read(wire, usize::from(size).max(1)));
}

fn read(wire: &[u8], size: usize) -> (Vec<Value>, bool) {
    let (mut reader, mut values) = (Reader::default(), Vec::new());
    for piece in wire.chunks(size.min(wire.len().max(1))) {
        reader.push(piece);
        loop {
            match reader.next_reply() {
                Ok(Some(value)) => values.push(value),
                Ok(None) => break,
                Err(_) => return (values, false),
            }
        }
    }
    (values, true)
}
