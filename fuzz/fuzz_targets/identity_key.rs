//! Any bytes as an authorization header and as an API key: refused in the same words, for nobody has been given a key.
#![no_main]
use std::sync::LazyLock;

use countersign_core::{
    Code, RequestId, Secret, Timestamp,
    life::{Peer, Stamps},
};
use countersign_identity::{Identity, Outside, Presented};
use countersign_seal::KeyRing;
use futures_util::FutureExt;
use libfuzzer_sys::fuzz_target;

static IDENTITY: LazyLock<Identity> = LazyLock::new(|| {
    let ring = KeyRing::from_bytes(Secret::new(vec![1; 32])).expect("32 bytes are a key");
    Identity::new(Stamps::issue().identify, &ring, vec![], Outside::default()).expect("a ring has hashers")
});

fuzz_target!(|bytes: &[u8]| {
    for presented in [
        Presented { authorization: Some(bytes), ..Presented::default() },
        Presented { api_key: Some(bytes), ..Presented::default() },
    ] {
        let now = Timestamp(1);
        let refusal = IDENTITY
            .identify(RequestId::new(now, [0; 10]), now, Peer::default(), &presented)
            .now_or_never()
            .expect("nothing is waited for");
        assert_eq!(refusal.expect_err("nobody has a key").code, Code::BadCredential);
    }
});
