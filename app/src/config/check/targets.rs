//! Targets: an address that is safe to send keys and prompts to, models with names that can be sent, and times that can end.

use std::{collections::BTreeSet, path::Path, time::Duration};

use countersign_core::Secret;
use countersign_provider::{Dialer, ModelRoute, OldestTls, Target as ProviderTarget, Timeouts};
use toml::Spanned;

use super::{
    super::{
        Key, Target, fields,
        raw::{RawKey, RawTarget, RawTls},
    },
    Check, Place, Privacy,
};

impl Check<'_> {
    pub(super) fn targets(&mut self, raw: Vec<Spanned<RawTarget>>) -> Vec<Target> {
        self.distinct("target", raw.iter().map(|t| (t.get_ref().name.as_str(), t.span())));
        raw.into_iter().filter_map(|target| self.target(&target.span(), target.into_inner())).collect()
    }

    fn target(&mut self, at: &Place, raw: RawTarget) -> Option<Target> {
        let dialect = self.take(at, fields::dialect(&raw));
        let base = self.take(at, fields::base(&raw.url, raw.cleartext.as_deref()));
        let models = self.models(at, &raw);
        let timeouts = self.timeouts(at, &raw);
        let ca = match &raw.ca {
            Some(path) => Some(self.read(at, path)?),
            None => None,
        };
        let key = match &raw.key {
            Some(key) => Some(self.key(at, key)?),
            None => None,
        };
        let target = ProviderTarget {
            name: raw.name.into(),
            dialect: dialect?,
            base: base?,
            key: None,
            models: models?,
            timeouts: timeouts?,
            ca,
            oldest_tls: match raw.oldest_tls {
                Some(RawTls::Tls12) => OldestTls::Tls12,
                Some(RawTls::Tls13) | None => OldestTls::Tls13,
            },
            connections: raw.connections,
        };
        // The system's own authorities are looked for by whoever dials; these are the configuration's.
        if target.ca.is_some()
            && let Err(e) = Dialer::new(std::slice::from_ref(&target))
        {
            return self.wrong(at, e.to_string(), "name a PEM file of certificates");
        }
        Some(Target { target, key })
    }

    fn models(&mut self, at: &Place, raw: &RawTarget) -> Option<Vec<ModelRoute>> {
        let models: Vec<ModelRoute> = raw.models.iter().map(fields::model).collect();
        if models.is_empty() {
            return self.wrong(at, "a target that serves no model", "list the models callers may ask it for");
        }
        // What cannot stand in a JSON string as it is, or misleads who reads it in a log.
        let odd = |name: &str| name.is_empty() || name.chars().any(|c| c == '"' || c == '\\' || c.is_control());
        if models.iter().any(|m| odd(&m.name) || odd(&m.upstream)) {
            let what = "a model whose name is empty or has quotes, backslashes or control characters";
            return self.wrong(at, what, "write it as callers and the provider do");
        }
        let mut seen = BTreeSet::new();
        if let Some(twice) = models.iter().find(|m| !seen.insert(m.name.clone())) {
            return self.wrong(
                at,
                format!("the model `{}` stands twice in a target", twice.name),
                "keep one of the two",
            );
        }
        Some(models)
    }

    fn timeouts(&mut self, at: &Place, raw: &RawTarget) -> Option<Timeouts> {
        let times = [
            ("connect_seconds", raw.connect_seconds),
            ("first_byte_seconds", raw.first_byte_seconds),
            ("idle_seconds", raw.idle_seconds),
            ("total_seconds", raw.total_seconds),
        ];
        if let Some((name, _)) = times.iter().find(|(_, seconds)| !(1..=DAY).contains(seconds)) {
            return self.wrong(at, format!("`{name}` is not a time to wait"), format!("write 1 to {DAY}"));
        }
        let [connect, first_byte, idle, total] = times.map(|(_, seconds)| Duration::from_secs(seconds));
        Some(Timeouts { connect, first_byte, idle, total })
    }

    /// A provider's key. What stands where its place should be told is never repeated: it may be the key itself.
    pub(super) fn key(&mut self, at: &Place, raw: &RawKey) -> Option<Key> {
        let key = match raw {
            RawKey::Sealed(name) => return Some(Key::Sealed(name.clone())),
            RawKey::Env(name) => self.key_in_environment(at, name)?,
            RawKey::File(path) => self.key_in_file(at, path)?,
        };
        // It is sent in a header.
        if !key.expose().bytes().all(|b| b.is_ascii_graphic()) {
            let what = "the provider's key has characters that cannot be sent";
            return self.wrong(
                at,
                what,
                "keys are letters, digits and signs; is there more in its place than the key?",
            );
        }
        Some(Key::Known(key))
    }

    fn key_in_environment(&mut self, at: &Place, name: &str) -> Option<Secret<String>> {
        match std::env::var(name).map(Secret::new) {
            Ok(value) if !value.expose().trim().is_empty() => Some(Secret::new(value.expose().trim().to_owned())),
            _ => {
                let is_name = name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
                let what = if is_name {
                    format!("the environment variable `{name}` is not set")
                } else {
                    "the environment variable that `key` names is not set".to_owned()
                };
                self.wrong(at, what, "set it to the provider's key before starting")
            }
        }
    }

    fn key_in_file(&mut self, at: &Place, path: &Path) -> Option<Secret<String>> {
        let bytes = Secret::new(self.read_as(at, path, "the file that `key` names", Privacy::Secret)?);
        let first = bytes.expose().split(|b| *b == b'\n').next().unwrap_or_default();
        match std::str::from_utf8(first).map(str::trim) {
            Ok(line) if !line.is_empty() => Some(Secret::new(line.to_owned())),
            _ => self.wrong(at, "the file that `key` names holds no key", "put the provider's key on its first line"),
        }
    }
}

/// Longer than anyone waits for an answer.
const DAY: u64 = 86_400;
