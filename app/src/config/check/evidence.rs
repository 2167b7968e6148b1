//! What others hold the audit log to, and who is handed on what is on record.

use countersign_audit::{note::read_key, witness::Cosigner};
use countersign_provider::Base;
use countersign_seal::Verifier;
use toml::Spanned;

use super::{
    super::{
        Listener,
        raw::{RawAudit, RawExport, RawWitness, RawWords},
    },
    Check, Place,
};
use crate::{
    archive::Archive,
    export::{Export, Form, To},
    fetch,
    witness::Asked,
};

impl Check<'_> {
    pub(super) fn evidence(
        &mut self,
        raw: Option<Spanned<RawAudit>>,
        node: &str,
        listeners: &[Listener],
    ) -> (Vec<(String, Verifier)>, Vec<Asked>, Option<Archive>) {
        let Some(raw) = raw else { return (Vec::new(), Vec::new(), None) };
        let at = raw.span();
        let RawAudit { cosigns, witnesses, archive, .. } = raw.into_inner();
        let mut logs = Vec::new();
        for key in &cosigns {
            match read_key(key) {
                Ok((name, _)) if name == node => {
                    let what = "`cosigns` names this gateway's own log, of which it is no witness";
                    self.report(&at, what, "write the keys of other nodes, which `countersign doctor` prints there");
                }
                Ok(log) => logs.push(log),
                Err(_) => {
                    let what = "`cosigns` holds what is no log's public key";
                    self.report(&at, what, "write NAME+ID+KEY, as `countersign doctor` prints it on the other node");
                }
            }
        }
        if !logs.is_empty() && listeners.iter().all(|listener| !listener.admin) {
            let what = "checkpoints are cosigned here, and no listener takes them";
            self.report(&at, what, "write admin = true in the [[listener]] that the other nodes can reach");
        }
        let archive = archive.and_then(|archive| self.archive(&at, archive, node));
        (logs, witnesses.into_iter().filter_map(|witness| self.witness(&at, witness)).collect(), archive)
    }

    /// For how many days records are kept.
    pub(super) fn keep_days(&mut self, raw: Option<&Spanned<RawAudit>>) -> Option<u32> {
        let days = raw.and_then(|raw| Some((raw.span(), raw.get_ref().keep_days?)));
        let (at, days) = days?;
        if (1..=LONGEST).contains(&days) {
            return Some(days);
        }
        self.wrong(&at, "`keep_days` is not 1 to 36500", "leave it out to keep records for ever")
    }

    fn witness(&mut self, at: &Place, raw: RawWitness) -> Option<Asked> {
        let Ok(cosigner) = Cosigner::read(&raw.key) else {
            let fix = "write NAME+ID+KEY, as `countersign doctor` prints it for the witness there";
            return self.wrong(at, "the `key` of a witness is no witness's public key", fix);
        };
        let clear = self.lets_clear(at, raw.cleartext.as_deref())?;
        let place = format!("{}/add-checkpoint", raw.url.trim_end_matches('/')).parse::<fetch::Place>();
        let Some(place) = place.ok().filter(|place| place.is_safe(clear)) else {
            return self.wrong(at, "the `url` of a witness cannot be asked", "write https://HOST:PORT/witness");
        };
        let ca = self.authorities(at, raw.ca.as_deref())?;
        Some(Asked::new(cosigner, place, ca))
    }

    pub(super) fn exports(&mut self, raw: Vec<Spanned<RawExport>>) -> Vec<Export> {
        self.distinct("export", raw.iter().map(|r| (r.get_ref().name.as_str(), r.span())));
        raw.into_iter().filter_map(|export| self.export(&export.span(), export.into_inner())).collect()
    }

    fn export(&mut self, at: &Place, raw: RawExport) -> Option<Export> {
        let clear = self.lets_clear(at, raw.cleartext.as_deref())?;
        let ca = self.authorities(at, raw.ca.as_deref())?;
        let token = match &raw.token {
            Some(key) => Some(self.key(at, key)?),
            None => None,
        };
        let stream = [("tls://", "https://"), ("tcp://", "http://")];
        let stream = stream.iter().find_map(|(word, base)| Some(format!("{base}{}", raw.to.strip_prefix(word)?)));
        let form = match (raw.form, stream.is_some()) {
            (RawWords::Ocsf, _) => Form::Ocsf,
            (RawWords::Cef, true) => Form::Cef,
            (RawWords::Otlp, false) => Form::Otlp,
            (RawWords::Cef, false) => {
                return self.wrong(at, "`cef` goes by syslog", "write tls://HOST:PORT as `to`, or another `form`");
            }
            (RawWords::Otlp, true) => {
                return self.wrong(
                    at,
                    "`otlp` is posted",
                    "write https://HOST:PORT/v1/logs as `to`, or another `form`",
                );
            }
        };
        let to = match stream {
            Some(_) if token.is_some() => {
                return self.wrong(at, "`token` is for what is posted", "leave it out: syslog knows none");
            }
            Some(base) => base
                .parse::<Base>()
                .ok()
                .filter(|base| match base {
                    Base::Https(_) => true,
                    Base::Http(address) => clear && fetch::is_loopback(&address.host),
                    Base::Unix(_) => false,
                })
                .map(To::Syslog),
            None => raw.to.parse::<fetch::Place>().ok().filter(|p| p.is_safe(clear)).map(|p| To::Post(p, token)),
        };
        let Some(to) = to else {
            let fix = "write tls://HOST:PORT or an https URL; tcp:// and http:// for loopback alone, and only with `cleartext`";
            return self.wrong(at, "`to` is nowhere that records can be handed on to", fix);
        };
        Some(Export { name: raw.name, form, to, ca })
    }

    pub(super) fn lets_clear(&mut self, at: &Place, said: Option<&str>) -> Option<bool> {
        match said {
            None => Some(false),
            Some("i-accept-cleartext-on-loopback") => Some(true),
            Some(_) => self.wrong(at, "`cleartext` has another value than the one it takes", "leave it out"),
        }
    }
}

/// Days that records are kept at most, where they are not kept for ever.
const LONGEST: u32 = 36_500;
