//! The tools that an answer calls. Those who look on are told which of the tools that the caller had offered they were, so that no
//! word of the model's reaches them.

use std::sync::Arc;

use countersign_core::{Document, Event};

/// The names of an answer's calls, as far as they have come.
#[derive(Default)]
pub(crate) struct Called(Vec<(u32, String)>);

impl Called {
    /// Takes in an answer, or one event of it.
    pub(crate) fn read(&mut self, answer: &Document) {
        for (leaf, slot) in answer.slots().iter().enumerate() {
            let Some(part) = slot.call.filter(|part| part.is_name) else { continue };
            let at = match self.0.iter().position(|(call, _)| *call == part.call) {
                Some(at) => at,
                None if self.0.len() < Event::MOST_CALLED => {
                    self.0.push((part.call, String::new()));
                    self.0.len() - 1
                }
                None => continue,
            };
            let Some((_, name)) = self.0.get_mut(at) else { continue };
            let text = answer.text(leaf);
            // Some events repeat what came before.
            if (name.is_empty() || slot.grows.is_some()) && name.len() + text.len() <= LONGEST {
                name.push_str(text);
            }
        }
    }

    /// Which of `offered` they were, in the order in which they began; none for one that was not offered by its name, as those of
    /// a server of tools are not.
    pub(crate) fn of(&self, offered: &[Arc<str>]) -> Vec<Option<Arc<str>>> {
        self.0.iter().map(|(_, name)| offered.iter().find(|tool| ***tool == **name).cloned()).collect()
    }
}

/// Bytes of a name. Providers allow less.
const LONGEST: usize = 256;

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use countersign_core::{Channel, InCall, Slot, SlotKind, Trust};

    use super::*;

    fn answer(pieces: &[(&str, u32, bool, Option<u32>)]) -> Document {
        let slot = |(text, call, is_name, grows): &(&str, u32, bool, Option<u32>)| Slot {
            span: 0..0,
            decoded: Some((*text).into()),
            kind: SlotKind::Text,
            channel: Channel::ToolArguments,
            trust: Trust::Model,
            grows: *grows,
            call: Some(InCall { call: *call, is_name: *is_name }),
        };
        Document::new(Bytes::new(), pieces.iter().map(slot).collect()).unwrap()
    }

    #[test]
    fn calls_are_told_by_what_was_offered_whole_or_in_pieces() {
        let mut called = Called::default();
        called.read(&answer(&[
            ("find", 1, true, None),
            ("{}", 1, false, None),
            ("secret of the model's", 2, true, None),
        ]));
        for piece in ["se", "nd"] {
            called.read(&answer(&[(piece, 3, true, Some(7))]));
        }
        // An event that repeats the name at the end.
        called.read(&answer(&[("find", 1, true, None)]));
        let offered: [Arc<str>; 3] = ["send".into(), "find".into(), "delete".into()];
        assert_eq!(called.of(&offered), [Some("find".into()), None, Some("send".into())]);
        assert_eq!(called.of(&[]), [None, None, None]);
    }

    #[test]
    fn neither_many_calls_nor_long_names_are_kept() {
        let mut called = Called::default();
        for call in 0..1000 {
            called.read(&answer(&[("find", call, true, Some(call))]));
        }
        for _ in 0..1000 {
            called.read(&answer(&[("and on and on", 0, true, Some(0))]));
        }
        assert_eq!(called.of(&[]).len(), Event::MOST_CALLED);
        assert!(called.0[0].1.len() <= LONGEST);
    }
}
