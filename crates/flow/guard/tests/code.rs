//! Source code names passwords, tokens and keys on every page and holds none of them. Ours is a sample that is always there.

use std::{fs, path::Path};

use countersign_core::{Channel, Document, Kind, Side, Slot, SlotKind, Trust, life::Stamps};
use countersign_guard::{Config, Guard};

#[test]
fn code_that_speaks_of_secrets_is_left_alone() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
    let guard = Guard::new(Stamps::issue().screen, Config::default()).unwrap();
    let (mut read, mut flagged) = (0, Vec::new());
    let mut folders = vec![root.join("app/src"), root.join("crates"), root.join("xtask/src"), root.join("examples")];
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                // Tests, and programs that measure, hold examples of what is looked for.
                if !["tests", "examples", "benches", "target", "node_modules"].contains(&&*name) {
                    folders.push(path);
                }
            } else if ["rs", "toml", "sql", "cedar", "yaml", "md"]
                .iter()
                .any(|e| path.extension().is_some_and(|p| p == *e))
            {
                let text = fs::read_to_string(&path).unwrap();
                let code = text.split("#[cfg(test)]").next().unwrap_or_default();
                if name == "tests.rs" || name == "testing.rs" {
                    continue;
                }
                read += 1;
                flagged.extend(secret(&guard, code).map(|found| format!("{}: {found}", path.display())));
            }
        }
    }
    assert!(read > 300, "{read}");
    // A few hold an example of what they are about.
    assert!(flagged.len() * 100 <= read, "{flagged:#?}");
}

/// What is first taken for a credential in a text.
fn secret(guard: &Guard, text: &str) -> Option<String> {
    let (span, kind, channel) = (0..text.len(), SlotKind::Text, Channel::User);
    let slot = Slot { span, decoded: None, kind, channel, trust: Trust::Caller, grows: None, call: None };
    let document = Document::new(bytes::Bytes::copy_from_slice(text.as_bytes()), vec![slot]).unwrap();
    let found = guard.scan(Side::Prompt, &document).into_iter().find(|f| f.kind == Kind::Secret)?;
    Some(format!("{} `{}`", found.rule, &text[found.span]))
}
