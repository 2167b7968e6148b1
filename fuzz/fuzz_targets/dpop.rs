//! Any bytes as a proof of possession: read or refused, the same way twice, and never longer than it may be.
#![no_main]
use countersign_identity::dpop::{MAX_PROOF, Proof};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let (once, twice) = (Proof::read(bytes), Proof::read(bytes));
    assert_eq!(format!("{once:?}"), format!("{twice:?}"));
    if once.is_ok() {
        assert!(bytes.len() <= MAX_PROOF);
        // One spelling: no byte can be added, and none taken away.
        assert!(Proof::read(&[bytes, b"A"].concat()).is_err());
        assert!(Proof::read(&bytes[..bytes.len() - 1]).is_err());
    }
});
