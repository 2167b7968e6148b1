//! Files that other people may not read, change or find half written.

use std::{
    fs::{self, DirBuilder, File, Permissions},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::Path,
};

use anyhow::Context;
use tempfile::NamedTempFile;

/// Writes a file that must not exist yet: whole and durable, or not at all.
pub(crate) fn write_new(path: &Path, bytes: &[u8], mode: u32) -> anyhow::Result<()> {
    put(path, bytes, mode, |file| file.persist_noclobber(path).map(drop))
}

/// Writes a file in place of the one that may be there: whole and durable, or not at all.
pub(crate) fn replace(path: &Path, bytes: &[u8], mode: u32) -> anyhow::Result<()> {
    put(path, bytes, mode, |file| file.persist(path).map(drop))
}

/// A file's bytes and the permissions of the very file they were read from.
pub(crate) fn read(path: &Path) -> io::Result<(Vec<u8>, u32)> {
    let mut file = File::open(path)?;
    let mode = file.metadata()?.permissions().mode() & 0o7777;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok((bytes, mode))
}

/// The permissions of a file that can be read.
pub(crate) fn mode(path: &Path) -> io::Result<u32> {
    Ok(File::open(path)?.metadata()?.permissions().mode() & 0o7777)
}

fn put(
    path: &Path,
    bytes: &[u8],
    mode: u32,
    name: impl FnOnce(NamedTempFile) -> Result<(), tempfile::PersistError>,
) -> anyhow::Result<()> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let write = || -> io::Result<()> {
        let mut builder = tempfile::Builder::new();
        let mut file = builder.prefix(".new-").permissions(Permissions::from_mode(mode)).tempfile_in(folder)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        name(file)?;
        // The name is durable only once its directory is.
        File::open(folder)?.sync_all()
    };
    write().with_context(|| format!("cannot write `{}`", path.display()))
}

/// Makes a directory, and those above it, for this user alone; one that is there already stays as it is.
pub(crate) fn private_folder(path: &Path) -> io::Result<u32> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    Ok(fs::metadata(path)?.permissions().mode() & 0o7777)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_file_is_whole_private_and_never_in_place_of_another() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        write_new(&path, b"first", 0o600).unwrap();
        assert_eq!(read(&path).unwrap(), (b"first".to_vec(), 0o600));
        assert!(write_new(&path, b"second", 0o600).is_err());
        assert_eq!(fs::read(&path).unwrap(), b"first");
        replace(&path, b"third", 0o600).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"third");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left lying about");
    }

    #[test]
    fn a_link_is_not_followed_when_something_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let (aim, link) = (folder.path().join("aim"), folder.path().join("link"));
        fs::write(&aim, "kept").unwrap();
        std::os::unix::fs::symlink(&aim, &link).unwrap();
        assert!(write_new(&link, b"x", 0o600).is_err());
        replace(&link, b"x", 0o600).unwrap();
        assert_eq!(fs::read_to_string(&aim).unwrap(), "kept");
        assert!(!link.is_symlink());
    }
}
