//! The real clock and the real randomness.

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use countersign_core::{Clock, Timestamp};

/// The system's clock.
pub(crate) fn system() -> Arc<dyn Clock> {
    Arc::new(now)
}

/// The present time.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
}

/// Fresh random bytes. Without randomness nothing may be served, so there is no error to hand on: a request that asks for
/// some is refused like any other whose stage panics, and a command ends.
pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).expect("the system's random source works");
    bytes
}

/// `now` as RFC 3339, in UTC.
pub(crate) fn rfc3339(at: Timestamp) -> String {
    let micros = i64::try_from(at.0).unwrap_or(i64::MAX);
    jiff::Timestamp::from_microsecond(micros).map_or_else(|_| "-".to_owned(), |t| t.to_string())
}
