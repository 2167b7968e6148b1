#![no_main]
//! Playbooks: whatever a file holds, it is read wholly or refused, and what is read comes to an end.

use countersign_playbook::{Playbook, Told};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    if let Ok(playbook) = Playbook::read(text) {
        let told = Told {
            at: 0,
            pattern: "canary-tripped".into(),
            of: "session:a/b".into(),
            tenant: "t".into(),
            risk: 50,
            because: Vec::new(),
        };
        assert!(playbook.plan(&told).len() <= 64);
    }
});
