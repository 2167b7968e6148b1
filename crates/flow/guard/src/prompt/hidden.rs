//! Reports text that a reader does not see.

use countersign_core::{Kind, Leaf};

use crate::{Found, Normal, normal::Conceals};

/// Reports the concealed places of a plain view, and messages written in what nobody sees.
pub(crate) fn report(leaf: &Leaf<'_>, plain: &Normal<'_>, out: &mut Vec<Found>) {
    // Bytes that make text by accident are not known.
    for span in plain.messages().take(MOST) {
        out.push(Found { kind: Kind::Hidden, rule: "hidden/message", span, confidence: 0.95 });
    }
    for (span, why) in plain.concealed.iter().take(MOST) {
        let (rule, confidence) = match why {
            // Many characters that cannot be seen carry a message; one or two may be an accident.
            Conceals::Invisible if span.len() >= 24 => ("hidden/invisible", 0.8),
            Conceals::Invisible => ("hidden/invisible", 0.5),
            Conceals::Comment => ("hidden/comment", 0.2),
            Conceals::Style => ("hidden/style", 0.4),
        };
        if leaf.text.get(span.clone()).is_some() {
            out.push(Found { kind: Kind::Hidden, rule, span: span.clone(), confidence });
        }
    }
}

/// Not all that is hidden in a leaf could be looked at.
pub(crate) fn beyond(leaf: &Leaf<'_>) -> Found {
    Found { kind: Kind::Limit, rule: "limit/decoded", span: 0..leaf.text.len(), confidence: 1.0 }
}

/// Something was found in a decoded view: that it was encoded is worth a record of its own, and no surer than what was found.
pub(crate) fn encoded(view: &Normal<'_>, found: &[Found]) -> Found {
    let surest = found.iter().map(|f| f.confidence).fold(0.0, f32::max);
    let span = view.origin(0..view.text.len());
    Found { kind: Kind::Hidden, rule: "hidden/encoded", span, confidence: surest.min(ENCODED) }
}

/// How sure it is that a text which holds an attack was encoded to hide it.
const ENCODED: f32 = 0.8;

/// Places reported of one leaf.
const MOST: usize = 16;
