//! A directory on disk.

use std::{
    collections::BTreeSet,
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use super::{Dir, Tail};

mod tail;

use tail::DiskTail;

/// A directory on disk. Files are readable by their owner only.
pub struct DiskDir {
    root: PathBuf,
    // Held for its lock: two writers would interleave their records.
    _lock: Option<File>,
}

impl DiskDir {
    /// Opens a directory for writing, creating it when there is none.
    ///
    /// # Errors
    /// When it cannot be created, or another process holds it.
    pub fn open(root: impl Into<PathBuf>) -> io::Result<Self> {
        let root = root.into();
        make_folder(&root)?;
        let lock = owner_only(OpenOptions::new().create(true).write(true)).open(root.join(LOCK))?;
        lock.try_lock().map_err(|cause| io::Error::other(format!("the audit log is in use: {cause}")))?;
        for leftover in walk(&root, "")?.into_iter().filter(|p| p.ends_with(TEMPORARY)) {
            fs::remove_file(root.join(leftover))?;
        }
        Ok(Self { root, _lock: Some(lock) })
    }

    /// Opens a directory for reading only, as verification and export do; the log may be in use.
    ///
    /// # Errors
    /// When there is no such directory.
    pub fn read_only(root: impl Into<PathBuf>) -> io::Result<Self> {
        let root = root.into();
        if fs::metadata(&root)?.is_dir() {
            Ok(Self { root, _lock: None })
        } else {
            Err(io::ErrorKind::NotADirectory.into())
        }
    }
}

impl Dir for DiskDir {
    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        let mut paths = walk(&self.root, folder)?;
        paths.retain(|p| p != LOCK && !p.ends_with(TEMPORARY));
        paths.sort();
        Ok(paths)
    }

    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        fs::read(self.root.join(path))
    }

    fn read_into(&self, path: &str, buffer: &mut Vec<u8>) -> io::Result<()> {
        buffer.clear();
        File::open(self.root.join(path))?.read_to_end(buffer).map(drop)
    }

    fn read_start(&self, path: &str, most: usize) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        File::open(self.root.join(path))?.take(most as u64).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn append(&self, path: &str) -> io::Result<Box<dyn Tail>> {
        let full = self.root.join(path);
        let fresh = !full.exists();
        if fresh {
            make_folder(parent(&full))?;
        }
        let mut options = OpenOptions::new();
        let file = owner_only(options.create(true).read(true).write(true).truncate(false)).open(&full)?;
        if fresh {
            file.sync_all()?;
            sync_folder(parent(&full))?;
        }
        Ok(Box::new(DiskTail::open(file)?))
    }

    fn put(&self, files: &[(String, Vec<u8>)]) -> io::Result<()> {
        self.replace(files, true)
    }

    fn lay(&self, files: &[(String, Vec<u8>)]) -> io::Result<()> {
        self.replace(files, false)
    }

    /// One call for all that the file system holds: a sync of each of some hundred small files costs the disk as many
    /// flushes, and the processor more than writing them did.
    #[cfg(target_os = "linux")]
    fn settle(&self) -> io::Result<()> {
        Ok(rustix::fs::syncfs(File::open(&self.root)?)?)
    }

    #[cfg(not(target_os = "linux"))]
    fn settle(&self) -> io::Result<()> {
        let mut folders = BTreeSet::new();
        for path in walk(&self.root, "tile")?.into_iter().map(|path| self.root.join(path)) {
            File::open(&path)?.sync_all()?;
            folders.insert(parent(&path).to_owned());
        }
        folders.iter().try_for_each(|folder| sync_folder(folder))
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        match fs::remove_file(self.root.join(path)) {
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(()),
            done => done,
        }
    }
}

impl DiskDir {
    fn replace(&self, files: &[(String, Vec<u8>)], durably: bool) -> io::Result<()> {
        let mut folders = BTreeSet::new();
        let mut written = Vec::with_capacity(files.len());
        // All are written before the first is synced, so that the disk can take them together.
        for (path, bytes) in files {
            let to = self.root.join(path);
            let mut from = to.clone().into_os_string();
            from.push(TEMPORARY);
            if folders.insert(parent(&to).to_owned()) {
                make_folder(parent(&to))?;
            }
            let mut file = owner_only(OpenOptions::new().create(true).write(true).truncate(true)).open(&from)?;
            file.write_all(bytes)?;
            written.push((durably.then_some(file), PathBuf::from(from), to));
        }
        for file in written.iter().filter_map(|(file, ..)| file.as_ref()) {
            file.sync_data()?;
        }
        for (_, from, to) in &written {
            fs::rename(from, to)?;
        }
        if durably { folders.iter().try_for_each(|folder| sync_folder(folder)) } else { Ok(()) }
    }
}

/// Paths of all files below `folder`, relative to `root`.
fn walk(root: &Path, folder: &str) -> io::Result<Vec<String>> {
    let mut paths = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = match fs::read_dir(root.join(&folder)) {
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => continue,
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            // A name that is not UTF-8 is none of ours; it is shown as it can be.
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = if folder.is_empty() { name } else { format!("{folder}/{name}") };
            if entry.file_type()?.is_dir() {
                folders.push(path);
            } else {
                paths.push(path);
            }
        }
    }
    Ok(paths)
}

/// Creates a folder and those above it, each one's name made durable in the one above.
fn make_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let above = parent(folder);
    if above != folder {
        make_folder(above)?;
    }
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(cause) if cause.kind() != io::ErrorKind::AlreadyExists => Err(cause),
        _ => sync_folder(above),
    }
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(above) if above.as_os_str().is_empty() => Path::new("."),
        Some(above) => above,
        None => path,
    }
}

fn owner_only(options: &mut OpenOptions) -> &mut OpenOptions {
    options.mode(0o600)
}

const LOCK: &str = "lock";
const TEMPORARY: &str = ".tmp";
