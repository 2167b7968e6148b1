//! The thread that writes the journal, and what it does when it cannot.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use countersign_core::{Clock, Code, Refusal};

use crate::{
    Dir,
    audit::item,
    journal::{Failure, Item, Journal},
    publisher::Publisher,
    queue::{Haste, Queue, Taken},
    record::{Gap, Micros, Record, micros},
    spending::Tally,
};

pub(crate) struct Writer {
    pub(crate) dir: Arc<dyn Dir>,
    pub(crate) journal: Journal,
    pub(crate) queue: Arc<Queue>,
    pub(crate) publisher: Arc<Publisher>,
    pub(crate) clock: Arc<dyn Clock>,
    /// When it last asked the clock.
    pub(crate) now: Micros,
    pub(crate) healthy: Arc<AtomicBool>,
    pub(crate) tally: Arc<Tally>,
    /// Outcomes that could not be written and must not be lost.
    pub(crate) kept: Vec<Item>,
    /// Since when nothing could be recorded.
    pub(crate) gap: Option<Gap>,
}

impl Writer {
    /// Runs until the queue is closed and written out.
    pub(crate) fn run(mut self) {
        // However this ends, nobody is left waiting.
        let _end = End { queue: self.queue.clone(), publisher: self.publisher.clone(), healthy: self.healthy.clone() };
        let mut last = None;
        loop {
            let mut taken = self.queue.take(self.gap.is_some(), last);
            self.write(&mut taken);
            if taken.closed {
                break;
            }
            last = Some(taken);
        }
    }

    fn write(&mut self, taken: &mut Taken) {
        let now = self.now();
        let gap = self.gap.as_ref().and_then(|gap| {
            let gap = Gap { until: now, ..gap.clone() };
            item(&Record::Gap(gap), Vec::new()).ok()
        });
        let offset = gap.iter().len() + self.kept.len();
        if offset + taken.items.len() == 0 {
            return;
        }
        let first = self.journal.next();
        let items = gap.iter().chain(&self.kept).chain(taken.items.iter().map(|(_, item)| item));
        let settled = self.publisher.settled();
        if self.journal.waits(settled, now) {
            self.publisher.settle();
        }
        let written = match self.publisher.has_room() {
            true => self.journal.append(&*self.dir, settled, now, items),
            false => Err(Failure::Again(std::io::Error::other("the tiles cannot be written"))),
        };
        match written {
            Ok(leaves) => {
                self.healthy.store(true, Ordering::Release);
                self.queue.done(taken, Ok(first + offset as u64));
                let items = || gap.iter().chain(&self.kept).chain(taken.items.iter().map(|(_, item)| item));
                self.tally.count(items(), self.journal.next());
                self.publisher.push(leaves.into_iter().zip(items().map(|item| item.entry.as_slice())));
                taken.items.clear();
                self.kept.clear();
                self.gap = None;
            }
            Err(failure) => {
                self.healthy.store(false, Ordering::Release);
                self.failed(&failure, taken);
            }
        }
    }

    /// The present time, or where the clock fails that of the last time it did not: a log does not end with its clock.
    fn now(&mut self) -> Micros {
        let asked = catch_unwind(AssertUnwindSafe(|| micros(self.clock.now())));
        self.now = asked.unwrap_or(self.now);
        self.now
    }

    /// Refuses whoever waits, and keeps what nobody waits for as far as there is room.
    fn failed(&mut self, failure: &Failure, taken: &mut Taken) {
        let cause = match failure {
            Failure::Again(cause) => format!("the audit log cannot be written: {cause}"),
            Failure::Poisoned(cause) => format!("the audit log's disk failed; it must be opened again: {cause}"),
        };
        self.queue.done(taken, Err(Refusal::new(Code::AuditFailed, cause.clone())));
        let now = self.now();
        let gap = self.gap.get_or_insert(Gap { since: now, until: now, refused: 0, outcomes: 0, cause });
        let mut bytes: usize = self.kept.iter().map(Item::len).sum();
        for (haste, item) in taken.items.drain(..) {
            if haste == Haste::Now {
                gap.refused += 1;
            } else if bytes + item.len() > MAX_KEPT {
                gap.outcomes += 1;
            } else {
                bytes += item.len();
                self.kept.push(item);
            }
        }
    }
}

struct End {
    queue: Arc<Queue>,
    publisher: Arc<Publisher>,
    healthy: Arc<AtomicBool>,
}

impl Drop for End {
    fn drop(&mut self) {
        self.healthy.store(false, Ordering::Release);
        self.queue.kill();
        self.publisher.close();
    }
}

const MAX_KEPT: usize = 4 << 20;
