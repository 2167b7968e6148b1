//! The book of sealed secrets: provider keys and the like, each in its own envelope under its name.

use std::{collections::BTreeMap, fmt};

use countersign_core::Secret;
use data_encoding::BASE64URL_NOPAD;
use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, Visitor},
};

use crate::{KeyRing, SealError};

/// Secrets by name, sealed. As bytes, a JSON object of name and base64url envelope.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct SecretBook {
    entries: BTreeMap<String, Vec<u8>>,
}

/// Why a book cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum BookError {
    /// The bytes are not a book. Says where, and shows nothing of what stands there.
    #[error("not a book of sealed secrets (line {line}, column {column})")]
    NotABook {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
    /// The bytes are more than a mebibyte.
    #[error("the book of sealed secrets is larger than 1 MiB")]
    TooLarge,
    /// A name is empty, longer than 64 bytes, or holds something besides letters, digits, `.`, `_` and `-`.
    #[error("a secret's name is 1 to 64 letters, digits, `.`, `_` or `-`")]
    Name,
    /// The book has no secret of that name.
    #[error("no secret of that name is sealed")]
    Unknown,
    /// The envelope does not open.
    #[error(transparent)]
    Seal(#[from] SealError),
}

impl SecretBook {
    /// Reads a book. A name that appears twice is refused: two readers could take different ones.
    ///
    /// # Errors
    /// [`BookError::NotABook`], [`BookError::TooLarge`].
    pub fn parse(bytes: &[u8]) -> Result<Self, BookError> {
        if bytes.len() > MAX_BYTES {
            return Err(BookError::TooLarge);
        }
        let entries: Entries =
            serde_json::from_slice(bytes).map_err(|e| BookError::NotABook { line: e.line(), column: e.column() })?;
        Ok(Self { entries: entries.0 })
    }

    /// The book as bytes, to be kept in a file.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let text: BTreeMap<&str, String> =
            self.entries.iter().map(|(name, e)| (name.as_str(), BASE64URL_NOPAD.encode(e))).collect();
        // A map of strings to strings always serialises.
        let mut bytes = serde_json::to_vec_pretty(&text).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }

    /// Seals `secret` under `name`, in place of what was there.
    ///
    /// # Errors
    /// [`BookError::Name`], [`BookError::Seal`].
    pub fn put(&mut self, ring: &KeyRing, name: &str, secret: &Secret<String>) -> Result<(), BookError> {
        if !is_name(name) {
            return Err(BookError::Name);
        }
        let envelope = ring.seal(TENANT, PURPOSE, name.as_bytes(), &[secret.expose().as_bytes()])?;
        self.entries.insert(name.to_owned(), envelope);
        Ok(())
    }

    /// Opens the secret called `name`.
    ///
    /// # Errors
    /// [`BookError::Unknown`], or [`BookError::Seal`] when it is damaged, stands under another name than it was sealed
    /// under, or is another ring's.
    pub fn get(&self, ring: &KeyRing, name: &str) -> Result<Secret<String>, BookError> {
        let envelope = self.entries.get(name).ok_or(BookError::Unknown)?;
        let plain = Secret::new(ring.open(TENANT, PURPOSE, name.as_bytes(), envelope)?);
        match std::str::from_utf8(plain.expose()) {
            Ok(text) => Ok(Secret::new(text.to_owned())),
            Err(_) => Err(SealError::Damaged.into()),
        }
    }

    /// Seals again, under the newest root version, what older ones sealed; how many there were.
    ///
    /// # Errors
    /// As [`SecretBook::get`].
    pub fn reseal(&mut self, ring: &KeyRing) -> Result<usize, BookError> {
        let mut old = Vec::new();
        for (name, envelope) in &self.entries {
            if KeyRing::version_of(envelope)? != ring.versions() {
                old.push(name.clone());
            }
        }
        for name in &old {
            let secret = self.get(ring, name)?;
            self.put(ring, name, &secret)?;
        }
        Ok(old.len())
    }

    /// The root version that sealed each secret, in the order of their names.
    ///
    /// # Errors
    /// [`SealError::NotAnEnvelope`].
    pub fn versions(&self) -> Result<Vec<u8>, SealError> {
        self.entries.values().map(|envelope| KeyRing::version_of(envelope)).collect()
    }

    /// Takes the secret called `name` out; whether there was one.
    pub fn remove(&mut self, name: &str) -> bool {
        self.entries.remove(name).is_some()
    }

    /// The names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }
}

struct Entries(BTreeMap<String, Vec<u8>>);

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EntriesVisitor;
        impl<'de> Visitor<'de> for EntriesVisitor {
            type Value = Entries;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of names and envelopes")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries, A::Error> {
                let mut entries = BTreeMap::new();
                while let Some((name, text)) = map.next_entry::<String, String>()? {
                    if !is_name(&name) {
                        return Err(A::Error::custom("not a name"));
                    }
                    let envelope =
                        BASE64URL_NOPAD.decode(text.as_bytes()).map_err(|_| A::Error::custom("not base64url"))?;
                    if entries.insert(name, envelope).is_some() {
                        return Err(A::Error::custom("a name appears twice"));
                    }
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(EntriesVisitor)
    }
}

fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
}

const TENANT: &str = "";
const PURPOSE: &str = "secret-book";
const MAX_BYTES: usize = 1 << 20;

#[cfg(test)]
mod tests;
