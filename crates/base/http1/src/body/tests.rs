use proptest::prelude::*;

use super::*;

fn all(framing: Framing, wire: &[u8], max: usize) -> Result<(Vec<u8>, usize), Error> {
    let mut decoder = Decoder::new(framing);
    let mut buf = BytesMut::from(wire);
    let mut body = Vec::new();
    loop {
        let piece = decoder.take(&mut buf, max)?;
        assert!(piece.len() <= max);
        if piece.is_empty() {
            assert!(decoder.is_done() || buf.len() < MAX_LINE);
            return Ok((body, buf.len()));
        }
        body.extend_from_slice(&piece);
    }
}

#[test]
fn whole_chunks_come_as_one_piece_and_one_chunk_is_not_moved() {
    let mut decoder = Decoder::new(Framing::Chunked);
    let mut buf = BytesMut::from(&b"3\r\nabc\r\n"[..]);
    let at = buf.as_ptr() as usize;
    let piece = decoder.take(&mut buf, 100).unwrap();
    assert_eq!((&piece[..], piece.as_ptr() as usize), (&b"abc"[..], at + 3));

    buf.extend_from_slice(b"2\r\nde\r\n1;x=y\r\nf\r\n0A\r\n0123456789\r\n0\r\nx: y\r\n\r\nNEXT");
    assert_eq!(&decoder.take(&mut buf, 100).unwrap()[..], b"def0123456789");
    assert!(decoder.is_done());
    assert_eq!(&buf[..], b"NEXT");
}

#[test]
fn a_length_is_kept_to() {
    assert_eq!(all(Framing::Length(3), b"abcdef", 2).unwrap(), (b"abc".to_vec(), 3));
    assert_eq!(all(Framing::Empty, b"abc", 2).unwrap(), (vec![], 3));
    assert_eq!(all(Framing::UntilClose, b"abc", 2).unwrap(), (b"abc".to_vec(), 0));
    let mut short = Decoder::new(Framing::Length(4));
    short.take(&mut BytesMut::from(&b"abc"[..]), 9).unwrap();
    assert!(matches!(short.close(), Err(Error::Truncated)));
}

#[test]
fn framing_that_two_readers_could_read_differently_is_refused() {
    for bad in [
        &b"\r\n"[..],
        b"x\r\n",
        b"0x3\r\nabc\r\n",
        b"+3\r\nabc\r\n",
        b"-1\r\n",
        b" 3\r\nabc\r\n",
        b"3 \r\nabc\r\n",
        b"3 ;x\r\nabc\r\n",
        b"3\nabc\r\n",
        b"3\rabc\r\n",
        b"3;x\ny\r\nabc\r\n",
        b"3;x\0\r\nabc\r\n",
        b"3\r\nabcd\r\n",
        b"3\r\nabc\n",
        b"3\r\nabc0\r\n\r\n",
        b"1000000000000000\r\n",
        b"ffffffffffffffffff\r\n",
        b"0\r\nx: y\n\r\n",
        b"0\r\nx\x01: y\r\n\r\n",
    ] {
        assert!(matches!(all(Framing::Chunked, bad, 9), Err(Error::Malformed(_))), "{}", bad.escape_ascii());
    }
}

#[test]
fn extensions_and_trailers_are_not_endless() {
    let long = [b"3;".as_slice(), &[b'x'; MAX_LINE]].concat();
    let many_extensions = format!("1;{}\r\na\r\n", "x".repeat(1000)).repeat(17);
    let many_trailers = format!("0\r\n{}", format!("x: {}\r\n", "y".repeat(1000)).repeat(17));
    for bad in [&long[..], many_extensions.as_bytes(), many_trailers.as_bytes()] {
        assert!(matches!(all(Framing::Chunked, bad, 99), Err(Error::TooLarge(_))));
    }
}

proptest! {
    #[test]
    fn any_chunking_cut_anywhere_gives_the_body_back(
        chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..20),
        cuts in prop::collection::vec(1usize..30, 1..50),
        max in 1usize..64,
    ) {
        let mut wire = Vec::new();
        for (i, chunk) in chunks.iter().enumerate() {
            let extension = if i % 3 == 0 { ";a=\"b\"" } else { "" };
            wire.extend_from_slice(format!("{:x}{extension}\r\n", chunk.len()).as_bytes());
            wire.extend_from_slice(chunk);
            wire.extend_from_slice(b"\r\n");
        }
        wire.extend_from_slice(b"0\r\nt: v\r\n\r\n");

        let mut decoder = Decoder::new(Framing::Chunked);
        let (mut buf, mut body, mut rest) = (BytesMut::new(), Vec::new(), &wire[..]);
        let mut sizes = cuts.iter().cycle();
        while !rest.is_empty() {
            let (now, later) = rest.split_at((*sizes.next().unwrap()).min(rest.len()));
            rest = later;
            buf.extend_from_slice(now);
            loop {
                let piece = decoder.take(&mut buf, max).unwrap();
                if piece.is_empty() { break }
                body.extend_from_slice(&piece);
            }
        }
        prop_assert!(decoder.is_done() && buf.is_empty());
        prop_assert_eq!(body, chunks.concat());
    }

    #[test]
    fn no_bytes_panic_or_invent_a_body(wire in "[0-9a-f;\r\n x]{0,60}", max in 1usize..20) {
        if let Ok((body, _)) = all(Framing::Chunked, wire.as_bytes(), max) {
            prop_assert!(body.len() <= wire.len());
        }
    }
}
