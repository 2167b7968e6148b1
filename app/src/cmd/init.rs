//! `countersign init`: a configuration to start from, with a certificate for this machine.

use std::{fs, process::ExitCode};

use rcgen::{CertifiedKey, generate_simple_self_signed};

use crate::{cli::Init, config::Home, files, state::State, term};

pub(crate) async fn run(args: &Init) -> anyhow::Result<ExitCode> {
    let dir = &args.directory;
    fs::create_dir_all(dir.join("tls"))?;
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(vec!["localhost".into(), "127.0.0.1".into()])?;
    let files: [(&str, String, u32); 4] = [
        ("countersign.toml", CONFIG.to_owned(), 0o644),
        ("policy.cedar", countersign_policy::STARTER.to_owned(), 0o644),
        ("tls/chain.pem", cert.pem(), 0o644),
        ("tls/key.pem", signing_key.serialize_pem(), 0o600),
    ];
    for (name, _, _) in &files {
        let path = dir.join(name);
        anyhow::ensure!(!path.exists(), "`{}` is there already; nothing was written", path.display());
    }
    for (name, text, mode) in files {
        files::write_new(&dir.join(name), text.as_bytes(), mode)?;
        term::say(format_args!("wrote {}", dir.join(name).display()));
    }
    State::open(&Home::local(dir.join("state"), "countersign")).await?;
    term::say(format_args!("wrote {}", dir.join("state").display()));
    term::say(format_args!(
        "\nNext:\n  1. edit {0}: name your provider and its models\n  2. countersign check --config {0}\n  3. countersign key create alice --role staff --config {0}\n  4. countersign serve --config {0}",
        dir.join("countersign.toml").display()
    ));
    Ok(ExitCode::SUCCESS)
}

const CONFIG: &str = include_str!("init/countersign.toml");
