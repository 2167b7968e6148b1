//! A stage to try the guard on: a caller, a judge that always says the same, and a prompt that was let through.

use std::sync::Arc;

use bytes::Bytes;
use countersign_core::{
    Action, Call, Entity, Finding, Form, Format, Judge, Lease, Mint, Principal, RequestId, Side, StandIns, Timestamp,
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

/// Makes stand-ins whose tags are counted.
#[derive(Default)]
pub(crate) struct Counter {
    all: StandIns,
    made: Vec<(Entity, String)>,
}

impl Counter {
    pub(crate) fn new() -> Box<Self> {
        Box::new(Self { all: StandIns::new(true), made: Vec::new() })
    }

    /// What the nth one is, from 1.
    pub(crate) fn token(entity: Entity, number: usize) -> String {
        format!("[{}_{number}:tag{number:04}]", entity.as_str())
    }
}

impl Mint for Counter {
    fn mint(&mut self, entity: Entity, form: Form, value: &str) -> Option<String> {
        if form == Form::Format {
            let alike: String = value.chars().map(|c| if c.is_ascii_digit() { '7' } else { c }).collect();
            return self.all.add_alike(&alike, value).then_some(alike);
        }
        let known = self.made.iter().position(|made| made.0 == entity && made.1 == value);
        let number = known.unwrap_or_else(|| {
            self.made.push((entity, value.to_owned()));
            self.made.len() - 1
        }) + 1;
        self.all.add(&format!("tag{number:04}"), entity, value).then(|| Self::token(entity, number))
    }

    fn stand_ins(&self) -> &StandIns {
        &self.all
    }

    fn done(self: Box<Self>) -> StandIns {
        self.all
    }
}
