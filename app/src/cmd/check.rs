//! `countersign check`: is what the operator wrote right, before anything runs.

use std::process::ExitCode;

use crate::{
    assemble,
    cli::WithConfig,
    cmd::{self, structure},
    config::KekAt,
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
    match &config.home.keks {
        Some(keks) => {
            let kek = match keks.now {
                KekAt::File(_) => "a key in a file",
                KekAt::Aws { .. } => "a key of AWS KMS",
                KekAt::Transit { .. } => "a key of a transit engine",
                KekAt::Pkcs11 { .. } => "a key in a hardware module",
            };
            term::say(format_args!("root keys: wrapped by {kek}"));
        }
        None => {
            term::say("root keys: in the clear for whoever reads the state directory");
            term::say("  advice: have a key that is held elsewhere wrap them: docs/how-to/keys.md");
        }
    }
    Ok(ExitCode::SUCCESS)
}
