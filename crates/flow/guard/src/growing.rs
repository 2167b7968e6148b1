//! A text that arrives in pieces, scanned as it grows: what was found, and how far it is cleared.

use std::{collections::VecDeque, ops::Range, sync::Arc};

use countersign_core::{Channel, Finding, Kind, Reproduced, Secret, Slot};

use crate::{
    detector::evidence,
    leak::{Planted, Trail},
    links::Links,
    mask::Nested,
    named,
    rules::{self, BACK, Hit, Text, view},
    stand_in::{Back, Book, comes_back, place::Place},
};

/// What answers are scanned for.
#[derive(Clone, Copy)]
pub(crate) struct Search<'a> {
    pub(crate) links: Option<&'a Links>,
    pub(crate) planted: &'a Planted<'a>,
    /// Names are looked for.
    pub(crate) names: bool,
    /// The stand-ins whose values come back, where they do.
    pub(crate) book: Option<&'a Book>,
}

impl Search<'_> {
    /// What is searched for in such a text.
    pub(crate) fn of(self, slot: &Slot) -> Self {
        Self { book: self.book.filter(|_| comes_back(slot)), ..self }
    }
}

/// One thing found, in bytes of the text as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Spot {
    pub(crate) kind: Kind,
    pub(crate) rule: &'static str,
    pub(crate) span: Range<usize>,
    pub(crate) confidence: f32,
    pub(crate) digest: [u8; 8],
    /// It holds quotes of the JSON it stands in.
    pub(crate) quotes: bool,
    /// It can only be refused: it is too long to be judged whole, or begins in text that has left.
    pub(crate) refuse: bool,
    /// It goes on from the one before.
    pub(crate) more: bool,
    /// The registered text it is a piece of.
    pub(crate) reproduced: Option<Reproduced>,
    /// It is a stand-in, and this comes back for it. Nobody is asked about it: the value is the caller's own.
    pub(crate) back: Option<Arc<Secret<String>>>,
}

impl Spot {
    fn new(hit: &Hit, bytes: &[u8], map: &view::Map) -> Self {
        let found = bytes.get(hit.span.clone()).unwrap_or_default();
        Self {
            kind: hit.kind,
            rule: hit.rule,
            span: map.origin(&hit.span, bytes),
            confidence: hit.confidence,
            digest: evidence(found),
            quotes: found.iter().zip(hit.span.clone()).any(|(b, i)| *b == b'"' && map.plain(i)),
            refuse: hit.endless,
            more: hit.more,
            reproduced: hit.reproduced.clone(),
            back: None,
        }
    }

    fn back(back: Back, bytes: &[u8], map: &view::Map) -> Self {
        Self {
            kind: Kind::PersonalData,
            rule: "stand-in",
            span: map.origin(&back.span, bytes),
            confidence: 1.0,
            digest: [0; 8],
            quotes: false,
            refuse: false,
            more: false,
            reproduced: None,
            back: Some(back.value),
        }
    }

    /// Whether it was found within a stand-in that ends at `end`: letters that mean nothing.
    pub(crate) fn is_within(&self, end: usize) -> bool {
        self.span.end <= end && matches!(self.kind, Kind::PersonalData | Kind::Secret)
    }

    pub(crate) fn finding(&self, channel: Channel, leaf: usize) -> Finding {
        let Self { kind, rule, span, confidence, digest, reproduced, .. } = self.clone();
        Finding { kind, rule, channel, leaf, span, confidence, digest, reproduced }
    }

    /// A stand-in goes before what is found within it; of two things that one piece is, a secret before a name.
    fn key(&self) -> (usize, bool, usize, Kind, &'static str) {
        (self.span.start, self.back.is_none(), self.span.end, self.kind, self.rule)
    }
}

/// Everything found in a text that is whole, in order.
pub(crate) fn whole(text: &str, search: &Search<'_>) -> Vec<Spot> {
    // Nothing that any rule takes is shorter.
    if text.len() < 6 && !search.names {
        return Vec::new();
    }
    let (bytes, map) = view::view(text);
    let mut hits = Vec::new();
    let scan = Text {
        view: &bytes,
        from: 0,
        last: true,
        grows: false,
        links: search.links,
        planted: Some(search.planted),
        depth: 0,
    };
    rules::scan(&scan, &mut hits);
    search.planted.whole(&bytes, &mut hits);
    if search.names {
        named::scan(&bytes, 0, true, &mut hits);
    }
    let mut spots: Vec<Spot> = hits.iter().map(|hit| Spot::new(hit, &bytes, &map)).collect();
    if let Some(book) = search.book {
        let mut back = Vec::new();
        book.scan(&bytes, 0, true, &mut Place::default(), &mut back);
        spots.extend(back.into_iter().map(|back| Spot::back(back, &bytes, &map)));
    }
    spots.sort_by_key(Spot::key);
    spots
}

/// A growing text.
#[derive(Debug, Default)]
pub(crate) struct Growing {
    /// Bytes that have arrived.
    pub(crate) total: usize,
    /// Nothing before this can be objected to any more, except by what is in `spots`.
    pub(crate) cleared: usize,
    /// Found and not yet judged, in order.
    pub(crate) spots: VecDeque<Spot>,
    /// Decided masks that have not left yet: place, kind, whether the JSON's quotes are in it.
    pub(crate) masks: VecDeque<Mask>,
    /// How far masks reach.
    pub(crate) masked: usize,
    /// Where the last stand-in ended.
    pub(crate) back: usize,
    /// Values come back in it.
    pub(crate) is_read: bool,
    /// The first byte that is no space: whether it may be JSON.
    pub(crate) opens: Option<u8>,
    /// The JSON the text may be, up to what has left.
    pub(crate) nested: Nested,
    /// The event it last grew in.
    pub(crate) grown: u64,
    /// Arrived but not viewed: an escape whose end is missing.
    rest: String,
    view: Vec<u8>,
    map: view::Map,
    /// Where rules go on.
    from: usize,
    trail: Trail,
    /// Where stand-ins are looked for next, and what kind of place that is.
    sought: usize,
    place: Place,
    /// Where the first sentence begins that names are looked for in next.
    named: usize,
    /// Text before this has left before it was cleared, because nothing came for long.
    passed: usize,
    stale: bool,
    /// Length of the view when it was last scanned.
    scanned: usize,
}

/// Text to be replaced.
#[derive(Clone, Debug)]
pub(crate) struct Mask {
    pub(crate) span: Range<usize>,
    pub(crate) with: With,
    pub(crate) quotes: bool,
}

/// What is put in place of text.
#[derive(Clone, Debug)]
pub(crate) enum With {
    /// It goes on from the mask before.
    Nothing,
    Mask(Kind),
    /// The value that a stand-in stands for.
    Value(Arc<Secret<String>>),
}

impl Growing {
    /// Takes in what arrived.
    pub(crate) fn push(&mut self, text: &str, event: u64) {
        self.total += text.len();
        self.grown = event;
        if text.is_empty() {
            return;
        }
        self.stale = true;
        self.opens = self.opens.or_else(|| text.bytes().find(|byte| !byte.is_ascii_whitespace()));
        if self.rest.is_empty() {
            let at = self.total - text.len();
            let done = view::append(text, at, false, &mut self.view, &mut self.map);
            self.rest.push_str(text.get(done..).unwrap_or_default());
        } else {
            self.rest.push_str(text);
            self.take_rest(false);
        }
    }

    /// Scans what is new; false when that was put off until there is more.
    pub(crate) fn scan(&mut self, search: &Search<'_>, last: bool) -> bool {
        if last && !self.rest.is_empty() {
            self.take_rest(true);
            self.stale = true;
        }
        // What is held is read again; were that done for each new byte, a long hold would cost its square.
        let held = self.scanned.saturating_sub(self.from);
        let little = held > SMALL && (self.view.len() - self.scanned) * 8 < held;
        if !last && (!self.stale || little) {
            return !self.stale;
        }
        self.scan_now(search, last);
        true
    }

    fn scan_now(&mut self, search: &Search<'_>, last: bool) {
        self.stale = false;
        let mut hits = Vec::new();
        self.from = rules::scan(&self.text(search, last), &mut hits);
        let trail = self.trail.scan(search.planted, &self.view, last, &mut hits);
        self.named = match search.names {
            true => named::scan(&self.view, self.named, last, &mut hits),
            false => self.view.len(),
        };
        if !hits.is_empty() {
            self.spots.extend(hits.iter().map(|hit| {
                let mut spot = Spot::new(hit, &self.view, &self.map);
                spot.refuse |= spot.span.start < self.passed;
                spot
            }));
            self.spots.make_contiguous().sort_by_key(Spot::key);
        }
        self.seek(search, last);
        let hold = self.from.min(trail).min(self.sought).min(self.named);
        let viewed = self.total - self.rest.len();
        let clear = if hold >= self.view.len() { viewed } else { self.map.origin(&(hold..hold + 1), &self.view).start };
        self.cleared = clear.max(self.passed);
        if hold > DROP {
            let count = hold - BACK;
            self.view.drain(..count);
            self.map.drop_front(count);
            self.trail.drop_front(count);
            self.from -= count;
            self.sought -= count;
            self.named -= count;
        }
        self.scanned = self.view.len();
    }

    /// Lets held text go although more could come, when nothing is in it and nothing worth holding has begun in it.
    pub(crate) fn pass(&mut self, search: &Search<'_>) {
        // Not `scan`, which may put it off: what is let go must not depend on when that was asked for.
        self.scan_now(search, false);
        let held = self.view.get(self.from..).unwrap_or_default();
        let digits = held.iter().filter(|b| b.is_ascii_digit()).count();
        let harmless = held.len() <= 24
            && digits < 4
            && !held.iter().any(|b| matches!(b, b'@' | b'!' | b'<' | b'\\'))
            && !held.windows(2).any(|w| w == b"--" || w == b"//");
        let named = search.names && !named::may_pass(self.view.get(self.named..).unwrap_or_default());
        if !harmless || named || !self.rest.is_empty() {
            return;
        }
        let mut hits = Vec::new();
        rules::scan(&self.text(search, true), &mut hits);
        if hits.is_empty() && self.trail.idle(search.planted) && self.spots.is_empty() && !rules::promising(held) {
            self.passed = self.total;
            self.cleared = self.total;
        }
    }

    /// Looks for stand-ins.
    fn seek(&mut self, search: &Search<'_>, last: bool) {
        let Some(book) = search.book.filter(|_| self.is_read) else {
            self.sought = self.view.len();
            return;
        };
        let mut back = Vec::new();
        self.sought = book.scan(&self.view, self.sought, last, &mut self.place, &mut back);
        let spots = back.into_iter().map(|back| Spot::back(back, &self.view, &self.map));
        // What has begun to leave stays as it is.
        let before = self.spots.len();
        self.spots.extend(spots.filter(|spot| spot.span.start >= self.passed));
        if self.spots.len() > before {
            self.spots.make_contiguous().sort_by_key(Spot::key);
        }
    }

    fn text<'a>(&'a self, search: &Search<'a>, last: bool) -> Text<'a> {
        Text {
            view: &self.view,
            from: self.from,
            last,
            grows: true,
            links: search.links,
            planted: Some(search.planted),
            depth: 0,
        }
    }

    fn take_rest(&mut self, last: bool) {
        let at = self.total - self.rest.len();
        let done = view::append(&self.rest, at, last, &mut self.view, &mut self.map);
        self.rest.drain(..done);
    }
}

/// A held text up to this long is read again whenever something new has come.
const SMALL: usize = 128;

/// Scanned text is forgotten when there is this much of it.
const DROP: usize = 4 << 10;
