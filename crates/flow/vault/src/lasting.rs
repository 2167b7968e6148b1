//! Stand-ins that are the same wherever a tenant uses a value, so that systems can be joined on them: `[EMAIL_v1:...]`, whose tag is the
//! value itself under AES-SIV, and numbers in place of numbers under FF1.
//!
//! Who holds the tenant's key can lead each back to its value, with nothing kept. Without it they say whether two values are the same,
//! and how long they are. So they are for what must be joined; a conversation's own say less.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use countersign_core::{
    Entity, Secret,
    stand_in::{has_digits, may_come_back},
};
use data_encoding::{BASE32_NOPAD, Encoding};

use crate::{
    Keys, Unusable,
    ff1::{Ff1, Way},
    keys::parts,
    siv::Siv,
};

/// Makes those of one tenant.
pub(crate) struct Lasting {
    keys: Arc<dyn Keys>,
    tenant: Arc<str>,
}

impl Lasting {
    pub(crate) fn new(keys: Arc<dyn Keys>, tenant: Arc<str>) -> Self {
        Self { keys, tenant }
    }

    /// The tag that holds the value.
    pub(crate) fn tag(&self, entity: Entity, value: &str) -> Result<String, Unusable> {
        if value.len() > MOST_VALUE {
            return Err(Unusable);
        }
        let sealed = self.siv()?.seal(&self.data(entity), value.as_bytes())?;
        Ok(BASE32.encode(&sealed).to_ascii_lowercase())
    }

    /// The text with other digits.
    pub(crate) fn alike(&self, entity: Entity, value: &str) -> Result<String, Unusable> {
        let alike = self.other_digits(entity, value, Way::There)?;
        // One number in as many as there are stands for itself.
        if alike == value { Err(Unusable) } else { Ok(alike) }
    }

    /// The value behind a text with other digits.
    pub(crate) fn reveal_number(&self, entity: Entity, alike: &str) -> Option<Secret<String>> {
        self.other_digits(entity, alike, Way::Back).ok().map(Secret::new)
    }

    fn other_digits(&self, entity: Entity, text: &str, way: Way) -> Result<String, Unusable> {
        // Other letters or signs would leave as they are.
        let plain = |c: char| c.is_ascii_digit() || matches!(c, ' ' | '-' | '.' | '/' | '(' | ')' | '+');
        if !has_digits(entity) || !text.chars().all(plain) {
            return Err(Unusable);
        }
        let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_digit).map(|b| b - b'0').collect();
        let key = self.keys.tenant_key(&self.tenant, NUMBERS)?;
        let tweak = digest(&SHA256, &parts(&self.data(entity)));
        let mut others = Ff1::new(key.expose())?.run(tweak.as_ref(), &digits, way)?.into_iter();
        let mut other = |c: char| others.next().map_or(c, |d| char::from(b'0' + d));
        Ok(text.chars().map(|c| if c.is_ascii_digit() { other(c) } else { c }).collect())
    }

    /// The type and the value behind one.
    pub(crate) fn reveal(&self, token: &str) -> Option<(Entity, Secret<String>)> {
        let token = token.trim().trim_start_matches('[').trim_end_matches(']');
        let (name, tag) = token.split_once(':')?;
        let entity = Entity::parse(&name.strip_suffix(VERSION)?.strip_suffix("_v")?.to_ascii_uppercase())?;
        let sealed = BASE32.decode(tag.to_ascii_uppercase().as_bytes()).ok()?;
        let value = self.siv().ok()?.open(&self.data(entity), &sealed).ok()?;
        may_come_back(entity).then_some((entity, Secret::new(String::from_utf8(value).ok()?)))
    }

    /// What is bound to each: nobody can take one for another tenant's or type's.
    fn data(&self, entity: Entity) -> [&[u8]; 3] {
        [self.tenant.as_bytes(), entity.as_str().as_bytes(), VERSION.as_bytes()]
    }

    fn siv(&self) -> Result<Siv, Unusable> {
        let [mac, cipher] = [MAC, CIPHER].map(|purpose| self.keys.tenant_key(&self.tenant, purpose));
        let key = Secret::new([*mac?.expose(), *cipher?.expose()].concat());
        Siv::new(key.expose())
    }
}

/// What stands in a text.
pub(crate) fn token(entity: Entity, tag: &str) -> String {
    format!("[{}_v{VERSION}:{tag}]", entity.as_str())
}

const BASE32: Encoding = BASE32_NOPAD;
/// Of the way they are made. Another one would stand beside this one.
const VERSION: &str = "1";
/// Bytes of a value that a stand-in can hold.
const MOST_VALUE: usize = 128;
const MAC: &str = "lasting stand-ins: mac";
const CIPHER: &str = "lasting stand-ins: cipher";
const NUMBERS: &str = "lasting stand-ins: numbers";
