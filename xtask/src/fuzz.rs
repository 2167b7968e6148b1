//! Runs the fuzz targets with libFuzzer. The corpora also run as ordinary tests, in the crates they belong to.

use std::process::Command;

use crate::shell;

pub(crate) fn run(target: Option<&str>, seconds: u64) -> anyhow::Result<()> {
    if shell::output(Command::new("cargo").args(["fuzz", "--version"])).is_err() {
        shell::run(&mut shell::cargo(["install", "--locked", "cargo-fuzz"]))?;
    }
    let all = shell::output(Command::new("cargo").args(["fuzz", "list"]))?;
    for name in all.lines().filter(|name| target.is_none_or(|t| t == *name)) {
        // The instrumentation is unstable, the toolchain is not: RUSTC_BOOTSTRAP lets the one use the other.
        shell::run(
            Command::new("cargo")
                .args(["fuzz", "run", name, "--", &format!("-max_total_time={seconds}"), "-rss_limit_mb=2048"])
                .env("RUSTC_BOOTSTRAP", "1"),
        )?;
    }
    Ok(())
}
