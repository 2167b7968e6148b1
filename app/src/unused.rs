//! Permissions that nobody has used: keys, what keys are restricted to, roles, policies, and access that was granted. What is
//! not used is what a thief would have for nothing.
//!
//! It reads the audit log, where every use is on record, and compares with what there is.

use std::collections::{BTreeMap, BTreeSet};

use countersign_audit::record::{Record, Who};
use countersign_core::{Timestamp, access::Case};
use countersign_identity::KeyRecord;
use schemars::JsonSchema;
use serde::Serialize;

use crate::config::Config;

/// A permission that was not used.
#[derive(Debug, Eq, JsonSchema, PartialEq, Serialize)]
pub(crate) struct Unused {
    /// What kind: `key`, `scope`, `role`, `policy` or `access`.
    pub(crate) kind: &'static str,
    /// What, in words.
    pub(crate) permission: String,
    /// Since when it has been there, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) since: Option<String>,
}

/// What was used.
#[derive(Default)]
pub(crate) struct Uses {
    /// By the credential's id.
    credentials: BTreeMap<String, Used>,
    /// When each was used last.
    roles: BTreeMap<String, Timestamp>,
    policies: BTreeMap<String, Timestamp>,
}

/// What a credential was used for.
#[derive(Default)]
pub(crate) struct Used {
    /// The models that it asked for.
    pub(crate) models: BTreeSet<String>,
    pub(crate) last: Timestamp,
}

/// What there is.
pub(crate) struct Held<'a> {
    pub(crate) keys: &'a [KeyRecord],
    pub(crate) cases: &'a [Case],
    /// What the configuration gives.
    pub(crate) given: &'a Given,
}

/// What the configuration gives.
#[derive(Clone, Default)]
pub(crate) struct Given {
    /// Roles of bearers of tokens and certificates.
    pub(crate) roles: BTreeSet<String>,
    /// Policies that can let a prompt leave, by the name that records know them by.
    pub(crate) policies: BTreeSet<String>,
    /// Names of listeners, and whether the gateway itself is administered there.
    pub(crate) listeners: Vec<(String, bool)>,
}

impl Given {
    pub(crate) fn by(config: &Config) -> Self {
        let of_tokens = config.issuers.iter().flat_map(|issuer| &issuer.issuer.roles).map(|rule| &rule.role);
        let of_certificates = config.certificates.iter().flat_map(|rule| &rule.roles);
        Self {
            roles: of_tokens.chain(of_certificates).map(ToString::to_string).collect(),
            policies: config.policy.policy.permits().map(ToString::to_string).collect(),
            listeners: config.listeners.iter().map(|listener| (listener.name.clone(), listener.admin)).collect(),
        }
    }
}

impl Uses {
    /// Takes in a record, if it is no older than `from`.
    pub(crate) fn take(&mut self, record: &Record, from: Timestamp) {
        match record {
            Record::Intent(intent) if intent.at >= from.0 => {
                self.by(&intent.who, intent.at).models.insert(intent.call.model.to_string());
                for policy in intent.permit.split(", ") {
                    last(&mut self.policies, policy, intent.at);
                }
            }
            Record::Answered(answered) if answered.at >= from.0 => {
                self.by(&answered.who, answered.at);
            }
            Record::Changed(changed) if changed.at >= from.0 => {
                self.by(&changed.who, changed.at);
            }
            // What was refused is no use of a permission.
            _ => {}
        }
    }

    fn by(&mut self, who: &Who, at: u64) -> &mut Used {
        for role in who.roles.iter() {
            last(&mut self.roles, role, at);
        }
        // What stands after `#` tells the tokens and sessions of one apart.
        let credential = who.credential.split('#').next().unwrap_or_default();
        let used = self.credentials.entry(credential.to_owned()).or_default();
        used.last = used.last.max(Timestamp(at));
        used
    }

    /// What a credential was used for.
    pub(crate) fn credential(&self, id: &str) -> Option<&Used> {
        self.credentials.get(id)
    }

    /// When a caller with the role was there last.
    pub(crate) fn role(&self, role: &str) -> Option<Timestamp> {
        self.roles.get(role).copied()
    }

    /// When the policy let a prompt leave last.
    pub(crate) fn policy(&self, policy: &str) -> Option<Timestamp> {
        self.policies.get(policy).copied()
    }

    /// What of `held` was not used; what cannot be used at `now` any more does not count.
    pub(crate) fn unused(&self, held: &Held<'_>, from: Timestamp, now: Timestamp) -> Vec<Unused> {
        let mut unused = Vec::new();
        let mut add = |kind, permission, since: Option<Timestamp>| {
            unused.push(Unused { kind, permission, since: since.map(crate::clock::rfc3339) });
        };
        let stands = |key: &&KeyRecord| key.revoked_at.is_none() && key.expires.is_none_or(|end| now < end);
        for key in held.keys.iter().filter(stands) {
            let whose = format!("{} of {}/{}", key.id, key.tenant, key.subject);
            match self.credentials.get(&*key.id) {
                None => add("key", format!("{whose} ({})", key.roles.join(" ")), Some(key.created)),
                Some(used) => {
                    let asked =
                        |scope: &str| scope.strip_prefix("model:").is_none_or(|model| used.models.contains(model));
                    for scope in key.scopes.iter().filter(|scope| !asked(scope)) {
                        add("scope", format!("{scope} of {whose}"), Some(key.created));
                    }
                }
            }
        }
        for role in held.given.roles.iter().filter(|role| !self.roles.contains_key(*role)) {
            add("role", role.clone(), None);
        }
        for policy in held.given.policies.iter().filter(|policy| !self.policies.contains_key(*policy)) {
            add("policy", policy.clone(), None);
        }
        for case in held.cases {
            let Some(grant) = case.grant.as_ref().filter(|grant| grant.ends >= from) else { continue };
            if !self.credentials.contains_key(&*case.id) {
                add("access", format!("{} of {} ({})", case.access, case.holder, case.id), Some(grant.begins));
            }
        }
        unused
    }
}

fn last(of: &mut BTreeMap<String, Timestamp>, name: &str, at: u64) {
    let last = of.entry(name.to_owned()).or_default();
    *last = (*last).max(Timestamp(at));
}

#[cfg(test)]
mod tests;
