//! Security events: nothing is taken in that nobody asked for.

use countersign_identity::token::Revoker;
use toml::Spanned;

use super::{
    super::{
        Issuer, Listener, Receiver, Signals, Told,
        raw::{RawReceiver, RawRevocation, RawSignals},
    },
    Check, Place, TOP,
};
use crate::{admin::global, fetch};

impl Check<'_> {
    pub(super) fn signals(
        &mut self,
        at: &Place,
        issuer: &str,
        clear: bool,
        raw: Option<RawSignals>,
    ) -> Option<Signals> {
        let raw = raw?;
        let poll = match (&raw.poll, &raw.token) {
            (None, None) => None,
            (None, Some(_)) => {
                return self.wrong(at, "`token` of `signals` is for `poll`", "leave it out, or write where to poll");
            }
            (Some(url), token) => {
                let Some(place) = url.parse::<fetch::Place>().ok().filter(|place| place.is_safe(clear)) else {
                    return self.wrong(
                        at,
                        "`poll` is not an address that events can be fetched from",
                        "write an https URL",
                    );
                };
                let token = match token {
                    Some(key) => Some(self.key(at, key)?),
                    None => None,
                };
                Some((place, token))
            }
        };
        if raw.revocation.as_ref().is_some_and(|r| r.client.is_empty() || !r.endpoint.ends_with(global::PATH)) {
            let fix = "write the URL that the issuer asks, which ends in /global-token-revocation, and the gateway's client id there";
            return self.wrong(at, "`revocation` of `signals` needs an `endpoint` and a `client`", fix);
        }
        let signals = Signals {
            issuer: issuer.into(),
            audiences: raw.audiences,
            logout: raw.logout.into_iter().collect(),
            revocation: raw.revocation.map(|RawRevocation { endpoint, client }| Revoker { endpoint, client }),
            poll,
        };
        if signals.audiences.is_empty() && signals.logout.is_empty() && signals.revocation.is_none() {
            let what = "`signals` names none of `audiences`, `logout` and `revocation`, so that nothing is taken in";
            return self.wrong(at, what, "write the audience that the issuer's events have, or leave `signals` out");
        }
        if signals.poll.is_some() && signals.audiences.is_empty() {
            return self.wrong(at, "`poll` without `audiences`", "write the audience that the issuer's events have");
        }
        if signals.audiences.iter().chain(&signals.logout).any(String::is_empty) {
            return self.wrong(at, "`signals` names an audience that is empty", "write what `aud` of its tokens holds");
        }
        Some(signals)
    }

    /// Events come in, and receivers look for keys, by a listener that serves them.
    pub(super) fn signals_have_a_door(&mut self, listeners: &[Listener], issuers: &[Issuer], receivers: &[Receiver]) {
        let wanted = !receivers.is_empty()
            || issuers
                .iter()
                .filter_map(|i| i.signals.as_ref())
                .any(|s| s.poll.is_none() || !s.logout.is_empty() || s.revocation.is_some());
        if wanted && listeners.iter().all(|listener| !listener.admin) {
            let what = "there are `signals` or a [[receiver]], and no listener that serves them";
            self.report(&TOP, what, "write admin = true in the [[listener]] that issuers and receivers can reach");
        }
    }

    pub(super) fn receivers(&mut self, raw: Vec<Spanned<RawReceiver>>) -> Vec<Receiver> {
        self.distinct("receiver", raw.iter().map(|r| (r.get_ref().name.as_str(), r.span())));
        raw.into_iter().filter_map(|receiver| self.receiver(&receiver.span(), receiver.into_inner())).collect()
    }

    fn receiver(&mut self, at: &Place, raw: RawReceiver) -> Option<Receiver> {
        let is_name = |name: &str| {
            (1..=64).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        };
        if !is_name(&raw.name) || raw.audience.is_empty() {
            let fix = "a name is 1 to 64 letters, digits, `-`, `_` and `.`; the audience is what the receiver expects as `aud`";
            return self.wrong(at, "a receiver needs a `name` and an `audience`", fix);
        }
        let way = match (raw.push, raw.polled_by) {
            (Some(url), None) => {
                let clear = match raw.cleartext.as_deref() {
                    None => false,
                    Some("i-accept-cleartext-on-loopback") => true,
                    Some(_) => {
                        return self.wrong(at, "`cleartext` has another value than the one it takes", "leave it out");
                    }
                };
                let place = url.parse::<fetch::Place>().ok().filter(|place| place.is_safe(clear));
                let Some(place) = place else {
                    return self.wrong(
                        at,
                        "`push` is not an address that events can be pushed to",
                        "write an https URL",
                    );
                };
                let token = match &raw.token {
                    Some(key) => Some(self.key(at, key)?),
                    None => None,
                };
                let ca = match &raw.ca {
                    Some(path) => Some(self.read(at, path)?),
                    None => None,
                };
                if let Some(Err(e)) = ca.as_deref().map(countersign_provider::Trust::given) {
                    return self.wrong(at, format!("`ca`: {e}"), "name a PEM file of certificates");
                }
                Told::Pushed { at: place, token, ca }
            }
            (None, Some(_)) if raw.token.is_some() || raw.ca.is_some() || raw.cleartext.is_some() => {
                let what = "`token`, `ca` and `cleartext` are for receivers that are pushed to";
                return self.wrong(at, what, "leave them out: who polls shows a credential like every caller");
            }
            (None, Some(who)) if who.contains('/') => Told::Polled(who),
            (None, Some(_)) => {
                return self.wrong(at, "`polled_by` names no principal", "write `TENANT/SUBJECT`, as audit records do");
            }
            _ => {
                return self.wrong(at, "a receiver needs exactly one of `push` and `polled_by`", "keep one of the two");
            }
        };
        Some(Receiver { name: raw.name, audience: raw.audience, signing: raw.algorithm, way })
    }
}
