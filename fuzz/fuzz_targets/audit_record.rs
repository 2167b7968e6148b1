//! Entries of the audit log: whatever reads must be written again as something that reads the same.
#![no_main]

use countersign_audit::record::Entry;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(entry) = Entry::read(bytes) {
        let again = serde_json::to_vec(&entry).expect("an entry can be written");
        assert_eq!(Entry::read(&again).expect("what was written reads"), entry);
    }
});
