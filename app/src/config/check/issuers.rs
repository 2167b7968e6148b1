//! Issuers of access tokens: an address whose answers can be believed, and what makes roles of claims.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use countersign_gateway::Resource;
use countersign_identity::{
    Tokens, discovery,
    token::{
        Algorithm, Introspection, Issuer as TokenIssuer, KeyRules, MAX_REMEMBERED, Profile, RoleClaim, RoleRule,
        Tenants,
    },
};
use toml::Spanned;

use super::{
    super::{
        Introspection as AskedIssuer, Issuer, Listener,
        raw::{RawAccess, RawIntrospect, RawIssuer, RawIssuerKind, RawReceiver},
    },
    Check, Place,
};
use crate::{
    fetch,
    issuers::{Keys, Source},
};

impl Check<'_> {
    pub(super) fn issuers(&mut self, raw: Vec<Spanned<RawIssuer>>, listeners: &[Listener]) -> Vec<Issuer> {
        self.distinct("issuer", raw.iter().map(|i| (i.get_ref().name.as_str(), i.span())));
        let mut spoken = Vec::new();
        let mut issuers: Vec<Issuer> = Vec::new();
        for raw in raw {
            let at = raw.span();
            let Some(issuer) = self.issuer(&at, raw.into_inner()) else { continue };
            if issuers.iter().any(|other| other.issuer.url == issuer.issuer.url) {
                self.report(&at, format!("two issuers have the url `{}`", issuer.issuer.url), "keep one of the two");
            }
            if issuer.directory && !listeners.iter().any(|listener| listener.admin) {
                let fix = "write `admin = true` at the listener that the directory reaches";
                self.report(&at, "`directory = true`, and no listener serves SCIM", fix);
            }
            if issuer.directory && issuers.iter().any(|other| other.directory) {
                let fix = "keep `directory = true` with the one that SCIM provisions";
                self.report(&at, "two issuers have a directory", fix);
            }
            let pair = |other: &Issuer| vec![other.issuer.clone(), issuer.issuer.clone()];
            let told = |other: &&Issuer| other.issuer.introspection.is_none() || issuer.introspection.is_none();
            for other in issuers.iter().filter(|other| !told(other)) {
                // Names and URLs that stand twice were reported.
                if let Err(e) = Tokens::default().set_issuers(pair(other)) {
                    let fix =
                        "give each a `prefix` of its own in `introspect`: no token may be shown to the wrong issuer";
                    self.report(&at, e.to_string(), fix);
                }
            }
            spoken.extend(issuer.issuer.speaks_for.clone().map(|of| (of, at)));
            issuers.push(issuer);
        }
        for (of, at) in spoken {
            if !issuers.iter().any(|i| i.issuer.name == of && i.issuer.speaks_for.is_none()) {
                let fix = "name an [[issuer]] that gives access";
                self.report(&at, format!("`speaks_for` names `{of}`, which is no other issuer"), fix);
            }
        }
        issuers
    }

    /// What clients find the issuers by: there is one where there are issuers, and none where there are not.
    pub(super) fn resource(
        &mut self,
        raw: Option<&Spanned<String>>,
        issuers: &[Spanned<RawIssuer>],
        access: &[Spanned<RawAccess>],
        receivers: &[Spanned<RawReceiver>],
    ) -> Option<Resource> {
        // A trust domain gives no tokens to whoever asks.
        let gives = |issuer: &&Spanned<RawIssuer>| {
            !matches!(issuer.get_ref().kind, RawIssuerKind::Spiffe) && issuer.get_ref().speaks_for.is_none()
        };
        let urls: Vec<&str> = issuers.iter().filter(gives).map(|i| i.get_ref().url.as_str()).collect();
        let first = issuers.first().map(Spanned::span).or_else(|| access.first().map(Spanned::span));
        let first = first.or_else(|| receivers.first().map(Spanned::span));
        match (raw, first) {
            (None, None) => None,
            (None, Some(first)) => self.wrong(
                &first,
                "there is an [[issuer]], [[access]] or [[receiver]] and no `resource`",
                "write the https URL that callers know this gateway by, above the first section: resource = \"https://ai.example.com\"",
            ),
            (Some(url), None) => self.wrong(
                &url.span(),
                "`resource` without an [[issuer]], [[access]] or [[receiver]] has no effect",
                "leave it out, or add one",
            ),
            (Some(url), Some(_)) => Resource::new(url.get_ref(), &urls).or_else(|| {
                let fix = "write https, a host and perhaps a port, as in \"https://ai.example.com\"";
                self.wrong(&url.span(), "`resource` is not an https URL without path", fix)
            }),
        }
    }

    fn issuer(&mut self, at: &Place, raw: RawIssuer) -> Option<Issuer> {
        let profile = match raw.kind {
            RawIssuerKind::Rfc9068 => Profile::Rfc9068,
            RawIssuerKind::Entra => Profile::Entra,
            RawIssuerKind::Okta => Profile::Okta,
            RawIssuerKind::Spiffe => Profile::Spiffe,
        };
        let clear = self.in_the_clear(at, &raw)?;
        let keys = self.key_places(at, &raw, clear)?;
        let algorithms = self.algorithms(at, &raw.algorithms)?;
        let roles = self.roles(at, &raw)?;
        let rules = self.key_rules(at, &raw)?;
        let ca = match &raw.ca {
            Some(path) => Some(self.read(at, path)?),
            None => None,
        };
        if let Some(Err(e)) = ca.as_deref().map(countersign_provider::Trust::given) {
            return self.wrong(at, format!("`ca`: {e}"), "name a PEM file of certificates");
        }
        let (tenant, tenants) = self.tenants(at, &raw)?;
        let (introspection, asked) = match &raw.introspect {
            None => (None, None),
            Some(how) => {
                let (how, asked) = self.introspection(at, how, clear)?;
                (Some(how), Some(asked))
            }
        };
        if raw.speaks_for.is_some() && gives_access(&raw) {
            let fix = "leave out `audiences`, tenants, roles, `introspect` and `directory`, or leave out `speaks_for`";
            return self.wrong(at, "an issuer with `speaks_for` gives no access of its own", fix);
        }
        if raw.speaks_for.is_some() && raw.signals.is_none() {
            let fix = "write `signals` with what is taken in, or leave the issuer out";
            return self.wrong(at, "`speaks_for` without `signals` has no effect", fix);
        }
        let signals = self.signals(at, &raw.name, clear, raw.signals);
        let issuer = TokenIssuer {
            name: raw.name.into(),
            url: raw.url.into(),
            tenant,
            tenants,
            audiences: raw.audiences.into_iter().map(Into::into).collect(),
            algorithms,
            profile,
            roles,
            extra: Vec::new(),
            leeway: Duration::from_secs(raw.leeway_seconds),
            max_lifetime: Duration::from_secs(raw.lifetime_seconds),
            keys: rules,
            introspection,
            speaks_for: raw.speaks_for.map(Into::into),
        };
        // What the stage will not take is found here, where it has a line.
        if let Err(e) = Tokens::default().set_issuers(vec![issuer.clone()]) {
            return self.wrong(at, e.to_string(), "see `countersign schema` for what each field of an issuer may be");
        }
        let source = Source { name: issuer.name.clone(), url: issuer.url.clone(), keys, ca, clear };
        Some(Issuer { issuer, source, introspection: asked, signals, directory: raw.directory })
    }

    fn tenants(&mut self, at: &Place, raw: &RawIssuer) -> Option<(Arc<str>, Option<Tenants>)> {
        let fix = "write tenant, or tenant_claim and tenants, as in tenants = { \"value of the claim\" = \"tenant\" }";
        let tenant = raw.tenant.as_deref().unwrap_or("default").into();
        match &raw.tenant_claim {
            None if raw.tenants.is_empty() => Some((tenant, None)),
            None => self.wrong(at, "`tenants` without `tenant_claim` says of no claim what it means", fix),
            Some(_) if raw.tenant.is_some() => self.wrong(at, "`tenant` and `tenant_claim` contradict each other", fix),
            Some(_) if raw.tenants.is_empty() => {
                self.wrong(at, "`tenant_claim` without `tenants` refuses everybody", fix)
            }
            Some(_) if raw.tenants.iter().any(|(value, tenant)| value.is_empty() || tenant.trim().is_empty()) => {
                self.wrong(at, "a value or tenant in `tenants` is empty", fix)
            }
            Some(claim) => {
                let by_value =
                    raw.tenants.iter().map(|(value, tenant)| (value.as_str().into(), tenant.as_str().into()));
                Some((tenant, Some(Tenants { claim: claim.as_str().into(), by_value: by_value.collect() })))
            }
        }
    }

    fn introspection(&mut self, at: &Place, raw: &RawIntrospect, clear: bool) -> Option<(Introspection, AskedIssuer)> {
        if !(1..=MAX_REMEMBERED.as_secs()).contains(&raw.seconds) {
            let fix = format!("write 1 to {}", MAX_REMEMBERED.as_secs());
            return self.wrong(at, "`seconds` of `introspect` is out of bounds", fix);
        }
        if raw.client_id.is_empty() {
            return self.wrong(at, "`client_id` of `introspect` is empty", "write the gateway's own id at the issuer");
        }
        let endpoint = match &raw.endpoint {
            Some(text) => Some(self.address(at, "endpoint", text, clear)?),
            None => None,
        };
        let secret = self.key(at, &raw.secret)?;
        let how = Introspection { prefix: raw.prefix.as_str().into(), remember: Duration::from_secs(raw.seconds) };
        Some((how, AskedIssuer { endpoint, client_id: raw.client_id.clone(), secret }))
    }

    fn in_the_clear(&mut self, at: &Place, raw: &RawIssuer) -> Option<bool> {
        match raw.cleartext.as_deref() {
            None => Some(false),
            Some(CLEARTEXT) => Some(true),
            Some(_) => {
                let fix = format!("write cleartext = \"{CLEARTEXT}\", or an https address");
                self.wrong(at, "`cleartext` has another value than the one it takes", fix)
            }
        }
    }

    fn key_places(&mut self, at: &Place, raw: &RawIssuer, clear: bool) -> Option<Keys> {
        match (&raw.jwks, &raw.jwks_file) {
            (Some(_), Some(_)) => {
                return self.wrong(at, "`jwks` and `jwks_file` contradict each other", "keep one of the two");
            }
            (None, Some(path)) => {
                // What cannot be read now is no better later.
                self.read(at, path)?;
                return Some(Keys::In(self.base.join(path)));
            }
            (None, None) if matches!(raw.kind, RawIssuerKind::Spiffe) => {
                let fix = "name its bundle: `jwks` with an https address, or `jwks_file`";
                return self.wrong(at, "a trust domain has no metadata that would say where its keys are", fix);
            }
            _ => {}
        }
        if let Some(jwks) = &raw.jwks {
            return Some(Keys::At(self.address(at, "jwks", jwks, clear)?));
        }
        let Some([first, second]) = discovery::places(&raw.url) else {
            return self.wrong(at, "`url` is not an address", "write the issuer's `iss`, to the letter");
        };
        Some(Keys::Discovered([self.address(at, "url", &first, clear)?, self.address(at, "url", &second, clear)?]))
    }

    fn address(&mut self, at: &Place, field: &str, text: &str, clear: bool) -> Option<fetch::Place> {
        let Ok(place) = text.parse::<fetch::Place>() else {
            let fix = "write https, a host and a path, as in \"https://id.example.com/keys\"";
            return self.wrong(at, format!("`{field}` is not an address that keys can be fetched from"), fix);
        };
        if place.is_safe(clear) {
            return Some(place);
        }
        let fix = format!("write an https address; on this machine alone, cleartext = \"{CLEARTEXT}\" permits http");
        self.wrong(at, format!("`{field}` would have keys fetched in the clear, so that anyone could send others"), fix)
    }

    fn algorithms(&mut self, at: &Place, names: &[String]) -> Option<Vec<Algorithm>> {
        let mut algorithms = Vec::new();
        for name in names {
            let Some(algorithm) = Algorithm::named(name) else {
                let known: Vec<_> = Algorithm::ALL.iter().map(|a| a.as_str()).collect();
                let fix = format!("write some of: {}", known.join(", "));
                return self.wrong(at, format!("`algorithms` holds `{name}`, which is not accepted"), fix);
            };
            algorithms.push(algorithm);
        }
        Some(algorithms)
    }

    fn roles(&mut self, at: &Place, raw: &RawIssuer) -> Option<Vec<RoleRule>> {
        let of = |claim, map: &BTreeMap<String, String>| -> Vec<RoleRule> {
            let rule = |(value, role): (&String, &String)| RoleRule {
                claim,
                value: value.as_str().into(),
                role: Arc::from(role.as_str()),
            };
            map.iter().map(rule).collect()
        };
        let rules =
            [of(RoleClaim::Role, &raw.roles), of(RoleClaim::Group, &raw.groups), of(RoleClaim::Scope, &raw.scopes)]
                .concat();
        if rules.iter().any(|rule| rule.value.trim().is_empty() || rule.role.trim().is_empty()) {
            let what = "a value of `roles`, `groups` or `scopes`, or the role it gives, is empty";
            return self.wrong(
                at,
                what,
                "write the issuer's value and the role that policies name, as in \"Gateway.User\" = \"staff\"",
            );
        }
        Some(rules)
    }

    fn key_rules(&mut self, at: &Place, raw: &RawIssuer) -> Option<KeyRules> {
        let times = [
            ("refresh_seconds", raw.refresh_seconds, 1, DAY),
            ("stale_seconds", raw.stale_seconds, 2, DAY),
            ("leeway_seconds", raw.leeway_seconds, 0, 60),
            ("lifetime_seconds", raw.lifetime_seconds, 60, 7 * DAY),
        ];
        for (name, seconds, from, to) in times {
            if !(from..=to).contains(&seconds) {
                return self.wrong(at, format!("`{name}` is out of bounds"), format!("write {from} to {to}"));
            }
        }
        if raw.stale_seconds <= raw.refresh_seconds {
            let what = "`stale_seconds` is not more than `refresh_seconds`";
            return self.wrong(at, what, "keys have to be fetched again before they are too old");
        }
        let refresh = Duration::from_secs(raw.refresh_seconds);
        let pause = KeyRules::default().pause.min(refresh);
        Some(KeyRules { refresh, max_age: Duration::from_secs(raw.stale_seconds), pause })
    }
}

/// Whether anything says what its access tokens would be worth.
fn gives_access(raw: &RawIssuer) -> bool {
    let maps = [&raw.tenants, &raw.roles, &raw.groups, &raw.scopes];
    !raw.audiences.is_empty()
        || raw.tenant.is_some()
        || raw.tenant_claim.is_some()
        || maps.into_iter().any(|map| !map.is_empty())
        || raw.introspect.is_some()
        || raw.directory
}

const CLEARTEXT: &str = "i-accept-cleartext-on-loopback";
const DAY: u64 = 86_400;
