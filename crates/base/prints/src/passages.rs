//! Recognises passages of documents.
//!
//! A print that two texts share says where in the document it may stand. From there both are compared word by word, backwards through
//! the last [`RUN`] words and then forwards as words come, so that how much was reproduced is counted and not guessed. Up to [`GAP`]
//! words in a row may differ; what follows at another place of the same document belongs to the same passage.
//!
//! INVARIANT: [`Passages::open`] is never behind the beginning of what is reported later. So it does not matter how a text is cut.

use std::{cmp::Reverse, collections::VecDeque, io};

use crate::{
    GAP, GROUP, Index, Match, RUN,
    index::Text,
    trail::Told,
    winnow::{Kept, Winnow},
    words::Word,
};

/// How far one text has been compared.
#[derive(Debug, Default)]
pub(crate) struct Passages {
    winnow: Winnow,
    /// The last [`RUN`] words: hash and start.
    recent: VecDeque<(u64, usize)>,
    threads: Vec<Thread>,
    told: Option<Told>,
    /// What ends here has been told.
    done: usize,
}

/// A document that is being followed.
#[derive(Debug)]
struct Thread {
    unit: u32,
    text: Text,
    /// The word of the document that is to come.
    next: u32,
    /// Words that stand here and there.
    words: u32,
    /// Words since the last of them.
    missed: u32,
    /// Where the first of them begins.
    start: usize,
    checks: Checks,
}

impl Passages {
    #[inline]
    pub(crate) fn push(&mut self, word: &Word, index: &Index) -> io::Result<Option<Match>> {
        if self.recent.len() == RUN {
            self.recent.pop_front();
        }
        self.recent.push_back((word.hash, word.start));
        let kept = self.winnow.push(word.hash, index.key());
        if !self.threads.is_empty() {
            for thread in &mut self.threads {
                thread.follow(word.hash, index)?;
            }
            self.threads.retain(|thread| thread.missed <= GAP);
        }
        if let Some(kept) = kept {
            for (unit, place) in index.places(kept.print)? {
                self.begin(unit, place, kept, index)?;
            }
        }
        if self.threads.is_empty() {
            self.told = None;
            return Ok(None);
        }
        self.tell(word, index)
    }

    /// A print of the document `unit` stands here, whose last word is there at `place`.
    fn begin(&mut self, unit: u32, place: u32, kept: Kept, index: &Index) -> io::Result<()> {
        let Some(now) = place.checked_add(kept.ago) else { return Ok(()) };
        if self.threads.iter().any(|t| t.unit == unit && t.next == now + 1) {
            return Ok(());
        }
        let text = index.text(unit)?;
        // The last word that has come stands at `now`, and the one `back` words before it at `now - back`.
        let mut checks = Checks::default();
        checks.read(index, text, now.saturating_sub(RUN as u32 - 1))?;
        let same = |back: usize| {
            let (hash, _) = *self.recent.get(self.recent.len().checked_sub(back + 1)?)?;
            let at = now.checked_sub(u32::try_from(back).ok()?)?;
            Some(checks.at(at).is_some_and(|check| check == index.key().check(unit, at, hash)))
        };
        let ago = kept.ago as usize;
        // A print says little by itself: its words are compared.
        if !(ago..ago + GROUP).all(|back| same(back) == Some(true)) {
            return Ok(());
        }
        let (mut words, mut first, mut missed) = (GROUP as u32, ago + GROUP - 1, 0);
        for back in ago + GROUP.. {
            match same(back) {
                Some(true) => (words, first, missed) = (words + 1, back, 0),
                Some(false) if missed < GAP => missed += 1,
                _ => break,
            }
        }
        missed = 0;
        for back in (0..ago).rev() {
            match same(back) {
                Some(true) => (words, missed) = (words + 1, 0),
                _ => missed += 1,
            }
            if missed > GAP {
                return Ok(());
            }
        }
        let start = self.recent.get(self.recent.len().saturating_sub(first + 1)).map_or(0, |(_, start)| *start);
        let mut thread = Thread { unit, text, next: now + 1, words, missed, start, checks };
        // The same document at another place: the passage goes on with what has come since the thread before it was lost.
        for before in self.threads.iter().filter(|t| t.unit == unit && t.missed > 0) {
            let together = before.words + words.min(before.missed);
            if together > thread.words {
                thread.words = together;
                thread.start = thread.start.min(before.start);
            }
        }
        if self.threads.len() >= THREADS {
            // The least is given up; where all are more, the new one is not begun.
            let least = (0..self.threads.len()).min_by_key(|at| self.threads.get(*at).map(|t| t.words));
            match least.and_then(|at| self.threads.get_mut(at)).filter(|t| t.words < thread.words) {
                Some(least) => *least = thread,
                None => return Ok(()),
            }
            return Ok(());
        }
        self.threads.push(thread);
        Ok(())
    }

    /// Reports what is long enough; the longest, where there are several.
    fn tell(&mut self, word: &Word, index: &Index) -> io::Result<Option<Match>> {
        if self.told.as_ref().is_some_and(|told| self.threads.iter().all(|t| t.unit != told.unit)) {
            self.told = None;
        }
        let goes_on = self.told.as_ref().map(|told| (told.unit, told.words));
        let here = |t: &&Thread| t.missed == 0 && t.words >= RUN as u32;
        let best = match goes_on {
            Some((unit, words)) => {
                self.threads.iter().filter(here).filter(|t| t.unit == unit && t.words > words).max_by_key(|t| t.words)
            }
            None => self.threads.iter().filter(here).max_by_key(|t| (t.words, Reverse(t.unit))),
        };
        let Some(best) = best else { return Ok(None) };
        let (unit, words) = (best.unit, best.words);
        let start = if goes_on.is_some() { self.done } else { best.start.max(self.done) };
        self.done = word.end;
        let told = match &mut self.told {
            Some(told) => told,
            none => none.insert(Told { unit, source: index.name(unit)?, words }),
        };
        told.words = words;
        let source = told.source.clone();
        Ok(Some(Match { span: start..word.end, source, words, more: goes_on.is_some() }))
    }

    pub(crate) fn open(&self) -> usize {
        // The next word puts the first of a full row out of reach.
        let row = self.recent.get(usize::from(self.recent.len() == RUN)).map_or(usize::MAX, |(_, start)| *start);
        let told = self.told.as_ref().map(|told| told.unit);
        let threads = self.threads.iter().map(|t| if told == Some(t.unit) { self.done } else { t.start });
        threads.min().unwrap_or(usize::MAX).min(row).max(self.done)
    }

    /// The earliest place that the last word may belong to.
    pub(crate) fn reach(&self) -> usize {
        let row = self.recent.front().map_or(usize::MAX, |(_, start)| *start);
        row.max(self.done).min(self.open())
    }

    pub(crate) fn idle(&self) -> bool {
        self.threads.is_empty()
    }

    pub(crate) fn drop_front(&mut self, count: usize) {
        for (_, start) in &mut self.recent {
            *start = start.saturating_sub(count);
        }
        for thread in &mut self.threads {
            thread.start = thread.start.saturating_sub(count);
        }
        self.done = self.done.saturating_sub(count);
    }
}

impl Thread {
    /// Compares the next word.
    fn follow(&mut self, word: u64, index: &Index) -> io::Result<()> {
        if self.next >= self.text.words {
            self.missed += 1;
            return Ok(());
        }
        if self.checks.at(self.next).is_none() {
            self.checks.read(index, self.text, self.next)?;
        }
        if self.checks.at(self.next) == Some(index.key().check(self.unit, self.next, word)) {
            self.words += 1;
            self.missed = 0;
        } else {
            self.missed += 1;
        }
        self.next += 1;
        Ok(())
    }
}

/// Some of a document's checks.
#[derive(Debug)]
struct Checks {
    from: u32,
    bytes: [u8; CHECKS],
    count: usize,
}

impl Default for Checks {
    fn default() -> Self {
        Self { from: 0, bytes: [0; CHECKS], count: 0 }
    }
}

impl Checks {
    fn at(&self, place: u32) -> Option<u8> {
        let at = place.checked_sub(self.from)? as usize;
        self.bytes.get(..self.count)?.get(at).copied()
    }

    fn read(&mut self, index: &Index, text: Text, from: u32) -> io::Result<()> {
        self.from = from;
        self.count = index.checks(text, from, &mut self.bytes)?;
        Ok(())
    }
}

/// How many checks are read at once.
const CHECKS: usize = 64;

/// How many documents are followed at once: twice as many as may share a print.
const THREADS: usize = 2 * crate::COMMON;
