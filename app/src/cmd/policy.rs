//! `countersign policy`: try the policy before callers do.

use std::{fs, process::ExitCode};

use anyhow::Context;
use countersign_policy::cases::{Cases, Decision, Explanation};

use crate::{cli::PolicyCommand, cmd, term};

mod diff;

pub(crate) async fn run(command: PolicyCommand) -> anyhow::Result<ExitCode> {
    let (file, config) = match &command {
        PolicyCommand::Test { cases, config } => (cases, config),
        PolicyCommand::Explain { case, config } => (case, config),
        PolicyCommand::Diff { old, new, config } => return diff::run(old, new, config).await,
    };
    let text = fs::read_to_string(file).with_context(|| format!("`{}` cannot be read", file.display()))?;
    let cases: Cases = toml::from_str(&text).with_context(|| format!("`{}` holds no cases", file.display()))?;
    let policy = cmd::configuration(config)?.policy.policy;
    if let PolicyCommand::Explain { .. } = command {
        for case in &cases.case {
            term::say(format_args!("{}: {}", case.name, said(&policy.explain(&case.ask)?)));
        }
        return Ok(ExitCode::SUCCESS);
    }
    let outcomes = policy.test(&cases.case);
    let failed = outcomes.iter().filter(|o| !o.passed).count();
    for outcome in &outcomes {
        let mark = if outcome.passed { "ok  " } else { "FAIL" };
        let said = outcome.explanation.as_ref().map_or_else(ToString::to_string, said);
        term::say(format_args!("{mark} {}: {said}", outcome.name));
    }
    term::say(format_args!("{} passed, {failed} failed", outcomes.len() - failed));
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The answer and what decided, in a line.
pub(crate) fn said(explanation: &Explanation) -> String {
    let decision = match explanation.decision {
        Decision::Allow => "allow".to_owned(),
        Decision::Deny => explanation.code.map_or_else(|| "deny".into(), |c| format!("deny ({})", c.id())),
    };
    let because: Vec<String> = explanation
        .because
        .iter()
        .map(|p| format!("{} `{p}` at {}:{}", if p.forbids { "forbid" } else { "permit" }, p.file, p.line))
        .chain(explanation.notes.iter().cloned())
        .collect();
    if because.is_empty() {
        format!("{decision}; no policy fits")
    } else {
        format!("{decision}; {}", because.join("; "))
    }
}
