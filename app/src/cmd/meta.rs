//! What the program says of itself: schema, completions, manual page.

use std::process::ExitCode;

use clap::CommandFactory;

use crate::{cli::Cli, config::raw::RawConfig, term};

pub(crate) fn schema() -> anyhow::Result<ExitCode> {
    term::say(serde_json::to_string_pretty(&schemars::schema_for!(RawConfig))?);
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn completion(shell: clap_complete::Shell) -> anyhow::Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "countersign", &mut script);
    term::print(String::from_utf8(script)?);
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn man() -> anyhow::Result<ExitCode> {
    let mut page = Vec::new();
    clap_mangen::Man::new(Cli::command()).render(&mut page)?;
    term::print(String::from_utf8(page)?);
    Ok(ExitCode::SUCCESS)
}
