//! Watches a stream: events go in as they arrive and come out in order, each as soon as nothing in it can be objected to any more.
//!
//! INVARIANT: what comes out depends on the events and not on when [`Watch::settle`] is called. Texts are scanned so that
//! their verdict does not depend on how they are cut, and findings are judged in the order of the events they begin in.

use std::{collections::VecDeque, fmt, sync::Arc};

use ahash::AHashMap;
use bytes::{Bytes, BytesMut};
use countersign_core::{
    Action, Channel, Document, Edit, Finding, Refusal, Timestamp,
    life::{Readmitted, Released},
};

use crate::{
    Guard,
    growing::{Growing, Mask, Search, Spot, With, whole},
    leak::Protected,
    mask::label,
    release::{self, Standing},
    spotlight,
    stand_in::{Book, comes_back},
    taint::{self, Calls, Now},
};

/// What became of a stream's events.
#[derive(Debug)]
pub struct Step {
    /// The bytes of all events that may leave now, in order.
    pub released: Option<Released>,
    /// After what is released, the stream ends with this.
    pub ended: Option<Refusal>,
}

/// One stream under watch.
pub struct Watch {
    guard: Arc<Guard>,
    of: Readmitted,
    system: Option<Protected>,
    /// The stand-ins whose values come back.
    book: Option<Book>,
    queue: VecDeque<Event>,
    texts: Texts,
    /// Texts in the order they grew, with the event they grew in, for as long as patience lasts.
    recent: VecDeque<(u64, usize)>,
    /// The last event that left, and whether nothing was found in what stood for itself.
    last: Option<(Document, bool)>,
    findings: Vec<Finding>,
    /// The calls of tools, where the context is tainted.
    calls: Option<Calls>,
    count: u64,
    held: usize,
    ended: bool,
}

/// An event that has not left.
struct Event {
    document: Document,
    /// For each slot that grows a text: where in that text it begins.
    starts: Vec<usize>,
    /// Found in slots that stand for themselves.
    spots: Vec<(usize, Vec<Spot>)>,
    /// The name of a tool call goes on in it after the call's arguments have begun.
    torn: bool,
    /// The slot that is judged next.
    next: usize,
    edits: Vec<Edit>,
}

/// After so many events in which a held text did not grow, it is let go if nothing in it gives reason to hold it:
/// reasoning that ends in the middle of a word must not keep back the answer that follows.
const PATIENCE: u64 = 16;

/// Bytes that are held back for a call of a tool that is not decided.
const MOST_HELD: usize = 8 << 20;

impl Guard {
    /// Watches a stream.
    #[must_use]
    pub fn watch(self: &Arc<Self>, of: Readmitted) -> Watch {
        Watch {
            guard: Arc::clone(self),
            system: release::system(of.system()),
            calls: taint::applies(&of).then(Calls::default),
            book: Book::shown(of.context().stand_ins.as_ref()),
            of,
            queue: VecDeque::new(),
            texts: Texts::default(),
            recent: VecDeque::new(),
            last: None,
            findings: Vec::new(),
            count: 0,
            held: 0,
            ended: false,
        }
    }
}

impl Watch {
    /// Takes in one event. A slot that grows continues its text; every other slot stands for itself.
    pub fn push(&mut self, event: Document) {
        if self.ended {
            return;
        }
        self.count += 1;
        let event = spotlight::unmarked(&self.of, &event).unwrap_or(event);
        let torn = self.calls.as_mut().is_some_and(|calls| calls.read(&event));
        let planted = self.guard.answer.planted(self.system.as_ref());
        let search = self.guard.answer.search(&planted, self.book.as_ref());
        // What the event before it said already need not be scanned again, where nothing was found in it.
        let last = match self.queue.back() {
            Some(event) => Some((&event.document, event.spots.is_empty())),
            None => self.last.as_ref().map(|(document, clean)| (document, *clean)),
        };
        let (mut starts, mut spots) = (Vec::with_capacity(event.slots().len()), Vec::new());
        for (index, slot) in event.slots().iter().enumerate() {
            let Some(id) = slot.grows else {
                starts.push(0);
                let seen = last.is_some_and(|(last, clean)| clean && repeats(last, &event, index));
                if !seen {
                    let found = whole(event.text(index), &search.of(slot));
                    if !found.is_empty() {
                        spots.push((index, found));
                    }
                }
                continue;
            };
            let text = event.text(index);
            let at = self.texts.place(id);
            let Some(growing) = self.texts.all.get_mut(at) else { continue };
            starts.push(growing.total);
            growing.is_read = comes_back(slot);
            growing.push(text, self.count);
            self.texts.stale.push(at);
            self.recent.push_back((self.count, at));
        }
        while let Some((grown, at)) = self.recent.front().copied().filter(|(grown, _)| grown + PATIENCE <= self.count) {
            self.recent.pop_front();
            if let Some(text) = self.texts.all.get_mut(at)
                && text.grown == grown
                && text.cleared < text.total
            {
                text.pass(&search);
            }
        }
        self.held += event.bytes().len();
        self.queue.push_back(Event { document: event, starts, spots, torn, next: 0, edits: Vec::new() });
    }

    /// Scans what was pushed and releases every event that nothing can be objected to in any more.
    pub fn settle(&mut self, now: Timestamp) -> Step {
        self.step(now, false)
    }

    /// The stream is over: what is held is judged as it stands.
    pub fn finish(&mut self, now: Timestamp) -> Step {
        self.step(now, true)
    }

    /// What was found in what has left, and in what ended the stream.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// The request whose answer this is.
    #[must_use]
    pub const fn readmitted(&self) -> &Readmitted {
        &self.of
    }

    /// Bytes of events that are held back.
    #[must_use]
    pub const fn held(&self) -> usize {
        self.held
    }

    fn step(&mut self, now: Timestamp, last: bool) -> Step {
        if self.ended {
            return Step { released: None, ended: None };
        }
        let planted = self.guard.answer.planted(self.system.as_ref());
        let search = self.guard.answer.search(&planted, self.book.as_ref());
        self.texts.scan(&search, last);
        let mut out = Joined::default();
        let mut ended = None;
        while let Some(event) = self.queue.front_mut() {
            let held = self.calls.as_mut().map_or(Ok(false), |calls| event.is_held(&self.of, calls, last, now));
            let judged = held.and_then(|held| match held {
                true if self.held > MOST_HELD => Err(release::too_long()),
                true => Ok(false),
                false => event.judge(&self.of, &mut self.texts, &mut self.findings),
            });
            match judged.and_then(|done| if done { event.bytes().map(Some) } else { Ok(None) }) {
                Ok(Some(bytes)) => {
                    self.held -= event.document.bytes().len();
                    out.add(bytes);
                    self.last = self.queue.pop_front().map(|event| (event.document, event.spots.is_empty()));
                }
                Ok(None) => break,
                Err(refusal) => {
                    ended = Some(refusal);
                    break;
                }
            }
        }
        if let (true, Some(calls)) = (last || ended.is_some(), &mut self.calls) {
            self.findings.extend(calls.findings(&self.of));
        }
        let released = out.bytes().map(|bytes| Released::new(&self.guard.stamp, &self.of, bytes, now)).transpose();
        let released = released.unwrap_or_else(|refusal| {
            ended = Some(refusal);
            None
        });
        if ended.is_some() {
            self.ended = true;
            self.queue.clear();
            self.texts = Texts::default();
            self.held = 0;
        }
        Step { released, ended }
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("held", &self.held).field("ended", &self.ended).finish_non_exhaustive()
    }
}

/// Whether the slot stands for itself in both events and says the same.
fn repeats(last: &Document, event: &Document, index: usize) -> bool {
    let (Some(a), Some(b)) = (last.slots().get(index), event.slots().get(index)) else { return false };
    let same = |a: Option<&[u8]>, b: Option<&[u8]>| a.is_some() && a == b;
    a.grows.is_none()
        && a.channel == b.channel
        && a.decoded.is_none()
        && b.decoded.is_none()
        && same(last.bytes().get(a.span.clone()), event.bytes().get(b.span.clone()))
}

/// The growing texts of a stream.
#[derive(Default)]
struct Texts {
    places: AHashMap<u32, usize>,
    all: Vec<Growing>,
    /// Those that grew since they were scanned.
    stale: Vec<usize>,
}

impl Texts {
    /// Where the text `id` is kept.
    fn place(&mut self, id: u32) -> usize {
        *self.places.entry(id).or_insert_with(|| {
            self.all.push(Growing::default());
            self.all.len() - 1
        })
    }

    fn get(&mut self, id: u32) -> Option<&mut Growing> {
        self.places.get(&id).and_then(|at| self.all.get_mut(*at))
    }

    fn scan(&mut self, search: &Search<'_>, last: bool) {
        if last {
            self.stale.clear();
            for text in &mut self.all {
                text.scan(search, true);
            }
        }
        self.stale.retain(|at| self.all.get_mut(*at).is_some_and(|text| !text.scan(search, false)));
    }
}

impl Event {
    /// Judges slot by slot what is certain; true when all of the event is.
    fn judge(&mut self, of: &Readmitted, texts: &mut Texts, findings: &mut Vec<Finding>) -> Result<bool, Refusal> {
        while let Some(slot) = self.document.slots().get(self.next) {
            let index = self.next;
            match slot.grows {
                None => {
                    if let Some((_, spots)) = self.spots.iter().find(|(i, _)| *i == index) {
                        let text = self.document.text(index);
                        Standing { index, text, channel: slot.channel }.judge(of, spots, findings, &mut self.edits)?;
                    }
                }
                Some(id) => {
                    let start = self.starts.get(index).copied().unwrap_or_default();
                    let Some(growing) = texts.get(id) else { return Ok(false) };
                    let text = self.document.text(index);
                    if !part(of, growing, id, slot.channel, start, text, findings, index, &mut self.edits)? {
                        return Ok(false);
                    }
                }
            }
            self.next += 1;
        }
        Ok(true)
    }

    /// Whether a call of a tool in it is not decided.
    fn is_held(&self, of: &Readmitted, calls: &mut Calls, last: bool, now: Timestamp) -> Result<bool, Refusal> {
        if self.torn {
            return Err(taint::torn());
        }
        let mut held = false;
        for part in self.document.slots().iter().filter_map(|slot| slot.call) {
            held |= calls.judge(of, part.call, last, now)? == Now::Held;
        }
        Ok(held)
    }

    fn bytes(&self) -> Result<Bytes, Refusal> {
        release::edited(&self.document, &self.edits)
    }
}

/// Judges one piece of a growing text, which begins at `start` of it; true when the piece is cleared and its masks are made.
#[expect(clippy::too_many_arguments, reason = "one call, and a struct of these would only rename them")]
fn part(
    of: &Readmitted,
    growing: &mut Growing,
    id: u32,
    channel: Channel,
    start: usize,
    text: &str,
    findings: &mut Vec<Finding>,
    index: usize,
    edits: &mut Vec<Edit>,
) -> Result<bool, Refusal> {
    let end = start + text.len();
    let certain = end.min(growing.cleared);
    while let Some(spot) = growing.spots.front().filter(|s| s.span.start < certain) {
        if let Some(value) = &spot.back {
            growing.back = spot.span.end;
            if spot.span.start >= growing.masked {
                growing.masked = spot.span.end;
                let mask = Mask { span: spot.span.clone(), with: With::Value(Arc::clone(value)), quotes: false };
                growing.masks.push_back(mask);
            }
        } else if spot.is_within(growing.back) {
            // Letters of a stand-in, which mean nothing.
        } else if release::verdict(of, spot, channel, id as usize, findings)? == Action::Mask
            && spot.span.end > growing.masked
        {
            let from = spot.span.start.max(growing.masked);
            let goes_on = growing.masked > 0 && from == growing.masked && from != growing.back;
            let with = if goes_on { With::Nothing } else { With::Mask(spot.kind) };
            let mask = Mask { span: from..spot.span.end, with, quotes: spot.quotes };
            growing.masked = mask.span.end;
            growing.masks.push_back(mask);
        }
        growing.spots.pop_front();
    }
    if growing.cleared < end {
        return Ok(false);
    }
    let json = channel == Channel::ToolArguments;
    // What a model says may be JSON as well; a value in it must not break it.
    let follows = json || growing.is_read && growing.opens == Some(b'{');
    let mut read = start;
    while let Some(mask) = growing.masks.front().filter(|m| m.span.start < end) {
        let from = mask.span.start.max(start);
        let to = mask.span.end.min(end);
        if follows {
            growing.nested.read(text.get(read - start..from - start).unwrap_or_default());
        }
        if json && growing.nested.place("", mask.quotes).is_none() {
            return Err(release::unmaskable());
        }
        let with = match &mask.with {
            // It was put where it begins.
            _ if mask.span.start < start => String::new(),
            With::Nothing => String::new(),
            With::Mask(kind) if json => {
                growing.nested.place(label(*kind), mask.quotes).ok_or_else(release::unmaskable)?
            }
            With::Mask(kind) => label(*kind).to_owned(),
            With::Value(value) if follows => growing.nested.value(value.expose()),
            With::Value(value) => value.expose().clone(),
        };
        edits.push(Edit { leaf: index, span: from - start..to - start, with });
        read = to;
        if mask.span.end > end {
            break;
        }
        growing.masks.pop_front();
    }
    if follows {
        growing.nested.read(text.get(read - start..).unwrap_or_default());
    }
    Ok(true)
}

/// Bytes of several events as one; a single one is passed on as it is.
#[derive(Default)]
struct Joined {
    first: Option<Bytes>,
    all: BytesMut,
}

impl Joined {
    fn add(&mut self, bytes: Bytes) {
        if self.all.is_empty() {
            let Some(first) = self.first.take() else {
                self.first = Some(bytes);
                return;
            };
            self.all.reserve((first.len() + bytes.len()) * 4);
            self.all.extend_from_slice(&first);
        }
        self.all.extend_from_slice(&bytes);
    }

    fn bytes(self) -> Option<Bytes> {
        if self.all.is_empty() { self.first } else { Some(self.all.freeze()) }
    }
}

#[cfg(test)]
mod tests;
