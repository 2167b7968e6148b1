//! What is wrong with a log, or with a copy of one.

use std::ops::Deref;

/// One thing that is wrong.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Damage {
    /// Index of the first record concerned, where it can be told.
    pub record: Option<u64>,
    /// The file.
    pub file: String,
    /// What is wrong.
    pub what: String,
}

/// Everything that is wrong: the first thousand by name, and how much it is in all.
#[derive(Debug, Default)]
pub struct Damages {
    named: Vec<Damage>,
    count: u64,
}

impl Damages {
    /// How much is wrong in all.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// The first record that is wrong, where one can be told.
    #[must_use]
    pub fn first_record(&self) -> Option<u64> {
        self.named.iter().filter_map(|damage| damage.record).min()
    }

    pub(crate) fn add(&mut self, record: Option<u64>, file: &str, what: impl Into<String>) {
        if self.named.len() < Self::MOST {
            self.named.push(Damage { record, file: file.to_owned(), what: what.into() });
        }
        self.count_more(1);
    }

    /// Counts what nobody would read the names of.
    pub(crate) const fn count_more(&mut self, more: u64) {
        self.count = self.count.saturating_add(more);
    }

    /// Puts it in the order of records, and then of files.
    pub(crate) fn sort(&mut self) {
        self.named
            .sort_by(|a, b| (a.record.unwrap_or(u64::MAX), &a.file).cmp(&(b.record.unwrap_or(u64::MAX), &b.file)));
    }

    /// How much of it has a name.
    pub(crate) const MOST: usize = 1_000;
}

impl Deref for Damages {
    type Target = [Damage];

    fn deref(&self) -> &[Damage] {
        &self.named
    }
}
