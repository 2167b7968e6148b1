//! What others hold the audit log to.

use countersign_audit::{note::read_key, witness::Cosigner};
use countersign_seal::Verifier;
use toml::Spanned;

use super::{
    super::{
        Listener,
        raw::{RawAudit, RawWitness},
    },
    Check, Place,
};
use crate::{fetch, witness::Asked};

impl Check<'_> {
    pub(super) fn evidence(
        &mut self,
        raw: Option<Spanned<RawAudit>>,
        node: &str,
        listeners: &[Listener],
    ) -> (Vec<(String, Verifier)>, Vec<Asked>) {
        let Some(raw) = raw else { return (Vec::new(), Vec::new()) };
        let at = raw.span();
        let RawAudit { cosigns, witnesses } = raw.into_inner();
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
        (logs, witnesses.into_iter().filter_map(|witness| self.witness(&at, witness)).collect())
    }

    fn witness(&mut self, at: &Place, raw: RawWitness) -> Option<Asked> {
        let Ok(cosigner) = Cosigner::read(&raw.key) else {
            let fix = "write NAME+ID+KEY, as `countersign doctor` prints it for the witness there";
            return self.wrong(at, "the `key` of a witness is no witness's public key", fix);
        };
        let clear = match raw.cleartext.as_deref() {
            None => false,
            Some("i-accept-cleartext-on-loopback") => true,
            Some(_) => return self.wrong(at, "`cleartext` has another value than the one it takes", "leave it out"),
        };
        let place = format!("{}/add-checkpoint", raw.url.trim_end_matches('/')).parse::<fetch::Place>();
        let Some(place) = place.ok().filter(|place| place.is_safe(clear)) else {
            return self.wrong(at, "the `url` of a witness cannot be asked", "write https://HOST:PORT/witness");
        };
        let ca = match &raw.ca {
            Some(path) => Some(self.read(at, path)?),
            None => None,
        };
        if let Some(Err(e)) = ca.as_deref().map(countersign_provider::Trust::given) {
            return self.wrong(at, format!("`ca`: {e}"), "name a PEM file of certificates");
        }
        Some(Asked::new(cosigner, place, ca))
    }
}
