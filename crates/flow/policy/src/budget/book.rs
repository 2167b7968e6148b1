//! What has been spent, cell by cell. Plain state: nothing waits, nothing reads a clock.

use std::{collections::HashMap, sync::Arc, time::Duration};

use ahash::RandomState;
use countersign_core::{Timestamp, charge::Line};

/// The figures of all cells.
#[derive(Debug, Default)]
pub struct Book {
    cells: HashMap<Arc<str>, Cell, RandomState>,
    /// How many cells there may be before those that are over are forgotten.
    room: usize,
}

#[derive(Debug)]
struct Cell {
    spent: u64,
    ends: Timestamp,
}

/// A cell does not hold what was asked of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Short {
    /// Which of the lines.
    pub line: usize,
    /// What is spent of it already.
    pub spent: u64,
}

impl Book {
    /// A book with figures from before.
    #[must_use]
    pub fn with(figures: impl IntoIterator<Item = (Arc<str>, u64)>) -> Self {
        let cells = figures.into_iter().map(|(cell, spent)| {
            let ends = ends(&cell);
            (cell, Cell { spent, ends })
        });
        Self { cells: cells.collect(), room: ROOM }
    }

    /// Sets aside what every line asks for, or nothing; what each cell then has spent.
    ///
    /// # Errors
    /// The first line that its cell cannot hold.
    pub fn reserve(&mut self, lines: &[Line], now: Timestamp) -> Result<Vec<u64>, Short> {
        if self.cells.len() >= self.room {
            // A clock that is set back by less finds what it had spent.
            self.cells.retain(|_, cell| cell.ends.plus(KEPT) > now);
            self.room = ROOM.max(2 * self.cells.len());
        }
        for (line, asked) in lines.iter().enumerate() {
            let spent = self.spent(&asked.cell);
            if spent.checked_add(asked.amount).is_none_or(|sum| sum > asked.limit) {
                return Err(Short { line, spent });
            }
        }
        let add = |line: &Line| {
            let fresh = || Cell { spent: 0, ends: ends(&line.cell) };
            let cell = self.cells.entry(line.cell.clone()).or_insert_with(fresh);
            cell.spent = cell.spent.saturating_add(line.amount);
            cell.spent
        };
        Ok(lines.iter().map(add).collect())
    }

    /// Gives back to each cell; takes more where the amount is negative, past its limit if need be.
    pub fn give_back(&mut self, amounts: &[(Arc<str>, i64)]) {
        for (cell, amount) in amounts {
            // One that is forgotten is over.
            if let Some(cell) = self.cells.get_mut(cell) {
                cell.spent = if *amount < 0 {
                    cell.spent.saturating_add(amount.unsigned_abs())
                } else {
                    cell.spent.saturating_sub(amount.unsigned_abs())
                };
            }
        }
    }

    /// What every cell has spent, in no order.
    pub fn all(&self) -> impl Iterator<Item = (&Arc<str>, u64)> {
        self.cells.iter().map(|(name, cell)| (name, cell.spent))
    }

    /// What a cell has spent.
    #[must_use]
    pub fn spent(&self, cell: &str) -> u64 {
        self.cells.get(cell).map_or(0, |cell| cell.spent)
    }
}

/// When a cell's window ends, as its name says; at the beginning of time for what is no cell's name.
#[must_use]
pub fn ends(cell: &str) -> Timestamp {
    let seconds = cell.split_once('@').and_then(|(_, rest)| rest.split('/').next()?.parse::<u64>().ok());
    Timestamp(seconds.unwrap_or_default().saturating_mul(1_000_000))
}

const ROOM: usize = 4_096;
const KEPT: Duration = Duration::from_secs(86_400);
