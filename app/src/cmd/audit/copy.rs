//! `countersign audit verify --archive`: holds the copy on object storage against itself, its locked checkpoints and the log.

use std::{process::ExitCode, sync::Arc};

use anyhow::Context;
use countersign_audit::{
    Dir,
    archive::{Against, Report, check},
    note::read_key,
};
use countersign_core::Code;
use countersign_seal::Verifier;
use tokio::runtime::Handle;

use super::open;
use crate::{
    archive::{Archive, Copied, Store},
    cli::WithConfig,
    cmd::{self, Failure},
    state::State,
    term,
};

/// Verifies the copy. With a public key, nothing else of the log is needed, and it is not held against it.
pub(super) async fn verify(key: Option<&str>, config: &WithConfig) -> anyhow::Result<ExitCode> {
    let archive = cmd::configuration(config)?.archive;
    let archive = archive.context("the configuration has no `[audit.archive]`")?;
    if let Some(key) = key {
        let (origin, key) = read_key(key).context("the key is not a log's public key in note form")?;
        return conclude(&checked(&archive, origin, vec![key], None).await?);
    }
    let state = State::existing(config).await?;
    let (origin, keys) = (state.node().to_owned(), state.ring().verifiers(state.node())?);
    let log: Arc<dyn Dir> = Arc::new(open(state.audit_dir())?);
    conclude(&checked(&archive, origin, keys, Some(log)).await?)
}

/// What of the copy is right, and what has become of its anchors.
struct Checked {
    report: Report,
    /// Anchors that were overwritten or hidden, by name.
    hidden: Vec<String>,
}

async fn checked(
    archive: &Archive,
    origin: String,
    keys: Vec<Verifier>,
    log: Option<Arc<dyn Dir>>,
) -> anyhow::Result<Checked> {
    let store = Arc::new(Store::open(archive).await?);
    let (mut anchors, mut hidden) = (Vec::new(), Vec::new());
    // Every version is read: what is locked stays below whatever was written over it.
    for anchor in store.anchors().await? {
        if !anchor.is_newest || anchor.is_removal {
            hidden.push(anchor.name.clone());
        }
        if !anchor.is_removal {
            anchors.push((anchor.name.clone(), store.anchor(&anchor).await?.into()));
        }
    }
    hidden.dedup();
    let copied = Copied { store, runtime: Handle::current() };
    let report = tokio::task::spawn_blocking(move || {
        check(&copied, &Against { origin: &origin, keys: &keys, anchors: &anchors, log: log.as_deref() })
    });
    Ok(Checked { report: report.await?, hidden })
}

/// Says what was found; whatever is wrong is a failure that names the first record concerned.
fn conclude(Checked { report, hidden }: &Checked) -> anyhow::Result<ExitCode> {
    if report.is_whole() && hidden.is_empty() {
        let size = report.checkpoint.as_ref().map_or(0, |c| c.size);
        let anchored = report.anchored.as_ref().map_or(0, |c| c.size);
        let beside = match report.log {
            Some(log) => format!("the log has {log}, and the same"),
            None => "not held against the log".to_owned(),
        };
        term::say(format_args!("verified: {size} records in the archive hold; {beside}"));
        term::say(format_args!("{} locked checkpoints hold, the newest of {anchored} records", report.anchors));
        if report.lacking > 0 {
            let count = report.lacking;
            term::say(format_args!("{count} bundles of records were given up before they were archived"));
        }
        return Ok(ExitCode::SUCCESS);
    }
    for damage in report.damage.iter() {
        let record = damage.record.map_or_else(|| "-".to_owned(), |r| r.to_string());
        term::say(format_args!("record {record}: {} ({})", damage.what, damage.file));
    }
    for name in hidden {
        term::say(format_args!("record -: it was overwritten or hidden; the locked version stands below ({name})"));
    }
    Err(Failure {
        code: Code::AuditDamaged,
        what: match report.first() {
            Some(first) => format!("the archive and the log do not agree, first at record {first}"),
            None => "the archive, its locked checkpoints and the log do not agree".to_owned(),
        },
        fix: "keep all of them as they are: a locked checkpoint is what nobody could change since, so what it contradicts is wrong",
    }
    .into())
}
