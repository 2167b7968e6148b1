//! A gateway of real stages for the tests of this crate: keys, policy, guards and audit in memory, and the self-test's
//! actor for a provider.

use std::sync::{Arc, LazyLock};

use aws_lc_rs::rand;
use bytes::Bytes;
use countersign_audit::{Audit, Keys, MemoryDir, record::Record, show};
use countersign_core::{Secret, Timestamp, life::Stamps, principal::PrincipalKind};
use countersign_guard::{Config, Guard};
use countersign_identity::{
    Identity, KeyRecord, Outside,
    key::{self, NewKey},
};
use countersign_policy::{Policy, Rates, Rules, Settings, Stage};
use countersign_provider::{Dial, Dialect, ModelRoute, Provider, Target, Timeouts};
use countersign_seal::KeyRing;
use http::{Request, header};
use http_body_util::Full;

use crate::{
    Gateway, Limits, Stages,
    selftest::{Actor, ToActor},
};

pub(crate) const CANARY: &str = "canary-6b2f0c9d4e1a7385d0f1b29c8e4a7f36e5c81d7a90b34f62c7d8e1f05a9b3c24";

/// Everybody may ask for everything; the role `observer` may read metrics and have texts looked at.
const POLICY: &str = "permit (principal, action, resource);
permit (principal in Countersign::Role::\"observer\", action in [Countersign::Action::\"observe\",
Countersign::Action::\"scan\"], resource);";

/// Everything a test needs of one.
pub(crate) struct World {
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) key: String,
    log: MemoryDir,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(Rules::standard(), None)
    }

    /// With these rules, and another way to the provider than to the actor.
    pub(crate) fn with(rules: Rules, dial: Option<Arc<dyn Dial>>) -> Self {
        Self::of(POLICY, rules, dial)
    }

    /// With another policy.
    pub(crate) fn with_policy(policy: &str) -> Self {
        Self::of(policy, Rules::standard(), None)
    }

    fn of(policy: &str, rules: Rules, dial: Option<Arc<dyn Dial>>) -> Self {
        let log = MemoryDir::default();
        let (ring, text, record) = &*KEY;
        let stamps = Stamps::issue();
        let clock = Arc::new(|| Timestamp(1_800_000_000_000_000));
        let identity = Identity::new(stamps.identify, ring, Vec::new(), Outside::default()).unwrap();
        identity.load(vec![record.clone()]);
        let policy = Policy::parse(&[("test.cedar", policy)]).unwrap();
        let settings = Settings { policy: Arc::new(policy), rules, rates: Rates::default() };
        let dial = dial.unwrap_or_else(|| Arc::new(ToActor(Actor::new(CANARY))));
        let targets = vec![target("openai", Dialect::OpenAi), target("anthropic", Dialect::Anthropic)];
        let data = Arc::new(countersign_seal::DataKeys::passing(ring).unwrap());
        let keys = Keys { ring: ring.clone(), data, origin: "log.example/test".into() };
        let stages = Stages {
            identity: Arc::new(identity),
            policy: Arc::new(Stage::new(stamps.permit, stamps.reserve, settings)),
            guard: GUARD.clone(),
            provider: Arc::new(Provider::new(stamps.dispatch, targets, dial, clock.clone()).unwrap()),
            audit: Arc::new(Audit::open(stamps.intend, Arc::new(log.clone()), keys, clock.clone()).unwrap()),
            assessor: None,
            resource: None,
            desk: None,
            onlooker: None,
        };
        let random = Box::new(|| {
            let mut bits = [0; 10];
            rand::fill(&mut bits).unwrap();
            bits
        });
        let gateway = Gateway::new(stamps.speak, stages, Limits::default(), clock, random);
        Self { gateway, key: text.expose().clone(), log }
    }

    /// A question to the model `openai` or `anthropic`.
    pub(crate) fn ask(&self, model: &str, stream: bool) -> Request<Full<Bytes>> {
        let body =
            format!(r#"{{"model":"{model}","stream":{stream},"messages":[{{"role":"user","content":"good day"}}]}}"#);
        Request::post("/v1/chat/completions")
            .header(header::AUTHORIZATION, format!("Bearer {}", self.key))
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(body.into()))
            .unwrap()
    }

    /// What is on record, once everything that was begun is.
    pub(crate) async fn records(&self) -> Vec<Record> {
        self.gateway.stages().audit.close().await;
        show::records(&self.log).unwrap().map(|shown| shown.unwrap().record).collect()
    }
}

pub(crate) fn target(name: &str, dialect: Dialect) -> Target {
    Target {
        name: name.into(),
        dialect,
        base: "https://model.example".parse().unwrap(),
        key: Some(Secret::new("upstream-key".into())),
        models: vec![ModelRoute { name: name.into(), upstream: "m".into() }],
        timeouts: Timeouts::default(),
        ca: None,
        oldest_tls: Default::default(),
        connections: 4,
    }
}

/// The key that every world knows.
static KEY: LazyLock<(Arc<KeyRing>, Secret<String>, KeyRecord)> = LazyLock::new(|| {
    let ring = Arc::new(KeyRing::from_bytes(Secret::new(vec![7; 32])).unwrap());
    let new = NewKey {
        tenant: "acme".into(),
        subject: "alice".into(),
        kind: PrincipalKind::Service,
        roles: vec!["observer".into()],
        scopes: Vec::new(),
        expires: None,
        now: Timestamp(1),
        note: String::new(),
    };
    let (text, record) = key::create(&ring.hasher(key::PURPOSE).unwrap(), new).unwrap();
    (ring, text, record)
});

static GUARD: LazyLock<Arc<Guard>> = LazyLock::new(|| {
    let config = Config { canaries: vec![Secret::new(CANARY.into())], ..Config::default() };
    Arc::new(Guard::new(Stamps::issue().screen, config).unwrap())
});
