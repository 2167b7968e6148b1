//! What the watch may know of a prompt: put together while it is screened, at no cost that grows with the text.

use std::sync::LazyLock;

use ahash::RandomState;
use countersign_core::{
    Channel, Document, Glimpse, Sketch,
    glimpse::{Likeliest, tell},
};

/// The likeliest leaves so far.
pub(crate) struct Seen {
    /// The first leaf that is new.
    from: usize,
    new: Option<(usize, f32)>,
    before: Option<(usize, f32)>,
}

impl Seen {
    pub(crate) fn of(document: &Document) -> Self {
        let slots = document.slots();
        let model = |channel| matches!(channel, Channel::Assistant | Channel::Reasoning | Channel::ToolArguments);
        // What the model is made to begin its answer with is no turn of its own.
        let asked = slots.iter().rposition(|slot| matches!(slot.channel, Channel::User | Channel::ToolResult));
        let said = slots.iter().take(asked.unwrap_or(0)).rposition(|slot| model(slot.channel));
        Self { from: said.map_or(0, |at| at + 1), new: None, before: None }
    }

    /// A leaf, and how likely the learned detector thinks it an attack. Of several that are as likely the first counts.
    pub(crate) fn leaf(&mut self, index: usize, likely: f32) {
        let best = if index < self.from { &mut self.before } else { &mut self.new };
        if likely > best.map_or(0.0, |(_, most)| most) {
            *best = Some((index, likely));
        }
    }

    /// All that was seen.
    pub(crate) fn glimpse(self, document: &Document) -> Glimpse {
        let last = document.slots().iter().rposition(|slot| slot.channel == Channel::User);
        let likeliest = |best: Option<(usize, f32)>| {
            let told = |(leaf, likely)| Likeliest { likely, which: tell(document.text(leaf), &KEY) };
            best.map_or(Likeliest::NONE, told)
        };
        Glimpse {
            new: likeliest(self.new),
            before: likeliest(self.before),
            sketch: last.and_then(|last| Sketch::of(document.text(last), &KEY)),
        }
    }
}

/// This process alone knows it, and forgets it.
static KEY: LazyLock<RandomState> = LazyLock::new(RandomState::new);

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use countersign_core::{Slot, SlotKind, Trust};

    use super::*;

    fn turns(texts: &[(&str, Channel)]) -> Document {
        let slot = |(text, channel): &(&str, Channel)| Slot {
            span: 0..0,
            decoded: Some((*text).into()),
            kind: SlotKind::Text,
            channel: *channel,
            trust: Trust::Caller,
            grows: None,
            call: None,
        };
        Document::new(Bytes::new(), texts.iter().map(slot).collect()).unwrap()
    }

    #[test]
    fn the_last_words_are_sketched_and_what_is_new_is_told_from_what_came_before() {
        let words = ("where is the branch that opens on saturdays in the old town", Channel::User);
        let before = ("some other words that were said before", Channel::User);
        let glimpse = |document: &Document| {
            let mut seen = Seen::of(document);
            (0..document.slots().len()).for_each(|leaf| seen.leaf(leaf, 0.2 + 0.1 * leaf as f32));
            seen.glimpse(document)
        };
        let one = glimpse(&turns(&[before]));
        let two = glimpse(&turns(&[before, ("well", Channel::Assistant), words]));
        assert_eq!((one.before, one.new.likely), (Likeliest::NONE, 0.2));
        assert_eq!((two.new.likely, two.before.likely), (0.4, 0.3));
        assert!(two.sketch.is_some() && two.sketch != one.sketch);
        // What came before is the same leaf, and whoever asked about it knows it again.
        let again = turns(&[before, words]);
        let mut seen = Seen::of(&turns(&[before, ("well", Channel::Assistant), words]));
        seen.leaf(0, 0.2);
        assert_eq!(seen.glimpse(&again).before.which, one.new.which);
        // A beginning of an answer that the caller wrote does not make all that was asked old.
        let led = glimpse(&turns(&[words, ("Sure, here is", Channel::Assistant)]));
        assert_eq!(led.before, Likeliest::NONE);
        let nothing = turns(&[]);
        assert_eq!(Seen::of(&nothing).glimpse(&nothing), Glimpse::NONE);
    }
}
