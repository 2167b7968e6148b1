//! `countersign vault`: has somebody forgotten, beside a running gateway, which takes it up within a quarter of a second; shows the value
//! behind a stand-in.

use std::process::ExitCode;

use countersign_audit::record::Members;
use countersign_core::Code;
use countersign_policy::Administer;

use crate::{
    admin::{
        forget::{Whom, key, receipt},
        reveal::{Reveal, Unanswered},
    },
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
        VaultCommand::Reveal { token, tenant, number_of, request, config } => {
            reveal(&State::existing(&config).await?, &Reveal { tenant, token, number_of, request }).await
        }
    }
}

async fn reveal(state: &State, asked: &Reveal) -> anyhow::Result<ExitCode> {
    let unusable = |what: &str| Failure {
        code: Code::InputUnusable,
        what: what.to_owned(),
        fix: "see `countersign vault reveal --help`",
    };
    let found = asked.value(state).map_err(|why| match why {
        Unanswered::Asked(what) => unusable(what).into(),
        Unanswered::Log(what) => anyhow::anyhow!("the audit log cannot be read: {what}"),
    })?;
    let (entity, value) =
        found.ok_or_else(|| unusable("it is no stand-in of the tenant's, or what it stood for is not kept"))?;
    let was = Members::from([("entity".into(), entity.as_str().to_owned())]);
    beside::note(state, Administer::Reveal, &asked.what(), was, Members::new()).await?;
    term::say(format_args!("{}", value.expose()));
    Ok(ExitCode::SUCCESS)
}

async fn forget(state: &State, whom: &Whom) -> anyhow::Result<ExitCode> {
    let scope = whom.scope(state.data()).map_err(|what| Failure {
        code: Code::ConfigInvalid,
        what: what.to_owned(),
        fix: "see `countersign vault forget --help`",
    })?;
    state.may_forget(&scope).await?;
    let key = key(state.data(), &scope)?;
    let (was, becomes) = receipt(&key);
    beside::note(state, Administer::Forget, &whom.what(), was, becomes).await?;
    state.forget(&scope).await?;
    term::say(format_args!("destroyed key {key} of {}: what was sealed under it can be read by nobody", whom.what()));
    Ok(ExitCode::SUCCESS)
}
