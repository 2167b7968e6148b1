//! A policy's text is read or refused; nothing else happens.

#![no_main]

use countersign_policy::Policy;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Err(error) = Policy::parse(&[("fuzz.cedar", text)]) {
        assert!(!error.problems().is_empty());
        let _ = error.to_string();
    }
});
