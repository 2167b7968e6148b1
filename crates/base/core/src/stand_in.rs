//! Stand-ins: what a model is shown in place of a sensitive value, and what the caller gets back for them.
//!
//! The vault makes them, the guard puts them into the prompt, carries the values to the answer, and puts those back there
//! (docs/adr/0027-stand-ins.md). All values of a request stand in the request itself, so nothing of this outlives it.

use std::{collections::HashMap, fmt};

use crate::{ConversationName, Document, Entity, Principal, Refusal, Secret};

/// What kind of stand-in is made.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Form {
    /// Of one conversation: short, and the same value has another in the next conversation.
    #[default]
    Conversation,
    /// The same wherever the tenant uses the value; the key alone leads back.
    Deterministic,
    /// Digits in place of digits, the same wherever the tenant uses the value.
    Format,
}

impl Form {
    /// Every form.
    pub const ALL: [Self; 3] = [Self::Conversation, Self::Deterministic, Self::Format];

    /// The name used in configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Conversation => "conversation",
            Self::Deterministic => "deterministic",
            Self::Format => "format",
        }
    }
}

/// Whether a value of this type may come back. A credential and a card's verification code never do, so that they are masked wherever
/// a stand-in is asked for.
#[must_use]
pub const fn may_come_back(entity: Entity) -> bool {
    !matches!(entity, Entity::Secret | Entity::Password | Entity::CardCvv)
}

/// Makes the stand-ins of one conversation. The guard asks it while it screens a prompt.
pub trait Mint: Send {
    /// What stands in for `value`; none where nothing of this form can, and then it is masked.
    fn mint(&mut self, entity: Entity, form: Form, value: &str) -> Option<String>;

    /// Everything that was made.
    fn stand_ins(&self) -> &StandIns;

    /// Everything that was made, to be kept until the answer is over.
    fn done(self: Box<Self>) -> StandIns;
}

/// Whether other digits can stand in for the digits of such a value.
#[must_use]
pub const fn has_digits(entity: Entity) -> bool {
    matches!(entity, Entity::CreditCard | Entity::Phone | Entity::BankAccount)
}

/// Knows the conversations of callers. The guard asks it once for each prompt.
pub trait Vault: Send + Sync {
    /// The conversation that a request belongs to: the one that its caller `named`, or the one that begins as this one does. Either
    /// way it is one of this caller's, in this tenant.
    ///
    /// # Errors
    /// When there is no key for it.
    fn conversation(
        &self,
        principal: &Principal,
        document: &Document,
        named: Option<&ConversationName>,
    ) -> Result<Box<dyn Mint>, Refusal>;
}

/// The stand-ins of one request and the values they stand for.
#[derive(Default)]
pub struct StandIns {
    /// By their tags, in lower case.
    tagged: HashMap<Box<str>, Value>,
    /// Those that look like the value: by their whole text.
    alike: Vec<(Box<str>, Secret<String>)>,
    /// The caller may see values that come back in the answer.
    shown: bool,
    /// What they stand for is kept, sealed, for those who may have it revealed.
    kept: bool,
}

/// A value and its type.
struct Value {
    entity: Entity,
    text: Secret<String>,
}

impl StandIns {
    /// None yet. `shown` says whether the caller gets values back for them.
    #[must_use]
    pub fn new(shown: bool) -> Self {
        Self { shown, ..Self::default() }
    }

    /// The same, of which it is to be kept what they stand for.
    #[must_use]
    pub const fn keeping(mut self) -> Self {
        self.kept = true;
        self
    }

    /// Takes in one that is recognised by its `tag`; false where the tag stands for another value already.
    pub fn add(&mut self, tag: &str, entity: Entity, value: &str) -> bool {
        if let Some(known) = self.tagged.get(tag) {
            return known.entity == entity && known.text.expose() == value;
        }
        self.tagged.insert(tag.into(), Value { entity, text: Secret::new(value.into()) });
        true
    }

    /// Takes in one that looks like a value; false where it stands for another value already, or there are many.
    pub fn add_alike(&mut self, text: &str, value: &str) -> bool {
        match self.alike.iter().find(|(known, _)| **known == *text) {
            Some((_, known)) => known.expose() == value,
            None if self.alike.len() >= MOST_ALIKE => false,
            None => {
                self.alike.push((text.into(), Secret::new(value.into())));
                true
            }
        }
    }

    /// The type and the value that a tag in lower case stands for.
    #[must_use]
    pub fn tagged(&self, tag: &str) -> Option<(Entity, &str)> {
        self.tagged.get(tag).map(|value| (value.entity, value.text.expose().as_str()))
    }

    /// Those that are to be kept, by their tags, with types and values.
    pub fn kept(&self) -> impl Iterator<Item = (&str, Entity, &str)> {
        let all = self
            .kept
            .then(|| self.tagged.iter().map(|(tag, value)| (&**tag, value.entity, value.text.expose().as_str())));
        all.into_iter().flatten()
    }

    /// Those that look like a value, with the values.
    pub fn alike(&self) -> impl Iterator<Item = (&str, &str)> {
        self.alike.iter().map(|(text, value)| (&**text, value.expose().as_str()))
    }

    /// Their tags.
    pub fn tags(&self) -> impl Iterator<Item = &str> {
        self.tagged.keys().map(|tag| &**tag)
    }

    /// Every value that something stands in for.
    pub fn values(&self) -> impl Iterator<Item = &str> {
        let tagged = self.tagged.values().map(|value| value.text.expose().as_str());
        tagged.chain(self.alike.iter().map(|(_, value)| value.expose().as_str()))
    }

    /// The types of which there are some.
    #[must_use]
    pub fn entities(&self) -> Vec<Entity> {
        let mut all: Vec<Entity> = self.tagged.values().map(|value| value.entity).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tagged.is_empty() && self.alike.is_empty()
    }

    /// Whether the caller gets values back.
    #[must_use]
    pub const fn shown(&self) -> bool {
        self.shown
    }
}

impl fmt::Debug for StandIns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StandIns").field("count", &(self.tagged.len() + self.alike.len())).finish_non_exhaustive()
    }
}

/// Each of them is looked for at every number of an answer.
const MOST_ALIKE: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_stands_for_one_value_and_shows_none() {
        let mut all = StandIns::new(true);
        assert!(all.add("k7f3qab", Entity::Person, "Ann Smith") && all.add("k7f3qab", Entity::Person, "Ann Smith"));
        assert!(!all.add("k7f3qab", Entity::Person, "Bo Jones"));
        assert!(!all.add("k7f3qab", Entity::Location, "Ann Smith"));
        assert!(all.add_alike("55512345", "55598765") && !all.add_alike("55512345", "1"));
        let many = (0..1000).filter(|n| all.add_alike(&format!("{n:08}"), "1")).count();
        assert_eq!(many + 1, MOST_ALIKE);
        assert_eq!(all.tagged("k7f3qab"), Some((Entity::Person, "Ann Smith")));
        assert_eq!(all.entities(), [Entity::Person]);
        assert_eq!(all.kept().count(), 0, "unless that is asked for");
        let mut kept = StandIns::new(true).keeping();
        assert!(kept.add("k7f3qab", Entity::Person, "Ann Smith"));
        assert_eq!(kept.kept().collect::<Vec<_>>(), [("k7f3qab", Entity::Person, "Ann Smith")]);
        assert_eq!(all.values().count(), 1 + MOST_ALIKE);
        assert!(!format!("{all:?}").contains("Ann"));
    }

    #[test]
    fn credentials_and_codes_never_come_back() {
        let kept: Vec<_> = Entity::ALL.into_iter().filter(|entity| !may_come_back(*entity)).collect();
        assert_eq!(kept, [Entity::CardCvv, Entity::Password, Entity::Secret]);
    }
}
