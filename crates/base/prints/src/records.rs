//! Recognises records: two fields of one that stand close together, in whatever order and whatever stands between them.

use std::{
    collections::{HashMap, VecDeque},
    io,
};

use crate::{FIELD, Index, Match, NEAR, trail::Told, winnow::pair, words::Word};

/// How far one text has been compared.
#[derive(Debug, Default)]
pub(crate) struct Records {
    /// The word before: hash, start and end.
    last: Option<(u64, usize, usize)>,
    /// Fields met in the last [`NEAR`] words, in order.
    fields: VecDeque<Field>,
    /// How many of them each record has.
    met: HashMap<u32, u32>,
    count: u64,
    told: Option<Told>,
    /// What ends here has been told.
    done: usize,
}

/// A field that was met.
#[derive(Debug)]
struct Field {
    unit: u32,
    number: u32,
    words: u32,
    start: usize,
    end: usize,
    /// The word it was met at.
    at: u64,
}

impl Records {
    #[inline]
    pub(crate) fn push(&mut self, word: &Word, index: &Index) -> io::Result<Option<Match>> {
        self.count += 1;
        let len = word.end - word.start;
        while let Some(field) = self.fields.front().filter(|field| field.at + NEAR <= self.count) {
            if let Some(count) = self.met.get_mut(&field.unit) {
                *count -= 1;
                if *count == 0 {
                    self.met.remove(&field.unit);
                }
            }
            self.fields.pop_front();
        }
        if let Some((hash, start, end)) = self.last
            && end - start + len >= FIELD
        {
            self.meet(index, pair(hash, word.hash), 2, start, word.end)?;
        }
        if len >= FIELD {
            self.meet(index, word.hash, 1, word.start, word.end)?;
        }
        // Where something could not be read, the word before is still what it was: `reach` asks for it.
        self.last = Some((word.hash, word.start, word.end));
        if self.told.as_ref().is_some_and(|told| !self.met.contains_key(&told.unit)) {
            self.told = None;
        }
        match self.fields.back() {
            Some(field) if field.at == self.count => self.tell(index),
            _ => Ok(None),
        }
    }

    fn meet(&mut self, index: &Index, group: u64, words: u32, start: usize, end: usize) -> io::Result<()> {
        for (unit, number) in index.places(index.key().print(group))? {
            *self.met.entry(unit).or_default() += 1;
            self.fields.push_back(Field { unit, number, words, start, end, at: self.count });
        }
        Ok(())
    }

    /// Reports a record of which another field was met just now: the one that is being told of, where it is among them.
    fn tell(&mut self, index: &Index) -> io::Result<Option<Match>> {
        let told = self.told.as_ref().map(|told| told.unit);
        let new = self.fields.iter().rev().take_while(|field| field.at == self.count);
        let whole = |new: &&Field| {
            let other = |f: &Field| f.unit == new.unit && f.number != new.number && f.end <= new.start;
            self.met.get(&new.unit).is_some_and(|count| *count > 1) && self.fields.iter().any(other)
        };
        let Some(found) = new.filter(whole).min_by_key(|f| (told != Some(f.unit), f.unit)) else { return Ok(None) };
        let (unit, end, goes_on) = (found.unit, found.end, told == Some(found.unit));
        // Pairs overlap: what stands in two of them is counted once.
        let (mut words, mut start, mut covered) = (0, end, 0);
        for field in self.fields.iter().filter(|f| f.unit == unit) {
            words += if field.start >= covered { field.words } else { u32::from(field.end > covered) };
            covered = covered.max(field.end);
            start = start.min(field.start);
        }
        let start = if goes_on { self.done } else { start.max(self.done) };
        if start >= end {
            return Ok(None);
        }
        self.done = end;
        let told = match &mut self.told {
            Some(told) if goes_on => told,
            other => other.insert(Told { unit, source: index.name(unit)?, words }),
        };
        told.words = told.words.max(words);
        Ok(Some(Match { span: start..end, source: told.source.clone(), words: told.words, more: goes_on }))
    }

    pub(crate) fn open(&self) -> usize {
        let last = self.last.map_or(usize::MAX, |(_, start, _)| start);
        let told = self.told.as_ref().map(|told| told.unit);
        let fields = self.fields.iter().map(|f| if told == Some(f.unit) { self.done } else { f.start });
        fields.min().unwrap_or(usize::MAX).min(last).max(self.done)
    }

    pub(crate) fn idle(&self) -> bool {
        self.fields.is_empty()
    }

    pub(crate) fn drop_front(&mut self, count: usize) {
        if let Some((_, start, end)) = &mut self.last {
            (*start, *end) = (start.saturating_sub(count), end.saturating_sub(count));
        }
        for field in &mut self.fields {
            (field.start, field.end) = (field.start.saturating_sub(count), field.end.saturating_sub(count));
        }
        self.done = self.done.saturating_sub(count);
    }
}
