#![no_main]
//! Playbooks: whatever a file holds, it is read wholly or refused, and what is read comes to an end.

use std::collections::BTreeSet;

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
        let plan = playbook.plan(&told);
        let apart: BTreeSet<_> = plan.iter().map(|planned| planned.id).collect();
        assert!(plan.len() <= 64 && apart.len() == plan.len());
        let (mut at, mut taken) = (playbook.start().to_owned(), 0);
        while let Some(planned) = playbook.from(&at, &told) {
            taken += 1;
            at = planned.next.to_owned();
        }
        assert_eq!(taken, plan.len());
    }
});
