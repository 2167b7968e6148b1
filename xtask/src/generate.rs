//! References made from the code, checked in, and checked for being up to date.

use std::{fs, path::Path, process::Command};

use anyhow::ensure;
use countersign_core::Code;

use crate::shell;

pub(crate) fn run(check: bool) -> anyhow::Result<()> {
    let binary = "target/debug/countersign";
    if !Path::new(binary).exists() || !check {
        shell::run(&mut shell::cargo(["build", "--quiet", "--package", "countersign"]))?;
    }
    let ask = |args: &[&str]| shell::output(Command::new(binary).args(args));
    let files = [
        ("docs/reference/config.schema.json", ask(&["schema"])?),
        ("docs/reference/countersign.1", ask(&["man"])?),
        ("docs/reference/openapi.json", ask(&["openapi"])?),
        ("docs/errors/README.md", codes()),
    ];
    let mut stale = Vec::new();
    for (path, text) in files {
        if fs::read_to_string(path).is_ok_and(|have| have == text) {
            continue;
        }
        if check {
            stale.push(path);
        } else {
            if let Some(folder) = Path::new(path).parent() {
                fs::create_dir_all(folder)?;
            }
            fs::write(path, text)?;
            shell::say(&format!("wrote {path}"));
        }
    }
    ensure!(stale.is_empty(), "stale: {}; run `cargo xtask gen` and commit what it writes", stale.join(", "));
    Ok(())
}

/// The table of error codes; each has a page of its own beside it.
fn codes() -> String {
    let mut text = String::from(
        "# Error codes\n\nEvery error has a stable code. Callers see it in the error's message, operators in the log and the audit record.\n\n\
         | code | status | name | what the caller is told |\n| --- | --- | --- | --- |\n",
    );
    for code in Code::ALL {
        let status = if code.status() == 0 { "command line".to_owned() } else { code.status().to_string() };
        text += &format!("| [{0}]({0}.md) | {status} | {1} | {2} |\n", code.id(), code.slug(), code.message());
    }
    text
}
