//! `countersign audit prove` and `verify-proof`: what is on record about a request, in files that others check by themselves.

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context;
use countersign_audit::{
    Checkpoint, find,
    note::read_key,
    proof::{Growth, NotProved, Proof, Trust},
    witness::Cosigner,
};
use countersign_core::{Code, RequestId, Timestamp};
use countersign_seal::Verifier;

use super::{line, open, remember};
use crate::{cli::WithConfig, clock, cmd::Failure, state::State, term};

/// Writes the proofs of all that is on record about a request, or that the log only grew.
pub(super) async fn prove(
    request: Option<&str>,
    since: Option<&Path>,
    to: &Path,
    config: &WithConfig,
) -> anyhow::Result<ExitCode> {
    let state = State::existing(config).await?;
    let dir = open(state.audit_dir())?;
    if let Some(since) = since {
        let older = remember(since, state.node(), &state.ring().verifiers(state.node())?)?;
        let growth = Growth::of(&dir, older.size)
            .with_context(|| format!("the log cannot show that it grew from {} records", older.size))?;
        let size = Checkpoint::peek(growth.note.as_bytes())?.size;
        let file = to.join(format!("{}-to-{size}.growth", older.size));
        write(&file, &growth.to_string())?;
        return Ok(ExitCode::SUCCESS);
    }
    let request: RequestId = request.context("no request is named")?.parse()?;
    let found = find(&dir, request)?;
    anyhow::ensure!(!found.is_empty(), "no record of {request} in this log");
    for shown in &found {
        let proof = Proof::of(&dir, shown.index).with_context(|| {
            format!("record {} cannot be proved yet; checkpoints follow within a second", shown.index)
        })?;
        write(&to.join(format!("{request}-{}.tlog-proof", shown.index)), &proof.to_string())?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Checks proofs that somebody handed in.
pub(super) async fn verify(
    files: &[PathBuf],
    keys: &[String],
    witnesses: &[String],
    since: Option<&Path>,
    config: &WithConfig,
) -> anyhow::Result<ExitCode> {
    let (origin, keys) = keys_of(keys, config).await?;
    let witnesses = witnesses.iter().map(|text| Cosigner::read(text));
    let witnesses = witnesses.collect::<Result<Vec<_>, _>>().context("`--witness` is no witness's key in note form")?;
    let since = since.map(|file| remember(file, &origin, &keys)).transpose()?;
    let trust = Trust { origin: &origin, keys: &keys, witnesses: &witnesses };
    for file in files {
        let text = fs::read(file).with_context(|| format!("`{}` cannot be read", file.display()))?;
        let checked = match &since {
            Some(older) => grew(&text, older, &trust),
            None => stands(&text, &trust),
        };
        checked.map_err(|why| Failure {
            code: Code::ProofFailed,
            what: format!("`{}`: {why}", file.display()),
            fix: "it proves nothing: ask for it again, and by another way for the log's public key",
        })?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The name and the keys of the log that is believed.
async fn keys_of(texts: &[String], config: &WithConfig) -> anyhow::Result<(String, Vec<Verifier>)> {
    if texts.is_empty() {
        let state = State::existing(config).await?;
        return Ok((state.node().to_owned(), state.ring().verifiers(state.node())?));
    }
    let read = texts.iter().map(|text| read_key(text)).collect::<Result<Vec<_>, _>>();
    let (names, keys): (Vec<_>, Vec<_>) =
        read.context("`--key` is not a log's public key in note form")?.into_iter().unzip();
    let origin = names.first().cloned().unwrap_or_default();
    anyhow::ensure!(names.iter().all(|name| *name == origin), "the keys are of several logs");
    Ok((origin, keys))
}

fn stands(text: &[u8], trust: &Trust<'_>) -> Result<(), NotProved> {
    let proof = Proof::read(text)?;
    let proved = proof.verify(trust)?;
    line(proof.index, &proved.entry.record);
    let (origin, size) = (&proved.checkpoint.origin, proved.checkpoint.size);
    term::say(format_args!("    proved: record {} of `{origin}`, under a checkpoint of {size} records", proof.index));
    for (witness, seconds) in trust.witnesses.iter().zip(&proved.cosigned) {
        let at = clock::rfc3339(Timestamp(seconds.saturating_mul(1_000_000)));
        term::say(format_args!("    cosigned by `{}` at {at}", witness.name()));
    }
    Ok(())
}

fn grew(text: &[u8], older: &Checkpoint, trust: &Trust<'_>) -> Result<(), NotProved> {
    let growth = Growth::read(text)?;
    let newer = growth.verify(older, trust.keys)?;
    for witness in trust.witnesses {
        witness.when(growth.note.as_bytes())?;
    }
    let (origin, old, new) = (&newer.origin, older.size, newer.size);
    term::say(format_args!("proved: `{origin}` only grew, from {old} to {new} records"));
    Ok(())
}

fn write(file: &Path, text: &str) -> anyhow::Result<()> {
    fs::write(file, text).with_context(|| format!("`{}` cannot be written", file.display()))?;
    term::say(format_args!("{}", file.display()));
    Ok(())
}
