//! Witnesses of the audit log: asks those of others for cosignatures, and is one for the logs of others (C2SP tlog-witness).
//!
//! Threat: who holds this machine and its keys rewrites the log, or shows two histories. What another machine has cosigned cannot be
//! taken back.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::Context;
use bytes::Bytes;
use countersign_audit::{
    Audit, DiskDir, Signed,
    proof::Growth,
    witness::{Cosigner, Known, Memory, Witness, witnessed},
};
use countersign_provider::Trust;
use countersign_seal::{KeyRing, Verifier};
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::{assemble::Assembly, clock, config::Config, fetch::Place, state::State};

/// A witness that is asked.
#[derive(Clone)]
pub(crate) struct Asked {
    cosigner: Arc<Cosigner>,
    at: Place,
    /// Authorities of its certificate in PEM, instead of the system's.
    ca: Option<Vec<u8>>,
    /// How many records it has seen, as far as is known here.
    seen: Arc<AtomicU64>,
    /// Whether it was said that it fails.
    failing: Arc<AtomicBool>,
}

impl Asked {
    pub(crate) fn new(cosigner: Cosigner, at: Place, ca: Option<Vec<u8>>) -> Self {
        Self { cosigner: Arc::new(cosigner), at, ca, seen: Arc::default(), failing: Arc::default() }
    }

    /// Its name and key.
    pub(crate) fn cosigner(&self) -> &Cosigner {
        &self.cosigner
    }

    /// Has a checkpoint cosigned; gives the line with the cosignature.
    async fn ask(&self, audit: &Audit, signed: &Signed) -> anyhow::Result<String> {
        let trust = match &self.ca {
            Some(pem) => Some(Trust::given(pem)?),
            None => tokio::task::spawn_blocking(Trust::system).await?.ok(),
        };
        // Where it has seen another size than is known here, it says so, and is asked once more.
        for _ in 0..2 {
            let (dir, old, note) = (audit.dir().clone(), self.seen.load(Ordering::Acquire), signed.note.clone());
            let size = signed.checkpoint.size;
            anyhow::ensure!(old <= size, "it has seen {old} records of this log, which has {size}: the log was cut");
            let proof = tokio::task::spawn_blocking(move || Growth::under(&*dir, old, &note)).await??;
            let body = Bytes::from(proof.to_string());
            let (status, answer) = self.at.submit(trust.as_ref(), TYPE, body, MOST).await?;
            let answer = String::from_utf8_lossy(&answer).into_owned();
            match status {
                200 => {
                    let line = self.cosigner.line(&signed.note, &answer);
                    let line = line.context("it answers with no cosignature of its own")?.to_owned();
                    self.seen.store(size, Ordering::Release);
                    return Ok(line);
                }
                409 => {
                    let seen = answer.trim_end().parse().context("it answers with no size")?;
                    anyhow::ensure!(seen != old, "it has seen other records of this log: the log was rewritten");
                    self.seen.store(seen, Ordering::Release);
                }
                422 => anyhow::bail!("it has seen records that this log does not have: the log was rewritten"),
                status => anyhow::bail!("it answers with status {status}"),
            }
        }
        anyhow::bail!("it has seen another size each time")
    }
}

/// Has each checkpoint cosigned, until aborted. Requests do not wait for it.
pub(crate) async fn watch(assembly: &Assembly) {
    let mut tick = interval(EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // What each has said last, and of which checkpoint.
    let mut said: BTreeMap<String, (String, String)> = BTreeMap::new();
    loop {
        tick.tick().await;
        let (audit, witnesses) = (assembly.gateway().stages().audit.clone(), assembly.witnesses());
        let signed = audit.checkpoint();
        let is_done = |name: &str| said.get(name).is_some_and(|(note, _)| *note == signed.note);
        let open: Vec<_> = witnesses.iter().filter(|w| !is_done(w.cosigner.name())).collect();
        let lines = futures_util::future::join_all(open.iter().map(|w| one(w, &audit, &signed))).await;
        let mut news = false;
        let evidence = assembly.gateway().metrics().evidence();
        for (witness, line) in open.iter().zip(lines) {
            let seen = witness.seen.load(Ordering::Acquire);
            let behind = signed.checkpoint.size.saturating_sub(seen);
            evidence.cosigned(witness.cosigner.name(), seen, behind, line.is_some().then(clock::now));
            if let Some(line) = line {
                said.insert(witness.cosigner.name().to_owned(), (signed.note.clone(), line));
                news = true;
            }
        }
        let lines = said.values().filter(|(note, _)| *note == signed.note).map(|(_, line)| line.as_str());
        if news && let Err(error) = audit.keep_witnessed(witnessed(&signed.note, lines)) {
            tracing::error!(%error, "a cosigned checkpoint cannot be kept");
        }
    }
}

/// Asks one witness; says once that it fails, and once that it does no more.
async fn one(witness: &Asked, audit: &Audit, signed: &Signed) -> Option<String> {
    let name = witness.cosigner.name();
    let asked = timeout(PATIENCE, witness.ask(audit, signed)).await;
    match asked.map_err(anyhow::Error::from).flatten() {
        Ok(line) => {
            if witness.failing.swap(false, Ordering::AcqRel) {
                tracing::info!(witness = name, "the audit log is cosigned again");
            }
            Some(line)
        }
        Err(error) => {
            if !witness.failing.swap(true, Ordering::AcqRel) {
                tracing::error!(witness = name, error = format!("{error:#}"), "the audit log is not cosigned");
            }
            None
        }
    }
}

/// The witness that this gateway is, and what it remembers.
#[derive(Default)]
pub(crate) struct Own(Mutex<Option<Arc<Memory>>>);

impl Own {
    /// The witness as a configuration wants it; none where no log is cosigned.
    pub(crate) fn by(&self, config: &Config, state: &State) -> anyhow::Result<Option<Arc<Witness>>> {
        if config.cosigns.is_empty() {
            return Ok(None);
        }
        let mut logs: Vec<Known> = Vec::new();
        for (origin, key) in &config.cosigns {
            let key = Verifier::new(key.public_key())?;
            match logs.iter_mut().find(|log| log.origin == *origin) {
                Some(log) => log.keys.push(key),
                None => logs.push(Known { origin: origin.clone(), keys: vec![key] }),
            }
        }
        let name = name(state.node());
        let signer = state.ring().signer(&name)?;
        Ok(Some(Arc::new(Witness::new(name, signer, logs, self.memory(&state.dir().join(FOLDER))?))))
    }

    fn memory(&self, at: &Path) -> anyhow::Result<Arc<Memory>> {
        let mut memory = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(memory) = &*memory {
            return Ok(memory.clone());
        }
        let dir = DiskDir::open(at).context("what was cosigned last cannot be kept")?;
        Ok(memory.insert(Arc::new(Memory::new(Arc::new(dir)))).clone())
    }
}

/// The public keys of the witness that this gateway is or can be, newest first.
pub(crate) fn public_keys(ring: &KeyRing, node: &str) -> anyhow::Result<Vec<String>> {
    let name = name(node);
    let text = |key: Verifier| Cosigner::new(name.clone(), key).text();
    Ok(ring.verifiers(&name)?.into_iter().map(text).collect())
}

fn name(node: &str) -> String {
    format!("{node}/witness")
}

const TYPE: &str = "text/plain; charset=utf-8";
/// Where in the state directory it is kept what was cosigned last.
const FOLDER: &str = "witness";
const EVERY: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes of an answer.
const MOST: usize = 16 << 10;
