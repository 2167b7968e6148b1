//! Up to which record of the log every alert has set off what it sets off. After a crash, what came later is gone through again.
//!
//! An alert that comes again sets nothing off again: its run is known by its slot. So what is kept may lag, and never leads. An alert
//! that rests on more than those last seconds comes with the next request of that timeline, whose evidence the watch has kept.

use std::sync::Arc;

use countersign_core::Event;
use countersign_monitor::{Limits, Monitor};
use tokio::task::{JoinHandle, spawn_blocking};

use crate::{again, assemble::Assembly};

/// How far this node has come.
pub(super) struct Progress {
    /// Requests of before the start, while they are read.
    before: Option<JoinHandle<Vec<Event>>>,
    /// Alerts that were read from the feed.
    read: u64,
    /// Records below this one were made by requests that the feed had been told of; so many there were then.
    next: Option<Next>,
    kept: u64,
}

#[derive(Clone, Copy)]
struct Next {
    record: u64,
    told: u64,
}

impl Progress {
    /// Begins to read what an earlier life has not dealt with. `read` alerts were raised before anybody read any.
    pub(super) async fn begin(assembly: &Arc<Assembly>, read: u64) -> Self {
        let (state, audit) = (assembly.state(), &assembly.gateway().stages().audit);
        let kept = match state.store().dealt_with(state.node()).await {
            Ok(Some(record)) => record,
            // There was nobody yet whom an alert could have set off.
            Ok(None) => {
                let record = audit.checkpoint().checkpoint.size;
                if let Err(error) = state.store().keep_dealt_with(state.node(), record).await {
                    tracing::warn!(%error, "how far alerts are dealt with cannot be kept");
                }
                record
            }
            Err(error) => {
                tracing::error!(%error, "how far alerts had been dealt with cannot be read; some before the start may be lost");
                audit.checkpoint().checkpoint.size
            }
        };
        let dir = audit.dir().clone();
        let before = spawn_blocking(move || {
            again::since(&*dir, kept).unwrap_or_else(|error| {
                tracing::error!(%error, "requests before the start cannot be read; their alerts may be lost");
                Vec::new()
            })
        });
        Self { before: Some(before), read, next: None, kept }
    }

    /// So many alerts were read from the feed.
    pub(super) const fn read(&mut self, count: u64) {
        self.read += count;
    }

    /// Goes through what was before the start, once that is read.
    pub(super) async fn go_through(&mut self, assembly: &Arc<Assembly>) {
        if let Some(before) = self.before.take_if(|before| before.is_finished()) {
            // What the watch itself knows of them it has kept; here they are looked at by themselves, so that nothing weighs twice.
            let mut monitor = Monitor::new(Limits { timelines: TIMELINES });
            for alert in before.await.unwrap_or_default().iter().flat_map(|event| monitor.saw(event)) {
                let (pattern, of) = (alert.pattern.as_str(), alert.of.to_string());
                tracing::warn!(pattern, of, "somebody's timeline went wrong before the start");
                assembly.feed().raise(alert);
            }
        }
    }

    /// Keeps how far alerts are dealt with. `done` says that none is left of those that were read.
    pub(super) async fn keep(&mut self, assembly: &Arc<Assembly>, done: bool) {
        let (feed, watch) = (assembly.feed(), &assembly.watch);
        let audit = &assembly.gateway().stages().audit;
        let Some(next) = self.next else {
            let record = audit.checkpoint().checkpoint.size;
            // The number of requests is read after the number of records: what is on record has been told.
            self.next = (record > self.kept).then(|| Next { record, told: feed.told() });
            return;
        };
        if self.before.is_some() || watch.taken() < next.told || self.read < feed.raised() || !done {
            return;
        }
        let state = assembly.state();
        match state.store().keep_dealt_with(state.node(), next.record).await {
            Ok(()) => (self.kept, self.next) = (next.record, None),
            Err(error) => tracing::warn!(%error, "how far alerts are dealt with cannot be kept"),
        }
    }
}

/// Of those who asked in the last seconds before a crash.
const TIMELINES: usize = 10_000;
