//! Any bytes as JSON.

use countersign_wire::{Limits, json::Doc};
use serde_json::value::RawValue;

/// Reads; what is accepted is JSON to another reader as well.
///
/// # Panics
/// When that is not so.
pub(crate) fn check(data: &[u8]) {
    if Doc::read(data, &Limits::default()).is_ok() {
        assert!(serde_json::from_slice::<&RawValue>(data).is_ok(), "accepted what is not JSON");
    }
}
