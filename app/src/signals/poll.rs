//! Fetches the security events of issuers that hand them out instead of pushing them (RFC 8936).
//!
//! What is fetched is verified and acted on as if it had been pushed. It is acknowledged with the next question: lost on the way, it comes
//! again, and is known by its id.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::Context;
use countersign_audit::record;
use countersign_core::{RequestId, Secret};
use countersign_identity::token::SignalError;
use serde::{Deserialize, Serialize};
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::{Intake, take};
use crate::{assemble::Assembly, clock, fetch::Place, issuers::Source};

/// An issuer that is asked for its events.
pub(crate) struct Poll {
    pub(crate) source: Source,
    /// What `aud` of its events may be.
    pub(crate) audiences: Vec<String>,
    pub(crate) at: Place,
    pub(crate) token: Option<Secret<String>>,
    busy: AtomicBool,
    rests: AtomicU64,
    failures: AtomicU64,
}

/// What is asked (RFC 8936, section 2.2).
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Asked {
    max_events: usize,
    return_immediately: bool,
    ack: Vec<String>,
    set_errs: BTreeMap<String, Wrong>,
}

#[derive(Serialize)]
struct Wrong {
    err: String,
    description: String,
}

/// What is answered. What it holds besides is for others.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Sets {
    #[serde(default)]
    sets: BTreeMap<String, String>,
    #[serde(default)]
    more_available: bool,
}

/// Asks whoever is to be asked, until aborted.
pub(crate) async fn watch(assembly: &Arc<Assembly>) {
    let mut tick = interval(LOOK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        for poll in &*assembly.polls() {
            if poll.rests.load(Ordering::Acquire) > clock::now().0 || poll.busy.swap(true, Ordering::AcqRel) {
                continue;
            }
            let (assembly, poll) = (assembly.clone(), poll.clone());
            tokio::spawn(async move {
                let wait = match poll.run(&assembly).await {
                    Ok(()) => {
                        poll.failures.store(0, Ordering::Release);
                        PAUSE
                    }
                    Err(error) => {
                        let failures = poll.failures.fetch_add(1, Ordering::AcqRel).min(6);
                        let (issuer, error) = (&*poll.source.name, format!("{error:#}"));
                        tracing::warn!(issuer, error, "security events could not be fetched");
                        PAUSE * (1 << failures)
                    }
                };
                poll.rests.store(clock::now().plus(wait).0, Ordering::Release);
                poll.busy.store(false, Ordering::Release);
            });
        }
    }
}

impl Poll {
    pub(crate) const fn new(source: Source, audiences: Vec<String>, at: Place, token: Option<Secret<String>>) -> Self {
        let (busy, rests, failures) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
        Self { source, audiences, at, token, busy, rests, failures }
    }

    /// Asks until there is nothing more and all that was taken is acknowledged.
    async fn run(&self, assembly: &Assembly) -> anyhow::Result<()> {
        let mut asked = Asked { max_events: MOST, return_immediately: true, ..Asked::default() };
        loop {
            let body = serde_json::to_vec(&asked)?;
            let trust = self.source.trust().await?;
            let answer = self.at.ask(trust.as_ref(), self.token.as_ref(), body.into(), LIMIT);
            let answer = timeout(PATIENCE, answer).await.context("it took too long")??;
            let said: Sets = serde_json::from_slice(&answer).context("its answer is no list of events")?;
            asked = Asked { max_events: MOST, return_immediately: true, ..Asked::default() };
            for (id, token) in said.sets.into_iter().take(MOST) {
                self.one(assembly, id, &token, &mut asked).await;
            }
            let owes = !asked.ack.is_empty() || !asked.set_errs.is_empty();
            // What could not be kept now is asked for again after a pause.
            if !owes {
                return Ok(());
            }
            // To acknowledge alone.
            if !said.more_available {
                asked.max_events = 0;
            }
        }
    }

    async fn one(&self, assembly: &Assembly, id: String, token: &str, asked: &mut Asked) {
        let (stages, now) = (assembly.gateway().stages(), clock::now());
        let mine = |issuer: &str| if issuer == &*self.source.name { self.audiences.clone() } else { Vec::new() };
        let signal = match stages.identity.tokens().signal(token.as_bytes(), &mine, now) {
            Ok(signal) => signal,
            Err(SignalError::Later(_)) => return,
            Err(error) => {
                let why = error.to_string();
                let (err, what) = why.split_once(": ").unwrap_or(("invalid_request", &why));
                tracing::warn!(issuer = &*self.source.name, why, "a security event is not accepted");
                asked.set_errs.insert(id, Wrong { err: err.to_owned(), description: what.to_owned() });
                return;
            }
        };
        let intake = Intake { state: assembly.state(), force: assembly.force(), audit: &stages.audit };
        let from = record::Place { ip: None, listener: "poll".into() };
        match take(&intake, &signal, RequestId::new(now, clock::random()), from, now).await {
            Ok(()) => asked.ack.push(id),
            Err(refusal) => tracing::error!(reason = &*refusal.reason, "a security event could not be kept"),
        }
    }
}

const LOOK: Duration = Duration::from_secs(1);
/// Between two questions, when the last was answered.
const PAUSE: Duration = Duration::from_secs(5);
const PATIENCE: Duration = Duration::from_secs(15);
const MOST: usize = 50;
/// Bytes of an answer.
const LIMIT: usize = 1 << 20;

#[cfg(test)]
mod tests;
