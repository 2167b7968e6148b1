#![no_main]
//! What the watch has kept: whatever follows the head, it is read wholly or refused, and what is read is written as it was read.

use std::sync::LazyLock;

use countersign_core::Timestamp;
use countersign_monitor::{Limits, Monitor};
use libfuzzer_sys::fuzz_target;

static HEAD: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut head = kept(&Monitor::new(Limits::default()));
    head.truncate(44);
    head
});

fuzz_target!(|rest: &[u8]| {
    let bytes = [HEAD.as_slice(), rest].concat();
    if let Ok(monitor) = Monitor::kept(Limits::default(), &bytes) {
        let again = kept(&monitor);
        let twice = Monitor::kept(Limits::default(), &again).expect("what was written is read");
        assert_eq!(kept(&twice), again);
        assert!(monitor.riskiest(10, Timestamp(0)).iter().all(|shown| shown.risk.score <= 100));
    }
});

fn kept(monitor: &Monitor) -> Vec<u8> {
    let mut out = Vec::new();
    let mut part = 0;
    while monitor.keep(part, Timestamp(0), &mut out) {
        part += 1;
    }
    out
}
