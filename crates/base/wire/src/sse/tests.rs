use proptest::prelude::*;

use super::*;

fn split(chunks: &[&[u8]]) -> (Vec<Vec<u8>>, bool) {
    let mut splitter = Splitter::new(1 << 20);
    let mut events = Vec::new();
    for chunk in chunks {
        splitter.push(Bytes::copy_from_slice(chunk));
        while let Some(event) = splitter.next_event().unwrap() {
            events.push(event.to_vec());
        }
    }
    (events, splitter.is_empty())
}

fn texts(stream: &str) -> Vec<String> {
    split(&[stream.as_bytes()]).0.into_iter().map(|e| String::from_utf8(e).unwrap()).collect()
}

/// What a reader by the standard makes of a stream: the data of each event that has some.
fn by_the_standard(stream: &str) -> Vec<String> {
    let stream = stream.strip_prefix('\u{feff}').unwrap_or(stream);
    let stream = stream.replace("\r\n", "\n").replace('\r', "\n");
    let (mut out, mut data, mut any) = (Vec::new(), Vec::new(), false);
    // What follows the last line end is no line.
    for line in stream.split('\n').collect::<Vec<_>>().split_last().unwrap().1 {
        if line.is_empty() {
            if any {
                out.push(data.join("\n"));
            }
            (data, any) = (Vec::new(), false);
        } else if let Some(value) = line.strip_prefix("data:") {
            data.push(value.strip_prefix(' ').unwrap_or(value).to_owned());
            any = true;
        } else if *line == "data" {
            data.push(String::new());
            any = true;
        }
    }
    out
}

fn by_us(events: &[Vec<u8>]) -> Vec<String> {
    let of = |(i, event): (usize, &Vec<u8>)| {
        let data = fields(event, i == 0).filter(|f| f.name == FieldName::Data);
        let lines: Vec<_> = data.map(|f| String::from_utf8(event[f.value].to_vec()).unwrap()).collect();
        (!lines.is_empty()).then(|| lines.join("\n"))
    };
    events.iter().enumerate().filter_map(of).collect()
}

#[test]
fn line_ends_of_every_kind_end_events() {
    assert_eq!(texts("data: a\n\ndata: b\n\n"), ["data: a\n\n", "data: b\n\n"]);
    assert_eq!(texts("data: a\r\n\r\ndata: b\r\n\r\n"), ["data: a\r\n\r\n", "data: b\r\n\r\n"]);
    assert_eq!(texts("data: a\r\rdata: b\r\r"), ["data: a\r\r", "data: b\r\r"]);
    assert_eq!(texts("data: a\n\r\ndata: b\r\n\n"), ["data: a\n\r\n", "data: b\r\n\n"]);
    assert_eq!(texts("data: a\n\rdata: b\n\n"), ["data: a\n\r", "data: b\n\n"]);
    assert_eq!(texts("data: a\r\r\ndata: b\r\r"), ["data: a\r\r", "\ndata: b\r\r"]);
    assert_eq!(texts("\n\n: x\n\n"), ["\n", "\n", ": x\n\n"]);
    assert_eq!(texts("data: a\n"), [""; 0]);
}

#[test]
fn fields_are_taken_apart() {
    let event = b"\xef\xbb\xbfevent: x\nid:1\r\n: note\rretry: 5\ndata\ndata:\ndata:  y\nother: z\n\n";
    let got: Vec<_> =
        fields(event, true).map(|f| (f.name, String::from_utf8(event[f.value].to_vec()).unwrap())).collect();
    let want = [
        (FieldName::Event, "x"),
        (FieldName::Id, "1"),
        (FieldName::Ignored, ": note"),
        (FieldName::Retry, "5"),
        (FieldName::Data, ""),
        (FieldName::Data, ""),
        (FieldName::Data, " y"),
        (FieldName::Ignored, "other: z"),
    ];
    assert_eq!(got, want.map(|(name, value)| (name, value.to_owned())));
    assert_eq!(fields(event, false).next().unwrap().name, FieldName::Ignored);
}

#[test]
fn an_event_is_bounded_however_it_arrives() {
    for size in [1, 7, 4096] {
        let mut splitter = Splitter::new(10_000);
        let chunk = Bytes::from(vec![b'a'; size]);
        let error = (0..20_000).find_map(|_| {
            splitter.push(chunk.clone());
            splitter.next_event().err()
        });
        assert_eq!(error, Some(WireError::TooLarge { what: "event", limit: 10_000 }));
    }
    let mut splitter = Splitter::new(9);
    splitter.push(Bytes::from_static(b"data: a\n\ndata: bb\n\n"));
    assert!(splitter.next_event().unwrap().is_some());
    assert!(splitter.next_event().is_err());
}

#[test]
fn an_event_in_one_chunk_is_not_copied() {
    let chunk = Bytes::from_static(b"data: a\n\ndata: b\n\n");
    let mut splitter = Splitter::new(100);
    splitter.push(chunk.clone());
    let first = splitter.next_event().unwrap().unwrap();
    let second = splitter.next_event().unwrap().unwrap();
    assert_eq!((first.as_ptr(), second.as_ptr()), (chunk.as_ptr(), chunk[9..].as_ptr()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn cuts_change_nothing_and_nothing_is_lost(
        stream in "(\u{feff})?(data: ?|data|event: x|: c|a|é|\r|\n|\r\n|\r|\n){0,40}",
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let bytes = stream.as_bytes();
        let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        at.extend([0, bytes.len()]);
        at.sort_unstable();
        let chunks: Vec<&[u8]> = at.windows(2).map(|w| &bytes[w[0]..w[1]]).collect();
        let (whole, empty) = split(&[bytes]);
        prop_assert_eq!(&split(&chunks).0, &whole);
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        prop_assert_eq!(&split(&single).0, &whole);
        let together = whole.concat();
        prop_assert!(bytes.starts_with(&together) && (empty == (together.len() == bytes.len())));
        // With a line feed after it, an event that waits for one is over.
        let (events, _) = split(&[bytes, b"\n: end\n\n"]);
        prop_assert_eq!(by_us(&events), by_the_standard(&(stream + "\n: end\n\n")));
    }
}
