//! Hands the audit log on to those who collect: every record at least once, in order, and as long as it takes.
//!
//! The log itself is the queue, and requests pay nothing for it: records are read back from under the signed checkpoint. Of each export
//! it is kept in the store up to which record the receiver has taken everything; a record comes again after whatever goes wrong.
//!
//! Threat: whoever wants something to stay unseen stops the receiver, or cuts the way to it. Nothing is dropped meanwhile, and how far
//! an export is behind is a metric.

mod line;
pub(crate) mod stream;

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use bytes::Bytes;
use countersign_audit::{Audit, keep, records_from};
use countersign_core::Secret;
use countersign_export::{Line, cef, ocsf, otlp, syslog};
use countersign_provider::{Base, Trust};
use countersign_store::Store;
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::{assemble::Assembly, fetch::Place};

/// Somebody who collects.
#[derive(Clone)]
pub(crate) struct Export {
    pub(crate) name: String,
    pub(crate) form: Form,
    pub(crate) to: To,
    /// Authorities of its certificate in PEM, instead of the system's.
    pub(crate) ca: Option<Vec<u8>>,
}

/// In which words.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Form {
    Ocsf,
    Cef,
    Otlp,
}

/// By which way.
#[derive(Clone)]
pub(crate) enum To {
    /// Syslog messages, framed by octet counting.
    Syslog(Base),
    /// Documents that are posted, with a token where one is asked for.
    Post(Place, Option<crate::config::Key>),
}

/// An export at work.
struct Work {
    export: Export,
    token: Option<Secret<String>>,
    audit: Arc<Audit>,
    store: Store,
    node: String,
    assembly: Arc<Assembly>,
}

/// Runs the exports, until aborted; a configuration that is reloaded begins them anew.
pub(crate) async fn watch(assembly: &Arc<Assembly>) {
    loop {
        let exports = assembly.exports();
        // Ended with the set: what was on its way comes again.
        let mut at_work = JoinSet::new();
        for (export, token) in exports.iter().cloned() {
            let work = Work {
                export,
                token,
                audit: assembly.gateway().stages().audit.clone(),
                store: assembly.state().store().clone(),
                node: assembly.state().node().to_owned(),
                assembly: assembly.clone(),
            };
            at_work.spawn(work.run());
        }
        while Arc::ptr_eq(&exports, &assembly.exports()) {
            sleep(LOOK).await;
        }
    }
}

impl Work {
    async fn run(self) {
        let mut failures = 0_u32;
        loop {
            let began = tokio::time::Instant::now();
            let done = match &self.export.to {
                To::Syslog(base) => stream::run(&self, base).await,
                To::Post(place, _) => self.post(place).await,
            };
            let Err(error) = done;
            // What worked for a while begins with a short wait again.
            failures = if began.elapsed() > WORKED { 0 } else { (failures + 1).min(5) };
            let wait = Duration::from_secs(1 << failures);
            let (name, error) = (&self.export.name, format!("{error:#}"));
            tracing::warn!(export = name, error, seconds = wait.as_secs(), "records are not taken; they come again");
            sleep(wait).await;
        }
    }

    /// Posts some records after the other; a status of success says that they were taken.
    async fn post(&self, place: &Place) -> anyhow::Result<std::convert::Infallible> {
        let trust = self.trust().await?;
        loop {
            let from = self.taken().await?;
            let (lines, until) = self.lines(from).await?;
            if lines.is_empty() {
                if until > from {
                    self.advance(from, until).await?;
                } else {
                    self.tell(from);
                    sleep(LOOK).await;
                }
                continue;
            }
            let document = match self.export.form {
                Form::Otlp => otlp::request(&lines),
                Form::Ocsf | Form::Cef => lines.iter().map(ocsf::event).collect(),
            };
            let body = Bytes::from(document.to_string());
            let posted = place.hand_in(trust.as_ref(), self.token.as_ref(), "application/json", body);
            let status = timeout(PATIENCE, posted).await.context("it took too long")??;
            anyhow::ensure!((200..300).contains(&status), "it answers with status {status}");
            self.advance(from, until).await?;
        }
    }

    /// The frames of some records from `from` on; empty where there are none yet.
    async fn frames(&self, from: u64) -> anyhow::Result<(Vec<u8>, u64)> {
        let (lines, until) = self.lines(from).await?;
        let mut frames = Vec::new();
        for line in &lines {
            let text = match self.export.form {
                Form::Cef => cef::line(line),
                Form::Ocsf | Form::Otlp => ocsf::event(line).to_string(),
            };
            syslog::frame(line, &text, &mut frames);
        }
        Ok((frames, until))
    }

    /// Some records from `from` on, and up to where they are; none where there are none yet, or where they were given up for their age.
    async fn lines(&self, from: u64) -> anyhow::Result<(Vec<Line>, u64)> {
        if from >= self.audit.checkpoint().checkpoint.size {
            return Ok((Vec::new(), from));
        }
        let (dir, node) = (self.audit.dir().clone(), self.node.clone());
        let read = tokio::task::spawn_blocking(move || {
            let kept = keep::kept_from(&*dir, from)?;
            if kept > from {
                return Ok((Vec::new(), kept));
            }
            let records = records_from(&*dir, from)?;
            let until = from + records.len() as u64;
            Ok((
                records.into_iter().map(|(index, leaf, record)| line::line(&node, index, leaf, &record)).collect(),
                until,
            ))
        });
        read.await?
    }

    /// Below which record the receiver has taken everything.
    async fn taken(&self) -> anyhow::Result<u64> {
        Ok(self.store.exported(&self.export.name, &self.node).await?)
    }

    /// Keeps that the receiver has taken everything from `from` up to `until`, unless it was told to begin elsewhere meanwhile.
    async fn advance(&self, from: u64, until: u64) -> anyhow::Result<bool> {
        let advanced = self.store.advance_export(&self.export.name, &self.node, from, until).await?;
        if advanced {
            self.tell(until);
        }
        Ok(advanced)
    }

    fn tell(&self, taken: u64) {
        let behind = self.audit.checkpoint().checkpoint.size.saturating_sub(taken);
        self.assembly.gateway().metrics().exported(&self.export.name, taken, behind);
    }

    async fn trust(&self) -> anyhow::Result<Option<Trust>> {
        Ok(match &self.export.ca {
            Some(pem) => Some(Trust::given(pem)?),
            None => tokio::task::spawn_blocking(Trust::system).await?.ok(),
        })
    }
}

const LOOK: Duration = Duration::from_millis(500);
const PATIENCE: Duration = Duration::from_secs(30);
const WORKED: Duration = Duration::from_mins(1);
