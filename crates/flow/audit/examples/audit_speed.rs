//! How fast records become durable: 16 submitters, each recording an intent, awaiting it and recording its outcome.
//!
//! `cargo run --release -p countersign-audit --example audit_speed -- DIRECTORY [SECONDS] [BODY BYTES] [RUNTIME THREADS]`
//!
//! Prints requests (an intent and an outcome each) per second and CPU microseconds per request by the process's own account.

use std::{
    collections::BTreeMap,
    io::Write as _,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use countersign_audit::{Audit, DiskDir, Keys, Outcome};
use countersign_core::{
    Action, Call, Finding, Format, Judge, Lease, Principal, RequestId, Secret, Side, Timestamp,
    life::{Fingerprint, Identified, Peer, Permit, Permitted, Reserved, Screened, Stamps},
    principal::{Method, PrincipalKind},
};
use countersign_seal::{DataKeys, KeyRing, random};

struct Lenient;

impl Judge for Lenient {
    fn judge(&self, _: Side, _: &Finding) -> Action {
        Action::Allow
    }
}

fn now() -> Timestamp {
    let micros = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_micros();
    Timestamp(u64::try_from(micros).unwrap_or(u64::MAX))
}

/// CPU time by thread name, in microseconds: in user space and in the kernel.
fn cpu() -> BTreeMap<String, [u64; 2]> {
    let mut threads = BTreeMap::new();
    for task in std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten() {
        // `id (name) state ...`: utime and stime stand 11 fields after the state, in ticks of 10 ms.
        let stat = std::fs::read_to_string(task.path().join("stat")).unwrap_or_default();
        let Some((name, rest)) = stat.split_once('(').and_then(|(_, r)| r.rsplit_once(')')) else { continue };
        let fields: Vec<u64> = rest.split_whitespace().skip(11).take(2).filter_map(|f| f.parse().ok()).collect();
        let sum = threads.entry(name.to_owned()).or_insert([0; 2]);
        for (to, ticks) in sum.iter_mut().zip(fields) {
            *to += ticks * 10_000;
        }
    }
    threads
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let directory = arguments.next().ok_or("name a directory to write to")?;
    let seconds: u64 = arguments.next().map_or(Ok(5), |s| s.parse())?;
    let size: usize = arguments.next().map_or(Ok(1024), |s| s.parse())?;
    let threads: usize = arguments.next().map_or(Ok(1), |s| s.parse())?;

    let mut builder = match threads {
        1 => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    let runtime = if threads > 1 {
        builder.enable_all().worker_threads(threads).build()?
    } else {
        builder.enable_all().build()?
    };
    let ring = Arc::new(KeyRing::from_bytes(Secret::new(vec![5; 32]))?);
    let stamps = Arc::new(Stamps::issue());
    let data = Arc::new(DataKeys::passing(&ring)?);
    let keys = Keys { ring, data, origin: "example.com/speed".to_owned() };
    let dir = Arc::new(DiskDir::open(directory)?);
    let audit = Arc::new(Audit::open(Stamps::issue().intend, dir, keys, Arc::new(now))?);
    let principal = Arc::new(Principal {
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
    });
    let body = Bytes::from(vec![b'x'; size]);
    let permit = Permit { judge: Arc::new(Lenient), reason: "policy0".into() };
    let done = Arc::new(AtomicU64::new(0));
    let waited = Arc::new(AtomicU64::new(0));

    // What seeding the generator of random bytes and opening the log took is no request's.
    random::bytes::<1>()?;
    let (before, begun) = (cpu(), Instant::now());
    runtime.block_on(async {
        let tasks: Vec<_> = (0..16_u64)
            .map(|task| {
                let (audit, stamps, principal) = (audit.clone(), stamps.clone(), principal.clone());
                let (body, permit, done, waited) = (body.clone(), permit.clone(), done.clone(), waited.clone());
                tokio::spawn(async move {
                    let mut n = 0_u64;
                    while begun.elapsed() < Duration::from_secs(seconds) {
                        n += 1;
                        let mut random = [0; 10];
                        random[..2].copy_from_slice(&(task as u16).to_be_bytes());
                        random[2..].copy_from_slice(&n.to_be_bytes());
                        let at = now();
                        let request = RequestId::new(at, random);
                        let peer = Peer { ip: Some([10, 0, 0, 1].into()), listener: "main".into() };
                        let identified = Identified::new(&stamps.identify, request, at, peer, principal.clone());
                        let call = Call {
                            format: Format::Chat,
                            model: "small".into(),
                            stream: false,
                            max_tokens: Some(256),
                            tools: Vec::new(),
                            attachments: 0,
                        };
                        let permitted = Permitted::new(&stamps.permit, identified, call, permit.clone());
                        let reserved = Reserved::new(&stamps.reserve, permitted, Box::new(()));
                        let screened =
                            Screened::new(&stamps.screen, reserved, body.clone(), Vec::new(), Fingerprint::default());
                        let before = Instant::now();
                        let Ok(intended) = audit.intend(screened).await else { return };
                        waited.fetch_add(before.elapsed().as_micros() as u64, Ordering::Relaxed);
                        drop(audit.settle(Outcome {
                            request,
                            record: intended.record(),
                            tenant: principal.tenant.clone(),
                            subject: principal.subject.clone(),
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
                            answer: Some(body.slice(..size.min(512))),
                            answer_sha256: Some([7; 32]),
                            bytes: 512,
                            duration: before.elapsed(),
                            upstream_called: true,
                        }));
                        done.fetch_add(1, Ordering::Relaxed);
                    }
                })
            })
            .collect();
        for task in tasks {
            let _ = task.await;
        }
    });
    let (mut threads, elapsed) = (cpu(), begun.elapsed());
    for (name, [user, system]) in before {
        if let Some([u, s]) = threads.get_mut(&name) {
            (*u, *s) = (u.saturating_sub(user), s.saturating_sub(system));
        }
    }
    let spent: u64 = threads.values().flatten().sum();
    runtime.block_on(audit.close());
    let requests = done.load(Ordering::Relaxed).max(1);
    writeln!(
        std::io::stdout(),
        "{requests} requests ({} records) in {elapsed:.1?}: {:.0}/s, {:.2} CPU us each, {:.0} us mean wait",
        audit.checkpoint().checkpoint.size,
        requests as f64 / elapsed.as_secs_f64(),
        spent as f64 / requests as f64,
        waited.load(Ordering::Relaxed) as f64 / requests as f64,
    )?;
    for (name, [user, system]) in threads {
        let each = |micros: u64| micros as f64 / requests as f64;
        writeln!(std::io::stdout(), "  {name:16} {:6.2} us user {:6.2} us kernel", each(user), each(system))?;
    }
    Ok(())
}
