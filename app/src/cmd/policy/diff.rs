//! `countersign policy diff`: what would have been decided otherwise, had other policies been in force.
//!
//! It asks again what the audit log has on record, under both sets, and compares answers. A record does not hold everything a
//! policy can read; what is missing is left out of both questions, and named.

use std::{collections::BTreeMap, fs, path::Path, process::ExitCode};

use anyhow::Context;
use countersign_audit::{DiskDir, record::Record, show};
use countersign_core::Code;
use countersign_policy::{Policy, cases::Explanation};

use super::said;
use crate::{
    cli::WithConfig,
    cmd::Failure,
    replay::{Replay, left_out},
    state::State,
    term,
};

pub(super) async fn run(old: &Path, new: &Path, config: &WithConfig) -> anyhow::Result<ExitCode> {
    let (old, new) = (read(old)?, read(new)?);
    let state = State::existing(config).await?;
    let log = state.audit_dir();
    let log = DiskDir::read_only(&log).with_context(|| format!("`{}` cannot be read", log.display()))?;
    let records = show::records(&log)?;
    let mut compared = Compared::default();
    let mut damaged = 0_u64;
    for shown in records {
        match shown {
            Ok(shown) => compared.take(shown.index, &shown.record, &old, &new),
            Err(_) => damaged += 1,
        }
    }
    for (which, policy) in [("old", &old), ("new", &new)] {
        let reads = left_out(policy);
        if !reads.is_empty() {
            term::note(format_args!(
                "the {which} policies read what no record holds, here left out: {}",
                reads.join(", ")
            ));
        }
    }
    if damaged > 0 {
        term::note(format_args!("{damaged} damaged records were passed over; see `countersign audit verify`"));
    }
    Ok(compared.conclude())
}

/// The policies of a file, or of every `.cedar` file of a folder.
fn read(path: &Path) -> anyhow::Result<Policy> {
    let unreadable = || format!("`{}` cannot be read", path.display());
    let mut files = vec![path.to_owned()];
    if path.is_dir() {
        let entries =
            fs::read_dir(path).with_context(unreadable)?.collect::<Result<Vec<_>, _>>().with_context(unreadable)?;
        files = entries
            .into_iter()
            .map(|entry| entry.path())
            .filter(|file| file.extension().is_some_and(|e| e == "cedar"))
            .collect();
        files.sort();
    }
    let sources = files.iter().map(|file| {
        let text = fs::read_to_string(file).with_context(|| format!("`{}` cannot be read", file.display()))?;
        Ok((file.display().to_string(), text))
    });
    let sources = sources.collect::<anyhow::Result<Vec<_>>>()?;
    Ok(Policy::parse(&sources).map_err(|error| Failure {
        code: Code::PolicyInvalid,
        what: error.to_string(),
        fix: "correct the policies",
    })?)
}

/// What both sets of policies say to every question on record.
#[derive(Default)]
struct Compared {
    replay: Replay,
    questions: u64,
    /// Questions in words that this version does not know.
    unknown: u64,
    differ: BTreeMap<Difference, (u64, String)>,
}

/// One way in which the two differ. The first request it befell stands beside it, and how often it did.
#[derive(Eq, Ord, PartialEq, PartialOrd)]
struct Difference {
    who: String,
    what: String,
    was: String,
    becomes: String,
}

impl Compared {
    fn take(&mut self, index: u64, record: &Record, old: &Policy, new: &Policy) {
        let Some((request, question)) = self.replay.question(index, record) else { return };
        let (Ok(was), Ok(becomes)) = (old.explain(&question), new.explain(&question)) else {
            self.unknown += 1;
            return;
        };
        self.questions += 1;
        let answer = |said: &Explanation| (said.decision, said.code);
        if answer(&was) == answer(&becomes) {
            return;
        }
        let difference = Difference {
            who: format!("{}/{}", question.tenant, question.subject),
            what: if question.model.is_empty() {
                question.action
            } else {
                format!("{} {}", question.action, question.model)
            },
            was: said(&was),
            becomes: said(&becomes),
        };
        self.differ.entry(difference).or_insert_with(|| (0, request.to_string())).0 += 1;
    }

    fn conclude(self) -> ExitCode {
        let mut differ: Vec<_> = self.differ.into_iter().collect();
        differ.sort_by_key(|(_, (times, _))| std::cmp::Reverse(*times));
        let all: u64 = differ.iter().map(|(_, (times, _))| times).sum();
        for (Difference { who, what, was, becomes }, (times, first)) in &differ {
            term::say(format_args!("{times} x {who}: {what}, first {first}\n    was     {was}\n    becomes {becomes}"));
        }
        if self.unknown > 0 {
            term::note(format_args!("{} questions are in words that this version does not know", self.unknown));
        }
        term::say(format_args!("{} questions on record asked again, {all} answered otherwise", self.questions));
        if differ.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

#[cfg(test)]
mod tests;
