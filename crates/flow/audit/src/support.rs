//! What the tests share: a request that has passed every stage before this one, and a log to put it in.

use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use countersign_core::{
    Action, Call, Charge, Clock, Finding, Format, Judge, Lease, Principal, RequestId, Secret, Side, Timestamp,
    life::{Fingerprint, Identified, Peer, Permit, Permitted, Reserved, Screened, Stamps},
    principal::{Method, PrincipalKind},
};
use countersign_seal::{DataKeys, KeyRing};

use crate::{Audit, AuditError, Dir, Keys, Outcome, Refused, verify};

pub(crate) const ORIGIN: &str = "example.com/node-1";

pub(crate) fn ring() -> Arc<KeyRing> {
    Arc::new(KeyRing::from_bytes(Secret::new(vec![5; 32])).unwrap())
}

/// The same for every log: they are opened again and again.
pub(crate) static DATA: LazyLock<Arc<DataKeys>> = LazyLock::new(|| Arc::new(DataKeys::passing(&ring()).unwrap()));

pub(crate) fn keys() -> Keys {
    Keys { ring: ring(), data: DATA.clone(), origin: ORIGIN.to_owned() }
}

pub(crate) fn clock() -> Arc<dyn Clock> {
    Arc::new(|| Timestamp(1_700_000_000_000_000))
}

pub(crate) fn open(dir: impl Dir + 'static) -> Result<Audit, AuditError> {
    Audit::open(Stamps::issue().intend, Arc::new(dir), keys(), clock())
}

pub(crate) fn verify(dir: &dyn Dir) -> verify::Report {
    let ring = ring();
    let keys = ring.verifiers(ORIGIN).unwrap();
    verify::verify(dir, &verify::Against { origin: ORIGIN, keys: &keys, data: Some(&DATA), remembered: None })
}

pub(crate) fn id(n: u64) -> RequestId {
    let mut random = [0; 10];
    random[2..].copy_from_slice(&n.to_be_bytes());
    RequestId::new(Timestamp(1_700_000_000_000_000), random)
}

pub(crate) fn principal() -> Arc<Principal> {
    Arc::new(Principal {
        tenant: "acme".into(),
        subject: "u-1".into(),
        kind: PrincipalKind::Person,
        roles: ["clerk".into()].into(),
        scopes: [].into(),
        credential: "key-1".into(),
        method: Method::ApiKey,
        claims: None,
        session: None,
        lease: Arc::new(Lease::new(None)),
    })
}

struct Lenient;

impl Judge for Lenient {
    fn judge(&self, _: Side, _: &Finding) -> Action {
        Action::Allow
    }
}

pub(crate) fn screened(n: u64, body: &str) -> Screened {
    made(n, body, Arc::default())
}

/// A request that budgets have set something aside for.
pub(crate) fn charged(n: u64, charge: Arc<Charge>) -> Screened {
    made(n, "a prompt", charge)
}

fn made(n: u64, body: &str, charge: Arc<Charge>) -> Screened {
    let stamps = Stamps::issue();
    let peer = Peer { ip: Some([10, 0, 0, 1].into()), listener: "main".into() };
    let identified = Identified::new(&stamps.identify, id(n), clock().now(), peer, principal());
    let permit = Permit { judge: Arc::new(Lenient), reason: "clerks-may-chat".into() };
    let permitted = Permitted::new(&stamps.permit, identified, call(), permit);
    let reserved =
        Reserved::new(&stamps.reserve, permitted, Box::new(())).charging(&stamps.reserve, charge, Vec::new());
    Screened::new(&stamps.screen, reserved, Bytes::copy_from_slice(body.as_bytes()), Vec::new(), Fingerprint::default())
}

pub(crate) fn call() -> Call {
    Call {
        format: Format::Chat,
        model: "small".into(),
        stream: false,
        max_tokens: None,
        tools: Vec::new(),
        attachments: 0,
    }
}

pub(crate) fn outcome(n: u64, record: u64, answer: &str) -> Outcome {
    Outcome {
        request: id(n),
        record,
        tenant: "acme".into(),
        subject: "u-1".into(),
        conversation: None,
        at: clock().now(),
        status: 200,
        code: None,
        reason: None,
        target: Some("local".into()),
        findings: Vec::new(),
        judged: None,
        input_tokens: Some(3),
        output_tokens: Some(4),
        back: Vec::new(),
        answer: Some(Bytes::copy_from_slice(answer.as_bytes())),
        answer_sha256: Some(crate::merkle::sha256(answer.as_bytes())),
        bytes: answer.len() as u64,
        duration: std::time::Duration::from_micros(1500),
        upstream_called: true,
    }
}

pub(crate) fn refused(n: u64) -> Refused {
    Refused {
        request: id(n),
        at: clock().now(),
        peer: Peer { ip: None, listener: "main".into() },
        who: None,
        call: None,
        code: countersign_core::Code::NoCredential,
        reason: "no credential".to_owned(),
        findings: Vec::new(),
        body: Some(Bytes::from_static(b"a stranger's words")),
    }
}
