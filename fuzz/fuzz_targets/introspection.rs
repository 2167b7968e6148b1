//! Any bytes as an issuer's answer about a token: believed or refused, in bounded ways, and never for another issuer's bearer.
#![no_main]
use std::{collections::BTreeMap, sync::Arc, time::Duration};

use countersign_core::{
    Code, RequestId, Secret, Timestamp,
    life::{Peer, Stamps},
};
use countersign_identity::{
    Identity, Outside, Presented,
    token::{Algorithm, Asking, Introspect, Introspection, Issuer, KeyRules, Profile, Tenants},
};
use countersign_seal::KeyRing;
use futures_util::FutureExt;
use libfuzzer_sys::fuzz_target;

const NOW: Timestamp = Timestamp(1_795_342_530_000_000);

struct Says(Vec<u8>);

impl Introspect for Says {
    fn introspect(&self, _: Arc<str>, _: Secret<String>) -> Asking {
        Box::pin(std::future::ready(Ok(self.0.clone())))
    }
}

fuzz_target!(|bytes: &[u8]| {
    let ring = KeyRing::from_bytes(Secret::new(vec![1; 32])).expect("32 bytes are a key");
    let outside = Outside { introspect: Arc::new(Says(bytes.to_vec())), ..Outside::default() };
    let identity = Identity::new(Stamps::issue().identify, &ring, vec![], outside).expect("a ring has hashers");
    let by_value = BTreeMap::from([("notebook".into(), "lab".into())]);
    let issuer = Issuer {
        name: "bank".into(),
        url: "https://id.bank.example/oauth2".into(),
        tenant: "bank".into(),
        tenants: Some(Tenants { claim: "client_id".into(), by_value }),
        audiences: vec!["https://gateway.example".into()],
        algorithms: Algorithm::ALL.into(),
        profile: Profile::Okta,
        roles: vec![],
        extra: vec![],
        leeway: Duration::from_secs(5),
        max_lifetime: Duration::from_secs(3600),
        keys: KeyRules::default(),
        introspection: Some(Introspection { prefix: "".into(), remember: Duration::from_secs(30) }),
        speaks_for: None,
    };
    identity.tokens().set_issuers(vec![issuer]).expect("an issuer");
    let presented = Presented { authorization: Some(b"Bearer opaque"), ..Presented::default() };
    let identified = identity.identify(RequestId::new(NOW, [0; 10]), NOW, Peer::default(), &presented);
    match identified.now_or_never().expect("it is answered at once") {
        Ok(identified) => {
            let principal = identified.principal();
            assert!(principal.subject.starts_with("bank/") && &*principal.tenant == "lab");
            assert!(principal.lease.expires().is_some_and(|end| end > NOW));
        }
        Err(refusal) => assert!(matches!(
            refusal.code,
            Code::BadCredential | Code::BadProof | Code::ExpiredCredential | Code::UnconfirmedCredential
        )),
    }
});
