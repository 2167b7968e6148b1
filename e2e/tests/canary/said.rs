//! What was said where no secret belongs, gathered to be looked through at the end.

use std::{fs, path::Path};

use countersign_testkit::{Answer, Home};

use crate::needle::Needle;

/// Everything that was said where no secret belongs: what it is, and its bytes.
#[derive(Default)]
pub(crate) struct Said(Vec<(String, Vec<u8>)>);

impl Said {
    pub(crate) fn add(&mut self, place: impl Into<String>, bytes: impl Into<Vec<u8>>) {
        self.0.push((place.into(), bytes.into()));
    }

    /// An answer that must be a refusal; its headers and body.
    pub(crate) fn refused(&mut self, what: &str, answer: &Answer) {
        assert!(answer.status >= 400, "{what}: {} {}", answer.status, answer.text());
        self.add(format!("the answer to {what}"), format!("{:?}\n{}", answer.headers, answer.text()));
    }

    /// Every file of the state but the root key, which is where it is kept.
    pub(crate) fn files(&mut self, home: &Home) {
        let mut files = 0;
        walk(&home.path("state"), &mut |path| {
            if path.file_name().is_some_and(|name| name == "root.key") {
                return;
            }
            let mut bytes = fs::read(path).expect("a file of the state");
            // The journal has zeros ahead of its end.
            bytes.truncate(bytes.iter().rposition(|b| *b != 0).map_or(0, |last| last + 1));
            self.add(path.display().to_string(), bytes);
            files += 1;
        });
        assert!(files >= 3, "key store, journal and more");
    }

    /// Fails when any needle is anywhere.
    pub(crate) fn judge(self, needles: &[Needle], more: Self) {
        let mut found = Vec::new();
        for (place, bytes) in self.0.iter().chain(&more.0) {
            let lower = bytes.to_ascii_lowercase();
            for needle in needles {
                if let Some(spelling) = needle.find(bytes, &lower) {
                    found.push(format!("{} ({spelling}) in {place}", needle.class));
                }
            }
        }
        assert!(found.is_empty(), "{} leaks:\n{}", found.len(), found.join("\n"));
    }
}

fn walk(directory: &Path, visit: &mut dyn FnMut(&Path)) {
    for entry in fs::read_dir(directory).expect("a directory").flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => walk(&entry.path(), visit),
            _ => visit(&entry.path()),
        }
    }
}
