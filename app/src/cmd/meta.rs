//! What the program says of itself: schema, completions, manual page.

use std::{io::Write, process::ExitCode};

use clap::{Command, CommandFactory};
use clap_mangen::Man;

use crate::{admin, cli::Cli, config::raw::RawConfig, term};

pub(crate) fn schema() -> anyhow::Result<ExitCode> {
    term::say(serde_json::to_string_pretty(&schemars::schema_for!(RawConfig))?);
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn openapi() -> anyhow::Result<ExitCode> {
    term::say(serde_json::to_string_pretty(&admin::openapi::document())?);
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn completion(shell: clap_complete::Shell) -> anyhow::Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "countersign", &mut script);
    term::print(String::from_utf8(script)?);
    Ok(ExitCode::SUCCESS)
}

/// One page for everything: a section for each command, where other programs have a page for each.
pub(crate) fn man() -> anyhow::Result<ExitCode> {
    let whole = Man::new(Cli::command());
    let mut page = Vec::new();
    whole.render_title(&mut page)?;
    whole.render_name_section(&mut page)?;
    whole.render_synopsis_section(&mut page)?;
    whole.render_description_section(&mut page)?;
    whole.render_options_section(&mut page)?;
    // Every command has these two, and they have been told.
    let mut root = Cli::command().disable_help_flag(true).disable_version_flag(true);
    root.build();
    sections(&root, &mut page)?;
    whole.render_version_section(&mut page)?;
    // Every part begins with the same two lines, which are needed once.
    let page = String::from_utf8(page)?;
    let told = |line: &str| line.starts_with(".ie ") || line.starts_with(".el ");
    let lines = page.lines().enumerate().filter(|(i, line)| *i < 2 || !told(line)).map(|(_, line)| line);
    term::print(lines.fold(String::new(), |page, line| page + line + "\n"));
    Ok(ExitCode::SUCCESS)
}

fn sections(of: &Command, page: &mut Vec<u8>) -> anyhow::Result<()> {
    for command in of.get_subcommands().filter(|c| c.get_name() != "help") {
        if command.has_subcommands() {
            sections(command, page)?;
            continue;
        }
        let man = Man::new(command.clone());
        let mut parts = Vec::new();
        man.render_synopsis_section(&mut parts)?;
        man.render_description_section(&mut parts)?;
        man.render_options_section(&mut parts)?;
        let name = command.get_bin_name().unwrap_or_else(|| command.get_name()).to_uppercase();
        writeln!(page, ".SH {name}")?;
        page.extend(String::from_utf8(parts)?.replace(".SH ", ".SS ").bytes());
    }
    Ok(())
}
