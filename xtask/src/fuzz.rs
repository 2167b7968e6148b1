//! Runs the fuzz targets with libFuzzer. The corpora also run as ordinary tests, in the crates they belong to.

use std::{fs, process::Command};

use anyhow::ensure;

use crate::shell;

pub(crate) fn run(target: Option<&str>, seconds: u64) -> anyhow::Result<()> {
    if shell::output(Command::new("cargo").args(["fuzz", "--version"])).is_err() {
        shell::run(&mut shell::cargo(["install", "--locked", "cargo-fuzz"]))?;
    }
    let all = shell::output(Command::new("cargo").args(["fuzz", "list"]))?;
    let chosen: Vec<&str> = all.lines().filter(|name| target.is_none_or(|t| t == *name)).collect();
    ensure!(!chosen.is_empty(), "there is no such target; these are:\n{all}");
    for name in chosen {
        // What is found is kept apart: the committed corpus is read, and grows only by hand.
        let found = format!("fuzz/target/corpus/{name}");
        fs::create_dir_all(&found)?;
        // The instrumentation is unstable, the toolchain is not: RUSTC_BOOTSTRAP lets the one use the other.
        shell::run(
            Command::new("cargo")
                .args(["fuzz", "run", name, &found, &format!("fuzz/corpus/{name}"), "--"])
                .arg(format!("-max_total_time={seconds}"))
                .args(["-rss_limit_mb=2048", "-timeout=10", "-print_final_stats=1"])
                .env("RUSTC_BOOTSTRAP", "1"),
        )?;
    }
    Ok(())
}
