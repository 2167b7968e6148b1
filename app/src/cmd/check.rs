//! `countersign check`: is what the operator wrote right, before anything runs.

use std::process::ExitCode;

use crate::{
    assemble,
    cli::WithConfig,
    cmd::{self, structure},
    term,
};

pub(crate) fn run(args: &WithConfig) -> anyhow::Result<ExitCode> {
    let config = cmd::configuration(args)?;
    assemble::try_guards(&config)?;
    term::say(format_args!(
        "{} is valid: {} listener(s), {} target(s), {} certificate rule(s), {} issuer(s)",
        config.file.display(),
        config.listeners.len(),
        config.targets.len(),
        config.certificates.len(),
        config.issuers.len(),
    ));
    for choice in structure::choices(&config) {
        term::say(format_args!("{}: {}", choice.about, choice.what));
        if let Some(advice) = choice.advice {
            term::say(format_args!("  advice: {advice}"));
        }
    }
    Ok(ExitCode::SUCCESS)
}
