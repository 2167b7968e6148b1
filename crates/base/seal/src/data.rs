//! Data keys: one for each tenant, person and conversation, that can be destroyed by itself.
//!
//! None of them is made before it is used or written down: they follow from the seeds of a [`crate::tree`], whose ways are
//! `tenant (48 bits) | person (48) | conversation (48)`. The bits are a keyed hash of the name, so no caller can choose a name
//! that falls on somebody else's. What is kept is a handful of seeds, sealed by the [`KeyRing`]; to forget somebody changes
//! which (about fifty rows for each). Whoever is forgotten and comes back has another key.
//!
//! An envelope is `version (1 byte, 2) | key (8) | salt (16) | nonce (12) | ciphertext | tag (16)`; `key` says which key it was,
//! so that what was forgotten is not mistaken for damage.

use std::{
    collections::HashMap,
    fmt,
    str::FromStr,
    sync::{Arc, Mutex, PoisonError},
};

use aws_lc_rs::{
    digest::{SHA256, digest},
    hmac,
};
use countersign_core::Secret;
use data_encoding::HEXLOWER;

use crate::{
    KeyRing, SealError,
    derive::{self, KEY},
    gcm::{self, ENVELOPES_PER_KEY, Rest, SealingKey},
    hash::{hmac_key, hmac_sha256},
    random,
    tree::{self, Node, PATH, Place, Tree},
};

/// Whose data it is.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Scope<'a> {
    /// The tenant.
    pub tenant: &'a str,
    /// The person, service or agent; empty for what is the tenant's as a whole.
    pub subject: &'a str,
    /// The conversation; none for what belongs to none.
    pub conversation: Option<ConversationId>,
}

/// Which conversation it is, without saying what it is called: 48 bits of a keyed hash of its name. It may stand in records.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct ConversationId([u8; PATH / 3]);

impl fmt::Display for ConversationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl FromStr for ConversationId {
    type Err = SealError;

    fn from_str(text: &str) -> Result<Self, SealError> {
        let id = HEXLOWER.decode(text.as_bytes()).ok().and_then(|id| id.try_into().ok());
        id.map(Self).ok_or(SealError::NotAnId)
    }
}

impl Scope<'_> {
    /// How far it reaches when it is forgotten: with no conversation all of the person, with no person all of the tenant.
    const fn depth(&self) -> u8 {
        match (self.subject.is_empty(), &self.conversation) {
            (true, _) => LEVEL,
            (false, None) => 2 * LEVEL,
            (false, Some(_)) => 3 * LEVEL,
        }
    }

    /// What its key is remembered by: a hash, so that long names take no more room.
    fn name(&self) -> Name {
        let conversation = self.conversation.as_ref().map_or(&[][..], |id| &id.0);
        // What is left after these two is the conversation.
        let lengths = [self.tenant.len(), self.subject.len()].map(usize::to_ne_bytes);
        let all = [lengths.as_flattened(), self.tenant.as_bytes(), self.subject.as_bytes(), conversation].concat();
        let mut name = Name::default();
        name.iter_mut().zip(digest(&SHA256, &all).as_ref()).for_each(|(to, from)| *to = *from);
        name
    }
}

/// A seed as it is kept: where it belongs, and the seed, sealed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DataKeyRow {
    /// Where it belongs.
    pub place: String,
    /// The seed, sealed by the key ring.
    pub sealed: Vec<u8>,
}

/// What is to be written so that somebody is forgotten: all of it, or nothing.
#[derive(Debug)]
pub struct Forgetting {
    /// Places of rows that are to be destroyed.
    pub gone: Vec<String>,
    /// Rows that come in their stead.
    pub come: Vec<DataKeyRow>,
}

/// The data keys of a deployment.
pub struct DataKeys {
    held: Mutex<Held>,
}

struct Held {
    seeds: Arc<Seeds>,
    /// Keys in use, by [`Scope::name`]: the way to a leaf costs three HMACs. Whatever is in here follows from `seeds`.
    keys: HashMap<Name, Arc<DataKey>>,
}

struct Seeds {
    names: hmac::Key,
    tree: Tree,
}

type Leaf = [u8; PATH];
type Name = [u8; 32];

impl DataKeys {
    /// The rows that a deployment begins with.
    ///
    /// # Errors
    /// [`SealError::NoRandomness`].
    pub fn begin(ring: &KeyRing) -> Result<Vec<DataKeyRow>, SealError> {
        let (names, root) = (Secret::new(random::bytes()?), Secret::new(random::bytes()?));
        Ok(vec![row(ring, NAMES.to_owned(), &names)?, row(ring, Place::ROOT.name(), &root)?])
    }

    /// The keys that follow from these rows.
    ///
    /// # Errors
    /// As [`DataKeys::load`].
    pub fn open(ring: &KeyRing, rows: &[DataKeyRow]) -> Result<Self, SealError> {
        let seeds = Arc::new(Seeds::open(ring, rows)?);
        Ok(Self { held: Mutex::new(Held { seeds, keys: HashMap::new() }) })
    }

    /// Keys that are gone with the process.
    ///
    /// # Errors
    /// [`SealError::NoRandomness`].
    pub fn passing(ring: &KeyRing) -> Result<Self, SealError> {
        Self::open(ring, &Self::begin(ring)?)
    }

    /// Puts other rows in place of those that were there. Keys in use are dropped; whoever holds one may end what was begun with it.
    ///
    /// # Errors
    /// What [`KeyRing::open`] says of a row; [`SealError::Damaged`] when they are not whole. Nothing has changed then.
    pub fn load(&self, ring: &KeyRing, rows: &[DataKeyRow]) -> Result<(), SealError> {
        let seeds = Arc::new(Seeds::open(ring, rows)?);
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        *held = Held { seeds, keys: HashMap::new() };
        Ok(())
    }

    /// Which conversation the one of that name is.
    pub fn conversation(&self, name: &[u8]) -> ConversationId {
        let seeds = self.held.lock().unwrap_or_else(PoisonError::into_inner).seeds.clone();
        ConversationId(seeds.bits(CONVERSATION, name))
    }

    /// The key of `scope`. Takes 144 HMACs the first time and next to nothing while it is remembered; asks nobody.
    ///
    /// # Errors
    /// [`SealError::Refused`] when the library does.
    pub fn key(&self, scope: &Scope<'_>) -> Result<Arc<DataKey>, SealError> {
        let name = scope.name();
        let seeds = {
            let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(key) = held.keys.get(&name) {
                return Ok(key.clone());
            }
            held.seeds.clone()
        };
        // Without the lock: others go on meanwhile.
        let seed = seeds.tree.leaf(&seeds.leaf(scope)).ok_or(SealError::Damaged)?;
        let key = Arc::new(DataKey::new(seed)?);
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        // Somebody may have been forgotten in between: then it is good for this once, and not remembered.
        if Arc::ptr_eq(&held.seeds, &seeds) {
            if held.keys.len() >= REMEMBERED {
                held.keys.clear();
            }
            return Ok(held.keys.entry(name).or_insert(key).clone());
        }
        Ok(key)
    }

    /// What is to be written so that `scope`, and whatever it reaches, is forgotten. Nothing is until the rows are written, and
    /// loaded everywhere.
    ///
    /// # Errors
    /// [`SealError::NoRandomness`].
    pub fn forget(&self, ring: &KeyRing, scope: &Scope<'_>) -> Result<Forgetting, SealError> {
        let seeds = self.held.lock().unwrap_or_else(PoisonError::into_inner).seeds.clone();
        let place = Place::of(&seeds.leaf(scope), scope.depth());
        let tree::Change { gone, come } = seeds.tree.forget(place)?;
        Ok(Forgetting {
            gone: gone.iter().map(Place::name).collect(),
            come: come.iter().map(|node| row(ring, node.place.name(), &node.seed)).collect::<Result<_, _>>()?,
        })
    }

    /// The row sealed under the newest root version; none when it is already.
    ///
    /// # Errors
    /// What [`KeyRing::open`] says of it.
    pub fn rewrap(ring: &KeyRing, old: &DataKeyRow) -> Result<Option<DataKeyRow>, SealError> {
        if KeyRing::version_of(&old.sealed)? == ring.versions() {
            return Ok(None);
        }
        row(ring, old.place.clone(), &unseal(ring, old)?).map(Some)
    }

    /// How many seeds are kept. It grows with what was forgotten.
    pub fn seeds(&self) -> usize {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).seeds.tree.len()
    }
}

impl fmt::Debug for DataKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DataKeys").finish_non_exhaustive()
    }
}

impl Seeds {
    fn open(ring: &KeyRing, rows: &[DataKeyRow]) -> Result<Self, SealError> {
        let (mut names, mut nodes) = (None, Vec::new());
        for row in rows {
            let seed = unseal(ring, row)?;
            if row.place == NAMES {
                names = Some(hmac_key(seed.expose()));
            } else {
                nodes.push(Node { place: Place::read(&row.place).ok_or(SealError::Damaged)?, seed });
            }
        }
        Ok(Self { names: names.ok_or(SealError::Damaged)?, tree: Tree::new(nodes)? })
    }

    /// The way to a scope.
    fn leaf(&self, scope: &Scope<'_>) -> Leaf {
        let conversation = scope.conversation.map_or_else(|| self.bits(CONVERSATION, b""), |id| id.0);
        let parts =
            [self.bits(TENANT, scope.tenant.as_bytes()), self.bits(PERSON, scope.subject.as_bytes()), conversation];
        let mut leaf = [0; PATH];
        leaf.iter_mut().zip(parts.as_flattened()).for_each(|(to, from)| *to = *from);
        leaf
    }

    /// What the way to a name is at its level.
    fn bits(&self, level: u8, name: &[u8]) -> [u8; PATH / 3] {
        let hash = hmac_sha256(&self.names, &[&[level], name].concat());
        let mut bits = [0; PATH / 3];
        bits.iter_mut().zip(hash).for_each(|(to, from)| *to = from);
        bits
    }
}

/// The key of one scope.
pub struct DataKey {
    seed: Secret<[u8; KEY]>,
    id: [u8; ID],
    /// The keys that seal, by purpose, of which there are few.
    sealing: Mutex<Vec<(&'static str, Arc<SealingKey>)>>,
}

impl DataKey {
    fn new(seed: Secret<[u8; KEY]>) -> Result<Self, SealError> {
        let id = derive::key(seed.expose(), &[], &["data-key-id"])?;
        let id = id.expose().first_chunk().copied().ok_or(SealError::Refused)?;
        Ok(Self { seed, id, sealing: Mutex::default() })
    }

    /// Names the key. It says nothing about it.
    #[must_use]
    pub const fn id(&self) -> [u8; ID] {
        self.id
    }

    /// A key for something else than sealing: always the same for one purpose.
    ///
    /// # Errors
    /// [`SealError::Refused`] when the library does.
    pub fn derive(&self, purpose: &'static str) -> Result<Secret<[u8; KEY]>, SealError> {
        derive::key(self.seed.expose(), &[], &["data-key", purpose])
    }

    /// Seals `plain`, whose parts follow one another, so that only the key of the same scope opens it, with the same purpose and
    /// `aad`.
    ///
    /// # Errors
    /// [`SealError::NoRandomness`].
    pub fn seal(&self, purpose: &'static str, aad: &[u8], plain: &[&[u8]]) -> Result<Vec<u8>, SealError> {
        let (key, count) = self.sealing_key(purpose)?;
        let mut head = [FORMAT; 1 + ID];
        head[1..].copy_from_slice(&self.id);
        key.seal(&head, count, aad, plain)
    }

    /// Opens an envelope.
    ///
    /// # Errors
    /// [`SealError::NotAnEnvelope`]; [`SealError::Forgotten`] when it was sealed under another key; [`SealError::Damaged`] when
    /// anything at all differs from how it was sealed.
    pub fn open(&self, purpose: &'static str, aad: &[u8], envelope: &[u8]) -> Result<Vec<u8>, SealError> {
        let Some((&[FORMAT, ref id @ ..], rest)) = envelope.split_first_chunk::<{ 1 + ID }>() else {
            return Err(SealError::NotAnEnvelope);
        };
        let Rest { salt, nonce, sealed } = Rest::parse(rest)?;
        if *id != self.id {
            return Err(SealError::Forgotten);
        }
        let key = gcm::key(derive::key(self.seed.expose(), salt, &["aes-256-gcm", purpose])?.expose())?;
        gcm::open(&key, *nonce, aad, sealed)
    }

    fn sealing_key(&self, purpose: &'static str) -> Result<(Arc<SealingKey>, u32), SealError> {
        let mut sealing = self.sealing.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, key)) = sealing.iter().find(|(p, _)| *p == purpose)
            && let Some(count) = key.take(ENVELOPES_PER_KEY)
        {
            return Ok((key.clone(), count));
        }
        let salt = random::bytes()?;
        let key = gcm::key(derive::key(self.seed.expose(), &salt, &["aes-256-gcm", purpose])?.expose())?;
        let key = Arc::new(SealingKey::new(salt, key));
        let count = key.take(ENVELOPES_PER_KEY).ok_or(SealError::Refused)?;
        sealing.retain(|(p, _)| *p != purpose);
        sealing.push((purpose, key.clone()));
        Ok((key, count))
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DataKey").field("id", &self.id).finish_non_exhaustive()
    }
}

fn row(ring: &KeyRing, place: String, seed: &Secret<[u8; KEY]>) -> Result<DataKeyRow, SealError> {
    let sealed = ring.seal("", PURPOSE, place.as_bytes(), &[seed.expose()])?;
    Ok(DataKeyRow { place, sealed })
}

fn unseal(ring: &KeyRing, row: &DataKeyRow) -> Result<Secret<[u8; KEY]>, SealError> {
    let seed = Secret::new(ring.open("", PURPOSE, row.place.as_bytes(), &row.sealed)?);
    seed.expose().as_slice().try_into().map(Secret::new).map_err(|_| SealError::Damaged)
}

/// What seeds are sealed for.
const PURPOSE: &str = "data-keys";
/// The row of the key that names are hashed with. It is not a place.
const NAMES: &str = "names";
const FORMAT: u8 = 2;
/// Bytes that name a key.
const ID: usize = 8;
/// The levels of the tree.
const TENANT: u8 = 0;
const PERSON: u8 = 1;
const CONVERSATION: u8 = 2;
/// Bits for each of tenant, person and conversation.
#[expect(clippy::cast_possible_truncation, reason = "it is 48")]
const LEVEL: u8 = (PATH * 8 / 3) as u8;
/// Keys in use that are remembered.
const REMEMBERED: usize = 16_384;

#[cfg(test)]
mod tests;
