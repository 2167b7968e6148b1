//! The scanner: one pass over the text, no recursion.

use std::{borrow::Cow, collections::HashSet};

use super::{DEPTH, Kind, Node, text};
use crate::{Limits, WireError};

/// Objects of up to this many members are checked for duplicates by looking through them, larger ones by a set.
const FEW: u32 = 16;

pub(super) fn scan(text: &str, limits: &Limits) -> Result<Vec<Node>, WireError> {
    let mut scanner = Scanner {
        text,
        bytes: text.as_bytes(),
        at: 0,
        nodes: Vec::with_capacity((text.len() / 24).clamp(16, 4096)),
        frames: Vec::with_capacity(8),
        max_depth: limits.depth.min(DEPTH),
        max_nodes: limits.nodes,
    };
    scanner.run()?;
    Ok(scanner.nodes)
}

struct Scanner<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    nodes: Vec<Node>,
    frames: Vec<Frame<'a>>,
    max_depth: usize,
    max_nodes: usize,
}

/// A container that is still open.
struct Frame<'a> {
    node: usize,
    object: bool,
    members: u32,
    /// One bit for each kind of name met; a clear bit means the name is new.
    met: u64,
    /// The names met, once there are more than a few.
    names: Option<HashSet<Cow<'a, str>, ahash::RandomState>>,
}

impl<'a> Scanner<'a> {
    fn run(&mut self) -> Result<(), WireError> {
        self.space();
        loop {
            if self.value()? {
                // A container with something in it: `value` stands at its first value.
                continue;
            }
            loop {
                self.space();
                let Some(frame) = self.frames.last() else {
                    return if self.at == self.bytes.len() { Ok(()) } else { Err(self.bad("bytes after the end")) };
                };
                let (object, close) = (frame.object, if frame.object { b'}' } else { b']' });
                match self.peek() {
                    Some(b',') => {
                        self.at += 1;
                        self.space();
                        if object {
                            self.name()?;
                        }
                        break;
                    }
                    Some(b) if b == close => self.close(),
                    Some(_) => return Err(self.bad("expected a comma or the end of the container")),
                    None => return Err(self.bad("the text ends early")),
                }
            }
        }
    }

    /// Reads a scalar, an empty container, or the beginning of a container that is not empty (then true).
    fn value(&mut self) -> Result<bool, WireError> {
        match self.peek() {
            Some(b'"') => self.string().map(|_| false),
            Some(b'{') => self.open(true),
            Some(b'[') => self.open(false),
            Some(b'-' | b'0'..=b'9') => self.number().map(|()| false),
            Some(b't') => self.literal("true", Kind::True),
            Some(b'f') => self.literal("false", Kind::False),
            Some(b'n') => self.literal("null", Kind::Null),
            Some(_) => Err(self.bad("expected a value")),
            None => Err(self.bad("the text ends early")),
        }
    }

    fn open(&mut self, object: bool) -> Result<bool, WireError> {
        if self.frames.len() >= self.max_depth {
            return Err(WireError::TooDeep { limit: self.max_depth, at: self.at });
        }
        let node = self.push(if object { Kind::Object } else { Kind::Array }, self.at, self.at, false)?;
        self.frames.push(Frame { node, object, members: 0, met: 0, names: None });
        self.at += 1;
        self.space();
        if self.peek() == Some(if object { b'}' } else { b']' }) {
            self.close();
            return Ok(false);
        }
        if object {
            self.name()?;
        }
        Ok(true)
    }

    fn close(&mut self) {
        self.at += 1;
        let next = self.nodes.len() as u32;
        if let Some(node) = self.frames.pop().and_then(|frame| self.nodes.get_mut(frame.node)) {
            node.end = self.at as u32;
            node.next = next;
        }
    }

    /// Reads a member's name and colon, and makes sure that the object has none of that name yet.
    fn name(&mut self) -> Result<(), WireError> {
        let start = self.at;
        if self.peek() != Some(b'"') {
            return Err(self.bad("expected a member's name"));
        }
        let at = self.string()?;
        if !self.is_new(at) {
            return Err(WireError::Json { at: start, what: "two members of one object have the same name" });
        }
        self.space();
        if self.peek() != Some(b':') {
            return Err(self.bad("expected a colon"));
        }
        self.at += 1;
        self.space();
        Ok(())
    }

    /// Whether the name at node `at` is new in the innermost object, which counts it.
    fn is_new(&mut self, at: usize) -> bool {
        let text = self.text;
        let Some(frame) = self.frames.last_mut() else { return false };
        let name = name_at(text, &self.nodes, at);
        frame.members += 1;
        if let Some(names) = &mut frame.names {
            return names.insert(name);
        }
        let bit = kind_bit(&name);
        let fresh = frame.met & bit == 0;
        frame.met |= bit;
        if fresh && frame.members <= FEW {
            return true;
        }
        let mut others = Names { text, nodes: &self.nodes, at: frame.node + 1, end: at };
        if frame.members <= FEW {
            return !others.any(|other| other == name);
        }
        let names = frame.names.insert(others.collect());
        names.insert(name)
    }

    /// Reads a string and returns its node.
    fn string(&mut self) -> Result<usize, WireError> {
        let start = self.at + 1;
        let (end, escaped) = text::end(self.bytes, start).map_err(|(at, what)| WireError::Json { at, what })?;
        self.at = end + 1;
        self.push(Kind::String, start, end, escaped)
    }

    fn number(&mut self) -> Result<(), WireError> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        match self.peek() {
            Some(b'0') => self.at += 1,
            _ => self.digits()?,
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits()?;
        }
        // What follows a leading zero is refused as no comma.
        self.push(Kind::Number, start, self.at, false).map(|_| ())
    }

    fn digits(&mut self) -> Result<(), WireError> {
        let start = self.at;
        while self.peek().is_some_and(|b| b.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at == start { Err(self.bad("expected a digit")) } else { Ok(()) }
    }

    fn literal(&mut self, word: &str, kind: Kind) -> Result<bool, WireError> {
        let end = self.at + word.len();
        if self.bytes.get(self.at..end) != Some(word.as_bytes()) {
            return Err(self.bad("expected a value"));
        }
        self.push(kind, self.at, end, false)?;
        self.at = end;
        Ok(false)
    }

    fn push(&mut self, kind: Kind, start: usize, end: usize, escaped: bool) -> Result<usize, WireError> {
        let at = self.nodes.len();
        if at >= self.max_nodes {
            return Err(WireError::TooMany { what: "values", limit: self.max_nodes });
        }
        // The text's length fits 32 bits, and there are no more nodes than bytes.
        self.nodes.push(Node { start: start as u32, end: end as u32, next: at as u32 + 1, kind, escaped });
        Ok(at)
    }

    fn space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    const fn bad(&self, what: &'static str) -> WireError {
        WireError::Json { at: self.at, what }
    }
}

/// The names of an open object's members before node `end`.
struct Names<'a, 'n> {
    text: &'a str,
    nodes: &'n [Node],
    at: usize,
    end: usize,
}

impl<'a> Iterator for Names<'a, '_> {
    type Item = Cow<'a, str>;

    fn next(&mut self) -> Option<Cow<'a, str>> {
        if self.at >= self.end {
            return None;
        }
        let name = name_at(self.text, self.nodes, self.at);
        self.at = self.nodes.get(self.at + 1).map_or(self.end, |value| value.next as usize);
        Some(name)
    }
}

fn name_at<'a>(text: &'a str, nodes: &[Node], at: usize) -> Cow<'a, str> {
    let Some(node) = nodes.get(at) else { return Cow::Borrowed("") };
    text::decoded(text.get(node.start as usize..node.end as usize).unwrap_or_default(), node.escaped)
}

/// One of 64 bits that two equal names share and two different ones mostly do not.
fn kind_bit(name: &str) -> u64 {
    let (first, last) = (name.bytes().next().unwrap_or(0), name.bytes().next_back().unwrap_or(0));
    let mixed = (name.len() as u32 ^ u32::from(first) << 8 ^ u32::from(last) << 16).wrapping_mul(0x9E37_79B1);
    1 << (mixed >> 26)
}
