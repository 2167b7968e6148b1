//! `countersign feedback`: what people say of the guards' verdicts, kept beside the log for whoever tunes them. Nothing is learnt from
//! it by itself, and no text of a request is kept: only its id, and the rules that the log says it met.

use std::{
    collections::BTreeSet,
    fs::{self, OpenOptions},
    io::{ErrorKind, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
    process::ExitCode,
};

use anyhow::Context;
use countersign_audit::{
    DiskDir, find,
    record::{Findings, Record},
    show::Shown,
};
use countersign_core::RequestId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    cli::{Feedback, FeedbackCommand, Output, Verdict},
    clock, cmd,
    state::State,
    term,
};

/// What was said of one verdict: a line of the file.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
pub(crate) struct Line {
    /// When it was said, in RFC 3339.
    at: String,
    /// The request.
    request: String,
    /// What was wrong.
    verdict: Verdict,
    /// The rules that the request or its answer met.
    rules: BTreeSet<String>,
    /// In words.
    note: String,
}

pub(crate) async fn run(args: Feedback) -> anyhow::Result<ExitCode> {
    match &args.command {
        Some(FeedbackCommand::List { config, format }) => list(&State::existing(config).await?, *format),
        None => give(&State::existing(&args.config).await?, &args),
    }
}

fn give(state: &State, args: &Feedback) -> anyhow::Result<ExitCode> {
    let (Some(request), Some(verdict)) = (&args.request, args.verdict) else {
        anyhow::bail!("say which request, and whether it was a `false-alarm` or something was `missed`");
    };
    let request: RequestId = request.parse()?;
    let found = find(&DiskDir::read_only(state.audit_dir())?, request)?;
    anyhow::ensure!(!found.is_empty(), "no record of {request} in this log");
    Line::of(request, &found, verdict, args.note.clone()).keep(state)?;
    term::say(format_args!("kept: {request} {}", verdict.as_str()));
    Ok(ExitCode::SUCCESS)
}

impl Line {
    /// What is said now of a request, by what is on record about it.
    pub(crate) fn of(request: RequestId, found: &[Shown], verdict: Verdict, note: String) -> Self {
        let rules = found.iter().filter_map(|shown| findings(&shown.record)).flat_map(|findings| &findings.first);
        Self {
            at: clock::rfc3339(clock::now()),
            request: request.to_string(),
            verdict,
            rules: rules.map(|found| found.rule.to_string()).collect(),
            note,
        }
    }

    /// Puts it at the file's end.
    pub(crate) fn keep(&self, state: &State) -> anyhow::Result<()> {
        let path = state.dir().join(FILE);
        let mut text = serde_json::to_string(self)?;
        text.push('\n');
        let write = || -> std::io::Result<()> {
            // In one piece, so that two who write at once do not mix.
            let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(&path)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()
        };
        write().with_context(|| format!("cannot write `{}`", path.display()))
    }
}

const fn findings(record: &Record) -> Option<&Findings> {
    match record {
        Record::Intent(r) => Some(&r.findings),
        Record::Outcome(r) => Some(&r.findings),
        Record::Refused(r) => Some(&r.findings),
        Record::Answered(r) => Some(&r.findings),
        Record::Opened(_) | Record::Changed(_) | Record::Strangers(_) | Record::Gap(_) | Record::GivenUp(_) => None,
    }
}

fn list(state: &State, format: Output) -> anyhow::Result<ExitCode> {
    let lines = kept(state)?;
    if format == Output::Json {
        cmd::json(&json!(lines));
        return Ok(ExitCode::SUCCESS);
    }
    for line in &lines {
        let rules: Vec<&str> = line.rules.iter().map(String::as_str).collect();
        let rules = if rules.is_empty() { "no rule".to_owned() } else { rules.join(", ") };
        let note = if line.note.is_empty() { String::new() } else { format!(": {}", line.note) };
        term::say(format_args!("{} {} {} ({rules}){note}", line.at, line.request, line.verdict.as_str()));
    }
    Ok(ExitCode::SUCCESS)
}

/// All that was said, oldest first.
pub(crate) fn kept(state: &State) -> anyhow::Result<Vec<Line>> {
    read(&state.dir().join(FILE))
}

fn read(path: &Path) -> anyhow::Result<Vec<Line>> {
    let text = match fs::read_to_string(path) {
        Err(e) if e.kind() == ErrorKind::NotFound => String::new(),
        read => read.with_context(|| format!("cannot read `{}`", path.display()))?,
    };
    let line = |(n, line)| {
        serde_json::from_str(line).with_context(|| format!("line {} of `{}` is damaged", n + 1, path.display()))
    };
    text.lines().enumerate().map(line).collect()
}

/// Where it is kept, in the state directory.
const FILE: &str = "feedback.jsonl";
