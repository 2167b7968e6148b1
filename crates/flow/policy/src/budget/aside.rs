//! What is set aside for requests that are not over: it counts as spent already, and people want to know how much of that it is.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use ahash::RandomState;
use countersign_core::Charge;

/// What requests in flight on this node have set aside of each cell.
#[derive(Debug, Default)]
pub(crate) struct Aside(Mutex<HashMap<Arc<str>, u64, RandomState>>);

impl Aside {
    /// So much more is set aside.
    pub(crate) fn add(&self, charge: &Charge) {
        let mut cells = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for line in &charge.lines {
            let cell = cells.entry(line.cell.clone()).or_default();
            *cell = cell.saturating_add(line.amount);
        }
    }

    /// That is over.
    pub(crate) fn end(&self, charge: &Charge) {
        let mut cells = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for line in &charge.lines {
            let Some(cell) = cells.get_mut(&line.cell) else { continue };
            *cell = cell.saturating_sub(line.amount);
            if *cell == 0 {
                cells.remove(&line.cell);
            }
        }
    }

    /// How much is set aside of a cell.
    pub(crate) fn of(&self, cell: &str) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(cell).copied().unwrap_or_default()
    }
}
