//! Facts put into Cedar's words: a request and the entities it speaks of.
//!
//! Threat: names that callers choose (subjects, roles, models, tools) must stay names. They are handed over as values and
//! never pass through Cedar's parser, so no quote or `::` in them means anything.

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

use ahash::RandomState;
use cedar_policy::{
    Context, Entities, Entity, EntityId, EntityTypeName, EntityUid, Request, RestrictedExpression as Value,
};
use countersign_core::{Principal, access::Session, principal::PrincipalKind};

use crate::{
    facts::{Deed, Facts},
    mentions::Mentions,
    standing::Standing,
    token::Token,
};

/// The schema's names, parsed once.
pub(crate) struct Words {
    tenant: EntityTypeName,
    role: EntityTypeName,
    person: EntityTypeName,
    service: EntityTypeName,
    agent: EntityTypeName,
    model: EntityTypeName,
    gateway: EntityTypeName,
    tool: EntityTypeName,
    action: EntityTypeName,
    /// Addresses of callers. Cedar parses the name of their type whenever one is made, which takes a quarter of what a question does.
    addresses: Mutex<HashMap<IpAddr, Value, RandomState>>,
}

impl Words {
    pub(crate) fn new() -> Self {
        let name = |text: &str| -> EntityTypeName {
            format!("Countersign::{text}").parse().expect("the names of the schema are Cedar names")
        };
        Self {
            tenant: name("Tenant"),
            role: name("Role"),
            person: name("Person"),
            service: name("Service"),
            agent: name("Agent"),
            model: name("Model"),
            gateway: name("Gateway"),
            tool: name("Tool"),
            action: name("Action"),
            addresses: Mutex::default(),
        }
    }

    /// The request and the entities for `facts`, with the context attributes that `show` names.
    ///
    /// None when Cedar does not take what we made, which would be a defect here. Its message could quote a name that the caller
    /// chose, so it goes no further.
    pub(crate) fn question(&self, facts: &Facts<'_>, show: Mentions) -> Option<(Request, Entities)> {
        let who: &Principal = facts.who.0;
        let kind = match who.kind {
            PrincipalKind::Person => &self.person,
            PrincipalKind::Service => &self.service,
            PrincipalKind::Agent => &self.agent,
        };
        let principal = uid(kind, &principal_id(&who.tenant, &who.subject));
        let mut parents: HashSet<EntityUid> = who.roles.iter().map(|role| uid(&self.role, role)).collect();
        parents.insert(uid(&self.tenant, &who.tenant));
        let action = uid(&self.action, facts.deed.as_str());
        let kind = match facts.deed {
            Deed::Ask | Deed::Receive => &self.model,
            Deed::CallTool => &self.tool,
            Deed::Administer(_) => &self.gateway,
        };
        let resource = uid(kind, facts.model);

        // Roles and tenants have no attributes and no parents, so that they need not be in the list.
        let attributes = HashMap::from([
            (String::from("subject"), string(&who.subject)),
            (String::from("tenant"), string(&who.tenant)),
        ]);
        let caller = Entity::new(principal.clone(), attributes, parents).ok()?;
        let attributes = HashMap::from([(String::from("name"), string(facts.model))]);
        let asked_for = Entity::new(resource.clone(), attributes, HashSet::new()).ok()?;
        let entities = Entities::from_entities([caller, asked_for], None).ok()?;

        let request = Request::new(principal, action, resource, self.context(facts, show)?, None).ok()?;
        Some((request, entities))
    }

    fn context(&self, facts: &Facts<'_>, show: Mentions) -> Option<Context> {
        let who: &Principal = facts.who.0;
        let mut pairs: Vec<(String, Value)> = Vec::with_capacity(20);
        let mut put = |attribute, name: &str, value: &dyn Fn() -> Value| {
            if show.holds(attribute) {
                pairs.push((name.into(), value()));
            }
        };
        put(Mentions::FORMAT, "format", &|| string(facts.format_name()));
        put(Mentions::STREAM, "stream", &|| Value::new_bool(facts.stream));
        if let Some(most) = facts.max_tokens {
            put(Mentions::MAX_TOKENS, "max_tokens", &|| Value::new_long(i64::try_from(most).unwrap_or(i64::MAX)));
        }
        put(Mentions::TOOLS, "tools", &|| Value::new_set(facts.tools.iter().map(|tool| string(tool))));
        put(Mentions::ATTACHMENTS, "attachments", &|| Value::new_long(facts.attachments.into()));
        put(Mentions::METHOD, "method", &|| string(who.method.as_str()));
        put(Mentions::LISTENER, "listener", &|| string(facts.listener));
        if let Some(ip) = facts.ip {
            put(Mentions::IP, "ip", &|| self.address(ip.to_canonical()));
        }
        put(Mentions::SCOPES, "scopes", &|| Value::new_set(who.scopes.iter().map(|scope| string(scope))));
        put(Mentions::RISK, "risk", &|| Value::new_long(facts.risk.into()));
        put(Mentions::POSSESSION, "possession", &|| string(facts.possession.as_str()));
        if facts.deed == Deed::CallTool {
            put(Mentions::TAINT, "taint", &|| string(facts.taint.as_str()));
            put(Mentions::COPIED, "copied", &|| Value::new_bool(facts.copied));
            put(Mentions::GRANTED, "granted", &|| Value::new_bool(facts.granted));
        }
        if matches!(facts.deed, Deed::Receive | Deed::CallTool) {
            put(Mentions::FINDINGS, "findings", &|| {
                Value::new_set(facts.findings.iter().map(|kind| string(kind.as_str())))
            });
            put(Mentions::MASKED, "masked", &|| Value::new_bool(facts.masked));
            put(Mentions::TARGET, "target", &|| string(facts.target));
        }
        if show.holds(Mentions::TIME) {
            let time = [
                (Mentions::HOUR, "hour", Value::new_long(facts.time.hour.into())),
                (Mentions::MINUTE, "minute", Value::new_long(facts.time.minute.into())),
                (Mentions::WEEKDAY, "weekday", string(facts.time.weekday_name())),
                (Mentions::EPOCH, "epoch", Value::new_long(i64::try_from(facts.time.epoch).unwrap_or(i64::MAX))),
            ];
            let shown = time.into_iter().filter(|(attribute, ..)| show.holds(*attribute));
            let record = Value::new_record(shown.map(|(_, name, value)| (name.into(), value))).ok()?;
            pairs.push((String::from("time"), record));
        }
        if let Some(token) = facts.token.filter(|_| show.holds(Mentions::TOKEN.and(Mentions::AGES))) {
            pairs.push((String::from("token"), said(token, show)?));
        }
        if let Some(session) = facts.grant.filter(|_| show.holds(Mentions::GRANT)) {
            pairs.push((String::from("grant"), grant(session)?));
        }
        if show.holds(Mentions::STANDING) {
            pairs.push((String::from("standing"), standing(facts.standing)?));
        }
        Context::from_pairs(pairs).ok()
    }

    fn address(&self, ip: IpAddr) -> Value {
        // INVARIANT: nothing under the lock can panic half-way through a change, so a poisoned map is still whole.
        let mut known = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST_ADDRESSES {
            known.clear();
        }
        known.entry(ip).or_insert_with(|| Value::new_ip(ip.to_string())).clone()
    }
}

/// `TENANT/SUBJECT`, unambiguous whatever the two hold.
fn principal_id(tenant: &str, subject: &str) -> String {
    let tenant = if tenant.contains(['%', '/']) {
        Cow::from(tenant.replace('%', "%25").replace('/', "%2F"))
    } else {
        Cow::from(tenant)
    };
    format!("{tenant}/{subject}")
}

/// What an access token says, as far as `show` names it.
fn said(token: Token<'_>, show: Mentions) -> Option<Value> {
    let long = |seconds| Value::new_long(i64::try_from(seconds).unwrap_or(i64::MAX));
    let amr = Value::new_set(token.amr.iter().map(|method| string(method)));
    let acts = Value::new_set(token.acts.iter().map(|who| string(who)));
    let parts = [
        (Mentions::TOKEN, "issuer", Some(string(token.issuer))),
        (Mentions::TOKEN, "client", token.client.map(string)),
        (Mentions::TOKEN, "acr", token.acr.map(string)),
        (Mentions::TOKEN, "amr", Some(amr)),
        (Mentions::TOKEN, "acts", Some(acts)),
        (Mentions::AGES, "age", Some(long(token.age))),
        (Mentions::AGES, "login_age", token.login_age.map(long)),
    ];
    let shown = parts.into_iter().filter(|(attribute, ..)| show.holds(*attribute));
    let pairs = shown.filter_map(|(_, name, value)| Some((name.to_owned(), value?)));
    Value::new_record(pairs).ok()
}

/// The granted access that the request is made on.
fn grant(on: &Session) -> Option<Value> {
    let set = |names: &[Arc<str>]| Value::new_set(names.iter().map(|name| string(name)));
    let parts = [
        ("access", string(&on.access)),
        ("things", set(&on.things)),
        ("purpose", string(&on.purpose)),
        ("glass", Value::new_bool(on.glass)),
        ("acts", set(&on.acts)),
    ];
    Value::new_record(parts.map(|(name, value)| (name.to_owned(), value))).ok()
}

/// What others say of the caller. What nobody has said is not there.
fn standing(of: &Standing) -> Option<Value> {
    let parts = [
        ("compliant", of.compliant.map(Value::new_bool)),
        ("risk", of.risk.map(|risk| string(risk.as_str()))),
        ("assurance", of.assurance.as_deref().map(string)),
    ];
    Value::new_record(parts.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)))).ok()
}

fn uid(kind: &EntityTypeName, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(kind.clone(), EntityId::new(id))
}

fn string(text: &str) -> Value {
    Value::new_string(text.into())
}

/// Addresses that are kept.
const MOST_ADDRESSES: usize = 4_096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_principal_cannot_take_the_id_of_another_tenants() {
        assert_eq!(principal_id("bank", "alice"), "bank/alice");
        assert_ne!(principal_id("a", "b/c"), principal_id("a/b", "c"));
        assert_ne!(principal_id("a%2Fb", "c"), principal_id("a/b", "c"));
    }
}
