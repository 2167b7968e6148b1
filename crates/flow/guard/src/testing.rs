//! A stage to try the guard on: a caller, a judge that always says the same, and a prompt that was let through.

use std::sync::Arc;

use bytes::Bytes;
use countersign_core::{
    Action, Call, Finding, Format, Judge, Lease, Principal, RequestId, Side, Timestamp,
    life::{Dispatched, Identified, Intended, Peer, Permit, Permitted, Readmitted, Reserved, Screened, Stamps},
    principal::{Method, PrincipalKind},
};

use crate::{Config, Guard, leak};

/// A guard and the stamps of the other stages.
pub(crate) struct Stage {
    pub(crate) guard: Arc<Guard>,
    pub(crate) stamps: Stamps,
}

impl Stage {
    pub(crate) fn new(config: Config) -> Self {
        Self { guard: Arc::new(Guard::new(Stamps::issue().screen, config).unwrap()), stamps: Stamps::issue() }
    }
}

struct Always(Action);

impl Judge for Always {
    fn judge(&self, _: Side, _: &Finding) -> Action {
        self.0
    }
}

/// Says the same about everything.
pub(crate) fn judge_all(action: Action) -> Arc<dyn Judge> {
    Arc::new(Always(action))
}

/// A request that is to be screened, and offers these tools.
pub(crate) fn reserved(stage: &Stage, judge: Arc<dyn Judge>, tools: Vec<Arc<str>>) -> Reserved {
    let stamps = &stage.stamps;
    let principal = Arc::new(Principal {
        tenant: "bank".into(),
        subject: "teller".into(),
        kind: PrincipalKind::Service,
        roles: Arc::from([]),
        scopes: Arc::from([]),
        credential: "k1".into(),
        method: Method::ApiKey,
        claims: None,
        session: None,
        lease: Arc::new(Lease::new(None)),
    });
    let now = Timestamp(1);
    let identified = Identified::new(&stamps.identify, RequestId::new(now, [1; 10]), now, Peer::default(), principal);
    let call = Call { format: Format::Chat, model: "m".into(), stream: true, max_tokens: None, tools, attachments: 0 };
    let permit = Permit { judge, reason: "test".into() };
    let permitted = Permitted::new(&stamps.permit, identified, call, permit);
    Reserved::new(&stamps.reserve, permitted, Box::new(()))
}

/// A request whose answer may return; its system prompt is `system`.
pub(crate) fn readmitted(stage: &Stage, judge: Arc<dyn Judge>, system: &str) -> Readmitted {
    let stamps = &stage.stamps;
    let reserved = reserved(stage, judge, Vec::new());
    let permit = reserved.permit().clone();
    let screened = Screened::new(&stamps.screen, reserved, Bytes::new(), Vec::new(), leak::fingerprint(system));
    let intended = Intended::new(&stamps.intend, screened, 0);
    let dispatched = Dispatched::new(&stamps.dispatch, intended, "t".into());
    Readmitted::new(&stamps.permit, dispatched, permit)
}
