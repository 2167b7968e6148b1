//! A gateway made of its real stages, in a world where anything can be made to go wrong: disk, clock, randomness, detectors,
//! the provider and the line to it.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc, Condvar, LazyLock, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
};

use countersign_audit::{Audit, Dir, Keys, MemoryDir, Tail};
use countersign_core::{Kind, Secret, Timestamp, life::Stamps, principal::PrincipalKind};
use countersign_gateway::{Gateway, Limits, Stages};
use countersign_guard::{Config, Detector, Found, Guard, Normal};
use countersign_identity::{
    Identity, KeyRecord, Outside,
    key::{self, NewKey},
};
use countersign_policy::{Policy, Rates, Rules, Settings, Stage};
use countersign_provider::{BoxIo, Dial, Dialect, Dialing, ModelRoute, Provider, Target, Timeouts};
use countersign_seal::KeyRing;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What a scripted panic says, so that the tests can keep it out of their output.
pub(crate) const SCRIPTED: &str = "a scripted panic";

/// A token that the guards know as planted.
pub(crate) const CANARY: &str = "canary-6b2f0c9d4e1a7385";

/// How something goes wrong.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Wrong {
    /// It does not.
    #[default]
    No,
    /// It reports an error.
    Fails,
    /// It panics.
    Panics,
    /// It never comes back.
    Hangs,
    /// It reports nonsense.
    Raves,
}

/// What goes wrong at present.
#[derive(Default)]
pub(crate) struct Faults {
    disk: Mutex<Wrong>,
    changed: Condvar,
    detector: Mutex<Wrong>,
    random: AtomicBool,
    /// The clock panics when it is asked for this time; 0 for never.
    clock: AtomicU64,
    asked: AtomicU64,
}

impl Faults {
    pub(crate) fn disk(&self, wrong: Wrong) {
        *lock(&self.disk) = wrong;
        self.changed.notify_all();
    }

    pub(crate) fn detector(&self, wrong: Wrong) {
        *lock(&self.detector) = wrong;
    }

    pub(crate) fn random(&self, fails: bool) {
        self.random.store(fails, Ordering::SeqCst);
    }

    /// The clock panics once, the `n`th time from now that it is asked.
    pub(crate) fn clock_after(&self, n: u64) {
        self.clock.store(self.asked.load(Ordering::SeqCst) + n, Ordering::SeqCst);
    }

    /// How often the clock was asked.
    pub(crate) fn asked(&self) -> u64 {
        self.asked.load(Ordering::SeqCst)
    }

    fn now(&self) -> Timestamp {
        let n = self.asked.fetch_add(1, Ordering::SeqCst) + 1;
        assert!(n != self.clock.load(Ordering::SeqCst), "{SCRIPTED}");
        Timestamp(1_800_000_000_000_000 + n)
    }

    fn write(&self) -> io::Result<()> {
        let mut wrong = lock(&self.disk);
        loop {
            match *wrong {
                Wrong::No => return Ok(()),
                Wrong::Panics => {
                    drop(wrong);
                    panic!("{SCRIPTED}");
                }
                Wrong::Hangs => wrong = self.changed.wait(wrong).unwrap_or_else(PoisonError::into_inner),
                Wrong::Fails | Wrong::Raves => return Err(io::ErrorKind::StorageFull.into()),
            }
        }
    }
}

/// What is configured rather than made to go wrong.
pub(crate) struct Setup {
    pub(crate) policy: Settings,
    pub(crate) limits: Limits,
    pub(crate) timeouts: Timeouts,
    /// A guard of its own with a detector that can go wrong, instead of the one all share.
    pub(crate) detector: bool,
}

impl Default for Setup {
    fn default() -> Self {
        let policy = settings(PERMIT);
        Self { policy, limits: Limits::default(), timeouts: Timeouts::default(), detector: false }
    }
}

/// The world.
pub(crate) struct World {
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) faults: Arc<Faults>,
    pub(crate) provider: Arc<Actor>,
    /// What is on disk.
    pub(crate) log: MemoryDir,
    /// An API key, and the record of it.
    pub(crate) key: String,
    pub(crate) record: KeyRecord,
}

impl World {
    pub(crate) fn new(setup: Setup) -> Self {
        let faults = Arc::new(Faults::default());
        let provider = Arc::new(Actor::default());
        let log = MemoryDir::default();
        let ring = Arc::new(KeyRing::from_bytes(Secret::new(vec![7; 32])).expect("a key"));
        let hasher = ring.hasher(key::PURPOSE).expect("a hasher");
        let new = NewKey {
            tenant: "acme".into(),
            subject: "alice".into(),
            kind: PrincipalKind::Service,
            roles: vec!["staff".into()],
            scopes: Vec::new(),
            expires: Some(Timestamp(1_900_000_000_000_000)),
            now: Timestamp(1),
            note: String::new(),
        };
        let (text, record) = key::create(&hasher, new).expect("a key");
        let stamps = Stamps::issue();
        let clock = {
            let faults = faults.clone();
            Arc::new(move || faults.now())
        };
        let identity = Identity::new(stamps.identify, &ring, Vec::new(), Outside::default()).expect("hashers");
        identity.load(vec![record.clone()]);
        let guard = if setup.detector {
            let guard = Guard::new(stamps.screen, planted()).expect("a guard");
            Arc::new(guard.with_detector(Box::new(Odd(faults.clone()))))
        } else {
            GUARD.clone()
        };
        let targets = vec![
            target("openai", Dialect::OpenAi, setup.timeouts),
            target("anthropic", Dialect::Anthropic, setup.timeouts),
        ];
        let dial = Arc::new(Dialer(provider.clone()));
        let disk = Arc::new(Disk { log: log.clone(), faults: faults.clone() });
        let data = Arc::new(countersign_seal::DataKeys::passing(&ring).expect("keys"));
        let keys = Keys { ring, data, origin: ORIGIN.into() };
        let stages = Stages {
            identity: Arc::new(identity),
            policy: Arc::new(Stage::new(stamps.permit, stamps.reserve, setup.policy)),
            guard,
            provider: Arc::new(Provider::new(stamps.dispatch, targets, dial, clock.clone()).expect("a provider")),
            audit: Arc::new(Audit::open(stamps.intend, disk, keys, clock.clone()).expect("a log")),
            assessor: None,
            resource: None,
            desk: None,
            onlooker: None,
        };
        let random = {
            let faults = faults.clone();
            Box::new(move || {
                assert!(!faults.random.load(Ordering::SeqCst), "{SCRIPTED}");
                let n = faults.asked.fetch_add(1, Ordering::SeqCst);
                let mut bits = [0; 10];
                bits[2..].copy_from_slice(&n.to_be_bytes());
                bits
            })
        };
        let gateway = Gateway::new(stamps.speak, stages, setup.limits, clock, random);
        Self { gateway, faults, provider, log, key: text.expose().clone(), record }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // A log that waits for its disk could not be closed.
        self.faults.disk(Wrong::No);
    }
}

/// The log's name.
pub(crate) const ORIGIN: &str = "log.example/closed";

pub(crate) const PERMIT: &str = "permit (principal, action, resource);";

/// These policies, the standard rules, no rates.
pub(crate) fn settings(policy: &str) -> Settings {
    let policy = Policy::parse(&[("test.cedar", policy)]).expect("a policy");
    Settings { policy: Arc::new(policy), rules: Rules::standard(), rates: Rates::default() }
}

static GUARD: LazyLock<Arc<Guard>> =
    LazyLock::new(|| Arc::new(Guard::new(Stamps::issue().screen, planted()).expect("a guard")));

fn planted() -> Config {
    Config { canaries: vec![Secret::new(CANARY.into())], ..Config::default() }
}

fn target(name: &str, dialect: Dialect, timeouts: Timeouts) -> Target {
    Target {
        name: name.into(),
        dialect,
        base: "https://model.example".parse().expect("an address"),
        key: Some(Secret::new("upstream-key".into())),
        models: vec![ModelRoute { name: name.into(), upstream: "m".into() }],
        timeouts,
        ca: None,
        oldest_tls: Default::default(),
        connections: 4,
    }
}

/// A disk in memory that goes wrong when something is appended.
struct Disk {
    log: MemoryDir,
    faults: Arc<Faults>,
}

impl Dir for Disk {
    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        self.log.list(folder)
    }

    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        self.log.read(path)
    }

    fn append(&self, path: &str) -> io::Result<Box<dyn Tail>> {
        Ok(Box::new(Appended(self.log.append(path)?, self.faults.clone())))
    }

    fn put(&self, files: &[(String, Vec<u8>)]) -> io::Result<()> {
        self.log.put(files)
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        self.log.remove(path)
    }
}

struct Appended(Box<dyn Tail>, Arc<Faults>);

impl Tail for Appended {
    fn len(&self) -> u64 {
        self.0.len()
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.1.write()?;
        self.0.write(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.0.sync()
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.0.truncate(len)
    }
}

/// A detector of no use that can go wrong.
struct Odd(Arc<Faults>);

impl Detector for Odd {
    fn name(&self) -> &'static str {
        "odd"
    }

    fn inspect(&self, _: &Normal<'_>, out: &mut Vec<Found>) {
        let wrong = *lock(&self.0.detector);
        assert!(wrong != Wrong::Panics, "{SCRIPTED}");
        if wrong == Wrong::Raves {
            // A secret that ends far outside the text it was found in.
            out.push(Found { kind: Kind::Secret, rule: "odd/nonsense", span: 1..usize::MAX, confidence: 1.0 });
        }
    }
}

/// What the provider does with whoever asks.
#[derive(Default)]
pub(crate) struct Script {
    /// What becomes of the connection.
    pub(crate) dial: Wrong,
    /// What it says once it is asked, head included.
    pub(crate) says: Vec<u8>,
    /// Where a read from it ends is drawn from this seed; 0 for every 200 bytes.
    pub(crate) cuts: u64,
    /// What happens after that; nothing wrong means that it closes in an orderly way.
    pub(crate) then: Wrong,
    /// Happens when the first byte of a request has reached it.
    pub(crate) when_asked: Option<Box<dyn Fn() + Send + Sync>>,
}

impl Script {
    /// How much is read at `at`.
    fn piece(&self, at: usize) -> usize {
        if self.cuts == 0 {
            return 200;
        }
        let mixed = (self.cuts ^ at as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
        let mixed = mixed.wrapping_mul(0xbf58_476d_1ce4_e5b9);
        // Half of the seeds cut small.
        let most = if self.cuts.is_multiple_of(2) { 9 } else { 400 };
        1 + (mixed >> 40) as usize % most
    }
}

/// The provider.
#[derive(Default)]
pub(crate) struct Actor {
    script: Mutex<Arc<Script>>,
    asked: AtomicUsize,
}

impl Actor {
    pub(crate) fn plays(&self, script: Script) {
        *lock(&self.script) = Arc::new(script);
    }

    /// How many requests reached it.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

struct Dialer(Arc<Actor>);

impl Dial for Dialer {
    fn dial<'a>(&'a self, _: &'a Target) -> Dialing<'a> {
        let script = lock(&self.0.script).clone();
        let actor = self.0.clone();
        Box::pin(async move {
            match script.dial {
                Wrong::No | Wrong::Raves => {
                    Ok(Box::new(Line { actor, script, heard: false, at: 0, reader: None }) as BoxIo)
                }
                Wrong::Fails => Err(io::ErrorKind::ConnectionRefused.into()),
                Wrong::Panics => panic!("{SCRIPTED}"),
                Wrong::Hangs => std::future::pending().await,
            }
        })
    }
}

/// A line to the provider: one request and what is said to it.
struct Line {
    actor: Arc<Actor>,
    script: Arc<Script>,
    heard: bool,
    at: usize,
    reader: Option<Waker>,
}

impl AsyncRead for Line {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if !self.heard {
            self.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let rest = self.script.says.get(self.at..).unwrap_or_default();
        if !rest.is_empty() {
            // A piece at a time, so that a stream arrives in several.
            let n = rest.len().min(buf.remaining()).min(self.script.piece(self.at));
            buf.put_slice(&rest[..n]);
            self.at += n;
            return Poll::Ready(Ok(()));
        }
        match self.script.then {
            Wrong::No | Wrong::Raves => Poll::Ready(Ok(())),
            Wrong::Fails => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
            Wrong::Panics => panic!("{SCRIPTED}"),
            Wrong::Hangs => Poll::Pending,
        }
    }
}

impl AsyncWrite for Line {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if !self.heard {
            self.heard = true;
            self.actor.asked.fetch_add(1, Ordering::SeqCst);
            if let Some(then) = &self.script.when_asked {
                then();
            }
        }
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
