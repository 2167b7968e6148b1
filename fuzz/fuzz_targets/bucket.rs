#![no_main]
//! What object storage says: whatever it is, it is read or not, and of an error no more than its name is shown.

use countersign_bucket::said;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|xml: &[u8]| {
    if let Some(page) = said::versions(xml) {
        assert!(page.versions.len() <= xml.len());
    }
    let _ = said::locking(xml);
    let name = said::error(xml);
    assert!(name.len() <= 64 && name.bytes().all(|byte| byte.is_ascii_alphanumeric()));
});
