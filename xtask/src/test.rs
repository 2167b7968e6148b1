//! Everything CI checks, cheapest first.

use crate::{audit, shell, tidy, tools};

pub(crate) fn run(quick: bool) -> anyhow::Result<()> {
    tidy::run()?;
    shell::run(&mut shell::cargo(["fmt", "--all", "--check"]))?;
    shell::run(&mut shell::cargo(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))?;
    if quick {
        return Ok(());
    }
    // Nothing else would notice a fuzz target that builds no more. Nothing is linked here, and the fuzzer's own C++ is left out.
    let mut fuzz = shell::cargo(["clippy", "--manifest-path", "fuzz/Cargo.toml", "--bins", "--", "-D", "warnings"]);
    shell::run(fuzz.env("CARGO_TARGET_DIR", shell::target()).env("CUSTOM_LIBFUZZER_PATH", "fuzz/unlinked.a"))?;
    audit::run()?;
    tools::install()?;
    // The end-to-end tests drive the real binary.
    shell::run(&mut shell::cargo(["build", "--package", "countersign"]))?;
    crate::generate::run(true)?;
    shell::run(&mut shell::cargo(["test", "--workspace", "--no-fail-fast"]))
}
