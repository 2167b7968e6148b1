//! What protects the root keys. It is needed before anything can be unsealed, so nothing of it can be sealed.

use toml::Spanned;

use super::{
    super::{
        KekAt, Keks, Key, ServiceAt,
        raw::{RawKek, RawKey, RawKeys},
    },
    Check, Place,
};
use crate::fetch;
use countersign_core::Secret;

impl Check<'_> {
    /// None where something is wrong.
    pub(super) fn keys(&mut self, raw: Option<&Spanned<RawKeys>>) -> Option<Option<Keks>> {
        let Some(raw) = raw else { return Some(None) };
        let (at, raw) = (raw.span(), raw.get_ref());
        let now = self.kek(&at, &raw.kek);
        let previous = match &raw.previous {
            Some(previous) => Some(self.kek(&at, previous)?),
            None => None,
        };
        Some(Some(Keks { now: now?, previous }))
    }

    fn kek(&mut self, at: &Place, raw: &RawKek) -> Option<KekAt> {
        Some(match raw {
            RawKek::File(path) => KekAt::File(self.base.join(path)),
            RawKek::AwsKms(aws) => {
                let usual = format!("https://kms.{}.amazonaws.com", aws.region);
                let place = self.service(at, "endpoint", aws.endpoint.as_deref().unwrap_or(&usual))?;
                let (ca, key_id, region) = (aws.ca.as_deref(), aws.key_id.clone(), aws.region.clone());
                let ca = self.authorities(at, ca)?;
                KekAt::Aws { at: ServiceAt { place, ca }, key_id, region }
            }
            RawKek::VaultTransit(vault) => {
                let place = self.service(at, "address", &vault.address)?;
                let ca = self.authorities(at, vault.ca.as_deref())?;
                let plain = |name: &str| name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_./".contains(&b));
                if vault.key.is_empty() || !plain(&vault.key) || !plain(&vault.mount) {
                    return self.wrong(at, "`key` or `mount` is not a name", "write letters, digits, `-`, `_`, `.`");
                }
                let token = self.unsealed(at, &vault.token)?;
                KekAt::Transit {
                    at: ServiceAt { place, ca },
                    mount: vault.mount.clone(),
                    key: vault.key.clone(),
                    token,
                }
            }
            RawKek::Pkcs11(module) => KekAt::Pkcs11 {
                module: self.base.join(&module.module),
                token: module.token.clone(),
                key: module.key.clone(),
                pin: self.unsealed(at, &module.pin)?,
            },
        })
    }

    pub(super) fn service(&mut self, at: &Place, field: &str, url: &str) -> Option<fetch::Place> {
        match url.parse::<fetch::Place>() {
            Ok(place) if place.is_safe(true) && place.is_top() => Some(place),
            _ => self.wrong(
                at,
                format!("`{field}` is not an address that a key may be sent to"),
                "write `https://HOST[:PORT]` without a path; in the clear only on a loopback address",
            ),
        }
    }

    pub(super) fn authorities(&mut self, at: &Place, path: Option<&std::path::Path>) -> Option<Option<Vec<u8>>> {
        let Some(path) = path else { return Some(None) };
        let pem = self.read(at, path)?;
        if countersign_provider::Trust::given(&pem).is_err() {
            return self.wrong(at, "`ca` holds no certificates", "name a PEM file of certificates");
        }
        Some(Some(pem))
    }

    fn unsealed(&mut self, at: &Place, raw: &RawKey) -> Option<Secret<String>> {
        match self.key(at, raw)? {
            Key::Known(secret) => Some(secret),
            Key::Sealed(_) => self.wrong(
                at,
                "what unseals the root keys cannot be sealed under them",
                "write { file = \"...\" } or { env = \"...\" }",
            ),
        }
    }
}
