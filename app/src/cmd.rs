//! The commands, one file each.

use std::process::ExitCode;

use countersign_core::Code;

use crate::{cli::Command, config::Problem, demo, term};

mod access;
pub(crate) mod audit;
pub(crate) mod budget;
mod calibrate;
mod check;
mod console;
mod doctor;
mod documents;
mod explain;
pub(crate) mod feedback;
mod guard;
pub(crate) mod init;
mod key;
mod keys;
mod meta;
mod playbook;
pub(crate) mod policy;
mod quarantine;
mod reach;
mod revoke;
mod scan;
mod secret;
pub(crate) mod serve;
mod structure;
mod top;
mod vault;

/// Runs a command; its exit code.
pub(crate) fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Demo(args) => demo::run(&args),
        Command::Init(args) => wait(init::run(&args)),
        Command::Check(args) => check::run(&args),
        Command::Serve(args) => serve::run(&args),
        Command::Doctor(args) => wait(doctor::run(&args)),
        Command::Key(command) => wait(key::run(command)),
        Command::Revoke(args) => wait(revoke::run(args)),
        Command::Quarantine(command) => wait(quarantine::run(command)),
        Command::Playbook(command) => wait(playbook::run(command)),
        Command::Access(command) => wait(access::run(command)),
        Command::Budget(args) => wait(budget::run(&args)),
        Command::Secret(command) => wait(secret::run(command)),
        Command::Keys(command) => wait(keys::run(command)),
        Command::Vault(command) => wait(vault::run(command)),
        Command::Policy(command) => wait(policy::run(command)),
        Command::Scan(args) => scan::run(&args),
        Command::Documents(command) => wait(documents::run(command)),
        Command::Guard(command) => guard::run(&command),
        Command::Console(args) => wait(console::run(&args)),
        Command::Top(args) => wait(top::run(&args)),
        Command::Explain(args) => wait(explain::run(&args)),
        Command::Feedback(args) => wait(feedback::run(args)),
        Command::Audit(command) => wait(audit::run(command)),
        Command::Schema => meta::schema(),
        Command::Openapi => meta::openapi(),
        Command::Completion { shell } => meta::completion(shell),
        Command::Man => meta::man(),
    }
}

/// Runs a command that has to wait for something.
fn wait<T>(command: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(command)
}

/// An error with a stable code. The exit code follows sysexits: 64 for what the operator wrote, 74 for state and files.
#[derive(Debug, thiserror::Error)]
#[error("{}: {what}\n  fix: {fix}", code.id())]
pub(crate) struct Failure {
    pub(crate) code: Code,
    pub(crate) what: String,
    pub(crate) fix: &'static str,
}

/// Problems with the configuration, one after the other.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub(crate) struct Problems(pub(crate) Vec<Problem>);

/// The exit code an error ends the process with.
pub(crate) fn exit_code(error: &anyhow::Error) -> u8 {
    if error.is::<Problems>() {
        return USAGE;
    }
    match error.downcast_ref::<Failure>().map(|f| f.code) {
        Some(
            Code::ConfigInvalid
            | Code::PolicyInvalid
            | Code::SelfTestFailed
            | Code::InputUnusable
            | Code::TooFewTexts
            | Code::PlaybookInvalid,
        ) => USAGE,
        Some(Code::StateUnusable | Code::AuditDamaged | Code::ProofFailed | Code::KekUnusable) => IO,
        _ => 1,
    }
}

/// Reads the configuration or says everything that is wrong with it.
pub(crate) fn configuration(args: &crate::cli::WithConfig) -> anyhow::Result<crate::config::Config> {
    Ok(crate::config::load(&args.config).map_err(Problems)?)
}

/// Prints a JSON value for machines.
pub(crate) fn json(value: &serde_json::Value) {
    term::say(format_args!("{value:#}"));
}

const USAGE: u8 = 64;
const IO: u8 = 74;
