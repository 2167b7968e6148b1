//! What budgets have spent, as the records tell: each intent takes what it charges, each outcome gives back what it did not use.
//!
//! The log is the truth: whoever keeps figures elsewhere keeps with them the record that they count up to, and adds what
//! follows it. So a crash at any moment loses nothing and counts nothing twice.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use countersign_core::RequestId;

use crate::{
    AuditError, Dir,
    journal::{Item, segments},
    record::{Amounts, Entry, Record},
    walk::{Step, Walk},
};

/// What some records in a row have spent.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Spending {
    /// Index of the first of them.
    pub from: u64,
    /// The index after the last.
    pub next: u64,
    /// By the name of the budget's cell.
    pub amounts: Amounts,
}

impl Spending {
    /// What the records of a log have spent from one index up to, not including, another.
    ///
    /// # Errors
    /// When they cannot be read, or any of them is damaged or missing.
    pub fn between(dir: &dyn Dir, from: u64, until: u64) -> Result<Self, AuditError> {
        let mut spending = Self { from, next: until, amounts: Amounts::new() };
        each(dir, from, until, |record| spending.add(amounts(&record)))?;
        Ok(spending)
    }

    /// Adds what the records that follow these have spent.
    pub fn append(&mut self, later: Self) {
        self.next = later.next;
        self.add(later.amounts);
    }

    fn add(&mut self, amounts: impl IntoIterator<Item = (std::sync::Arc<str>, i64)>) {
        for (cell, amount) in amounts {
            let sum = self.amounts.entry(cell).or_default();
            *sum = sum.saturating_add(amount);
        }
    }
}

/// What became of requests that had something set aside, as far as the records of a log from one index up to, not including,
/// another tell: none for one that is on record as having left and no more, amounts to give back for one that ended. A request
/// that is not here never left.
///
/// # Errors
/// As [`Spending::between`].
pub fn endings(dir: &dyn Dir, from: u64, until: u64) -> Result<BTreeMap<RequestId, Option<Amounts>>, AuditError> {
    let mut endings = BTreeMap::new();
    each(dir, from, until, |record| match record {
        Record::Intent(intent) if !intent.charge.is_empty() => {
            endings.entry(intent.request).or_insert(None);
        }
        Record::Outcome(outcome) if !outcome.back.is_empty() => {
            endings.insert(outcome.request, Some(outcome.back));
        }
        _ => {}
    })?;
    Ok(endings)
}

/// Hands over every record that could be about money.
fn each(dir: &dyn Dir, from: u64, until: u64, mut each: impl FnMut(Record)) -> Result<(), AuditError> {
    let mut next = from;
    let segments = segments(dir)?;
    for (i, (start, path)) in segments.iter().enumerate() {
        let over = segments.get(i + 1).is_some_and(|(end, _)| *end <= from);
        if over || *start >= until {
            continue;
        }
        let bytes = dir.read(path).map_err(AuditError::Directory)?;
        for step in Walk::new(&bytes, *start) {
            if next >= until {
                break;
            }
            match step {
                Step::Whole(frame) if frame.index == next => {
                    next += 1;
                    if is_about_money(frame.entry) {
                        each(Entry::read(frame.entry).map_err(|e| damaged(frame.index, e))?.record);
                    }
                }
                Step::Whole(_) => {}
                Step::Stray(frame) => return Err(damaged(frame.index, "it is there twice")),
                Step::Missing { from, what, .. } => return Err(damaged(from, what)),
            }
        }
    }
    if next < until {
        return Err(damaged(next, "it is not there"));
    }
    Ok(())
}

/// What has been put on record since somebody last asked.
pub(crate) struct Tally(Mutex<Spending>);

impl Tally {
    pub(crate) const fn new(next: u64) -> Self {
        Self(Mutex::new(Spending { from: next, next, amounts: Amounts::new() }))
    }

    /// Counts items that are on record now; `next` is the index after the last.
    pub(crate) fn count<'a>(&self, items: impl Iterator<Item = &'a Item>, next: u64) {
        let mut spending = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        spending.next = next;
        for item in items {
            spending.add(item.amounts.iter().cloned());
        }
    }

    pub(crate) fn take(&self) -> Spending {
        let mut spending = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let next = spending.next;
        std::mem::replace(&mut spending, Spending { from: next, next, amounts: Amounts::new() })
    }
}

/// What a record takes from budgets.
pub(crate) fn amounts(record: &Record) -> Vec<(std::sync::Arc<str>, i64)> {
    match record {
        Record::Intent(intent) => intent.charge.iter().map(|(cell, amount)| (cell.clone(), *amount)).collect(),
        Record::Outcome(outcome) => {
            outcome.back.iter().map(|(cell, amount)| (cell.clone(), amount.saturating_neg())).collect()
        }
        _ => Vec::new(),
    }
}

/// A cheap look before the JSON is read. Quotes within texts are escaped there, so only a member's name looks like this.
fn is_about_money(entry: &[u8]) -> bool {
    [&b"\"charge\":"[..], b"\"back\":"].iter().any(|name| entry.windows(name.len()).any(|w| w == *name))
}

fn damaged(record: u64, what: impl ToString) -> AuditError {
    AuditError::Damaged { record: Some(record), what: what.to_string() }
}

#[cfg(test)]
mod tests;
