//! Who keeps the figures: this process, or what several nodes share.

use std::{
    future::ready,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
};

use countersign_core::{Charge, RequestId, Timestamp};

use super::{Book, Short};

/// Keeps what has been spent.
pub trait Till: Send + Sync {
    /// Sets aside all that `charge` asks for, or nothing. A caller who does not wait for the answer has nothing set aside.
    fn reserve(&self, of: RequestId, charge: &Arc<Charge>, now: Timestamp) -> Reserving<'_>;

    /// Ends what was set aside for `of`, and gives back what was not used. Nobody waits for it; it happens once.
    fn settle(&self, of: RequestId, back: Vec<(Arc<str>, i64)>);

    /// What each cell has spent by now, with what is set aside.
    fn spent(&self) -> Telling<'_>;
}

/// What each cell has spent then, or why nothing was set aside.
pub type Reserving<'a> = Pin<Box<dyn Future<Output = Result<Vec<u64>, Refused>> + Send + 'a>>;

/// What each cell has spent, or why nobody knows.
pub type Telling<'a> = Pin<Box<dyn Future<Output = Result<Vec<(Arc<str>, u64)>, &'static str>> + Send + 'a>>;

/// Why nothing was set aside.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Refused {
    /// A cell cannot hold it.
    Short(Short),
    /// The figures cannot be reached, so nobody knows.
    Away(&'static str),
}

/// The figures of one process.
#[derive(Debug, Default)]
pub struct Purse(Mutex<Book>);

impl Purse {
    /// A purse with figures from before.
    #[must_use]
    pub const fn new(book: Book) -> Self {
        Self(Mutex::new(book))
    }
}

impl Till for Purse {
    fn reserve(&self, _: RequestId, charge: &Arc<Charge>, now: Timestamp) -> Reserving<'_> {
        // INVARIANT: no panic can leave a book half written, so a poisoned one is still whole.
        let result = self.0.lock().unwrap_or_else(PoisonError::into_inner).reserve(&charge.lines, now);
        Box::pin(ready(result.map_err(Refused::Short)))
    }

    fn settle(&self, _: RequestId, back: Vec<(Arc<str>, i64)>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).give_back(&back);
    }

    fn spent(&self) -> Telling<'_> {
        let book = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Box::pin(ready(Ok(book.all().map(|(cell, spent)| (cell.clone(), spent)).collect())))
    }
}
