//! `countersign explain`: what became of a request, stage by stage, as the audit log has it.

use std::process::ExitCode;

use countersign_audit::{DiskDir, find};
use countersign_core::RequestId;

use crate::{cli::Explain, cmd::audit::print, state::State, story, term};

pub(crate) async fn run(args: &Explain) -> anyhow::Result<ExitCode> {
    let request: RequestId = args.request.parse()?;
    let state = State::existing(&args.config).await?;
    let found = find(&DiskDir::read_only(state.audit_dir())?, request)?;
    anyhow::ensure!(!found.is_empty(), "no record of {request} in this log");
    for shown in &found {
        print(shown, None);
        for step in story::tell(shown) {
            term::say(format_args!("    {:<11} {}", step.stage, step.what));
        }
    }
    Ok(ExitCode::SUCCESS)
}
