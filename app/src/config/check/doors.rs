//! Listeners: exactly one way in each, TLS unless it is written otherwise, and nothing written that has no effect.

use std::{collections::BTreeSet, net::SocketAddr};

use countersign_gateway::tls;
use countersign_identity::spiffe;
use toml::Spanned;

use super::{
    super::{Door, Listener, raw::RawListener},
    Check, Place, Privacy,
};

impl Check<'_> {
    pub(super) fn listeners(&mut self, raw: Vec<Spanned<RawListener>>) -> Vec<Listener> {
        self.distinct("listener", raw.iter().map(|l| (l.get_ref().name.as_str(), l.span())));
        let mut places = BTreeSet::new();
        let mut listeners = Vec::new();
        for listener in raw {
            let at = listener.span();
            let raw = listener.into_inner();
            let Some(door) = self.door(&at, &raw) else { continue };
            // Port 0 is a new port each time.
            let place = match &door {
                Door::Tls { address, .. } | Door::Clear { address } if address.port() == 0 => None,
                Door::Tls { address, .. } | Door::Clear { address } => Some(address.to_string()),
                Door::Unix { path } => Some(path.display().to_string()),
            };
            if let Some(place) = place.filter(|place| !places.insert(place.clone())) {
                self.report(&at, format!("two listeners listen on `{place}`"), "give each its own address");
            }
            listeners.push(Listener { name: raw.name, door, admin: raw.admin });
        }
        listeners
    }

    fn door(&mut self, at: &Place, raw: &RawListener) -> Option<Door> {
        let has_tls = raw.certificate.is_some() || raw.key.is_some() || raw.client_ca.is_some();
        let has_tls = has_tls || !raw.trust_domains.is_empty() || raw.require_client_certificate;
        match (&raw.address, &raw.unix) {
            (Some(_), Some(_)) | (None, None) => {
                self.wrong(at, "a listener needs exactly one of `address` and `unix`", "keep one of the two")
            }
            (None, Some(_)) if has_tls || raw.cleartext.is_some() => {
                let what = "a Unix socket takes no `cleartext`, certificate, key or `client_ca`";
                self.wrong(at, what, "leave them out, or listen on an `address`")
            }
            (None, Some(path)) => Some(Door::Unix { path: self.base.join(path) }),
            (Some(address), None) => {
                let Ok(address) = address.parse::<SocketAddr>() else {
                    let what = format!("`{address}` is not an address");
                    return self.wrong(at, what, "write an IP address and a port, as in \"127.0.0.1:8443\"");
                };
                match &raw.cleartext {
                    Some(words) => self.clear(at, address, words, has_tls),
                    None => self.tls(at, address, raw),
                }
            }
        }
    }

    fn clear(&mut self, at: &Place, address: SocketAddr, words: &str, has_tls: bool) -> Option<Door> {
        if words != CLEARTEXT {
            let fix = format!("write cleartext = \"{CLEARTEXT}\", or serve TLS");
            return self.wrong(at, "`cleartext` has another value than the one it takes", fix);
        }
        if !address.ip().is_loopback() {
            let fix = "serve TLS with `certificate` and `key`, or listen on 127.0.0.1";
            return self.wrong(at, "cleartext on an address that is not loopback", fix);
        }
        if has_tls {
            let what = "a listener both in the clear and with a certificate, key or `client_ca`";
            return self.wrong(at, what, "leave `cleartext` out to serve TLS, or the rest to serve in the clear");
        }
        Some(Door::Clear { address })
    }

    fn tls(&mut self, at: &Place, address: SocketAddr, raw: &RawListener) -> Option<Door> {
        let (Some(chain), Some(key)) = (&raw.certificate, &raw.key) else {
            let fix = "name both PEM files; nothing is served in the clear by default";
            return self.wrong(at, "a TCP listener without `certificate` and `key`", fix);
        };
        if raw.require_client_certificate && raw.client_ca.is_none() && raw.trust_domains.is_empty() {
            let fix = "name the PEM file of the authorities that sign your clients";
            return self.wrong(at, "`require_client_certificate` without `client_ca`", fix);
        }
        let chain = self.read(at, chain);
        let key = self.read_as(at, key, &format!("`{}`", key.display()), Privacy::Secret);
        let authorities = match &raw.client_ca {
            Some(path) => Some(self.read(at, path)?),
            None => None,
        };
        let mut domains = Vec::new();
        for (name, path) in &raw.trust_domains {
            if !spiffe::is_trust_domain(name) {
                let what = format!("`{name}` in `trust_domains` is not the name of a SPIFFE trust domain");
                return self.wrong(at, what, "write it without `spiffe://`, in lower case");
            }
            domains.push((name.as_str(), self.read(at, path)?));
        }
        let domains: Vec<_> = domains.iter().map(|(name, pem)| (*name, pem.as_slice())).collect();
        let (chain, key) = (chain?, countersign_core::Secret::new(key?));
        let material = tls::Material {
            chain: &chain,
            key: key.expose(),
            client_authorities: authorities.as_deref(),
            trust_domains: &domains,
            require_client: raw.require_client_certificate,
        };
        match tls::server(&material) {
            Ok(tls) => Some(Door::Tls { address, tls }),
            Err(e) => self.wrong(at, format!("TLS cannot be set up: {e}"), "check the PEM files of this listener"),
        }
    }
}

const CLEARTEXT: &str = "i-accept-cleartext-on-loopback";
