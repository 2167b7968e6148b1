//! Where what the watch knows lies between two processes: one file of the state directory, sealed, because it names people.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use countersign_monitor::{Limits, Monitor};
use countersign_seal::KeyRing;

use crate::files;

/// The file and the keys that it is sealed under.
pub(crate) struct Shelf {
    path: PathBuf,
    ring: Arc<KeyRing>,
    /// One write at a time, or an older one could be the last.
    writing: Mutex<()>,
}

impl Shelf {
    /// The one of a state directory.
    pub(crate) fn new(state: &Path, ring: Arc<KeyRing>) -> Self {
        Self { path: state.join("watch"), ring, writing: Mutex::default() }
    }

    /// What was kept; one that knows nobody where nothing was, or nothing that can be read. Whoever can change the file can make the
    /// watch forget, and nothing else: it refuses nobody by itself.
    pub(super) fn take(&self, limits: Limits) -> Monitor {
        match self.read(limits) {
            Ok(monitor) => monitor,
            Err(error) => {
                let why = format!("{error:#}");
                tracing::warn!(error = why, "what the watch had kept cannot be read; it begins anew");
                Monitor::new(limits)
            }
        }
    }

    fn read(&self, limits: Limits) -> anyhow::Result<Monitor> {
        let sealed = match fs::metadata(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Monitor::new(limits)),
            Ok(file) if file.len() > MOST => anyhow::bail!("the file is larger than any that is written"),
            _ => fs::read(&self.path)?,
        };
        Ok(Monitor::kept(limits, &self.ring.open("", PURPOSE, b"", &sealed)?)?)
    }

    /// Puts in place of what was kept what `write` says.
    pub(super) fn put(&self, write: impl FnOnce(&mut Vec<u8>)) -> anyhow::Result<()> {
        let _alone = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut plain = Vec::new();
        write(&mut plain);
        files::replace(&self.path, &self.ring.seal("", PURPOSE, b"", &[&plain])?, 0o600)
    }
}

const PURPOSE: &str = "watch";
/// Bytes: some times what as many timelines take as are ever kept.
const MOST: u64 = 512 << 20;
