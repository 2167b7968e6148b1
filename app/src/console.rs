//! What the console shows: the last requests, in memory, and the pages that show them.
//!
//! It holds nothing that the audit log does not hold as well, and nobody's request waits for it: it follows the feed in a task of its
//! own. See docs/how-to/console.md and docs/adr/0034.

use std::sync::{Arc, Mutex, PoisonError};

use countersign_audit::Audit;
use countersign_core::{Alert, Event};
use tokio::sync::broadcast::{Receiver, error::RecvError};

use crate::feed::Feed;

pub(crate) use ring::{Ring, Wanted};
pub(crate) use row::{Found, Outcome, Row, Who};

pub(crate) mod pages;
mod refill;
mod ring;
mod row;

/// What the console knows.
#[derive(Default)]
pub(crate) struct Console {
    /// The last requests.
    pub(crate) ring: Ring,
    /// The last alerts, newest last.
    alerts: Mutex<Vec<Arc<Alert>>>,
}

impl Console {
    /// Begins to take in what happens; what happened before the start is read back from the audit log meanwhile.
    pub(crate) fn begin(self: &Arc<Self>, feed: &Feed, audit: &Audit) {
        tokio::spawn(self.clone().follow(feed.events(), feed.alerts()));
        let (console, dir, size) = (self.clone(), audit.dir().clone(), audit.checkpoint().checkpoint.size);
        tokio::task::spawn_blocking(move || {
            if let Err(error) = refill::refill(&console, &*dir, size) {
                tracing::warn!(%error, "the console begins without the requests before the start");
            }
        });
    }

    /// Until nothing more can happen.
    async fn follow(self: Arc<Self>, mut events: Receiver<Arc<Event>>, mut alerts: Receiver<Arc<Alert>>) {
        loop {
            tokio::select! {
                event = events.recv() => match event {
                    Ok(event) => self.ring.push(Row::of(&event)),
                    Err(RecvError::Lagged(lost)) => self.ring.lost(lost),
                    Err(RecvError::Closed) => return,
                },
                alert = alerts.recv() => match alert {
                    Ok(alert) => self.alarm(alert),
                    // The audit log and the playbooks have them all.
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return,
                },
            }
        }
    }

    /// The last alerts, newest first.
    pub(crate) fn alerts(&self) -> Vec<Arc<Alert>> {
        self.alerts.lock().unwrap_or_else(PoisonError::into_inner).iter().rev().cloned().collect()
    }

    fn alarm(&self, alert: Arc<Alert>) {
        let mut alerts = self.alerts.lock().unwrap_or_else(PoisonError::into_inner);
        if alerts.len() == ALERTS {
            alerts.remove(0);
        }
        alerts.push(alert);
    }
}

/// How many alerts are kept at hand.
const ALERTS: usize = 200;
