//! What goes on here, as it happens: requests that are over and what the watch makes of them, for whoever subscribes.
//!
//! Nobody waits for a subscriber. One that is [`KEPT`] behind loses the oldest, and is told how many they were.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use countersign_core::{Alert, Event, Onlooker};
use tokio::sync::broadcast::{Receiver, Sender};

/// Hands each subscriber everything from the moment it subscribed.
pub(crate) struct Feed {
    events: Sender<Arc<Event>>,
    alerts: Sender<Arc<Alert>>,
    /// How many events were sent, or are being sent.
    told: AtomicU64,
    raised: AtomicU64,
}

impl Feed {
    /// The requests that are over from now on.
    pub(crate) fn events(&self) -> Receiver<Arc<Event>> {
        self.events.subscribe()
    }

    /// The alerts that are raised from now on.
    pub(crate) fn alerts(&self) -> Receiver<Arc<Alert>> {
        self.alerts.subscribe()
    }

    /// How many requests there were so far. Each that is on record is among them.
    pub(crate) fn told(&self) -> u64 {
        self.told.load(Ordering::SeqCst)
    }

    /// How many alerts there were so far.
    pub(crate) fn raised(&self) -> u64 {
        self.raised.load(Ordering::SeqCst)
    }

    /// The watch raises an alert.
    pub(crate) fn raise(&self, alert: Alert) {
        self.raised.fetch_add(1, Ordering::SeqCst);
        // An error says that nobody listens.
        let _ = self.alerts.send(Arc::new(alert));
    }

    /// How many alerts somebody has not read yet.
    #[cfg(test)]
    pub(crate) fn unread_alerts(&self) -> usize {
        self.alerts.len()
    }
}

impl Default for Feed {
    fn default() -> Self {
        Self {
            events: Sender::new(KEPT),
            alerts: Sender::new(KEPT),
            told: AtomicU64::default(),
            raised: AtomicU64::default(),
        }
    }
}

impl Onlooker for Feed {
    fn saw(&self, event: Event) {
        if self.events.receiver_count() > 0 {
            // Before it is sent: whoever has taken in as many has taken in all that were sent by then.
            self.told.fetch_add(1, Ordering::SeqCst);
            let _ = self.events.send(Arc::new(event));
        }
    }
}

/// How far a subscriber may be behind.
const KEPT: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use countersign_core::{RequestId, Timestamp};
    use tokio::sync::broadcast::error::TryRecvError;

    use super::*;

    fn event(n: u64) -> Event {
        Event::new(RequestId::new(Timestamp(n), [0; 10]), Timestamp(n), "chat")
    }

    #[test]
    fn who_is_too_far_behind_is_told_and_holds_nobody_up() {
        let feed = Feed::default();
        // Nobody listens yet.
        feed.saw(event(0));
        let (mut quick, mut slow) = (feed.events(), feed.events());
        for n in 1..=KEPT as u64 + 3 {
            feed.saw(event(n));
            assert_eq!(quick.try_recv().unwrap().at, Timestamp(n));
        }
        assert_eq!(slow.try_recv().err(), Some(TryRecvError::Lagged(3)));
        assert_eq!(slow.try_recv().unwrap().at, Timestamp(4));
    }
}
