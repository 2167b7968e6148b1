//! The log itself, from a request that passed every check to a checkpoint that a witness has cosigned.

use std::{
    error::Error,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use countersign_audit::{
    Audit, Dir, DiskDir, Keys, Outcome,
    proof::Growth,
    verify::{Against, verify},
    witness::{Cosigner, Known, Memory, Witness, witnessed},
};
use countersign_core::{
    Action, Call, Finding, Format, Judge, Lease, Principal, RequestId, Secret, Side, Timestamp,
    life::{Fingerprint, Identified, Peer, Permit, Permitted, Reserved, Screened, Stamps},
    principal::{Method, PrincipalKind},
};
use countersign_seal::{DataKeys, KeyRing, SealError, random};
use serde_json::json;

use crate::{
    Done, Load,
    counted::{Counted, Counts},
    cpu, cpu_since, written,
};

pub(crate) fn run(place: &Path, load: Load) -> Result<Done, Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let ring = ring(5)?;
    let data = Arc::new(DataKeys::passing(&ring)?);
    let counts = Arc::new(Counts::default());
    let dir = Counted { inner: DiskDir::open(place)?, counts: counts.clone() };
    let keys = Keys { ring: ring.clone(), data: data.clone(), origin: ORIGIN.to_owned() };
    let audit = Arc::new(Audit::open(Stamps::issue().intend, Arc::new(dir), keys, Arc::new(now))?);
    let over = Arc::new(AtomicBool::new(false));
    let watched = {
        let (audit, over, memory) = (audit.clone(), over.clone(), place.with_file_name("witness"));
        crate::empty(&memory)?;
        let (witness, cosigner) = witness(&ring, &memory)?;
        thread::Builder::new().name("witness".to_owned()).spawn(move || {
            // Errors carry no thread along.
            watch(&audit, &witness, &cosigner, &over).map_err(|cause| cause.to_string())
        })?
    };
    let producer = Producer { audit: audit.clone(), stamps: Arc::new(Stamps::issue()), who: principal(), load };

    // What seeding the generator of random bytes and opening the log took is no record's.
    random::bytes::<1>()?;
    let (before, disk, begun) = (cpu(), written(), Instant::now());
    let waits = runtime.block_on(async {
        let tasks: Vec<_> = (0..load.producers).map(|task| tokio::spawn(producer.clone().run(task, begun))).collect();
        let mut waits = Vec::new();
        for task in tasks {
            waits.extend(task.await.unwrap_or_default());
        }
        waits
    });
    let took = begun.elapsed();
    let (threads, written) = (cpu_since(&before), written() - disk);
    drop(producer);
    runtime.block_on(audit.close());
    over.store(true, Ordering::Release);
    let cosigned = watched.join().map_err(|_| "the witness stopped")??;
    let provable = begun.elapsed();
    let records = waits.len() as u64;
    if cosigned != audit.checkpoint().checkpoint.size || cosigned <= records {
        return Err(format!("{cosigned} records are cosigned of {records}").into());
    }
    let dir = DiskDir::read_only(place)?;
    let keys = ring.verifiers(ORIGIN)?;
    let journal: u64 =
        dir.list("journal")?.iter().map(|path| dir.read(path).map_or(0, |bytes| bytes.len() as u64)).sum();
    // As somebody does who has the public key alone, and as the log's owner does, who opens every text.
    let mut verified = [0.0; 2];
    for (data, speed) in [None, Some(&*data)].into_iter().zip(&mut verified) {
        let before = busy()?;
        let report = verify(&dir, &Against { origin: ORIGIN, keys: &keys, data, remembered: None });
        *speed = journal as f64 / (busy()? - before).as_secs_f64() / 1e6;
        if !report.is_whole() || report.held != cosigned || data.is_some() != (report.opened == records) {
            return Err(format!("the log does not verify: {:?}", report.damage.first()).into());
        }
    }
    let more = json!({
        "provable_seconds": provable.as_secs_f64(),
        "journal_bytes": journal,
        "verified_mb_a_core_second": verified[0],
        "verified_and_opened_mb_a_core_second": verified[1],
        "asked_of_the_disk": counts.told(),
    });
    Ok(Done { records, took, waits, threads, written, more })
}

/// For how long this thread has kept a core busy.
fn busy() -> std::io::Result<Duration> {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanos = told.split(' ').next().and_then(|nanos| nanos.parse().ok());
    Ok(Duration::from_nanos(nanos.unwrap_or_default()))
}

/// Has every checkpoint cosigned, as long as the log goes on; gives how many records the last one speaks for.
fn watch(audit: &Audit, witness: &Witness, cosigner: &Cosigner, over: &AtomicBool) -> Result<u64, Box<dyn Error>> {
    let mut old = 0;
    loop {
        // In this order, so that the last checkpoint is seen.
        let last = over.load(Ordering::Acquire);
        let note = audit.checkpoint().note.clone();
        let growth = Growth::under(&**audit.dir(), old, &note)?;
        let line = witness.add_checkpoint(growth.to_string().as_bytes(), now())?;
        let line = cosigner.line(&note, &line).ok_or("the witness's answer is not its own")?;
        audit.keep_witnessed(witnessed(&note, [line]))?;
        old = countersign_audit::Checkpoint::peek(note.as_bytes())?.size;
        if last {
            return Ok(old);
        }
        while audit.checkpoint().checkpoint.size == old && !over.load(Ordering::Acquire) {
            thread::sleep(Duration::from_millis(20));
        }
    }
}

fn witness(log: &KeyRing, memory: &Path) -> Result<(Witness, Cosigner), Box<dyn Error>> {
    let own = ring(9)?;
    let known = Known { origin: ORIGIN.to_owned(), keys: log.verifiers(ORIGIN)? };
    let memory = Arc::new(Memory::new(Arc::new(DiskDir::open(memory)?)));
    let key = own.verifiers(WITNESS)?.into_iter().next().ok_or("the witness has no key")?;
    let witness = Witness::new(WITNESS.to_owned(), own.signer(WITNESS)?, vec![known], memory);
    Ok((witness, Cosigner::new(WITNESS.to_owned(), key)))
}

/// Records an intent, waits for it, records its outcome and waits for that, again and again.
#[derive(Clone)]
struct Producer {
    audit: Arc<Audit>,
    stamps: Arc<Stamps>,
    who: Arc<Principal>,
    load: Load,
}

impl Producer {
    async fn run(self, task: u64, begun: Instant) -> Vec<u32> {
        let body = Bytes::from(vec![b'x'; self.load.body]);
        let mut waits = Vec::new();
        let mut n = 0_u64;
        while begun.elapsed() < self.load.time {
            n += 1;
            let screened = self.screened(task, n, body.clone());
            let request = screened.request();
            let before = Instant::now();
            let Ok(intended) = self.audit.intend(screened).await else { break };
            waits.push(micros(before));
            let before = Instant::now();
            let outcome = self.outcome(request, intended.record(), body.slice(..body.len() / 2));
            let Ok(_) = self.audit.settle(outcome).await else { break };
            waits.push(micros(before));
        }
        waits
    }

    fn screened(&self, task: u64, n: u64, body: Bytes) -> Screened {
        let at = now();
        let mut random = [0; 10];
        random[..2].copy_from_slice(&(task as u16).to_be_bytes());
        random[2..].copy_from_slice(&n.to_be_bytes());
        let request = RequestId::new(at, random);
        let peer = Peer { ip: Some([10, 0, 0, 1].into()), listener: "main".into() };
        let identified = Identified::new(&self.stamps.identify, request, at, peer, self.who.clone());
        let call = Call {
            format: Format::Chat,
            model: "small".into(),
            stream: false,
            max_tokens: Some(256),
            tools: Vec::new(),
            attachments: 0,
        };
        let permit = Permit { judge: Arc::new(Lenient), reason: "policy0".into() };
        let permitted = Permitted::new(&self.stamps.permit, identified, call, permit);
        let reserved = Reserved::new(&self.stamps.reserve, permitted, Box::new(()));
        Screened::new(&self.stamps.screen, reserved, body, Vec::new(), Fingerprint::default())
    }

    fn outcome(&self, request: RequestId, record: u64, answer: Bytes) -> Outcome {
        Outcome {
            request,
            record,
            tenant: self.who.tenant.clone(),
            subject: self.who.subject.clone(),
            conversation: None,
            at: now(),
            status: 200,
            code: None,
            reason: None,
            target: Some("local".into()),
            findings: Vec::new(),
            judged: None,
            input_tokens: Some(250),
            output_tokens: Some(40),
            back: Vec::new(),
            bytes: answer.len() as u64,
            answer: Some(answer),
            answer_sha256: Some([7; 32]),
            duration: Duration::from_millis(1),
            upstream_called: true,
        }
    }
}

fn principal() -> Arc<Principal> {
    Arc::new(Principal {
        tenant: "acme".into(),
        subject: "u-1".into(),
        kind: PrincipalKind::Service,
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

fn ring(byte: u8) -> Result<Arc<KeyRing>, SealError> {
    KeyRing::from_bytes(Secret::new(vec![byte; 32])).map(Arc::new)
}

fn now() -> Timestamp {
    let micros = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_micros();
    Timestamp(u64::try_from(micros).unwrap_or(u64::MAX))
}

pub(crate) fn micros(since: Instant) -> u32 {
    u32::try_from(since.elapsed().as_micros()).unwrap_or(u32::MAX)
}

const ORIGIN: &str = "example.com/speed";
const WITNESS: &str = "example.com/witness";
