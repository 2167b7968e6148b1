//! `countersign secret`: provider keys sealed in the state directory.

use std::{io::Read, process::ExitCode};

use anyhow::Context;
use countersign_core::Secret;

use crate::{cli::SecretCommand, state::State, term};

pub(crate) async fn run(command: SecretCommand) -> anyhow::Result<ExitCode> {
    match command {
        SecretCommand::Set { name, config } => {
            let state = State::of(&config).await?;
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).context("the secret is read from standard input")?;
            let secret = Secret::new(text.trim().to_owned());
            drop(Secret::new(text));
            anyhow::ensure!(!secret.expose().is_empty(), "standard input held no secret; pipe it in");
            state.change_secrets(|book| Ok(book.put(state.ring(), &name, &secret)?))?;
            term::note(format_args!(
                "sealed `{name}`; name it in the configuration as key = {{ sealed = \"{name}\" }}"
            ));
        }
        SecretCommand::List { config } => {
            for name in State::existing(&config).await?.secrets()?.names() {
                term::say(name);
            }
        }
        SecretCommand::Remove { name, config } => {
            State::existing(&config).await?.change_secrets(|book| {
                anyhow::ensure!(book.remove(&name), "no secret named `{name}`; see `countersign secret list`");
                Ok(())
            })?;
            term::note(format_args!("removed `{name}`"));
        }
    }
    Ok(ExitCode::SUCCESS)
}
