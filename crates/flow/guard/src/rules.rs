//! Rules for credentials and personal data: one pass over a view, split into runs of characters that belong together.
//!
//! A *run* is a maximal piece without spaces, quotes, brackets and the like. Rules start at runs; those that reach further
//! read ahead through a [`Cursor`](cursor::Cursor). What follows never changes what was reported: an outcome that could still change is held.

mod around;
mod assign;
pub(crate) mod check;
mod codes;
pub(crate) mod cursor;
mod date;
mod encoded;
mod keccak;
mod keyed;
mod lead;
mod mail;
mod national;
mod network;
mod number;
mod place;
mod secret;
mod services;
mod skip;
mod value;

use std::ops::Range;

use countersign_core::{Kind, Reproduced};
pub(crate) use countersign_prints::view;

use crate::{detector::Found, leak::Planted, links::Links};
use cursor::Cursor;
use skip::Skip;

/// The longest piece of a growing text that is held back; what is still open then is judged as it stands.
pub(crate) const HOLD: usize = 8 << 10;

/// How far rules look back for the words around a value, in bytes of the view.
pub(crate) const BACK: usize = 64;

/// One thing found in a view.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Hit {
    pub(crate) kind: Kind,
    pub(crate) rule: &'static str,
    /// Bytes of the view.
    pub(crate) span: Range<usize>,
    pub(crate) confidence: f32,
    /// It reached the bound on what is held: never to be passed or masked.
    pub(crate) endless: bool,
    /// It goes on from the finding before it.
    pub(crate) more: bool,
    /// The registered text it is a piece of.
    pub(crate) reproduced: Option<Reproduced>,
}

impl Hit {
    pub(crate) const fn new(kind: Kind, rule: &'static str, span: Range<usize>, confidence: f32) -> Self {
        Self { kind, rule, span, confidence, endless: false, more: false, reproduced: None }
    }
}

/// What is being scanned.
#[derive(Clone, Copy)]
pub(crate) struct Text<'a> {
    /// The view; may begin with up to [`BACK`] bytes that were scanned before.
    pub(crate) view: &'a [u8],
    /// Where scanning begins.
    pub(crate) from: usize,
    /// Nothing follows the view.
    pub(crate) last: bool,
    /// The text arrives in pieces, so what is held is bounded.
    pub(crate) grows: bool,
    /// Rules about links apply (answers only).
    pub(crate) links: Option<&'a Links>,
    /// What decoded texts are compared with; canaries alone in prompts.
    pub(crate) planted: Option<&'a Planted<'a>>,
    /// How many encodings this text was taken out of.
    pub(crate) depth: u8,
}

/// Scans and reports what is certain; returns the earliest place at which something unfinished could begin.
/// Reported are exactly the hits that begin before that place.
pub(crate) fn scan(text: &Text<'_>, out: &mut Vec<Hit>) -> usize {
    let mut skip = Skip::new(text.view, text.from, text.links.is_some());
    sweep(text, out, |at| skip.next(at))
}

/// Scans every place that `next` says is the next to look at.
fn sweep(text: &Text<'_>, out: &mut Vec<Hit>, mut next: impl FnMut(usize) -> usize) -> usize {
    let view = text.view;
    let first = out.len();
    let mut sweep = Sweep { text, out, hold: view.len() };
    let mut at = next(text.from);
    while let Some(&byte) = view.get(at) {
        if class(byte) == 0 {
            at = next(sweep.between(at, byte));
            continue;
        }
        let rest = view.get(at..).unwrap_or_default();
        let (mut flags, mut len) = (0, 0);
        for &byte in rest {
            let class = class(byte);
            if class == 0 {
                break;
            }
            flags |= class;
            len += 1;
        }
        at = next(sweep.run(at..at + len, flags));
    }
    let hold = sweep.hold;
    let mut index = 0;
    out.retain(|hit| {
        index += 1;
        index <= first || hit.span.start < hold
    });
    hold
}

/// Reports credentials, personal data and what is planted in a prompt's leaf; spans are bytes of `text`.
pub(crate) fn prompt(text: &str, planted: &Planted<'_>, out: &mut Vec<Found>) {
    let (bytes, map) = view::view(text);
    let mut hits = Vec::new();
    let planted = Some(planted).filter(|p| p.canaries.is_some());
    scan(&Text { view: &bytes, from: 0, last: true, grows: false, links: None, planted, depth: 0 }, &mut hits);
    if let Some(planted) = planted {
        planted.whole(&bytes, &mut hits);
    }
    out.extend(hits.into_iter().map(|hit| Found {
        kind: hit.kind,
        rule: hit.rule,
        span: map.origin(&hit.span, &bytes),
        confidence: hit.confidence,
    }));
}

/// Whether an unfinished run already looks like the beginning of a credential.
pub(crate) fn promising(held: &[u8]) -> bool {
    secret::promising(held)
}

/// One pass.
struct Sweep<'t, 'o> {
    text: &'t Text<'t>,
    out: &'o mut Vec<Hit>,
    hold: usize,
}

impl Sweep<'_, '_> {
    /// A byte between runs; returns where to go on.
    fn between(&mut self, at: usize, byte: u8) -> usize {
        match byte {
            b'(' => self.read(at, number::probe).unwrap_or(at + 1),
            b'!' | b'<' => match self.text.links {
                Some(links) => self.read(at, |cur, text| links.markup(cur, text)).unwrap_or(at + 1),
                None => at + 1,
            },
            0x80.. => {
                let rest = self.text.view.get(at..).unwrap_or_default();
                at + rest.iter().position(u8::is_ascii).unwrap_or(rest.len())
            }
            _ => at + 1,
        }
    }

    /// A run; returns where to go on.
    fn run(&mut self, run: Range<usize>, flags: u8) -> usize {
        let (view, last) = (self.text.view, self.text.last);
        if self.text.grows && run.len() > HOLD {
            let span = run.start..run.start + HOLD;
            self.out.push(Hit { endless: true, ..Hit::new(Kind::Limit, "limit/run", span, 1.0) });
            return run.end;
        }
        if run.end == view.len() && !last {
            self.hold = self.hold.min(run.start);
            return run.end;
        }
        let bytes = view.get(run.clone()).unwrap_or_default();
        let Some(&lead) = bytes.first() else { return run.end };
        let addressed = (flags & JOIN != 0 || flags & DIGIT != 0 && flags & (OTHER | DASH) != 0 || lead == b'w')
            && network::addresses(bytes, flags, run.start, self.text, self.out);
        if flags & DIGIT != 0 && !addressed {
            if lead.is_ascii_digit()
                && let Some(end) = self.read(run.start, date::probe).or_else(|| self.read(run.start, place::numbered))
                && end >= run.end
            {
                return end;
            }
            if (lead.is_ascii_digit() || lead == b'+')
                && !(flags & !(DIGIT | OTHER | DASH) == 0 && number::is_idle(view, bytes, run.start))
                && let Some(end) = self.read(run.start, number::probe)
                && end >= run.end
            {
                return end;
            }
            if bytes.len() < 9
                && (flags & ALPHA != 0 || view.get(run.end) == Some(&b' '))
                && let Some(end) = self.read(run.start, number::spaced)
            {
                return end.max(run.end);
            }
            if flags & ALPHA != 0 {
                if let Some(end) = self.read(run.start, number::iban) {
                    return end.max(run.end);
                }
                if let Some(end) = self.read(run.start, |cur, _| number::proven(cur, bytes)) {
                    return end.max(run.end);
                }
                number::lettered(bytes, run.start, self.text, self.out);
            }
        } else if flags & (ALPHA | DIGIT) == ALPHA && matches!(bytes.len(), 8 | 11) && codes::is_bic(bytes) {
            number::lettered(bytes, run.start, self.text, self.out);
        }
        if lead == b'-'
            && bytes.starts_with(b"-----BEGIN")
            && let Some(end) = self.read(run.start, secret::private_key)
        {
            return end.max(run.end);
        }
        if lead == b'P'
            && bytes.starts_with(b"Private-Lines")
            && let Some(end) = self.read(run.start, secret::putty_key)
        {
            return end.max(run.end);
        }
        if encoded::may_be_spaced(bytes)
            && let Some(end) = self.read(run.start, encoded::spaced)
        {
            return end.max(run.end);
        }
        if bytes.len() >= encoded::LINE
            && let Some(end) = self.read(run.start, encoded::wrapped)
        {
            return end.max(run.end);
        }
        if flags & AT != 0 {
            mail::addresses(bytes, run.start, self.out);
        }
        if bytes.len() >= secret::SHORTEST {
            secret::tokens(bytes, run.start, self.out);
            encoded::inside(bytes, run.start, flags, self.text, self.out);
        }
        if flags & JOIN != 0 && bytes.len() > 3 {
            if flags & SLASH != 0 {
                secret::connection(bytes, run.start, self.out);
                if let Some(links) = self.text.links {
                    links.bare(bytes, run.start, self.text, self.out);
                }
            }
            if !addressed && flags & DIGIT != 0 {
                number::parts(bytes, run.start, self.text, self.out);
            }
        }
        if flags & (DIGIT | JOIN) != 0
            && bytes.len() > 3
            && assign::may_be_told(view, run.start)
            && let Some(end) = self.read(run.start, |cur, text| assign::told_by_value(cur, text, &run))
        {
            return end.max(run.end);
        }
        let led = lead::may_lead(view, &run, flags)
            .then(|| self.read(run.start, |cur, text| lead::value(cur, text, &run, flags)))
            .flatten();
        self.read_values(&run, flags).max(led.unwrap_or_default())
    }

    /// Lets a matcher read from `at`; what it could not finish is held, what it found is reported.
    fn read(&mut self, at: usize, matcher: impl FnOnce(&mut Cursor<'_>, &Text<'_>) -> Option<Hit>) -> Option<usize> {
        let mut cursor = Cursor::new(self.text.view, at, self.text.last);
        let hit = matcher(&mut cursor, self.text);
        if cursor.starved() {
            self.hold = self.hold.min(at);
            return None;
        }
        let hit = hit?;
        let end = hit.span.end;
        // A value that another rule has named already is not named twice.
        let known = self
            .out
            .iter()
            .rev()
            .take(8)
            .any(|h| h.span.start < end && hit.span.start < h.span.end && h.kind == hit.kind);
        if !known || hit.endless {
            self.out.push(hit);
        }
        Some(end)
    }

    /// `name = value`, also several in one run: `?name=value&name=value`.
    fn read_values(&mut self, run: &Range<usize>, flags: u8) -> usize {
        let mut at = run.start;
        while let Some(bytes) = self.text.view.get(at..run.end)
            && assign::may_name(bytes, flags)
            && let Some(end) = self.read(run.start, |cur, text| assign::value(cur, text, &(at..run.end)))
        {
            at = end.max(at + 1);
        }
        at.max(run.end)
    }
}

/// ASCII digits.
pub(crate) const DIGIT: u8 = 1;
/// ASCII letters.
pub(crate) const ALPHA: u8 = 2;
/// `@`.
pub(crate) const AT: u8 = 4;
/// `=` and `:`.
pub(crate) const JOIN: u8 = 8;
/// `/`.
pub(crate) const SLASH: u8 = 16;
/// `%` and `&`.
pub(crate) const ESCAPE: u8 = 32;
/// `+`, `-` and `_`.
pub(crate) const DASH: u8 = 64;
/// Other characters of runs.
pub(crate) const OTHER: u8 = 128;

/// What a byte is to a run; 0 when it ends one.
fn class(byte: u8) -> u8 {
    CLASSES.get(usize::from(byte)).copied().unwrap_or_default()
}

static CLASSES: [u8; 256] = {
    let mut table = [0; 256];
    let mut i = 0;
    while i < 128 {
        table[i] = match i as u8 {
            b'0'..=b'9' => DIGIT,
            b'a'..=b'z' | b'A'..=b'Z' => ALPHA,
            b'@' => AT,
            b'=' | b':' => JOIN,
            b'/' => SLASH,
            b'%' | b'&' => ESCAPE,
            b'+' | b'-' | b'_' => DASH,
            b'.' | b'#' | b'$' | b'*' | b'?' | b'^' | b'~' => OTHER,
            _ => 0,
        };
        i += 1;
    }
    table
};

#[cfg(test)]
mod tests;
