//! The protocol, version 2: commands out, replies in. Bytes and nothing else.

/// What a server replies.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Value {
    /// A line, as in `OK`.
    Line(String),
    /// An error of the server's.
    Error(String),
    /// A number.
    Number(i64),
    /// Bytes.
    Bytes(Vec<u8>),
    /// Nothing: no such key, no such member.
    Nothing,
    /// Several.
    Many(Vec<Self>),
}

/// A reply that is none, or larger than anything that is asked for here.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the server's reply is malformed or too large")]
pub struct BadReply;

/// Takes in bytes as they come and gives replies as they become whole.
#[derive(Debug, Default)]
pub struct Reader {
    bytes: Vec<u8>,
    /// Bytes of `bytes` that were read already.
    read: usize,
}

/// A command as it is sent: an array of its words.
#[must_use]
pub fn command(words: &[&[u8]]) -> Vec<u8> {
    let mut out = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        out.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        out.extend_from_slice(word);
        out.extend_from_slice(b"\r\n");
    }
    out
}

impl Reader {
    /// Takes in what has come.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.read > 0 {
            self.bytes.drain(..self.read);
            self.read = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole reply, if it is there.
    ///
    /// # Errors
    /// When what has come cannot become one. The connection is of no more use.
    pub fn next_reply(&mut self) -> Result<Option<Value>, BadReply> {
        let bytes = self.bytes.get(self.read..).unwrap_or_default();
        let mut at = Cursor { bytes, at: 0, left: MOST_VALUES };
        match at.value(0)? {
            Some(value) => {
                self.read += at.at;
                Ok(Some(value))
            }
            None if bytes.len() > MOST_BYTES => Err(BadReply),
            None => Ok(None),
        }
    }
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Values that may still come in this reply.
    left: usize,
}

impl<'a> Cursor<'a> {
    /// None while it is not whole.
    fn value(&mut self, depth: usize) -> Result<Option<Value>, BadReply> {
        self.left = self.left.checked_sub(1).ok_or(BadReply)?;
        let Some(line) = self.line()? else { return Ok(None) };
        let (kind, rest) = line.split_at_checked(1).ok_or(BadReply)?;
        let value = match kind {
            "+" => Value::Line(rest.to_owned()),
            "-" => Value::Error(rest.to_owned()),
            ":" => Value::Number(rest.parse().map_err(|_| BadReply)?),
            "$" => match length(rest)? {
                None => Value::Nothing,
                Some(length) => match self.take(length)? {
                    Some(bytes) => Value::Bytes(bytes.to_vec()),
                    None => return Ok(None),
                },
            },
            "*" if depth < MOST_DEPTH => match length(rest)? {
                None => Value::Nothing,
                Some(length) => {
                    // No room is made for what was only announced.
                    let mut many = Vec::new();
                    for _ in 0..length {
                        match self.value(depth + 1)? {
                            Some(value) => many.push(value),
                            None => return Ok(None),
                        }
                    }
                    Value::Many(many)
                }
            },
            _ => return Err(BadReply),
        };
        Ok(Some(value))
    }

    fn line(&mut self) -> Result<Option<&'a str>, BadReply> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        match rest.windows(2).take(MOST_LINE).position(|w| w == b"\r\n") {
            Some(end) => {
                self.at += end + 2;
                let line = rest.get(..end).and_then(|line| std::str::from_utf8(line).ok());
                line.map(Some).ok_or(BadReply)
            }
            None if rest.len() > MOST_LINE => Err(BadReply),
            None => Ok(None),
        }
    }

    fn take(&mut self, length: usize) -> Result<Option<&'a [u8]>, BadReply> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let Some((bytes, after)) = rest.split_at_checked(length) else { return Ok(None) };
        match after.get(..2) {
            Some(b"\r\n") => {
                self.at += length + 2;
                Ok(Some(bytes))
            }
            Some(_) => Err(BadReply),
            None => Ok(None),
        }
    }
}

fn length(text: &str) -> Result<Option<usize>, BadReply> {
    match text {
        "-1" => Ok(None),
        _ => text.parse().ok().filter(|length| *length <= MOST_BYTES).map(Some).ok_or(BadReply),
    }
}

const MOST_BYTES: usize = 16 << 20;
const MOST_LINE: usize = 4_096;
const MOST_DEPTH: usize = 4;
const MOST_VALUES: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(value: &Value) -> Vec<u8> {
        match value {
            Value::Line(text) => format!("+{text}\r\n").into_bytes(),
            Value::Error(text) => format!("-{text}\r\n").into_bytes(),
            Value::Number(n) => format!(":{n}\r\n").into_bytes(),
            Value::Nothing => b"$-1\r\n".to_vec(),
            Value::Bytes(bytes) => [format!("${}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat(),
            Value::Many(many) => {
                let mut out = format!("*{}\r\n", many.len()).into_bytes();
                many.iter().for_each(|value| out.extend(written(value)));
                out
            }
        }
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            "[ -~]{0,20}".prop_map(Value::Line),
            "[ -~]{0,20}".prop_map(Value::Error),
            any::<i64>().prop_map(Value::Number),
            prop::collection::vec(any::<u8>(), 0..40).prop_map(Value::Bytes),
            Just(Value::Nothing),
        ];
        leaf.prop_recursive(3, 32, 4, |inner| prop::collection::vec(inner, 0..4).prop_map(Value::Many))
    }

    proptest! {
        #[test]
        fn replies_read_back_however_they_are_cut(values in prop::collection::vec(value(), 1..5), size in 1..30_usize) {
            let bytes: Vec<u8> = values.iter().flat_map(written).collect();
            let (mut reader, mut read) = (Reader::default(), Vec::new());
            for piece in bytes.chunks(size) {
                reader.push(piece);
                while let Some(value) = reader.next_reply().unwrap() {
                    read.push(value);
                }
            }
            prop_assert_eq!(read, values);
        }
    }

    #[test]
    fn a_command_is_its_words_whatever_they_hold() {
        assert_eq!(command(&[b"SET", b"a\r\nb", b""]), b"*3\r\n$3\r\nSET\r\n$4\r\na\r\nb\r\n$0\r\n\r\n");
    }

    #[test]
    fn what_cannot_become_a_reply_is_refused_at_once() {
        for wrong in [
            &b"!5\r\n"[..],
            b"\r\n",
            b":x\r\n",
            b"$-2\r\n",
            b"$99999999999\r\n",
            b"$1\r\nab\r\n",
            b"*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n",
            b"+\xff\r\n",
        ] {
            let mut reader = Reader::default();
            reader.push(wrong);
            assert_eq!(reader.next_reply(), Err(BadReply), "{wrong:?}");
        }
        let mut reader = Reader::default();
        reader.push(&vec![b'+'; 5_000]);
        assert_eq!(reader.next_reply(), Err(BadReply), "a line without end");
        let mut reader = Reader::default();
        reader.push(b"*16777216\r\n");
        assert_eq!(reader.next_reply(), Ok(None), "what is announced takes no room");
    }
}
