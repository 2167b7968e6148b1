//! What the fuzz target `rename` and the tests both do: a body under another name for its model.

use bytes::Bytes;
use countersign_wire::{Limits, json::Doc};
use serde_json::Value;

use super::{is_plain, rename};

/// Renames the model of a body and reads the outcome back.
///
/// # Panics
/// When a body that `wire` accepts came out other than with that one string replaced.
pub(crate) fn check(data: &[u8]) {
    const NEW: &str = "org/new:7b";
    assert!(is_plain(NEW));
    let body = Bytes::copy_from_slice(data);
    let renamed = rename(&body, NEW);
    // What `wire` refuses never comes this far; it may come out as anything, as long as nothing panics.
    if Doc::read(&body, &Limits::default()).is_err() {
        return;
    }
    // Numbers stay text, so that none is told apart only by how it is rounded.
    let Ok(mut wanted) = serde_json::from_slice::<Value>(&body) else { return };
    match renamed {
        Some(renamed) => {
            let model = wanted.as_object_mut().and_then(|members| members.get_mut("model"));
            *model.filter(|m| m.is_string()).expect("only a string of that name is replaced") = NEW.into();
            let read = serde_json::from_slice::<Value>(&renamed).expect("what was renamed is JSON");
            assert_eq!(read, wanted, "{}", body.escape_ascii());
        }
        None => {
            let plain = memchr::memmem::find(&body, b"\"model\"").is_some();
            let has = wanted.get("model").is_some_and(Value::is_string);
            // A key with escapes in it is not found.
            assert!(!has || !plain || memchr::memchr(b'\\', &body).is_some(), "{}", body.escape_ascii());
        }
    }
}
