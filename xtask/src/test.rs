//! Everything CI checks, cheapest first.

use crate::{audit, shell, tidy, tools};

pub(crate) fn run(quick: bool) -> anyhow::Result<()> {
    tidy::run()?;
    shell::run(&mut shell::cargo(["fmt", "--all", "--check"]))?;
    shell::run(&mut shell::cargo(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))?;
    if quick {
        return Ok(());
    }
    audit::run()?;
    tools::install()?;
    // The end-to-end tests drive the real binary.
    shell::run(&mut shell::cargo(["build", "--package", "countersign"]))?;
    crate::generate::run(true)?;
    shell::run(&mut shell::cargo(["test", "--workspace", "--no-fail-fast"]))
}
