//! Translates a streamed answer event by event: a reader for the provider's format, a writer for the caller's, [`Piece`]s between.

mod from_chat;
mod from_messages;
mod to_chat;
mod to_messages;
mod to_responses;

use std::borrow::Cow;

use bytes::BytesMut;
use countersign_core::Format;
use serde_json::Value;

use super::{
    TranslateError,
    pivot::{Failure, Piece, field},
    way,
};

/// A streamed answer on its way from the provider's format to the caller's.
#[derive(Debug)]
pub struct Stream {
    reader: Reader,
    writer: Writer,
    /// The last event has been written, or the translation failed: nothing follows.
    over: bool,
}

#[derive(Debug)]
enum Reader {
    Chat(from_chat::Reader),
    Messages(from_messages::Reader),
    /// The formats are the same; or there is no way between them, which `push` reports.
    None {
        same: bool,
    },
}

#[derive(Debug)]
enum Writer {
    /// Chat, and completions, which are chat with `text` where it has a `delta`.
    Chat(to_chat::Writer),
    Messages(to_messages::Writer),
    Responses(to_responses::Writer),
}

impl Stream {
    /// A stream that the provider sends in `from` and the caller wants in `to`; equal formats pass unchanged.
    #[must_use]
    pub fn new(from: Format, to: Format) -> Self {
        let reader = match from {
            _ if from == to || way(to, from).is_err() => Reader::None { same: from == to },
            Format::Messages => Reader::Messages(from_messages::Reader::default()),
            _ => Reader::Chat(from_chat::Reader::default()),
        };
        let writer = match to {
            Format::Messages => Writer::Messages(to_messages::Writer::default()),
            Format::Responses => Writer::Responses(to_responses::Writer::default()),
            _ => Writer::Chat(to_chat::Writer::new(to == Format::Completions)),
        };
        Self { reader, writer, over: false }
    }

    /// Takes one whole event, blank line included, and appends what the caller is to receive; often nothing.
    ///
    /// # Errors
    /// The provider's fault when the event is not what its format promises. What was appended before stays good; the stream
    /// is to be ended with an error, and further events are ignored.
    pub fn push(&mut self, event: &[u8], out: &mut BytesMut) -> Result<(), TranslateError> {
        if self.over {
            return Ok(());
        }
        if let Reader::None { same } = self.reader {
            if !same {
                return way(Format::Models, Format::Models);
            }
            out.extend_from_slice(event);
            return Ok(());
        }
        let Some(data) = data(event) else { return Ok(()) };
        let Self { reader, writer, over } = self;
        let mut sink = |piece: Piece<'_>| {
            *over |= matches!(piece, Piece::End | Piece::Failed(_));
            writer.write(piece, out);
        };
        let read = match reader {
            Reader::Chat(reader) => reader.read(&data, &mut sink),
            Reader::Messages(reader) => reader.read(&data, &mut sink),
            Reader::None { .. } => Ok(()),
        };
        self.over |= read.is_err();
        read
    }

    /// The provider's stream has ended. Closes the caller's when the provider said why it stopped but left out its last event,
    /// as some servers do; a stream that broke off stays visibly unfinished, and the gateway has to say so.
    pub fn finish(&mut self, out: &mut BytesMut) {
        let stopped = match &self.reader {
            Reader::Chat(reader) => reader.stopped(),
            Reader::Messages(reader) => reader.stopped(),
            Reader::None { .. } => false,
        };
        if stopped && !self.over {
            self.writer.write(Piece::End, out);
        }
        self.over = true;
    }
}

impl Writer {
    fn write(&mut self, piece: Piece<'_>, out: &mut BytesMut) {
        match self {
            Self::Chat(writer) => writer.write(piece, out),
            Self::Messages(writer) => writer.write(piece, out),
            Self::Responses(writer) => writer.write(piece, out),
        }
    }
}

/// The data of an event: its `data:` lines, joined (WHATWG HTML, section 9.2.6); none when it has none. Lines end in CR LF, LF or CR.
pub(super) fn data(event: &[u8]) -> Option<Cow<'_, [u8]>> {
    let mut found: Option<Cow<'_, [u8]>> = None;
    // CR LF gives an empty line besides, which has no data.
    for line in event.split(|b| matches!(b, b'\n' | b'\r')) {
        let value = match line.strip_prefix(b"data:") {
            Some(value) => value.strip_prefix(b" ").unwrap_or(value),
            None if line == b"data" => b"",
            None => continue,
        };
        match &mut found {
            None => found = Some(Cow::Borrowed(value)),
            Some(all) => {
                let all = all.to_mut();
                all.push(b'\n');
                all.extend_from_slice(value);
            }
        }
    }
    found
}

/// The JSON object of an event.
fn object(data: &[u8]) -> Result<Value, TranslateError> {
    super::parse(data).ok_or(TranslateError::provider("an event's data is not a JSON object"))
}

/// The error an event reports, if that is what it does.
fn failure(event: &Value, read: impl Fn(&Value) -> Failure) -> Option<Failure> {
    field(event, "error").map(read)
}

/// Appends one event with the name in its `event:` line, as Anthropic and the Responses API write them.
fn named(name: &str, data: &Value, out: &mut BytesMut) {
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\ndata: ");
    out.extend_from_slice(data.to_string().as_bytes());
    out.extend_from_slice(b"\n\n");
}
