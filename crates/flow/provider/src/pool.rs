//! Idle connections of one target. The last one in is the first one out, so that few stay open when little is asked.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use countersign_core::Timestamp;
use countersign_http1::Connection;

use crate::BoxIo;

pub(crate) struct Pool {
    idle: Mutex<Vec<Idle>>,
    most: usize,
}

struct Idle {
    connection: Connection<BoxIo>,
    since: Timestamp,
}

impl Pool {
    pub(crate) fn new(most: usize) -> Self {
        Self { idle: Mutex::new(Vec::new()), most }
    }

    pub(crate) fn take(&self, now: Timestamp) -> Option<Connection<BoxIo>> {
        let mut idle = self.lock();
        let last = idle.pop()?;
        if now.since(last.since) <= IDLE {
            return Some(last.connection);
        }
        // The others are older still.
        idle.clear();
        None
    }

    /// Keeps the connection if it can carry another request.
    pub(crate) fn put(&self, connection: Connection<BoxIo>, now: Timestamp) {
        if !connection.reusable() {
            return;
        }
        let mut idle = self.lock();
        // The oldest is the first; one for each that comes is enough for all to be closed in the end.
        if idle.len() >= self.most || idle.first().is_some_and(|i| now.since(i.since) > IDLE) {
            if idle.is_empty() {
                return;
            }
            idle.remove(0);
        }
        idle.push(Idle { connection, since: now });
    }

    // Nothing in here can panic half-way through a change.
    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Shorter than what common servers and balancers allow (60 s and more), so that they seldom close first.
const IDLE: Duration = Duration::from_secs(30);
