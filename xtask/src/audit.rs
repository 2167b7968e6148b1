//! Known vulnerable dependencies: the lock file against the RustSec database, offline.

use std::{fs::File, path::PathBuf};

use anyhow::{Context, ensure};
use flate2::read::GzDecoder;
use rustsec::{Database, Lockfile};

use crate::shell;

pub(crate) fn run() -> anyhow::Result<()> {
    let archive = shell::shared().join("advisory-db.tar.gz");
    if !archive.exists() {
        ensure!(!shell::is_ci(), "the advisory database is not at ../shared/advisory-db.tar.gz");
        shell::say("SKIPPED: audit: there is no advisory database at ../shared/advisory-db.tar.gz");
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    tar::Archive::new(GzDecoder::new(File::open(&archive)?))
        .unpack(folder.path())
        .context("the database cannot be unpacked")?;
    let database = Database::open(&database_root(folder.path().to_path_buf())?)?;
    let mut found = 0;
    for lock in ["Cargo.lock", "fuzz/Cargo.lock"] {
        if !shell::root().join(lock).exists() {
            continue;
        }
        let lockfile = Lockfile::load(shell::root().join(lock))?;
        for vulnerability in database.vulnerabilities(&lockfile) {
            let (advisory, package) = (&vulnerability.advisory, &vulnerability.package);
            shell::say(&format!("{lock}: {} {}: {} {}", package.name, package.version, advisory.id, advisory.title));
            found += 1;
        }
    }
    ensure!(found == 0, "{found} known vulnerable dependencies");
    shell::say(&format!("audit: 0 known vulnerable dependencies, {} advisories looked at", database.iter().count()));
    Ok(())
}

/// The archive holds the database in a folder of its own.
fn database_root(unpacked: PathBuf) -> anyhow::Result<PathBuf> {
    if unpacked.join("crates").exists() {
        return Ok(unpacked);
    }
    for entry in std::fs::read_dir(&unpacked)? {
        let path = entry?.path();
        if path.join("crates").exists() {
            return Ok(path);
        }
    }
    anyhow::bail!("the archive holds no advisory database")
}
