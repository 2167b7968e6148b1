//! `countersign vault`: has somebody forgotten, beside a running gateway, which takes it up within a quarter of a second.

use std::process::ExitCode;

use countersign_core::Code;
use countersign_policy::Administer;

use crate::{
    admin::forget::{Whom, key, receipt},
    beside,
    cli::VaultCommand,
    cmd::Failure,
    state::State,
    term,
};

pub(crate) async fn run(command: VaultCommand) -> anyhow::Result<ExitCode> {
    match command {
        VaultCommand::Forget { tenant, person, conversation, config } => {
            forget(&State::existing(&config).await?, &Whom { tenant, person, conversation }).await
        }
    }
}

async fn forget(state: &State, whom: &Whom) -> anyhow::Result<ExitCode> {
    let scope = whom.scope().map_err(|what| Failure {
        code: Code::ConfigInvalid,
        what: what.to_owned(),
        fix: "see `countersign vault forget --help`",
    })?;
    let key = key(state.data(), &scope)?;
    let (was, becomes) = receipt(&key);
    beside::note(state, Administer::Forget, &whom.what(), was, becomes).await?;
    state.forget(&scope).await?;
    term::say(format_args!("destroyed key {key} of {}: what was sealed under it can be read by nobody", whom.what()));
    Ok(ExitCode::SUCCESS)
}
