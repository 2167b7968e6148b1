//! What the fuzz target `http1_response` and the corpus test both do.

use countersign_http1::{Error, Piece, Reader};

/// Reads `data` as a response, whole and cut into pieces as long as its first byte says, and compares.
pub(crate) fn check(data: &[u8]) {
    let Some((&size, wire)) = data.split_first() else { return };
    assert_eq!(read(wire, usize::MAX), read(wire, usize::from(size).max(1)));
}

fn read(wire: &[u8], size: usize) -> (u16, Vec<u8>, Option<String>, bool) {
    let mut reader = Reader::new();
    let (mut status, mut body) = (0, Vec::new());
    let mut run = || -> Result<(), Error> {
        reader.expect(false)?;
        for piece in wire.chunks(size.min(wire.len().max(1))) {
            reader.buffer().extend_from_slice(piece);
            if status == 0 {
                let Some(head) = reader.head()? else { continue };
                status = head.status();
            }
            while let Piece::Data(bytes) = reader.body(usize::MAX)? {
                body.extend_from_slice(&bytes);
            }
        }
        reader.close()
    };
    let error = run().err().map(|e| e.to_string());
    assert!(body.len() <= wire.len());
    // Closing spends every connection; whether bytes are left over tells whether it could have been used again.
    let clean = error.is_none() && reader.buffer().is_empty();
    (status, body, error, clean)
}
