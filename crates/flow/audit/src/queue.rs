//! Where records wait for the writer, and where their makers wait for them.
//!
//! Everything queued while a batch is being written becomes the next batch: one write, one sync, one wake of all who wait.
//! Records that nobody waits for linger a moment, to share the next sync.
//!
//! A sync costs the processor as much as some ten records do. So where several wait at the same time, the writer gives those
//! who were answered last a moment to come back: as many as ask at the same time go into one batch, instead of one alone
//! and the rest behind it. Whoever waits alone is written at once.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::Duration,
};

use countersign_core::{Code, Refusal};

use crate::journal::Item;

/// A bounded queue with one consumer.
pub(crate) struct Queue {
    inner: Mutex<Inner>,
    ready: Condvar,
}

/// How badly a record's maker wants it on disk.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Haste {
    /// Somebody waits, and is refused when it cannot be.
    Now,
    /// Nobody waits yet, and it must not be lost: kept and tried again when it cannot be written.
    Soon,
}

struct Inner {
    items: Vec<(Haste, Item)>,
    bytes: usize,
    batch: Arc<Batch>,
    /// How many of `items` somebody waits for.
    waited: usize,
    /// So many of them are not kept waiting for more.
    enough: usize,
    waiting: Waiting,
    /// Why nothing is taken any more.
    closed: Option<Code>,
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Waiting {
    No,
    ForAWhile,
    ForEver,
}

/// What the writer took. Dropped, it wakes all who still wait for it, and fails them if it has no result.
pub(crate) struct Taken {
    pub(crate) items: Vec<(Haste, Item)>,
    pub(crate) closed: bool,
    waited: usize,
    batch: Arc<Batch>,
}

impl Queue {
    pub(crate) fn new() -> Self {
        let inner = Inner {
            items: Vec::new(),
            bytes: 0,
            batch: Arc::default(),
            waited: 0,
            enough: 1,
            waiting: Waiting::No,
            closed: None,
        };
        Self { inner: Mutex::new(inner), ready: Condvar::new() }
    }

    /// Queues a record.
    ///
    /// # Errors
    /// `CS0601` when the queue is full or the writer is gone, `CS0902` after [`Queue::close`].
    pub(crate) fn push(&self, item: Item, haste: Haste) -> Result<Ack, Refusal> {
        let mut inner = self.lock();
        if let Some(code) = inner.closed {
            return Err(Refusal::new(code, "the audit log is closed"));
        }
        // Outcomes may use as much room again: what has left must not lose its end to what has not.
        let share = if haste == Haste::Now { 1 } else { 2 };
        let len = item.len();
        let full = inner.items.len() >= share * MAX_ITEMS || inner.bytes + len > share * MAX_BYTES;
        if full && !inner.items.is_empty() {
            return Err(Refusal::new(Code::AuditFailed, "the audit queue is full"));
        }
        let ack = Ack { batch: inner.batch.clone(), slot: inner.items.len() as u64 };
        inner.items.push((haste, item));
        inner.bytes += len;
        inner.waited += usize::from(haste == Haste::Now);
        self.wake(inner);
        Ok(ack)
    }

    /// Has the batch that `ack` is in written now rather than soon.
    fn hurry(&self, ack: &Ack) {
        let mut inner = self.lock();
        if Arc::ptr_eq(&inner.batch, &ack.batch) {
            inner.waited += 1;
            self.wake(inner);
        }
    }

    /// Wakes the writer, where it sleeps and need not.
    fn wake(&self, mut inner: MutexGuard<'_, Inner>) {
        if inner.waiting == Waiting::ForEver || (inner.waiting == Waiting::ForAWhile && inner.is_due()) {
            inner.waiting = Waiting::No;
            drop(inner);
            self.ready.notify_one();
        }
    }

    /// Waits for work and takes all there is. With `retry`, comes back after a second even when there is none.
    /// `last` is what was taken before; it is let go once whoever waited for it has had time to pass the word on.
    pub(crate) fn take(&self, retry: bool, mut last: Option<Taken>) -> Taken {
        let mut inner = self.lock();
        if retry {
            inner.enough = 1;
        }
        let mut quiet = 0;
        while !inner.is_due() && inner.closed.is_none() {
            let patience = match (retry, inner.enough > 1, inner.items.is_empty()) {
                (true, ..) => Some(RETRY),
                (false, true, _) => {
                    Some(GATHER.min(EACH.saturating_mul(u32::try_from(inner.enough).unwrap_or(u32::MAX))))
                }
                (false, false, false) => Some(LINGER),
                // Timed waits spare the makers of outcomes a wake, as long as there is some traffic.
                (false, false, true) => (quiet < QUIET).then_some(LINGER),
            };
            inner.waiting = if patience.is_some() { Waiting::ForAWhile } else { Waiting::ForEver };
            let Some(patience) = patience else {
                inner = self.ready.wait(inner).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let (again, wait) = self.ready.wait_timeout(inner, patience).unwrap_or_else(PoisonError::into_inner);
            inner = again;
            if !wait.timed_out() {
                continue;
            }
            if inner.enough > 1 {
                // Whoever has come by now goes alone.
                inner.enough = 1;
            } else {
                drop(last.take());
                if retry || !inner.items.is_empty() {
                    break;
                }
                quiet += 1;
            }
        }
        inner.waiting = Waiting::No;
        inner.bytes = 0;
        let capacity = inner.items.len();
        Taken {
            items: std::mem::replace(&mut inner.items, Vec::with_capacity(capacity)),
            closed: inner.closed.is_some(),
            waited: std::mem::take(&mut inner.waited),
            batch: std::mem::take(&mut inner.batch),
        }
    }

    /// Tells those who wait for `taken`: the index of the first of its items, or why they are not on record.
    pub(crate) fn done(&self, taken: &Taken, result: Result<u64, Refusal>) {
        let mut inner = self.lock();
        // Whoever is answered now may be back soon: with those who wait already, so many ask at the same time. To be counted
        // before the first of them is told, who could be counted twice then.
        inner.enough = (taken.waited + inner.waited).max(1);
        drop(inner);
        taken.batch.done(result);
    }

    /// Takes nothing more. What is queued is still written.
    pub(crate) fn close(&self) {
        self.shut(Code::ShuttingDown);
    }

    /// Takes nothing more and fails what is queued: the writer is gone.
    pub(crate) fn kill(&self) {
        self.shut(Code::AuditFailed);
        drop(self.take(false, None));
    }

    fn shut(&self, code: Code) {
        let mut inner = self.lock();
        inner.closed.get_or_insert(code);
        drop(inner);
        self.ready.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Whether what is there is not kept waiting for more.
    const fn is_due(&self) -> bool {
        self.waited >= self.enough || self.items.len() >= EAGER
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.batch.done(Err(Refusal::new(Code::AuditFailed, "the audit writer stopped")));
        self.batch.wake_all();
    }
}

/// One batch, as those see it who wait for it.
///
/// The writer wakes only the first of them, who wakes the others: from within the runtime that is a push to a queue, where
/// from another thread it is a system call for each. Should the first never run, the writer wakes the rest when it lets go
/// of the batch, some 50 ms later.
#[derive(Default)]
struct Batch {
    state: Mutex<BatchState>,
}

#[derive(Default)]
struct BatchState {
    result: Option<Result<u64, Refusal>>,
    wakers: Vec<(u64, Waker)>,
}

impl Batch {
    /// Only the first result counts.
    fn done(&self, result: Result<u64, Refusal>) {
        let mut state = self.lock();
        if state.result.is_none() {
            state.result = Some(result);
            let first = state.wakers.pop();
            drop(state);
            if let Some((_, waker)) = first {
                waker.wake();
            }
        }
    }

    fn wake_all(&self) {
        let wakers = std::mem::take(&mut self.lock().wakers);
        for (_, waker) in wakers {
            waker.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, BatchState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Resolves to a record's index when it is on disk.
pub(crate) struct Ack {
    batch: Arc<Batch>,
    slot: u64,
}

impl Future for Ack {
    type Output = Result<u64, Refusal>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.batch.lock();
        let result = match &state.result {
            Some(Ok(first)) => Ok(first + self.slot),
            Some(Err(refusal)) => Err(refusal.clone()),
            None => {
                match state.wakers.iter_mut().find(|(slot, _)| *slot == self.slot) {
                    Some((_, waker)) => waker.clone_from(context.waker()),
                    None => state.wakers.push((self.slot, context.waker().clone())),
                }
                return Poll::Pending;
            }
        };
        drop(state);
        self.batch.wake_all();
        Poll::Ready(result)
    }
}

impl Drop for Ack {
    fn drop(&mut self) {
        let mut state = self.batch.lock();
        if state.result.is_none() {
            state.wakers.retain(|(slot, _)| *slot != self.slot);
        } else if !state.wakers.is_empty() {
            // Woken as the first and then given up: the others must hear of it all the same.
            drop(state);
            self.batch.wake_all();
        }
    }
}

/// An outcome on its way to disk: await it to know that it got there, or drop it and it gets there all the same.
pub struct Settled {
    queue: Arc<Queue>,
    ack: Result<Ack, Refusal>,
    hurried: bool,
}

impl Settled {
    pub(crate) const fn new(queue: Arc<Queue>, ack: Result<Ack, Refusal>) -> Self {
        Self { queue, ack, hurried: false }
    }
}

impl Future for Settled {
    /// The record's index. An error says that it is not on disk now; while the process lives it is tried again.
    type Output = Result<u64, Refusal>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let ack = match &mut this.ack {
            Ok(ack) => ack,
            Err(refusal) => return Poll::Ready(Err(refusal.clone())),
        };
        let poll = Pin::new(&mut *ack).poll(context);
        if poll.is_pending() && !this.hurried {
            this.hurried = true;
            this.queue.hurry(ack);
        }
        poll
    }
}

/// Records that may wait, those nobody waits for counted twice as generously.
const MAX_ITEMS: usize = 4096;
const MAX_BYTES: usize = 8 << 20;
/// So many records are written at once even when nobody waits for them.
const EAGER: usize = 256;
/// As long as several wait at the same time, one waits so long for each of them, about what a request costs on its way here.
/// So where few ask, few wait, and not for long.
const EACH: Duration = Duration::from_micros(100);
/// And at most so long for all.
const GATHER: Duration = Duration::from_millis(2);
const LINGER: Duration = Duration::from_millis(50);
const RETRY: Duration = Duration::from_secs(1);
/// So many empty timed waits (a second) before the writer sleeps until it is woken.
const QUIET: u32 = 20;

#[cfg(test)]
mod tests;
