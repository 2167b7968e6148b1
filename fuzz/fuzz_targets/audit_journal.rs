//! A journal as it may be found: reading, verifying and opening must neither panic nor take damage for a whole log.
#![no_main]

use countersign_audit::{Dir, MemoryDir, show, verify};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let dir = MemoryDir::default();
    dir.put(&[("journal/00000000000000000000".to_owned(), bytes.to_vec())]).expect("memory takes it");
    let shown = show::records(&dir).expect("memory lists").filter(Result::is_ok).count() as u64;
    let against = verify::Against { origin: "example.com/node-1", keys: &[], data: None, remembered: None };
    let report = verify::verify(&dir, &against);
    assert!(!report.is_whole() && report.held == 0 && shown <= report.unsigned);
});
