//! `countersign check`: is what the operator wrote right, before anything runs.

use std::process::ExitCode;

use crate::{
    assemble,
    cli::WithConfig,
    cmd::{self, structure},
    registered, term,
};

pub(crate) fn run(args: &WithConfig) -> anyhow::Result<ExitCode> {
    let config = cmd::configuration(args)?;
    assemble::try_guards(&config)?;
    let clear = registered::clear_ring(&config.home.dir);
    let indexes = clear.as_ref().map(|ring| registered::open(&config.registered, ring)).transpose()?;
    term::say(format_args!(
        "{} is valid: {} listener(s), {} target(s), {} certificate rule(s), {} issuer(s)",
        config.file.display(),
        config.listeners.len(),
        config.targets.len(),
        config.certificates.len(),
        config.issuers.len(),
    ));
    for index in indexes.iter().flatten() {
        term::say(format_args!("documents: {}", structure::registered(index)));
    }
    if indexes.is_none() && !config.registered.is_empty() {
        term::say(
            "documents: indexes are opened with the root key, which is wrapped or not made yet; `countersign doctor` tries them",
        );
    }
    for choice in structure::choices(&config) {
        term::say(format_args!("{}: {}", choice.about, choice.what));
        if let Some(advice) = choice.advice {
            term::say(format_args!("  advice: {advice}"));
        }
    }
    Ok(ExitCode::SUCCESS)
}
