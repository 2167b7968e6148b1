//! The key of an index: without it nobody can tell which texts are in there, nor make one that is believed.

use std::fmt;

use aws_lc_rs::hmac;
use countersign_core::Secret;
use siphasher::sip::SipHasher24;

/// What an index is made and read with.
#[derive(Clone)]
pub struct Key {
    id: [u8; ID],
    groups: SipHasher24,
    checks: SipHasher24,
    closing: hmac::Key,
}

impl Key {
    /// The key that descends from `secret`.
    #[must_use]
    pub fn new(secret: &Secret<[u8; 32]>) -> Self {
        let root = hmac::Key::new(hmac::HMAC_SHA256, secret.expose());
        let part = |label: &str| {
            let mut out = [0; 32];
            out.copy_from_slice(hmac::sign(&root, label.as_bytes()).as_ref());
            out
        };
        let short = |label| {
            let mut sixteen = [0; 16];
            sixteen.copy_from_slice(part(label).first_chunk::<16>().unwrap_or(&[0; 16]));
            SipHasher24::new_with_key(&sixteen)
        };
        let mut id = [0; ID];
        id.copy_from_slice(part("id").first_chunk::<ID>().unwrap_or(&[0; ID]));
        Self {
            id,
            groups: short("groups"),
            checks: short("checks"),
            closing: hmac::Key::new(hmac::HMAC_SHA256, &part("closing")),
        }
    }

    /// What tells this key from others and says nothing about it.
    pub(crate) const fn id(&self) -> &[u8; ID] {
        &self.id
    }

    /// The hash that stands for a group of words.
    #[inline]
    pub(crate) fn print(&self, group: u64) -> u64 {
        self.groups.hash(&group.to_le_bytes())
    }

    /// The byte that stands for a word at its place. Another at each place, so that bytes of an index repeat nowhere and tell nothing.
    #[inline]
    pub(crate) fn check(&self, unit: u32, place: u32, word: u64) -> u8 {
        let place = u64::from(unit) << 32 | u64::from(place);
        let mut sixteen = [0; 16];
        for (to, from) in sixteen.iter_mut().zip(place.to_le_bytes().into_iter().chain(word.to_le_bytes())) {
            *to = from;
        }
        self.checks.hash(&sixteen) as u8
    }

    /// What authenticates all that an index holds.
    pub(crate) fn closing(&self) -> hmac::Context {
        hmac::Context::with_key(&self.closing)
    }

    /// `body` closed as an index is: with the key's name and a code over everything.
    #[must_use]
    pub fn close(&self, body: &[u8]) -> Vec<u8> {
        let mut closing = self.closing();
        closing.update(body);
        closing.update(&self.id);
        [body, &self.id, closing.sign().as_ref()].concat()
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key")
    }
}

pub(crate) const ID: usize = 16;
