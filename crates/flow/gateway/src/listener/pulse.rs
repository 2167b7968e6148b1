//! Watches that an HTTP/2 connection does not hold its place for nothing. HTTP/1.1 has timers of its own for that; here a
//! peer could finish the handshake and stay silent for ever, or ask and never open the window for the answer, and both
//! cost it no more than a ping.

use std::{
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use http_body::{Body, Frame, SizeHint};
use tokio::time::{Instant, MissedTickBehavior, interval};

/// One connection's requests.
pub(super) struct Pulse {
    began: Instant,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// One for each request whose answer is not over.
    beats: Vec<Arc<Beat>>,
    /// When a request last began or ended, in milliseconds since the connection began.
    last: u64,
}

/// One request: when a piece of its answer was handed out that the peer has yet to take, or [`OURS`].
struct Beat(AtomicU64);

/// Held for as long as a request and its answer live.
pub(super) struct Alive {
    pulse: Arc<Pulse>,
    beat: Arc<Beat>,
}

/// An answer whose pieces the peer has to take in time.
pub(super) struct Watched<B> {
    body: B,
    alive: Alive,
}

impl Pulse {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { began: Instant::now(), state: Mutex::default() })
    }

    /// A request begins.
    pub(super) fn begin(self: &Arc<Self>) -> Alive {
        let beat = Arc::new(Beat(AtomicU64::new(OURS)));
        let mut state = self.lock();
        state.last = self.now();
        state.beats.push(beat.clone());
        Alive { pulse: self.clone(), beat }
    }

    /// Waits until no request was there for `idle`, or the peer has not taken a piece of an answer for `stall`.
    pub(super) async fn fails(&self, idle: Duration, stall: Duration) {
        let mut tick = interval((idle.min(stall) / 4).max(Duration::from_millis(1)));
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            let now = self.now();
            let over = |since: u64, limit: Duration| u128::from(now.saturating_sub(since)) >= limit.as_millis();
            let state = self.lock();
            let idles = state.beats.is_empty() && over(state.last, idle);
            // [`OURS`] lies in the future, so that it is never over.
            if idles || state.beats.iter().any(|beat| over(beat.0.load(Ordering::Relaxed), stall)) {
                return;
            }
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(OURS)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        let mut state = self.pulse.lock();
        state.beats.retain(|beat| !Arc::ptr_eq(beat, &self.beat));
        state.last = self.pulse.now();
    }
}

impl<B> Watched<B> {
    pub(super) const fn new(body: B, alive: Alive) -> Self {
        Self { body, alive }
    }
}

impl<B: Body + Unpin> Body for Watched<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        // What was handed out before is taken, or there would be no asking for more.
        let waits = if frame.is_ready() { self.alive.pulse.now() } else { OURS };
        self.alive.beat.0.store(waits, Ordering::Relaxed);
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Nobody waits for the peer: the request is being answered.
const OURS: u64 = u64::MAX;

#[cfg(test)]
mod tests;
