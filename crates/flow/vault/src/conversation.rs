//! The stand-ins of one conversation: `[PERSON_1:k7f3qab]`.
//!
//! The number is for the model to reason with: it tells people and things apart, and is the same for two spellings of one value. The
//! tag is what counts: 34 bits of a keyed hash over type and value, so that it means nothing in another conversation, and the same
//! value in the same conversation has it again without anything being kept.

use std::fmt;

use ahash::AHashMap;
use aws_lc_rs::hmac;
use countersign_core::{Entity, Form, Mint, Secret, StandIns, stand_in::may_come_back};

use crate::{
    keys::parts,
    lasting::{self, Lasting},
};

/// Makes the stand-ins of one conversation.
pub(crate) struct Conversation {
    key: hmac::Key,
    /// By type, and a hash of the value's letters and digits.
    numbers: AHashMap<(Entity, [u8; 32]), u32>,
    /// The last number of each type.
    last: AHashMap<Entity, u32>,
    /// Makes those that are the same in every conversation.
    lasting: Lasting,
    all: StandIns,
}

impl Conversation {
    pub(crate) fn new(key: &Secret<[u8; 32]>, lasting: Lasting, all: StandIns) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, key.expose());
        Self { key, numbers: AHashMap::new(), last: AHashMap::new(), lasting, all }
    }

    fn hash(&self, what: &[&[u8]]) -> [u8; 32] {
        let mut out = [0; 32];
        out.copy_from_slice(hmac::sign(&self.key, &parts(what)).as_ref());
        out
    }

    fn of_conversation(&mut self, entity: Entity, value: &str) -> Option<String> {
        // Tags of two values are the same once in 2^34 pairs; the second one then has its next tag.
        for attempt in 0..ATTEMPTS {
            let hash = self.hash(&[b"tag", entity.as_str().as_bytes(), value.as_bytes(), &[attempt]]);
            let tag = drawn(&hash);
            if self.all.add(&tag, entity, value) {
                return Some(format!("[{}_{}:{tag}]", entity.as_str(), self.number(entity, value)));
            }
        }
        None
    }

    /// One number for all spellings of a value.
    fn number(&mut self, entity: Entity, value: &str) -> u32 {
        let same: String = value.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
        let same = if same.is_empty() { value } else { &same };
        let name = (entity, self.hash(&[b"number", same.as_bytes()]));
        let last = self.last.entry(entity).or_default();
        *self.numbers.entry(name).or_insert_with(|| {
            *last += 1;
            *last
        })
    }
}

impl Mint for Conversation {
    fn mint(&mut self, entity: Entity, form: Form, value: &str) -> Option<String> {
        if !may_come_back(entity) || value.is_empty() {
            return None;
        }
        match form {
            Form::Conversation => self.of_conversation(entity, value),
            Form::Deterministic => {
                let tag = self.lasting.tag(entity, value).ok()?;
                self.all.add(&tag, entity, value).then(|| lasting::token(entity, &tag))
            }
            Form::Format => {
                let alike = self.lasting.alike(entity, value).ok()?;
                self.all.add_alike(&alike, value).then_some(alike)
            }
        }
    }

    fn stand_ins(&self) -> &StandIns {
        &self.all
    }

    fn done(self: Box<Self>) -> StandIns {
        self.all
    }
}

impl fmt::Debug for Conversation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Conversation").field("all", &self.all).finish_non_exhaustive()
    }
}

/// The type and the tag of a stand-in of some conversation, as it stands in a text; none where it does not read as one.
#[must_use]
pub fn tag(token: &str) -> Option<(Entity, String)> {
    let (name, tag) = token.trim().trim_start_matches('[').trim_end_matches(']').split_once(':')?;
    let (entity, number) = name.rsplit_once('_')?;
    let plain = |text: &str, fits: fn(&u8) -> bool| !text.is_empty() && text.as_bytes().iter().all(fits);
    (plain(number, u8::is_ascii_digit) && plain(tag, u8::is_ascii_alphanumeric)).then_some(())?;
    Some((Entity::parse(&entity.to_ascii_uppercase())?, tag.to_ascii_lowercase()))
}

/// Seven characters, the first a letter, so that no tag reads as a number.
fn drawn(hash: &[u8; 32]) -> String {
    let mut bits = hash.iter().take(8).fold(0_u64, |all, byte| all << 8 | u64::from(*byte));
    let mut out = String::with_capacity(TAG);
    for place in 0..TAG {
        let of = if place == 0 { LETTERS } else { ALPHABET.len() as u64 };
        out.extend(ALPHABET.get((bits % of) as usize).map(|c| char::from(*c)));
        bits /= of;
    }
    out
}

/// Characters of a tag.
const TAG: usize = 7;
/// Lower-case letters and digits, without those that are read for one another: l and 1, o and 0.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
/// How many of them are letters.
const LETTERS: u64 = 24;
/// Tags that are tried for a value.
const ATTEMPTS: u8 = 8;
