//! Leaves a target that keeps failing alone for a while. Sans-io: `now` comes in.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use countersign_core::Timestamp;

/// Whether a target may be asked.
///
/// ```text
/// Closed --FAILURES in a row--> Open --its time is over--> HalfOpen (one request at a time)
///    ^                           ^                             |
///    +------- success -----------+--------- failure, for longer+
/// ```
#[derive(Debug, Default)]
pub struct Breaker {
    state: Mutex<State>,
}

/// What a [`Breaker`] is doing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Phase {
    /// The target is asked.
    Closed,
    /// The target is left alone.
    Open,
    /// One request finds out whether the target is back.
    HalfOpen,
}

#[derive(Clone, Copy, Debug, Default)]
struct State {
    /// Failures in a row.
    failures: u32,
    /// How often it has opened in a row; decides for how long.
    openings: u32,
    /// Not asked before this.
    until: Timestamp,
    open: bool,
    probing: bool,
}

impl Breaker {
    /// Whether the target may be asked now. A request that is let through while half open must be followed by
    /// [`Breaker::success`] or [`Breaker::failure`]; one that does not report is given up on after ten seconds.
    pub fn admits(&self, now: Timestamp) -> bool {
        let mut state = self.lock();
        if !state.open {
            return true;
        }
        if now < state.until {
            return false;
        }
        state.probing = true;
        state.until = now.plus(PROBE);
        true
    }

    /// The target answered, if only to refuse.
    pub fn success(&self) {
        *self.lock() = State::default();
    }

    /// The target could not be reached, did not answer in time or not in its format, or failed by its own account.
    pub fn failure(&self, now: Timestamp) {
        let mut state = self.lock();
        state.failures = state.failures.saturating_add(1);
        // What was under way when it opened says nothing new.
        if state.open && !state.probing {
            return;
        }
        if state.open || state.failures >= FAILURES {
            let pause = FIRST_PAUSE.saturating_mul(1 << state.openings.min(10)).min(LONGEST_PAUSE);
            *state = State {
                failures: state.failures,
                openings: state.openings.saturating_add(1),
                until: now.plus(pause),
                open: true,
                probing: false,
            };
        }
    }

    /// What it is doing at `now`.
    pub fn phase(&self, now: Timestamp) -> Phase {
        let state = self.lock();
        match (state.open, state.probing || now >= state.until) {
            (false, _) => Phase::Closed,
            (true, true) => Phase::HalfOpen,
            (true, false) => Phase::Open,
        }
    }

    /// How long until the target may be asked again; zero when it may be.
    pub fn wait(&self, now: Timestamp) -> Duration {
        let state = self.lock();
        if state.open { state.until.since(now) } else { Duration::ZERO }
    }

    // Nothing in here can panic half-way through a change.
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Failures in a row that open it.
const FAILURES: u32 = 5;
/// How long it stays open the first time; twice as long each further time.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
/// The longest it stays open.
const LONGEST_PAUSE: Duration = Duration::from_secs(120);
/// How long a half-open request may take before another is tried.
const PROBE: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests;
