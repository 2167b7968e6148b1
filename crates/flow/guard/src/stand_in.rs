//! Recognises stand-ins in texts, whole and growing, and knows what they stand for.
//!
//! A model bends what it repeats: it changes case, brackets and spaces, adds emphasis and backslashes. So the name and the number only
//! lead to a tag; what the tag stands for in this request, with the type that was named, is what comes back. A tag that stands for
//! nothing here is text like any other. What comes back is never read again, so nothing nests (docs/adr/0027-stand-ins.md).

use std::{ops::Range, sync::Arc};

use countersign_core::{Channel, Entity, Secret, Slot, StandIns};

use crate::rules::{cursor::Cursor, view};

pub(crate) mod place;
pub(crate) mod prompt;

use place::Place;

/// Something that reads as a stand-in, in bytes of a view.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Shape {
    /// All of it, with its brackets where both are there.
    pub(crate) span: Range<usize>,
    /// The brackets, where both are there.
    pub(crate) brackets: Option<[Range<usize>; 2]>,
    entity: Entity,
    tag: Range<usize>,
}

/// What stands at a place of a view.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Read {
    Shape(Shape),
    Nothing,
    /// It could be a stand-in, and its end has not arrived.
    Starved,
}

/// A stand-in whose value comes back, in bytes of the view.
#[derive(Clone, Debug)]
pub(crate) struct Back {
    pub(crate) span: Range<usize>,
    pub(crate) value: Arc<Secret<String>>,
}

/// The stand-ins of one request, ready to be recognised.
#[derive(Debug)]
pub(crate) struct Book {
    all: Arc<StandIns>,
    entities: Vec<Entity>,
    starts: Box<[bool; 256]>,
}

impl Book {
    /// None where there is nothing to recognise.
    pub(crate) fn new(all: Option<&Arc<StandIns>>) -> Option<Self> {
        let all = all.filter(|all| !all.is_empty())?;
        let entities = all.entities();
        let mut starts = starts(&entities);
        for first in all.alike().filter_map(|(text, _)| text.bytes().next()) {
            if let Some(start) = starts.get_mut(usize::from(first)) {
                *start = true;
            }
        }
        Some(Self { all: Arc::clone(all), entities, starts })
    }

    /// As [`Book::new`], for what the caller is given.
    pub(crate) fn shown(all: Option<&Arc<StandIns>>) -> Option<Self> {
        Self::new(all.filter(|all| all.shown()))
    }

    /// Looks for stand-ins from `from` on; returns the earliest place at which an unfinished one could begin. `place` is what
    /// `view` up to `from` led to, and goes along.
    pub(crate) fn scan(&self, view: &[u8], from: usize, last: bool, place: &mut Place, out: &mut Vec<Back>) -> usize {
        let mut at = from;
        while let Some(&byte) = view.get(at) {
            if self.starts.get(usize::from(byte)) == Some(&true) {
                match self.look(view, at, last) {
                    Look::Starved => return at,
                    Look::Nothing => {}
                    Look::Known(span, value) => {
                        place.read_all(view.get(at..span.start).unwrap_or_default());
                        at = span.end;
                        if place.is_text() {
                            // A reader sees the value, and so does what follows it.
                            place.read_all(value.as_bytes());
                            out.push(Back { span, value: Arc::new(Secret::new(value.to_owned())) });
                        } else {
                            place.read_all(view.get(span).unwrap_or_default());
                        }
                        continue;
                    }
                }
            }
            place.read(byte);
            at += 1;
        }
        at
    }

    /// The text with every value in place of its stand-in, wherever it stands; none where there is none.
    pub(crate) fn resolved(&self, text: &str) -> Option<String> {
        let (view, map) = view::view(text);
        let (mut out, mut done, mut at) = (String::new(), 0, 0);
        while at < view.len() {
            let start = view.get(at).is_some_and(|byte| self.starts.get(usize::from(*byte)) == Some(&true));
            match start.then(|| self.look(&view, at, true)) {
                Some(Look::Known(span, value)) => {
                    let origin = map.origin(&span, &view);
                    out.push_str(text.get(done..origin.start)?);
                    out.push_str(value);
                    (done, at) = (origin.end, span.end);
                }
                _ => at += 1,
            }
        }
        (done > 0).then(|| out + text.get(done..).unwrap_or_default())
    }

    fn look(&self, view: &[u8], at: usize, last: bool) -> Look<'_> {
        let starved = match read(view, at, last, &self.entities) {
            Read::Starved => true,
            Read::Nothing => false,
            Read::Shape(shape) => match self.value(view, &shape) {
                Some(value) => return Look::Known(shape.span, value),
                None => false,
            },
        };
        match self.alike(view, at, last) {
            Look::Nothing if starved => Look::Starved,
            look => look,
        }
    }

    fn value(&self, view: &[u8], shape: &Shape) -> Option<&str> {
        let tag = std::str::from_utf8(view.get(shape.tag.clone())?).ok()?.to_ascii_lowercase();
        self.all.tagged(&tag).filter(|(entity, _)| *entity == shape.entity).map(|(_, value)| value)
    }

    /// A stand-in that looks like a value, as it was written and no part of a longer number.
    fn alike(&self, view: &[u8], at: usize, last: bool) -> Look<'_> {
        let is_digit = |at: Option<usize>| at.and_then(|at| view.get(at)).is_some_and(u8::is_ascii_digit);
        let rest = view.get(at..).unwrap_or_default();
        if is_digit(at.checked_sub(1)) {
            return Look::Nothing;
        }
        let mut starved = false;
        for (text, value) in self.all.alike() {
            if rest.starts_with(text.as_bytes()) {
                let end = at + text.len();
                if end == view.len() && !last {
                    starved = true;
                } else if !is_digit(Some(end)) {
                    return Look::Known(at..end, value);
                }
            } else {
                starved |= !last && text.as_bytes().starts_with(rest);
            }
        }
        if starved { Look::Starved } else { Look::Nothing }
    }
}

/// What stands at a place, for somebody who knows what tags stand for.
enum Look<'a> {
    Known(Range<usize>, &'a str),
    Nothing,
    Starved,
}

/// Whether values come back in such a text: in what the model says, never in what it hands to a tool.
pub(crate) fn comes_back(slot: &Slot) -> bool {
    matches!(slot.channel, Channel::Assistant | Channel::Reasoning) && slot.call.is_none()
}

/// Everything in a view that reads as a stand-in of any type.
pub(crate) fn shapes(view: &[u8]) -> Vec<Shape> {
    let starts = starts(&Entity::ALL);
    let (mut out, mut at) = (Vec::new(), 0);
    while let Some(&byte) = view.get(at) {
        match read_from(&starts, byte, view, at) {
            Read::Shape(shape) => {
                at = shape.span.end;
                out.push(shape);
            }
            _ => at += 1,
        }
    }
    out
}

fn read_from(starts: &[bool; 256], byte: u8, view: &[u8], at: usize) -> Read {
    if starts.get(usize::from(byte)) == Some(&true) { read(view, at, true, &Entity::ALL) } else { Read::Nothing }
}

/// Bytes that a stand-in of one of these types can begin with.
fn starts(entities: &[Entity]) -> Box<[bool; 256]> {
    let mut table = Box::new([false; 256]);
    let first = entities.iter().filter_map(|entity| entity.as_str().bytes().next());
    let both = first.flat_map(|byte| [byte, byte.to_ascii_lowercase()]);
    for byte in both.chain(*b"[({<\\\xe3") {
        if let Some(start) = table.get_mut(usize::from(byte)) {
            *start = true;
        }
    }
    table
}

/// What begins at `at`.
fn read(view: &[u8], at: usize, last: bool, entities: &[Entity]) -> Read {
    let mut cursor = Cursor::new(view, at, last);
    let shape = read_shape(&mut cursor, entities);
    if cursor.starved() { Read::Starved } else { shape.map_or(Read::Nothing, Read::Shape) }
}

fn read_shape(cursor: &mut Cursor<'_>, entities: &[Entity]) -> Option<Shape> {
    let at = cursor.at;
    let mut open = bracket(cursor, true);
    if open.is_some() {
        cursor.eat_while(MOST_BETWEEN, is_between);
    } else if cursor.is_within_word() {
        return None;
    }
    let start = cursor.at;
    let entity = *entities.iter().find(|entity| eat_name(cursor, start, entity.as_str()))?;
    cursor.eat_while(MOST_BETWEEN, is_between);
    // The version of a key, in those that are the same everywhere.
    if matches!(cursor.peek(), Some(b'v' | b'V')) {
        cursor.at += 1;
    }
    let digits = cursor.eat_while(MOST_DIGITS + 1, |b| b.is_ascii_digit());
    let between = cursor.eat_while(MOST_BETWEEN, |b| is_between(b) || b == b':');
    if digits == 0 || digits > MOST_DIGITS || between == 0 {
        return None;
    }
    let from = cursor.at;
    let length = cursor.eat_while(MOST_TAG + 1, |b| b.is_ascii_alphanumeric());
    if !(LEAST_TAG..=MOST_TAG).contains(&length) {
        return None;
    }
    let tag = from..cursor.at;
    let mut span = start..tag.end;
    let mut brackets = None;
    if let Some(open) = open.take() {
        cursor.eat_while(MOST_BETWEEN, is_between);
        if let Some(close) = bracket(cursor, false) {
            span = at..close.end;
            brackets = Some([open, close]);
        }
    }
    Some(Shape { span, brackets, entity, tag })
}

/// Steps over a type's name, whatever stands between its words.
fn eat_name(cursor: &mut Cursor<'_>, from: usize, name: &str) -> bool {
    cursor.at = from;
    name.split('_').enumerate().all(|(index, word)| {
        if index > 0 {
            cursor.eat_while(MOST_BETWEEN, is_between);
        }
        cursor.eat_text(word.as_bytes())
    })
}

/// Steps over an opening or a closing bracket, with the backslash before it.
fn bracket(cursor: &mut Cursor<'_>, opens: bool) -> Option<Range<usize>> {
    let from = cursor.at;
    let ahead = usize::from(cursor.peek() == Some(b'\\'));
    let width = match (cursor.peek_at(ahead)?, opens) {
        (b'[' | b'(' | b'{' | b'<', true) | (b']' | b')' | b'}' | b'>', false) => 1,
        // Those of CJK text: one after the other, opening ones even.
        (0xe3, _) if cursor.peek_at(ahead + 1)? == 0x80 => match cursor.peek_at(ahead + 2)? {
            last @ 0x88..=0x91 if (last % 2 == 0) == opens => 3,
            last @ 0x94..=0x9b if (last % 2 == 0) == opens => 3,
            _ => return None,
        },
        _ => return None,
    };
    cursor.at += ahead + width;
    Some(from..cursor.at)
}

/// What models put between the parts.
const fn is_between(byte: u8) -> bool {
    matches!(byte, b' ' | b'_' | b'-' | b'\\' | b'*' | b'`')
}

const MOST_BETWEEN: usize = 4;
const MOST_DIGITS: usize = 6;
/// Characters of a tag.
const LEAST_TAG: usize = 7;
/// Those that are the same everywhere hold the value itself.
const MOST_TAG: usize = 256;

#[cfg(test)]
mod life;
#[cfg(test)]
mod tests;
