use std::{fs, path::Path};

use proptest::{prelude::*, sample::Index};

use super::*;

/// Where the bytes are objected to, taken whole; every way to cut them in two has to say the same.
fn verdict(bytes: &[u8]) -> Option<usize> {
    let whole = Framing::default().take(bytes).err().map(|o| o.at);
    for cut in 0..=bytes.len() {
        let mut framing = Framing::default();
        let (a, b) = bytes.split_at(cut);
        let parts = framing.take(a).map_err(|o| o.at).and_then(|()| framing.take(b).map_err(|o| cut + o.at));
        assert_eq!(parts.err(), whole, "cut at {cut}: {}", bytes.escape_ascii());
    }
    let mut framing = Framing::default();
    let each = bytes.iter().position(|b| framing.take(&[*b]).is_err());
    assert_eq!(each, whole, "byte by byte: {}", bytes.escape_ascii());
    whole
}

/// `^` stands before the byte that is objected to.
fn check(marked: &str) {
    let at = marked.find('^');
    assert_eq!(verdict(marked.replacen('^', "", 1).as_bytes()), at, "{marked:?}");
}

const TE: &str = "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n";

#[test]
fn heads() {
    for head in [
        "GET / HTTP/1.1\r\nhost: a\r\n\r\n",
        "\r\n\r\nGET / HTTP/1.1\r\nhost: a:80\r\n\r\n",
        "GET / HTTP/1.0\r\n\r\nGET / HTTP/1.1\r\nhost:\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\n\r\nGET / HTTP/1.1\r\n\r^\n",
        "GET / HTTP/1.1\r\n\r^\n",
        "GET / HTTP/1.1\r\nhost: a\r\nHost: a\r^\n\r\n",
        "GET / HTTP/1.1\r\nhost: a@b\r^\n\r\n",
        "GET / HTTP/1.1\r\nhost: a b\r^\n\r\n",
        "GET /^#x HTTP/1.1\r\nhost: a\r\n\r\n",
        "^\nGET / HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET / HTTP/1.1^\nhost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a^\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\n^\n",
        "GET / HTTP/1.1\r\nhost: a\r^x: y\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r^\r\n\r\n",
    ] {
        check(head);
    }
    let long = format!("GET / HTTP/1.1\r\n{}: x\r\nhost: a\r\n\r\n", "x".repeat(100));
    check(&long);
}

#[test]
fn lengths() {
    let head = "POST / HTTP/1.1\r\nhost: a\r\n";
    for rest in [
        "content-length: 3\r\n\r\nabcGET / HTTP/1.1\r\nhost: a\r\n\r\n",
        "Content-Length:\t3 \r\n\r\n\n\n\nGET / HTTP/1.1^\n",
        "content-length: 0\r\n\r\nGET / HTTP/1.1^\n",
        "x: y\r\n\r\nGET / HTTP/1.1^\n",
        "content-length: 3\r\ncontent-length: 3\r^\n\r\nabc",
        "content-length: 3, 3\r^\n\r\nabc",
        "content-length: +3\r^\n\r\nabc",
        "content-length:\r^\n\r\n",
        "content-length: 1234567890123456789\r^\n\r\n",
        "content-length: 9999999999999999999999999999999\r^\n\r\n",
        "content-length: abc\r^\n\r\n",
        "content-length: 3\r\ntransfer-encoding: chunked\r^\n\r\n",
        "transfer-encoding: chunked\r\ncontent-length: 3\r^\n\r\n",
        "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r^\n\r\n",
        "transfer-encoding: gzip, chunked\r^\n\r\n",
        "transfer-encoding: identity\r^\n\r\n",
        "transfer-encoding:\r^\n\r\n",
    ] {
        check(&format!("{head}{rest}"));
    }
    let padded = format!("{head}content-length: {}3\r^\n\r\nabc", " ".repeat(60));
    check(&padded);
}

#[test]
fn chunks() {
    for body in [
        "3\r\nabc\r\n0\r\n\r\nGET / HTTP/1.1\r\nhost: a\r\n\r\n",
        "3;x=\"y\"\r\na\nc\r\n00\r\nx: y\r\nz:\r\n\r\nGET / HTTP/1.1^\n",
        "00A\r\n0123456789\r\n0\r\n\r\n",
        "3^\nabc\r\n0\r\n\r\n",
        "3 \r^\nabc\r\n0\r\n\r\n",
        "\r^\nabc",
        "+3\r^\n",
        "0x3\r^\n",
        "0000000000000003\r^\n",
        "3\r\nabc^d\r\n",
        "3\r\nabc^\n0\r\n\r\n",
        "3;a^\0\r\nabc\r\n",
        "3;a\r^b\r\n",
        "0\r\nx^\0: y\r\n\r\n",
        "0\r\nx\r^\n\r\n",
        "0\r\n: y\r^\n\r\n",
        "0\r\nx: y\r\n z\r^\n\r\n",
        "0\r\n^\n",
    ] {
        check(&format!("{TE}{body}"));
    }
}

#[test]
fn extensions_and_trailers_are_bounded_and_sizes_are_not_counted() {
    let take = |body: &str| Framing::default().take(format!("{TE}{body}").as_bytes());
    assert!(take(&"1\r\nx\r\n".repeat(100_000)).is_ok());
    assert!(take(&"1;a=b\r\nx\r\n".repeat(100_000)).is_err());
    assert!(take(&format!("1;{}", "a".repeat(EXTRA + 1))).is_err());
    assert!(take(&format!("0\r\n{}", "x: y\r\n".repeat(EXTRA))).is_err());
}

#[test]
fn an_objection_tells_whether_it_stands_in_a_head() {
    assert!(Framing::default().take(b"GET / HTTP/1.1\n").unwrap_err().in_head);
    assert!(!Framing::default().take(format!("{TE}3\n").as_bytes()).unwrap_err().in_head);
}

const GOOD: [&str; 6] = [
    "GET / HTTP/1.1\r\nhost: a\r\n\r\n",
    "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nhello",
    "PUT / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n3;x=y\r\nabc\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\nhost: a\r\n\r\n0\r\nx: y\r\n\r\n",
    "DELETE / HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\nx: y\r\n\r\n",
    "POST / HTTP/1.0\r\nconnection: keep-alive\r\ncontent-length: 2\r\n\r\nhi",
];

const PIECES: [&str; 22] = [
    "",
    "\r",
    "\n",
    "\r\n",
    "\r\n\r\n",
    " ",
    "\t",
    "\0",
    "0",
    "5",
    ",",
    ":",
    ";",
    "0\r\n\r\n",
    "5\r\nhello\r\n",
    "content-length: 3\r\n",
    "Content-Length : 3\r\n",
    "transfer-encoding: chunked\r\n",
    "transfer-encoding: identity\r\n",
    "connection: close\r\n",
    "GET / HTTP/1.1\r\n",
    "host: b\r\n",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    /// Whatever the server would make of bytes on its own: it finds no request that was not found before it, and none of
    /// another length.
    #[test]
    fn the_server_finds_no_other_requests(
        requests in proptest::collection::vec(0..GOOD.len(), 1..5),
        edits in proptest::collection::vec((any::<Index>(), 0..PIECES.len(), 0_usize..3), 0..4),
    ) {
        let mut bytes: Vec<u8> = requests.iter().flat_map(|i| GOOD[*i].bytes()).collect();
        for (at, piece, gone) in edits {
            let at = at.index(bytes.len() + 1);
            let end = (at + gone).min(bytes.len());
            bytes.splice(at..end, PIECES[piece].bytes());
        }
        replay::check(&bytes);
    }
}

#[test]
fn the_framing_corpus_holds() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../fuzz/corpus/framing");
    let files = fs::read_dir(folder).unwrap().map(|entry| fs::read(entry.unwrap().path()).unwrap());
    assert!(files.inspect(|bytes| replay::check(bytes)).count() >= 5);
}
