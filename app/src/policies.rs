//! The policy files, where people may change them through the gateway.
//!
//! Threats it answers: a change that undoes one made on disk meanwhile (what is on disk has to be what is in force); a file half
//! written, or policies in force that are not those on disk (a file is replaced whole, and only then its policies take effect); a
//! reload that puts back what was just replaced (one change at a time). See docs/adr/0038.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::Context;
use aws_lc_rs::digest::{self, SHA256};
use countersign_policy::Policy;
use data_encoding::HEXLOWER;
use tokio::sync::Mutex;

use crate::files;

/// The policy files of the configuration.
#[derive(Clone, Debug, Default)]
pub(crate) struct Files {
    /// Each by the name that policies are known by, and where it lies.
    pub(crate) all: Vec<(String, PathBuf)>,
    /// Whether the gateway may write them.
    pub(crate) editable: bool,
}

/// What changes policies, one after the other. It outlives reloads.
pub(crate) struct Policies {
    /// Where a file's text stays that was replaced.
    before: PathBuf,
    /// Held by whoever changes policies, reloads included.
    pub(crate) changing: Mutex<()>,
    /// Held by whoever tries a draft: that takes a processor for a while.
    pub(crate) trying: Mutex<()>,
}

impl Policies {
    pub(crate) fn new(state: &Path) -> Self {
        Self { before: state.join("policies"), changing: Mutex::default(), trying: Mutex::default() }
    }

    /// The text that stood in the file before it was replaced last.
    ///
    /// # Errors
    /// When there is one and it cannot be read.
    pub(crate) fn before(&self, file: &str) -> io::Result<Option<String>> {
        match fs::read_to_string(self.place(file)) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Replaces the text of a file, having kept the one before.
    ///
    /// # Errors
    /// When one of the two cannot be written.
    pub(crate) fn replace(&self, file: &str, at: &Path, old: &str, new: &str) -> anyhow::Result<()> {
        files::private_folder(&self.before).with_context(|| format!("cannot make `{}`", self.before.display()))?;
        files::replace(&self.place(file), old.as_bytes(), 0o600)?;
        files::replace(at, new.as_bytes(), files::mode(at)?)
    }

    fn place(&self, file: &str) -> PathBuf {
        self.before.join(digest_of([file])).with_extension("cedar")
    }
}

impl Files {
    /// Where a file lies, if all of them hold what is in force.
    ///
    /// # Errors
    /// What stands in the way, in words for whoever wants to replace it.
    pub(crate) fn as_in_force(&self, file: &str, policy: &Policy) -> Result<&Path, String> {
        for (name, text) in policy.sources() {
            let (_, path) =
                self.all.iter().find(|(known, _)| known == name).ok_or("the configuration has other files")?;
            // A link is how others put files there, and they would put back what is theirs.
            if !fs::symlink_metadata(path).is_ok_and(|meta| meta.is_file()) {
                return Err(format!("`{name}` is no plain file"));
            }
            if !fs::read(path).is_ok_and(|there| there == text.as_bytes()) {
                return Err(format!("`{name}` on disk is not what is in force; reload first"));
            }
        }
        let place = self.all.iter().find(|(name, _)| name == file).filter(|_| policy.sources().any(|(n, _)| n == file));
        place.map(|(_, path)| path.as_path()).ok_or_else(|| "there is no such policy file".to_owned())
    }
}

/// Says which policies they are: the same for the same files with the same text.
pub(crate) fn version(of: &Policy) -> String {
    digest_of(of.sources().flat_map(|(file, text)| [file, text]))
}

/// Of texts, in lowercase hexadecimal; where one ends counts.
pub(crate) fn digest_of<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    let mut context = digest::Context::new(&SHA256);
    for text in texts {
        context.update(&(text.len() as u64).to_be_bytes());
        context.update(text.as_bytes());
    }
    HEXLOWER.encode(context.finish().as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(folder: &Path) -> (Files, Policy) {
        let all = ["a.cedar", "b.cedar"].map(|name| (name.to_owned(), folder.join(name)));
        for (_, path) in &all {
            fs::write(path, "// nothing\n").unwrap();
        }
        let policy = Policy::parse(&[("a.cedar", "// nothing\n"), ("b.cedar", "// nothing\n")]).unwrap();
        (Files { all: all.into(), editable: true }, policy)
    }

    #[test]
    fn only_what_is_in_force_everywhere_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let (files, policy) = set(folder.path());
        assert_eq!(files.as_in_force("a.cedar", &policy), Ok(folder.path().join("a.cedar").as_path()));
        let no = |file: &str| files.as_in_force(file, &policy).unwrap_err();
        assert!(no("c.cedar").contains("no such"), "{}", no("c.cedar"));
        // Somebody changed the other file, took it away, or put a link there.
        let other = folder.path().join("b.cedar");
        fs::write(&other, "// something\n").unwrap();
        assert!(no("a.cedar").contains("not what is in force"));
        fs::remove_file(&other).unwrap();
        assert!(no("a.cedar").contains("no plain file"));
        std::os::unix::fs::symlink(folder.path().join("a.cedar"), &other).unwrap();
        assert!(no("a.cedar").contains("no plain file"));
        let fewer = Files { all: files.all[..1].to_vec(), editable: true };
        assert!(fewer.as_in_force("a.cedar", &policy).unwrap_err().contains("other files"));
    }

    #[test]
    fn the_text_before_is_kept_and_the_file_keeps_its_mode() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let (files, _) = set(folder.path());
        let at = &files.all[0].1;
        fs::set_permissions(at, fs::Permissions::from_mode(0o640)).unwrap();
        let policies = Policies::new(&folder.path().join("state"));
        assert_eq!(policies.before("a.cedar").unwrap(), None);
        policies.replace("a.cedar", at, "old", "new").unwrap();
        assert_eq!((fs::read_to_string(at).unwrap(), files::mode(at).unwrap()), ("new".to_owned(), 0o640));
        assert_eq!(policies.before("a.cedar").unwrap().as_deref(), Some("old"));
        assert_eq!(policies.before("b.cedar").unwrap(), None);
    }

    #[test]
    fn where_one_text_ends_counts() {
        assert_ne!(digest_of(["ab", "c"]), digest_of(["a", "bc"]));
    }
}
