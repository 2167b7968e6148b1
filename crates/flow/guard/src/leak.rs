//! Recognises protected texts in answers: fingerprints of word groups that survive rewording of a few words, and planted tokens.

pub(crate) mod canary;

use std::{io, sync::Arc};

use countersign_core::{Kind, Reproduced, life::Fingerprint};
use countersign_prints::{
    self as prints, Index, Match, Shape,
    words::{Word, Words, mix},
};

use crate::rules::Hit;
use canary::Canaries;

/// Words in a group.
const GROUP: usize = 3;

/// Over how many words matching groups are counted together. Words count two, ideographs one.
const SPAN: u32 = 48;

/// How much must match within the span; a group of words counts two, one of ideographs one.
const ENOUGH: u32 = 14;

/// The fewest groups a text must have to be recognised at all.
pub(crate) const LEAST: usize = 3;

/// The fingerprint of a text; empty when the text is too short to be told from ordinary language.
#[must_use]
pub fn fingerprint(text: &str) -> Fingerprint {
    let (view, _) = crate::rules::view::view(text);
    let mut hashes = Vec::new();
    let mut groups = Groups::default();
    let mut words = Words::default();
    words.read(&view, true, |word| hashes.extend(groups.push(word).map(|g| g.hash)));
    hashes.sort_unstable();
    hashes.dedup();
    if hashes.len() < LEAST {
        hashes.clear();
    }
    Fingerprint(Arc::from(hashes))
}

/// Several fingerprints in one.
#[must_use]
pub fn merge(prints: &[Fingerprint]) -> Fingerprint {
    let mut all: Vec<u64> = prints.iter().flat_map(|p| p.0.iter().copied()).collect();
    all.sort_unstable();
    all.dedup();
    Fingerprint(Arc::from(all))
}

/// What answers are compared with.
#[derive(Clone, Debug)]
pub(crate) struct Protected {
    print: Fingerprint,
    /// One bit for each of the low bits of a hash: most groups are told to be foreign by one look.
    sieve: Box<[u64]>,
    enough: u32,
}

impl Protected {
    /// None where there is nothing to recognise.
    pub(crate) fn new(print: Fingerprint) -> Option<Self> {
        let count = print.0.len();
        if count < LEAST {
            return None;
        }
        let mut sieve = vec![0u64; (count / 4).next_power_of_two().clamp(16, 1 << 16)].into_boxed_slice();
        let mask = sieve.len() - 1;
        for hash in print.0.iter() {
            if let Some(word) = sieve.get_mut(*hash as usize >> 6 & mask) {
                *word |= 1 << (hash & 63);
            }
        }
        // A short text must be there nearly whole.
        let enough = u32::try_from(count * 3 / 2).unwrap_or(ENOUGH).clamp(4, ENOUGH);
        Some(Self { print, sieve, enough })
    }

    #[inline]
    fn holds(&self, hash: u64) -> bool {
        let mask = self.sieve.len() - 1;
        self.sieve.get(hash as usize >> 6 & mask).is_some_and(|w| w >> (hash & 63) & 1 == 1)
            && self.print.0.binary_search(&hash).is_ok()
    }
}

/// What a text is compared with.
#[derive(Clone, Copy, Default)]
pub(crate) struct Planted<'a> {
    pub(crate) system: Option<&'a Protected>,
    pub(crate) documents: Option<&'a Protected>,
    pub(crate) canaries: Option<&'a Canaries>,
    pub(crate) registered: &'a [Arc<Index>],
}

impl Planted<'_> {
    /// Compares a whole text.
    pub(crate) fn whole(&self, view: &[u8], out: &mut Vec<Hit>) {
        Trail::default().scan(self, view, true, out);
    }
}

/// How far one text has been compared. Places are bytes of the view.
#[derive(Debug, Default)]
pub(crate) struct Trail {
    words: Words,
    groups: Groups,
    system: Matches,
    documents: Matches,
    canary: canary::Place,
    /// One for each index.
    registered: Vec<prints::Trail>,
}

impl Trail {
    /// Compares what is new; returns the earliest place at which a match may have begun.
    pub(crate) fn scan(&mut self, with: &Planted<'_>, view: &[u8], last: bool, out: &mut Vec<Hit>) -> usize {
        let mut hold = view.len();
        if let Some(canaries) = with.canaries {
            hold = hold.min(canaries.scan(&mut self.canary, view, last, out));
        }
        if with.system.is_none() && with.documents.is_none() && with.registered.is_empty() {
            return hold;
        }
        if self.registered.len() < with.registered.len() {
            self.registered = with.registered.iter().map(|index| prints::Trail::new(index)).collect();
        }
        let Self { words, groups, system, documents, registered, .. } = self;
        words.read(view, last, |word| {
            let hash = groups.push(word).map(|g| g.hash);
            if let Some(protected) = with.system {
                out.extend(system.push(word, hash, protected, Kind::PromptLeak, "leak/system-prompt"));
            }
            if let Some(protected) = with.documents {
                out.extend(documents.push(word, hash, protected, Kind::DocumentLeak, "leak/document"));
            }
            for (index, trail) in with.registered.iter().zip(&mut *registered) {
                let found = trail.push(word, index);
                out.extend(reproduced(index, word, found, trail));
            }
        });
        if !last {
            hold = hold.min(self.words.open());
            hold = hold.min(self.system.open()).min(self.documents.open());
            hold = self.registered.iter().fold(hold, |hold, trail| hold.min(trail.open()));
        }
        hold
    }

    /// Whether nothing has begun that would be worth holding.
    pub(crate) fn idle(&self, with: &Planted<'_>) -> bool {
        self.system.idle()
            && self.documents.idle()
            && self.registered.iter().all(prints::Trail::idle)
            && with.canaries.is_none_or(|c| c.idle(&self.canary))
    }

    /// Forgets the first `count` bytes of the view, which are released.
    pub(crate) fn drop_front(&mut self, count: usize) {
        self.words.drop_front(count);
        self.canary.drop_front(count);
        self.system.drop_front(count);
        self.documents.drop_front(count);
        self.registered.iter_mut().for_each(|trail| trail.drop_front(count));
    }
}

/// What an index says of a word. Where it cannot be read, nothing is known of the text, and it goes nowhere.
fn reproduced(index: &Index, word: &Word, found: io::Result<Option<Match>>, trail: &prints::Trail) -> Option<Hit> {
    let rule = match index.shape() {
        Shape::Passages => "leak/registered",
        Shape::Records => "leak/record",
    };
    match found {
        Ok(None) => None,
        Ok(Some(Match { span, source, words, more })) => {
            let reproduced = Some(Reproduced { source, words });
            Some(Hit { more, reproduced, ..Hit::new(Kind::DocumentLeak, rule, span, 0.9) })
        }
        Err(_) => {
            let span = trail.reach().min(word.start)..word.end;
            let unread = Hit::new(Kind::DocumentLeak, "leak/unreadable", span, 1.0);
            Some(Hit { endless: true, ..unread })
        }
    }
}

/// The last words, and the group they make.
#[derive(Debug, Default)]
struct Groups {
    recent: [(u64, bool); GROUP - 1],
    count: usize,
}

struct Group {
    hash: u64,
}

impl Groups {
    /// The group that ends in this word; none while there are too few words, or none of them says anything.
    #[inline]
    fn push(&mut self, word: &Word) -> Option<Group> {
        let [(a, strong_a), (b, strong_b)] = self.recent;
        let full = self.count >= GROUP - 1;
        self.count += 1;
        self.recent = [(b, strong_b), (word.hash, word.strong)];
        if !full || !(strong_a || strong_b || word.strong) {
            return None;
        }
        let hash = a.rotate_left(42) ^ b.rotate_left(21) ^ word.hash;
        Some(Group { hash: mix(hash) })
    }
}

/// Groups of one protected text that were met lately.
#[derive(Debug, Default)]
struct Matches {
    /// Hash, start of its last word, weight and the clock when it was met.
    recent: Vec<(u64, usize, u32, u64)>,
    /// Words met, in weights.
    clock: u64,
    /// End of the leak that is going on.
    leak: Option<usize>,
}

impl Matches {
    /// Takes in the next word and the hash of the group that ends in it.
    #[inline]
    fn push(
        &mut self,
        word: &Word,
        hash: Option<u64>,
        protected: &Protected,
        kind: Kind,
        rule: &'static str,
    ) -> Option<Hit> {
        self.clock += u64::from(word.weight);
        let found = hash.filter(|h| protected.holds(*h));
        if self.recent.is_empty() && found.is_none() {
            return None;
        }
        self.weigh(word, found, protected.enough, kind, rule)
    }

    /// What [`Matches::push`] does where something has matched lately.
    fn weigh(&mut self, word: &Word, found: Option<u64>, enough: u32, kind: Kind, rule: &'static str) -> Option<Hit> {
        let clock = self.clock;
        self.recent.retain(|r| r.3 + u64::from(SPAN) > clock);
        if self.recent.is_empty() {
            self.leak = None;
        }
        let hash = found?;
        // The same group again says nothing new, unless a leak is going on.
        self.recent.retain(|r| r.0 != hash || self.leak.is_some());
        self.recent.push((hash, word.start, word.weight, clock));
        if let Some(end) = self.leak {
            self.leak = Some(word.end);
            return Some(Hit { more: true, ..Hit::new(kind, rule, end..word.end, 0.9) });
        }
        let weight: u32 = self.recent.iter().map(|r| r.2).sum();
        if weight < enough {
            return None;
        }
        let start = self.recent.first().map_or(word.start, |r| r.1);
        self.leak = Some(word.end);
        Some(Hit::new(kind, rule, start..word.end, 0.9))
    }

    /// Where a leak that is not certain yet would begin.
    fn open(&self) -> usize {
        match self.leak {
            Some(end) => end,
            None => self.recent.first().map_or(usize::MAX, |r| r.1),
        }
    }

    fn idle(&self) -> bool {
        self.leak.is_none() && self.recent.len() < 2
    }

    fn drop_front(&mut self, count: usize) {
        for recent in &mut self.recent {
            recent.1 = recent.1.saturating_sub(count);
        }
        self.leak = self.leak.map(|end| end.saturating_sub(count));
    }
}

#[cfg(test)]
mod registered;
#[cfg(test)]
mod tests;
