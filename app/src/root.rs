//! The root keys as they are kept: wrapped by a key-encryption key in `root.wrapped`, or in the clear in `root.key`.
//!
//! INVARIANT: the one is removed only after the other was written, read back and found to hold the same. So at any moment, also
//! after a crash, one of them is whole; where both are there, the wrapped one counts.

use std::{
    fs,
    io::ErrorKind,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::SystemTime,
};

use anyhow::Context;
use countersign_core::{Code, Secret};
use countersign_seal::{KeyRing, kek::WrappedRoot};

use crate::{cmd::Failure, config::Home, files, kek::Kek, state::unusable};

/// The root keys, and how they are kept.
pub(crate) struct Root {
    pub(crate) bytes: Secret<Vec<u8>>,
    /// Names the key-encryption key that wrapped them; none in the clear.
    pub(crate) kek: Option<String>,
    /// Whether they stand in the clear beside the wrapped ones: a crash came in between.
    pub(crate) beside: bool,
}

/// Reads the root keys; where `begun` says that there is no state yet, they are made.
pub(crate) async fn open(home: &Home, begun: bool) -> anyhow::Result<Root> {
    let (clear, wrapped) = (home.dir.join(CLEAR), home.dir.join(WRAPPED));
    if !clear.exists() && !wrapped.exists() {
        if begun {
            return Err(unusable(format!("`{}` is gone", clear.display()), RESTORE));
        }
        make(home).await?;
    }
    read(home).await
}

/// Reads the root keys.
pub(crate) async fn read(home: &Home) -> anyhow::Result<Root> {
    let (clear, wrapped) = (home.dir.join(CLEAR), home.dir.join(WRAPPED));
    let file = match files::read(&wrapped) {
        Ok((bytes, mode)) => {
            private(&wrapped, mode)?;
            WrappedRoot::parse(&bytes).map_err(|e| unusable(format!("`{}`: {e}", wrapped.display()), RESTORE))?
        }
        Err(e) if e.kind() == ErrorKind::NotFound => {
            if home.keks.is_some() {
                let what =
                    format!("`[keys]` names a key-encryption key, and the root keys are in the clear in `{CLEAR}`");
                return Err(unusable(what, "run `countersign keys wrap`"));
            }
            return Ok(Root { bytes: read_clear(&clear)?, kek: None, beside: false });
        }
        Err(e) => {
            return Err(unusable(format!("`{}` cannot be read: {e}", wrapped.display()), "check its permissions"));
        }
    };
    let bytes = unwrap(home, &file).await?;
    Ok(Root { bytes, kek: Some(file.kek().to_owned()), beside: clear.exists() })
}

/// Writes the root keys as the configuration has them kept, in place of those that are there.
pub(crate) async fn write(home: &Home, bytes: &Secret<Vec<u8>>) -> anyhow::Result<()> {
    let Some(keks) = &home.keks else { return files::replace(&home.dir.join(CLEAR), bytes.expose(), 0o600) };
    let kek = Kek::open(&keks.now).map_err(|e| refused(&e))?;
    let wrapped = kek.wrap(bytes).await.map_err(|e| refused(&e))?;
    // Nothing is put in place that cannot be had back.
    let back = kek.unwrap(&wrapped).await.map_err(|e| refused(&e))?;
    anyhow::ensure!(back.expose() == bytes.expose(), "the key-encryption key does not give back what it wrapped");
    files::replace(&home.dir.join(WRAPPED), &wrapped.to_bytes(), 0o600)
}

/// Has the root keys wrapped that stand in the clear; what it found.
pub(crate) async fn wrap(home: &Home) -> anyhow::Result<Wrapped> {
    let clear = home.dir.join(CLEAR);
    let Some(keks) = &home.keks else {
        return Err(unusable(
            "the configuration names no key-encryption key".into(),
            "write `[keys]`, as docs/how-to/keys.md says",
        ));
    };
    if !clear.exists() {
        let root = read(home).await?;
        return Ok(Wrapped::Before(root.kek.unwrap_or_default()));
    }
    let bytes = read_clear(&clear)?;
    let held = KeyRing::from_bytes(bytes.clone())
        .map_err(|e| unusable(format!("`{}` is no root key: {e}", clear.display()), RESTORE))?;
    if !home.dir.join(WRAPPED).exists() {
        write(home, &bytes).await?;
    }
    let root = read(home).await?;
    // Where a crash came in between, the wrapped ones may have been added to since; they must not be others.
    if held.extend(&root.bytes).is_err() {
        let what = format!("`{WRAPPED}` and `{CLEAR}` hold different root keys");
        return Err(unusable(what, "find out which of them the store was sealed with, and move the other away"));
    }
    fs::remove_file(&clear).with_context(|| format!("`{}` cannot be removed", clear.display()))?;
    fs::File::open(&home.dir)?.sync_all()?;
    Ok(Wrapped::Now(Kek::open(&keks.now)?.name()?))
}

/// When a file was written, its length, and which file it is.
pub(crate) type Stamp = (SystemTime, u64, u64);

/// What wrapping found.
pub(crate) enum Wrapped {
    /// They were wrapped already, by this one.
    Before(String),
    /// They are wrapped now.
    Now(String),
}

/// When the file was written, in terms that differ when it is written again.
pub(crate) fn stamp(dir: &Path) -> Option<Stamp> {
    let of = |path: PathBuf| fs::metadata(path).ok();
    let file = of(dir.join(WRAPPED)).or_else(|| of(dir.join(CLEAR)))?;
    Some((file.modified().ok()?, file.len(), file.ino()))
}

async fn make(home: &Home) -> anyhow::Result<()> {
    let bytes = KeyRing::generate()?;
    let (path, made) = match &home.keks {
        None => (home.dir.join(CLEAR), files::write_new(&home.dir.join(CLEAR), bytes.expose(), 0o600)),
        Some(keks) => {
            let kek = Kek::open(&keks.now).map_err(|e| refused(&e))?;
            let wrapped = kek.wrap(&bytes).await.map_err(|e| refused(&e))?;
            (home.dir.join(WRAPPED), files::write_new(&home.dir.join(WRAPPED), &wrapped.to_bytes(), 0o600))
        }
    };
    // Whoever made them meanwhile is as good.
    if path.exists() { Ok(()) } else { made }
}

async fn unwrap(home: &Home, file: &WrappedRoot) -> anyhow::Result<Secret<Vec<u8>>> {
    let Some(keks) = &home.keks else {
        let what =
            format!("the root keys are wrapped by `{}`, and the configuration names no key-encryption key", file.kek());
        return Err(unusable(what, "write `[keys]` as it was"));
    };
    let mut names = Vec::new();
    for at in [Some(&keks.now), keks.previous.as_ref()].into_iter().flatten() {
        let kek = Kek::open(at).map_err(|e| refused(&e))?;
        let name = kek.name().map_err(|e| refused(&e))?;
        if name == file.kek() {
            return kek.unwrap(file).await.map_err(|e| refused(&e));
        }
        names.push(name);
    }
    let what =
        format!("the root keys are wrapped by `{}`, and the configuration names `{}`", file.kek(), names.join("`, `"));
    Err(Failure {
        code: Code::KekUnusable,
        what,
        fix: "write the one that wrapped them as `previous`, and run `countersign keys rewrap`",
    }
    .into())
}

fn read_clear(path: &Path) -> anyhow::Result<Secret<Vec<u8>>> {
    let (bytes, mode) = files::read(path)
        .map_err(|e| unusable(format!("`{}` cannot be read: {e}", path.display()), "check its permissions"))?;
    let bytes = Secret::new(bytes);
    private(path, mode)?;
    Ok(bytes)
}

fn private(path: &Path, mode: u32) -> anyhow::Result<()> {
    if mode & 0o077 == 0 {
        return Ok(());
    }
    let what = format!("`{}` can be read by others (mode {mode:o})", path.display());
    Err(unusable(what, "chmod 600 it, and replace it if others may have read it"))
}

/// The key-encryption key cannot be used.
fn refused(error: &anyhow::Error) -> anyhow::Error {
    Failure {
        code: Code::KekUnusable,
        what: format!("the key-encryption key: {error:#}"),
        fix: "nothing is served without it; see docs/errors/CS0903.md",
    }
    .into()
}

/// What a lost or damaged file means.
pub(crate) const RESTORE: &str =
    "restore it from a backup; without it keys, sealed secrets and the audit log cannot be used";
pub(crate) const CLEAR: &str = "root.key";
pub(crate) const WRAPPED: &str = "root.wrapped";

#[cfg(test)]
mod tests;
