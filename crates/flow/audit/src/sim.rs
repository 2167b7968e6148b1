//! A directory that crashes, fills up and fails on demand, as disks do: whatever was not synced may be there, may be zeros,
//! may be cut short, and later parts may be there without earlier ones. What was laid may be gone besides.

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex, MutexGuard},
};

use crate::{Dir, Tail};

#[derive(Clone, Default)]
pub(crate) struct Sim {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    files: BTreeMap<String, File>,
    /// Changes so far; the one with this number crashes.
    changes: u64,
    crash_at: Option<u64>,
    crashed: bool,
    capacity: Option<usize>,
    syncs_fail: bool,
    random: u64,
}

#[derive(Clone, Default)]
struct File {
    now: Option<Vec<u8>>,
    /// What a crash leaves for sure; files that are replaced whole are always wholly one or the other.
    durable: Option<Vec<u8>>,
    /// What was laid last and is not settled: of this a crash may leave anything, though it was replaced or removed since.
    laid: Option<Vec<u8>>,
    grows: bool,
}

impl Sim {
    pub(crate) fn new(seed: u64) -> Self {
        let sim = Self::default();
        sim.lock().random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        sim
    }

    pub(crate) fn crash_at(&self, change: u64) {
        self.lock().crash_at = Some(change);
    }

    pub(crate) fn changes(&self) -> u64 {
        self.lock().changes
    }

    pub(crate) fn crashed(&self) -> bool {
        self.lock().crashed
    }

    pub(crate) fn capacity(&self, bytes: Option<usize>) {
        self.lock().capacity = bytes;
    }

    pub(crate) fn used(&self) -> usize {
        self.lock().used()
    }

    pub(crate) fn syncs_fail(&self, fail: bool) {
        self.lock().syncs_fail = fail;
    }

    /// The directory as it may be found after the machine comes up again.
    pub(crate) fn after_crash(&self) -> Self {
        let mut state = self.lock();
        let mut files = BTreeMap::new();
        for (path, file) in state.files.clone() {
            if let Some(found) = state.survivor(&file) {
                files.insert(
                    path,
                    File { now: Some(found.clone()), durable: Some(found), laid: None, grows: file.grows },
                );
            }
        }
        let random = state.next();
        Self { state: Arc::new(Mutex::new(State { files, random, ..State::default() })) }
    }

    /// Another directory with what this one holds, all of it durable.
    pub(crate) fn copy(&self) -> Self {
        let durable = |file: &File| File { durable: file.now.clone(), laid: None, ..file.clone() };
        let files = self.lock().files.iter().map(|(path, file)| (path.clone(), durable(file))).collect();
        Self { state: Arc::new(Mutex::new(State { files, random: 1, ..State::default() })) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

impl State {
    fn next(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % (limit as u64 + 1)) as usize
    }

    fn used(&self) -> usize {
        self.files.values().filter_map(|f| f.now.as_ref()).map(Vec::len).sum()
    }

    /// Counts a change. An error when the machine is down; `true` when this change is the one it goes down in.
    fn change(&mut self) -> io::Result<bool> {
        if self.crashed {
            return Err(io::Error::other("the machine is down"));
        }
        self.changes += 1;
        self.crashed = self.crash_at == Some(self.changes);
        Ok(self.crashed)
    }

    fn survivor(&mut self, file: &File) -> Option<Vec<u8>> {
        let (now, durable) = (file.now.as_ref(), file.durable.as_ref());
        if let Some(laid) = &file.laid {
            return match self.below(3) {
                0 => now.cloned(),
                1 => durable.cloned(),
                _ => {
                    let mut found = laid.clone();
                    found.truncate(self.below(laid.len()));
                    let zeros = self.below(found.len());
                    found[zeros..].fill(0);
                    Some(found)
                }
            };
        }
        if now == durable {
            return durable.cloned();
        }
        let (Some(now), true) = (now, file.grows) else {
            return if self.next().is_multiple_of(2) { now.cloned() } else { durable.cloned() };
        };
        let Some(durable) = durable else {
            return if self.next().is_multiple_of(2) { Some(Vec::new()) } else { None };
        };
        // What is synced stays; of the rest, any sector may have reached the disk or be zeros, up to any length.
        let mut found = now.get(..durable.len().min(now.len())).unwrap().to_vec();
        for sector in now[found.len()..].chunks(64) {
            let zeros = vec![0; sector.len()];
            found.extend_from_slice(if self.next().is_multiple_of(4) { &zeros } else { sector });
        }
        let length = durable.len().min(now.len());
        let cut = length + self.below(found.len() - length);
        if self.next().is_multiple_of(2) {
            found.truncate(cut);
        }
        if self.next().is_multiple_of(2) {
            let zeros = self.below(300);
            found.resize(found.len() + zeros, 0);
        }
        Some(found)
    }
}

impl Dir for Sim {
    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        let below = |path: &str| folder.is_empty() || path.strip_prefix(folder).is_some_and(|r| r.starts_with('/'));
        let state = self.lock();
        Ok(state.files.iter().filter(|(p, f)| f.now.is_some() && below(p)).map(|(p, _)| p.clone()).collect())
    }

    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        self.lock().files.get(path).and_then(|f| f.now.clone()).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn append(&self, path: &str) -> io::Result<Box<dyn Tail>> {
        let mut state = self.lock();
        let fresh = state.files.get(path).is_none_or(|f| f.now.is_none());
        if fresh {
            let down = state.change()?;
            let durable = (!down).then(Vec::new);
            state.files.insert(path.to_owned(), File { now: Some(Vec::new()), durable, laid: None, grows: true });
            if down {
                return Err(io::Error::other("the machine went down"));
            }
        }
        let len = state.files.get(path).and_then(|f| f.now.as_ref()).map_or(0, Vec::len) as u64;
        Ok(Box::new(SimTail { sim: self.clone(), path: path.to_owned(), len }))
    }

    fn put(&self, files: &[(String, Vec<u8>)]) -> io::Result<()> {
        let mut state = self.lock();
        for (path, bytes) in files {
            let down = state.change()?;
            if state.capacity.is_some_and(|c| state.used() + bytes.len() > c) {
                return Err(io::ErrorKind::StorageFull.into());
            }
            state.files.entry(path.clone()).or_default().now = Some(bytes.clone());
            if down {
                return Err(io::Error::other("the machine went down"));
            }
        }
        for (path, _) in files {
            if let Some(file) = state.files.get_mut(path) {
                (file.durable, file.laid) = (file.now.clone(), None);
            }
        }
        Ok(())
    }

    fn lay(&self, files: &[(String, Vec<u8>)]) -> io::Result<()> {
        let mut state = self.lock();
        for (path, bytes) in files {
            let down = state.change()?;
            if state.capacity.is_some_and(|c| state.used() + bytes.len() > c) {
                return Err(io::ErrorKind::StorageFull.into());
            }
            let file = state.files.entry(path.clone()).or_default();
            (file.now, file.laid) = (Some(bytes.clone()), Some(bytes.clone()));
            if down {
                return Err(io::Error::other("the machine went down"));
            }
        }
        Ok(())
    }

    fn settle(&self) -> io::Result<()> {
        let mut state = self.lock();
        if state.change()? || state.syncs_fail {
            return Err(io::Error::other("the sync failed"));
        }
        for file in state.files.values_mut().filter(|file| file.laid.is_some()) {
            (file.durable, file.laid) = (file.now.clone(), None);
        }
        Ok(())
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        let mut state = self.lock();
        let down = state.change()?;
        if let Some(file) = state.files.get_mut(path) {
            file.now = None;
        }
        if down { Err(io::Error::other("the machine went down")) } else { Ok(()) }
    }
}

struct SimTail {
    sim: Sim,
    path: String,
    len: u64,
}

impl SimTail {
    fn change(&self, change: impl FnOnce(&mut State, &mut Vec<u8>, bool) -> io::Result<()>) -> io::Result<()> {
        let mut state = self.sim.lock();
        let down = state.change()?;
        let mut now = state.files.get_mut(&self.path).and_then(|f| f.now.take()).unwrap_or_default();
        let done = change(&mut state, &mut now, down);
        if let Some(file) = state.files.get_mut(&self.path) {
            file.now = Some(now);
        }
        if down { Err(io::Error::other("the machine went down")) } else { done }
    }
}

impl Tail for SimTail {
    fn len(&self) -> u64 {
        self.len
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.change(|state, now, down| {
            let room = state.capacity.map_or(usize::MAX, |c| c.saturating_sub(state.used() + now.len()));
            let fits = if down { state.below(bytes.len()) } else { bytes.len().min(room) };
            now.extend_from_slice(&bytes[..fits]);
            if fits < bytes.len() { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
        })?;
        self.len += bytes.len() as u64;
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut state = self.sim.lock();
        if state.change()? || state.syncs_fail {
            return Err(io::Error::other("the sync failed"));
        }
        if let Some(file) = state.files.get_mut(&self.path) {
            file.durable = file.now.clone();
        }
        Ok(())
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.change(|_, now, _| {
            now.resize(len as usize, 0);
            Ok(())
        })?;
        self.len = len;
        Ok(())
    }
}
