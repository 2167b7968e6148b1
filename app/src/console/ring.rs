//! The last requests, in the order in which they ended. What is full forgets the oldest.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use countersign_core::{Code, Timestamp};
use tokio::sync::watch;

use super::{Outcome, Row};

/// The last [`MOST`] requests, each with its number.
pub(crate) struct Ring {
    held: Mutex<Held>,
    /// The number of the next request; none when nothing more comes.
    next: watch::Sender<Option<u64>>,
}

struct Held {
    rows: VecDeque<Arc<Row>>,
    /// The number of the first of them.
    first: u64,
    /// How many came that nobody could take in.
    lost: u64,
}

/// Which requests are wanted. What is empty asks for nothing.
#[derive(Debug, Default)]
pub(crate) struct Wanted {
    pub(crate) outcome: Option<Outcome>,
    /// A part of `TENANT/SUBJECT`.
    pub(crate) who: Option<String>,
    /// A part of the model's name.
    pub(crate) model: Option<String>,
    pub(crate) code: Option<Code>,
    /// A kind of finding, or what a rule begins with.
    pub(crate) found: Option<String>,
    /// Also what was asked of the gateway itself.
    pub(crate) own: bool,
}

/// What was asked within a span of time.
#[derive(Clone, Debug, Default)]
pub(crate) struct Span {
    pub(crate) asked: u64,
    pub(crate) refused: u64,
    pub(crate) found: u64,
    pub(crate) input_tokens: u64,
    pub(crate) output_tokens: u64,
    /// How long each took, in microseconds.
    pub(crate) took: Vec<u64>,
}

/// How often a rule was met.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Met {
    pub(crate) prompts: u64,
    pub(crate) answers: u64,
    /// Requests that met it and were refused.
    pub(crate) refused: u64,
    /// Requests that met it, on either side, in each span.
    pub(crate) over: Vec<u64>,
}

/// What models were used for.
#[derive(Debug, Default)]
pub(crate) struct Used {
    /// When the oldest request arrived that is at hand.
    pub(crate) since: Option<Timestamp>,
    /// By model and day, in days since 1970.
    pub(crate) models: BTreeMap<Arc<str>, BTreeMap<u64, Tokens>>,
}

/// What was used of a model on a day.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Tokens {
    pub(crate) asked: u64,
    pub(crate) input: u64,
    pub(crate) output: u64,
}

impl Ring {
    /// One more request.
    pub(crate) fn push(&self, row: Row) {
        let next = {
            let mut held = self.held();
            held.rows.push_back(Arc::new(row));
            if held.rows.len() > MOST {
                held.rows.pop_front();
                held.first += 1;
            }
            held.next()
        };
        self.next.send_if_modified(|now| {
            let open = now.is_some();
            *now = now.map(|_| next);
            open
        });
    }

    /// Requests that came before those that are here, the oldest first.
    pub(crate) fn refill(&self, before: impl DoubleEndedIterator<Item = Row>) {
        let mut held = self.held();
        for row in before.rev().take(MOST.saturating_sub(held.rows.len())) {
            held.rows.push_front(Arc::new(row));
            held.first -= 1;
        }
    }

    /// So many came that nobody could take in.
    pub(crate) fn lost(&self, count: u64) {
        self.held().lost += count;
    }

    /// Nothing more comes: whoever follows is told.
    pub(crate) fn close(&self) {
        self.next.send_replace(None);
    }

    /// The number of the next request, as it changes.
    pub(crate) fn follow(&self) -> watch::Receiver<Option<u64>> {
        self.next.subscribe()
    }

    /// How many follow.
    pub(crate) fn followers(&self) -> usize {
        self.next.receiver_count()
    }

    /// How many requests are here, and how many came that nobody could take in.
    pub(crate) fn size(&self) -> (usize, u64) {
        let held = self.held();
        (held.rows.len(), held.lost)
    }

    /// The newest requests that are wanted and whose number is below `before`, `limit` of them at most.
    pub(crate) fn newest(&self, wanted: &Wanted, before: Option<u64>, limit: usize) -> Vec<(u64, Arc<Row>)> {
        let held = self.held();
        let below = before.unwrap_or(u64::MAX).saturating_sub(held.first);
        let below = usize::try_from(below).unwrap_or(usize::MAX).min(held.rows.len());
        let rows = held.rows.range(..below).enumerate().rev();
        let rows = rows.filter(|(_, row)| wanted.takes(row)).take(limit);
        rows.map(|(at, row)| (held.first + at as u64, row.clone())).collect()
    }

    /// The requests numbered `from` and up, the newest `limit` of them, oldest first; and how many more there were.
    pub(crate) fn since(&self, from: u64, limit: usize) -> (Vec<Arc<Row>>, u64) {
        let held = self.held();
        let new = held.next().saturating_sub(from.min(held.next()));
        let shown = usize::try_from(new).unwrap_or(usize::MAX).min(limit).min(held.rows.len());
        let rows = held.rows.range(held.rows.len() - shown..).cloned().collect();
        (rows, new - shown as u64)
    }

    /// The request of that id.
    pub(crate) fn find(&self, id: countersign_core::RequestId) -> Option<Arc<Row>> {
        self.held().rows.iter().rev().find(|row| row.id == id).cloned()
    }

    /// What models were asked in each of the `count` spans of `micros` that end at `now`, the oldest first; and which rules were met.
    pub(crate) fn rates(&self, now: Timestamp, micros: u64, count: usize) -> (Vec<Span>, BTreeMap<String, Met>) {
        let mut spans = vec![Span::default(); count];
        let mut rules = BTreeMap::<String, Met>::new();
        let begin = now.0.saturating_sub(micros.saturating_mul(count as u64));
        let rows: Vec<Arc<Row>> = {
            let held = self.held();
            held.rows.iter().filter(|row| row.at.0 >= begin && !row.is_own()).cloned().collect()
        };
        for row in rows {
            let at = usize::try_from((row.at.0 - begin) / micros.max(1)).unwrap_or(usize::MAX);
            let at = at.min(count.saturating_sub(1));
            let Some(span) = spans.get_mut(at) else { continue };
            let refused = row.outcome == Outcome::Refused;
            span.asked += 1;
            span.refused += u64::from(refused);
            span.found += u64::from(!row.found.is_empty());
            span.input_tokens += row.input_tokens.unwrap_or_default();
            span.output_tokens += row.output_tokens.unwrap_or_default();
            span.took.push(row.took);
            let mut seen: Vec<(&str, &str)> = row.found.iter().map(|found| (&*found.rule, found.side)).collect();
            seen.sort_unstable();
            seen.dedup();
            let mut before = None;
            for (rule, side) in seen {
                let met =
                    rules.entry(rule.to_owned()).or_insert_with(|| Met { over: vec![0; count], ..Met::default() });
                // A rule that was met on both sides was met once.
                if before.replace(rule) != Some(rule)
                    && let Some(times) = met.over.get_mut(at)
                {
                    *times += 1;
                }
                *(if side == "answer" { &mut met.answers } else { &mut met.prompts }) += 1;
                met.refused += u64::from(refused);
            }
        }
        (spans, rules)
    }

    /// What was used of each model since `begin`, day by day.
    pub(crate) fn usage(&self, begin: Timestamp) -> Used {
        let (since, rows): (_, Vec<Arc<Row>>) = {
            let held = self.held();
            (held.rows.front().map(|row| row.at), held.rows.iter().filter(|row| row.at >= begin).cloned().collect())
        };
        let mut used = Used { since, ..Used::default() };
        for row in rows {
            let Some(model) = row.model.as_ref().filter(|_| !row.is_own()) else { continue };
            let days = used.models.entry(model.clone()).or_default();
            let tokens = days.entry(row.at.seconds() / 86_400).or_default();
            tokens.asked += 1;
            tokens.input += row.input_tokens.unwrap_or_default();
            tokens.output += row.output_tokens.unwrap_or_default();
        }
        used
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Ring {
    fn default() -> Self {
        let held = Held { rows: VecDeque::new(), first: BEGIN, lost: 0 };
        Self { held: Mutex::new(held), next: watch::Sender::new(Some(BEGIN)) }
    }
}

impl Held {
    fn next(&self) -> u64 {
        self.first + self.rows.len() as u64
    }
}

impl Wanted {
    fn takes(&self, row: &Row) -> bool {
        let within = |part: &Option<String>, whole: Option<&str>| {
            part.as_deref().is_none_or(|part| whole.is_some_and(|whole| whole.contains(part)))
        };
        (self.own || !row.is_own())
            && self.outcome.is_none_or(|outcome| row.outcome == outcome)
            && self.code.is_none_or(|code| row.code == Some(code))
            && within(&self.model, row.model.as_deref())
            && self.who.as_deref().is_none_or(|part| row.who.as_ref().is_some_and(|who| who.is(part)))
            && self
                .found
                .as_deref()
                .is_none_or(|found| row.found.iter().any(|one| one.kind == found || one.rule.starts_with(found)))
    }
}

/// How many requests are at hand.
pub(super) const MOST: usize = 100_000;
/// Numbers begin here, so that what came before has numbers too.
const BEGIN: u64 = 1 << 32;

#[cfg(test)]
mod tests;
