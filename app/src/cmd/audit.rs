//! `countersign audit`: verify, show and export the log. Works offline, beside a running gateway or without one.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context;
use countersign_audit::{
    AuditError, Checkpoint, DiskDir,
    note::{key_text, read_key},
    record::{Changed, Record},
    show::{self, Shown},
    verify::{Against, Report, verify},
};
use countersign_core::{Code, Timestamp};
use countersign_seal::Verifier;

use crate::{
    cli::AuditCommand,
    clock,
    cmd::{self, Failure},
    state::State,
    term,
};

mod copy;
mod hold;
mod prove;

pub(crate) async fn run(command: AuditCommand) -> anyhow::Result<ExitCode> {
    match command {
        AuditCommand::Verify { archive: true, key, config, .. } => copy::verify(key.as_deref(), &config).await,
        AuditCommand::Verify { log: Some(log), key: Some(key), remembered, .. } => {
            let (origin, verifier) = read_key(&key).context("the key is not a log's public key in note form")?;
            let keys = [verifier];
            let remembered = remembered.map(|file| remember(&file, &origin, &keys)).transpose()?;
            let against = Against { origin: &origin, keys: &keys, data: None, remembered: remembered.as_ref() };
            conclude(&verify(&open(log)?, &against))
        }
        AuditCommand::Verify { log, remembered, config, .. } => {
            let state = State::existing(&config).await?;
            conclude(&verify_own(&state, log, remembered.as_deref())?)
        }
        AuditCommand::Prove { request, since, to, config } => {
            prove::prove(request.as_deref(), since.as_deref(), &to, &config).await
        }
        AuditCommand::VerifyProof { files, key, witness, since, config } => {
            prove::verify(&files, &key, &witness, since.as_deref(), &config).await
        }
        AuditCommand::Hold(command) => hold::run(command).await,
        AuditCommand::Show { last, bodies, config } => {
            let state = State::existing(&config).await?;
            let records: Vec<_> = show::records(&open(state.audit_dir())?)?.collect();
            for record in records.iter().skip(records.len().saturating_sub(last)) {
                match record {
                    Ok(shown) => print(shown, bodies.then_some(&state)),
                    Err(damage) => term::say(format_args!("DAMAGED: {damage}")),
                }
            }
            Ok(ExitCode::SUCCESS)
        }
        AuditCommand::Replay { export, from, config } => {
            let known = cmd::configuration(&config)?;
            let is_known = known.exports.iter().any(|known| known.name == export);
            anyhow::ensure!(is_known, "the configuration has no [[export]] named `{export}`");
            let state = State::existing(&config).await?;
            state.store().replay_export(&export, state.node(), from).await?;
            term::say(format_args!("`{export}` begins at record {from} again, within seconds where the gateway runs"));
            Ok(ExitCode::SUCCESS)
        }
        AuditCommand::Export { bodies, config } => {
            let state = State::existing(&config).await?;
            let opener = bodies.then(|| (state.node(), &**state.data()));
            let exported = show::export(&open(state.audit_dir())?, opener, &mut std::io::stdout().lock());
            let (written, damaged) = match exported {
                // Whoever reads the pipe has had enough.
                Err(AuditError::Directory(e)) if e.kind() == std::io::ErrorKind::BrokenPipe => {
                    return Ok(ExitCode::SUCCESS);
                }
                exported => exported?,
            };
            term::note(format_args!("{written} records, {damaged} damaged"));
            Ok(if damaged == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
    }
}

/// Verifies the log of a state directory, or a copy of it, with the directory's own keys.
pub(crate) fn verify_own(state: &State, log: Option<PathBuf>, remembered: Option<&Path>) -> anyhow::Result<Report> {
    let keys = state.ring().verifiers(state.node())?;
    let remembered = remembered.map(|file| remember(file, state.node(), &keys)).transpose()?;
    let against =
        Against { origin: state.node(), keys: &keys, data: Some(state.data()), remembered: remembered.as_ref() };
    Ok(verify(&open(log.unwrap_or_else(|| state.audit_dir()))?, &against))
}

/// Reads a checkpoint that was kept elsewhere; it must bear the log's signature.
fn remember(file: &Path, origin: &str, keys: &[Verifier]) -> anyhow::Result<Checkpoint> {
    let note = std::fs::read(file).with_context(|| format!("`{}` cannot be read", file.display()))?;
    Checkpoint::open(&note, origin, keys).with_context(|| format!("`{}` is no checkpoint of this log", file.display()))
}

/// The log's public keys, newest first, for verifying a copy elsewhere.
pub(crate) fn public_keys(state: &State) -> anyhow::Result<Vec<String>> {
    Ok(state.ring().verifiers(state.node())?.iter().map(|key| key_text(state.node(), key)).collect())
}

/// Prints one record on a line, and what it holds sealed below it when asked to.
pub(crate) fn print(shown: &Shown, bodies: Option<&State>) {
    line(shown.index, &shown.record);
    if let Some(state) = bodies {
        match shown.text(state.node(), state.data()) {
            Ok(Some(text)) => {
                term::say(format_args!("    {}", String::from_utf8_lossy(&text.bytes).replace('\n', "\n    ")))
            }
            Ok(None) => {}
            Err(e) => term::say(format_args!("    (cannot be opened: {e})")),
        }
    }
}

/// Prints one record on a line.
fn line(index: u64, record: &Record) {
    let at = |micros: u64| clock::rfc3339(Timestamp(micros));
    match record {
        Record::Opened(r) => match &r.torn {
            Some(torn) => term::say(format_args!(
                "{index} {} opened; {} bytes that a crash had torn were cut off",
                at(r.at),
                torn.bytes
            )),
            None => term::say(format_args!("{index} {} opened", at(r.at))),
        },
        Record::Intent(r) => term::say(format_args!(
            "{index} {} {} intent: {}/{} asks {} ({}{}) under `{}`{}",
            at(r.at),
            r.request,
            r.who.tenant,
            r.who.subject,
            r.call.model,
            r.call.format,
            if r.call.stream { ", stream" } else { "" },
            r.permit,
            findings(&r.findings),
        )),
        Record::Outcome(r) => term::say(format_args!(
            "{index} {} {} outcome: {}{}{}, {} bytes in {} us{}{}",
            at(r.at),
            r.request,
            r.status,
            r.code.as_ref().map(|c| format!(" {c}")).unwrap_or_default(),
            r.target.as_ref().map_or_else(|| " without a provider".to_owned(), |t| format!(" from {t}")),
            r.bytes,
            r.duration,
            r.reason.as_ref().map(|w| format!(": {w}")).unwrap_or_default(),
            findings(&r.findings),
        )),
        Record::Refused(r) => term::say(format_args!(
            "{index} {} {} refused {}: {} ({}{}){}",
            at(r.at),
            r.request,
            r.code,
            r.reason,
            r.who.as_ref().map_or_else(|| "unknown caller".to_owned(), |w| format!("{}/{}", w.tenant, w.subject)),
            r.call.as_ref().map(|c| format!(", {} {}", c.format, c.model)).unwrap_or_default(),
            findings(&r.findings),
        )),
        Record::Answered(r) => term::say(format_args!(
            "{index} {} {} answered: {}/{} reads {}",
            at(r.at),
            r.request,
            r.who.tenant,
            r.who.subject,
            r.what,
        )),
        Record::Changed(r) => term::say(format_args!(
            "{index} {} {} changed: {}/{} {} {}{}",
            at(r.at),
            r.request,
            r.who.tenant,
            r.who.subject,
            r.action,
            r.what,
            changes(r),
        )),
        Record::Strangers(r) => term::say(format_args!(
            "{index} {} {} more refusals of strangers from {} since {}",
            at(r.last),
            r.count,
            r.from,
            at(r.first),
        )),
        Record::Gap(r) => term::say(format_args!(
            "{index} {} nothing could be recorded since {}: {}; {} requests were refused, {} outcomes lost",
            at(r.until),
            at(r.since),
            r.cause,
            r.refused,
            r.outcomes,
        )),
        Record::GivenUp(r) => term::say(format_args!(
            "{index} {} {} records of before {} given up: older than {} days; {} holds stood",
            at(r.at),
            r.now.iter().map(|[from, until]| until.saturating_sub(*from)).sum::<u64>(),
            at(r.before),
            r.keep_days,
            r.holds.len(),
        )),
    }
}

/// What changes, member by member.
pub(crate) fn changes(of: &Changed) -> String {
    let mut text = String::new();
    let names: BTreeSet<_> = of.was.keys().chain(of.becomes.keys()).collect();
    for name in names {
        let (was, becomes) = (of.was.get(name), of.becomes.get(name));
        let said = match (was, becomes) {
            (Some(was), Some(becomes)) if was == becomes => continue,
            (Some(was), Some(becomes)) => format!(", {name} from {was} to {becomes}"),
            (Some(was), None) => format!(", {name} was {was}"),
            (None, Some(becomes)) => format!(", {name} {becomes}"),
            (None, None) => continue,
        };
        text.push_str(&said);
    }
    text
}

fn findings(found: &countersign_audit::record::Findings) -> String {
    let names: Vec<String> =
        found.first.iter().map(|f| format!("{} ({}.{} %)", f.rule, f.confidence / 10, f.confidence % 10)).collect();
    if names.is_empty() { String::new() } else { format!("; found {}", names.join(", ")) }
}

fn open(log: PathBuf) -> anyhow::Result<DiskDir> {
    DiskDir::read_only(&log).with_context(|| format!("`{}` cannot be read", log.display()))
}

/// Says what verification found; damage is a failure that names the first damaged record.
fn conclude(report: &Report) -> anyhow::Result<ExitCode> {
    if report.is_whole() {
        let size = report.checkpoint.as_ref().map_or(0, |c| c.size);
        term::say(format_args!(
            "verified: {} records hold, {size} under the signed checkpoint, {} after it",
            report.held, report.unsigned
        ));
        if let Some((index, giving)) = &report.giving {
            term::say(format_args!(
                "{} records were given up: kept for {} days, of before {}; record {index} says so",
                report.given_up,
                giving.keep_days,
                clock::rfc3339(Timestamp(giving.before)),
            ));
        }
        if report.forgotten > 0 {
            term::say(format_args!("{} texts are of somebody who was forgotten", report.forgotten));
        }
        return Ok(ExitCode::SUCCESS);
    }
    for damage in report.damage.iter() {
        let record = damage.record.map_or_else(|| "-".to_owned(), |r| r.to_string());
        term::say(format_args!("record {record}: {} ({})", damage.what, damage.file));
    }
    Err(Failure {
        code: Code::AuditDamaged,
        what: match report.first() {
            Some(first) => {
                format!("the log is damaged, first at record {first}; {} records after it hold", report.held_after)
            }
            None => "the log is damaged".to_owned(),
        },
        fix: "keep the directory as it is, restore a copy beside it, and compare",
    }
    .into())
}
