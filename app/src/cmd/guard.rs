//! `countersign guard`: fits the guards to a deployment.

use std::process::ExitCode;

use crate::{cli::GuardCommand, cmd::calibrate};

pub(crate) fn run(command: &GuardCommand) -> anyhow::Result<ExitCode> {
    match command {
        GuardCommand::Calibrate(args) => calibrate::run(args),
    }
}
