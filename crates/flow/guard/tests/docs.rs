//! Our own documents speak of prompts, rules and outputs all day, and hold no attack but where they show one. None of the others is
//! flagged, whoever hands it in.

use std::{fs, path::Path};

use countersign_core::{Channel, Document, Kind, Side, Slot, SlotKind, Trust, life::Stamps};
use countersign_guard::{Config, Guard};

/// Documents that quote attacks, or list what attacks are made of.
const QUOTE_ATTACKS: [&str; 9] = [
    "adr/0017-linear-lane.md",
    "concepts/detection.md",
    "errors/CS0501.md",
    "how-to/feedback.md",
    "how-to/guard-api.md",
    "how-to/scan.md",
    "reference/findings.md",
    "threats/known-attacks.md",
    "tutorial/first-hour.md",
];

#[test]
fn no_document_of_ours_is_flagged_but_those_that_quote_attacks() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../docs");
    let guard = Guard::new(Stamps::issue().screen, Config::default()).unwrap();
    let (mut read, mut flagged) = (0, Vec::new());
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(&root).unwrap().display().to_string();
            if path.is_dir() {
                folders.push(path);
            } else if name.ends_with(".md") && !QUOTE_ATTACKS.contains(&&*name) {
                let text = fs::read_to_string(&path).unwrap();
                read += 1;
                for (channel, trust) in [(Channel::ToolResult, Trust::Untrusted), (Channel::User, Trust::Caller)] {
                    flagged.extend(instructs(&guard, &text, channel, trust).map(|what| format!("{name}: {what}")));
                }
            }
        }
    }
    assert!(read > 80, "{read}");
    assert!(flagged.is_empty(), "{flagged:#?}");
    assert!(QUOTE_ATTACKS.iter().all(|name| root.join(name).is_file()));
}

/// What is taken for an instruction in a text.
fn instructs(guard: &Guard, text: &str, channel: Channel, trust: Trust) -> Option<String> {
    let (span, kind) = (0..text.len(), SlotKind::Text);
    let slot = Slot { span, decoded: None, kind, channel, trust, grows: None, call: None };
    let document = Document::new(bytes::Bytes::copy_from_slice(text.as_bytes()), vec![slot]).unwrap();
    let found = guard.scan(Side::Prompt, &document);
    let found = found.iter().find(|f| matches!(f.kind, Kind::Injection | Kind::Extraction | Kind::Exfiltration))?;
    Some(format!("{} in `{}`", found.rule, &text[found.span.clone()]))
}
