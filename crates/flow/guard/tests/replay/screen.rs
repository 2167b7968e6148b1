//! Any text as a prompt: folding, decoding and scanning never panic, and every place they name is one of the text.
//! Shared by the fuzz targets and the corpus test.

use std::sync::LazyLock;

use bytes::Bytes;
use countersign_core::{Channel, Document, Leaf, Side, Slot, SlotKind, Trust, life::Stamps};
use countersign_guard::{Config, Guard, Normal, normal::fold};

/// Folding: every character leads back to whole characters, and folding twice changes nothing.
pub(crate) fn normalise(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let folded = fold(&text);
    for (at, c) in folded.text.char_indices() {
        assert!(text.get(folded.map.origin(at..at + c.len_utf8())).is_some());
    }
    for hidden in folded.hidden {
        assert!(text.get(hidden).is_some());
    }
}

/// Decoding: within the budget, and every view leads back to whole characters.
pub(crate) fn decode(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let leaf = Leaf { text: &text, channel: Channel::ToolResult, trust: Trust::Untrusted, grows: None };
    let mut budget = 1 << 16;
    for view in Normal::plain(&leaf).decoded(&mut budget) {
        assert!(!view.layers.is_empty() && view.layers.len() <= 3);
        assert!(text.get(view.origin(0..view.text.len())).is_some());
    }
}

/// Scanning: every finding names a place of the text and a likelihood.
pub(crate) fn screen(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    for (channel, trust) in [(Channel::User, Trust::Caller), (Channel::ToolResult, Trust::Untrusted)] {
        let decoded = Some(text.clone().into());
        let slot = Slot { span: 0..0, decoded, kind: SlotKind::Text, channel, trust, grows: None, call: None };
        let document = Document::new(Bytes::new(), vec![slot]).expect("one slot without bytes holds together");
        for finding in GUARD.scan(Side::Prompt, &document) {
            assert!(text.get(finding.span.clone()).is_some(), "{finding:?}");
            assert!((0.0..=1.0).contains(&finding.confidence), "{finding:?}");
        }
    }
}

static GUARD: LazyLock<Guard> =
    LazyLock::new(|| Guard::new(Stamps::issue().screen, Config::default()).expect("the default configuration holds"));
