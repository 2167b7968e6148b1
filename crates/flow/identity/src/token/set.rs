//! Security event tokens (RFC 8417) and logout tokens (OpenID Connect Back-Channel Logout 1.0): what an issuer says has happened to
//! somebody whom it vouched for.
//!
//! Threats: an event that some other token was made into (each kind has a type, and claims that the other may not have); events of one
//! issuer about another's people (a subject of another issuer is refused); a subject that can be somebody else tomorrow (e-mail
//! addresses, telephone numbers); an old event played again (its age is bounded here, its id is remembered by whoever takes it in);
//! events that would be misread as nothing (what is understood and malformed is refused, never passed over).

use std::{sync::Arc, time::Duration};

use countersign_core::{Code, Refusal, Target, Timestamp};
use countersign_wire::json::{Doc, Kind, Value};

use super::{Fault, Issuer, Jws, Service, Tokens, claims, key};

mod global;

pub use global::{Revoker, Whom};

/// An event that can be believed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Signal {
    /// The name of the issuer that says it.
    pub issuer: Arc<str>,
    /// Its id, unique at the issuer.
    pub id: Arc<str>,
    /// When it was said.
    pub issued: Timestamp,
    /// When it would be refused for its age; until then its id has to be remembered.
    pub ends: Timestamp,
    /// Whom it is about.
    pub about: About,
    /// What happened, in the order in which it stands.
    pub events: Vec<Event>,
}

/// Whom an event is about, in our words. A principal may stand in several tenants.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct About {
    /// A person, service or agent.
    pub principals: Vec<Target>,
    /// A session at the issuer.
    pub session: Option<Target>,
    /// A client, or all that the issuer vouched for.
    pub others: Option<Target>,
}

/// What happened (OpenID CAEP 1.0, OpenID Shared Signals Framework 1.0).
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Event {
    /// A session, or all of somebody's sessions, ended.
    SessionRevoked,
    /// All that somebody holds is to end.
    TokensRevoked,
    /// A credential was changed, or taken away; not that one was added.
    CredentialChanged,
    /// What tokens say of somebody has changed.
    ClaimsChanged,
    /// A device now meets its owner's rules, or no longer does.
    Compliance(bool),
    /// The issuer is now this sure of who it is, and whether that is less than before.
    Assurance {
        /// The level, in the issuer's words.
        level: Arc<str>,
        /// Whether it fell.
        fell: bool,
    },
    /// Something seems to be wrong to this degree: `low`, `medium` or `high`.
    Risk(&'static str),
    /// The transmitter tries whether events arrive.
    Verification,
    /// An event of a type that means nothing here.
    Other,
}

/// Why an event is not believed, by the codes of RFC 8935, section 2.4.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SignalError {
    /// It is malformed, or says what is not acted on.
    #[error("invalid_request: {0}")]
    Request(&'static str),
    /// Its key or signature will not do.
    #[error("invalid_key: {0}")]
    Key(&'static str),
    /// Its issuer will not do.
    #[error("invalid_issuer: {0}")]
    Issuer(&'static str),
    /// It is for somebody else.
    #[error("invalid_audience: {0}")]
    Audience(&'static str),
    /// Whoever sends it may not, or not this.
    #[error("access_denied: {0}")]
    Denied(&'static str),
    /// The issuer's keys are not at hand; it may be sent again.
    #[error("{0}")]
    Later(Refusal),
}

impl About {
    /// What ends when whatever it is about ends: the session where one is named, and no more.
    #[must_use]
    pub fn narrowest(&self) -> Vec<Target> {
        match (&self.session, self.principals.as_slice(), &self.others) {
            (Some(session), ..) => vec![session.clone()],
            (None, [], others) => others.iter().cloned().collect(),
            (None, principals, _) => principals.to_vec(),
        }
    }
}

impl Tokens {
    /// Reads a security event token. `audiences` gives what its `aud` may be, by the name of its issuer; none for an issuer whose
    /// events are not taken.
    ///
    /// # Errors
    /// [`SignalError`] says why it is not believed.
    pub fn signal(
        &self,
        token: &[u8],
        audiences: &dyn Fn(&str) -> Vec<String>,
        now: Timestamp,
    ) -> Result<Signal, SignalError> {
        self.event(token, "secevent+jwt", audiences, now, |claims, speaker| {
            // Either would let it pass for a token that opens a door.
            if ["exp", "sub", "nonce"].into_iter().any(|name| claims.get(name).is_some()) {
                return Err(SignalError::Request("an event holds a claim of access or ID tokens"));
            }
            let events = claims.get("events").filter(|e| e.kind() == Kind::Object);
            let events = events.ok_or(SignalError::Request("it holds no events"))?;
            let mut read = Vec::new();
            for (name, event) in events.members() {
                let uri = name.as_str().unwrap_or_default();
                read.push(self::event(&uri, event)?);
            }
            if read.is_empty() || read.len() > MAX_EVENTS {
                return Err(SignalError::Request("it holds no events, or too many"));
            }
            let acts = read.iter().any(|e| !matches!(e, Event::Verification | Event::Other));
            let subject = claims.get("sub_id").or_else(|| {
                // As drafts of the framework had it, and some issuers still have.
                events.members().find_map(|(_, event)| event.get("subject"))
            });
            let about = match subject {
                Some(subject) if acts => about(subject, speaker)?,
                None if acts => return Err(SignalError::Request("it names no subject")),
                _ => About::default(),
            };
            Ok((about, read, None))
        })
    }

    /// Reads a logout token; `audiences` as for [`Tokens::signal`], the client's id at the issuer.
    ///
    /// # Errors
    /// [`SignalError`] says why it is not believed.
    pub fn logout(
        &self,
        token: &[u8],
        audiences: &dyn Fn(&str) -> Vec<String>,
        now: Timestamp,
    ) -> Result<Signal, SignalError> {
        self.event(token, "logout+jwt", audiences, now, |claims, speaker| {
            if claims.get("nonce").is_some() {
                return Err(SignalError::Request("a logout token holds a nonce, as ID tokens do"));
            }
            let logout = claims.get("events").and_then(|events| events.get(LOGOUT));
            if logout.is_none_or(|event| event.kind() != Kind::Object) {
                return Err(SignalError::Request("it does not say that somebody logged out"));
            }
            let ends = claims::time(claims, "exp").map_err(fault)?;
            let ends = ends.ok_or(SignalError::Request("it does not say when it ends"))?;
            let session = claims::text(claims, "sid").map_err(fault)?;
            let subject = claims.get("sub").map(|_| claims::subject(claims, "sub").map_err(fault)).transpose()?;
            if session.is_none() && subject.is_none() {
                return Err(SignalError::Request("it names neither a session nor a subject"));
            }
            let about = About {
                principals: subject.map(|id| speaker.principals(&id)).transpose()?.unwrap_or_default(),
                session: session.map(|id| Target::Session(speaker.of.name.clone(), id)),
                others: None,
            };
            Ok((about, vec![Event::SessionRevoked], Some(ends)))
        })
    }

    /// Verifies what every event has, and has `read` read the rest: whom it is about, what happened, and when it ends.
    fn event(
        &self,
        token: &[u8],
        typ: &str,
        audiences: &dyn Fn(&str) -> Vec<String>,
        now: Timestamp,
        read: impl FnOnce(Value<'_>, Speaker<'_>) -> Result<(About, Vec<Event>, Option<Timestamp>), SignalError>,
    ) -> Result<Signal, SignalError> {
        let jws = Jws::read(token).map_err(|_| SignalError::Request("it is no signed token"))?;
        // RFC 8725, section 3.11: with or without `application/`, in any case.
        let named = jws.typ().map(str::to_ascii_lowercase);
        if named.as_deref().map(|t| t.strip_prefix("application/").unwrap_or(t)) != Some(typ) {
            return Err(SignalError::Request("it is a token of another type"));
        }
        let doc = Doc::read(jws.payload(), &claims::LIMITS)
            .map_err(|_| SignalError::Request("its claims are not strict JSON"))?;
        let claims = doc.root();
        let services = self.services.load();
        let service = claims.get("iss").and_then(|iss| services.iter().find(|s| iss.is(&s.issuer.url)));
        let service = service.ok_or(SignalError::Issuer("it is of no issuer that is known"))?;
        let issuer = &service.issuer;
        let audiences = audiences(&issuer.name);
        if audiences.is_empty() {
            return Err(SignalError::Issuer("no such events are taken from its issuer"));
        }
        verify(service, &jws, now)?;
        if !is_for(claims, &audiences) {
            return Err(SignalError::Audience("it is for another audience"));
        }
        let issued = claims::time(claims, "iat").map_err(fault)?;
        let issued = issued.ok_or(SignalError::Request("it does not say when it was issued"))?;
        if issued > now.plus(issuer.leeway) {
            return Err(SignalError::Request("it was issued in the future"));
        }
        let id = claims::required(claims, "jti").map_err(fault)?;
        let (about, events, ends) = read(claims, Speaker::new(issuer, &services)?)?;
        let oldest = issued.plus(MAX_AGE);
        let ends = ends.map_or(oldest, |ends| ends.min(oldest));
        if ends <= now {
            return Err(SignalError::Request("it is too old"));
        }
        Ok(Signal { issuer: issuer.name.clone(), id, issued, ends, about, events })
    }
}

/// Who says something, and of whose people: its own, or those of the issuer that it speaks for.
#[derive(Clone, Copy)]
struct Speaker<'a> {
    own: &'a Issuer,
    of: &'a Issuer,
}

impl<'a> Speaker<'a> {
    fn new(own: &'a Issuer, services: &'a [Arc<Service>]) -> Result<Self, SignalError> {
        let Some(name) = &own.speaks_for else { return Ok(Self { own, of: own }) };
        let of = services.iter().map(|service| &service.issuer).find(|issuer| issuer.name == *name);
        of.map(|of| Self { own, of }).ok_or(SignalError::Issuer("the issuer that it speaks for is not known"))
    }

    /// The tenants that people of the issuer may stand in.
    fn tenants(self) -> impl Iterator<Item = &'a Arc<str>> {
        let own = self.of.tenants.is_none().then_some(&self.of.tenant);
        own.into_iter().chain(self.of.tenants.iter().flat_map(|tenants| tenants.by_value.values()))
    }

    /// Somebody by the issuer's id, in each tenant that they may stand in.
    fn principals(self, id: &str) -> Result<Vec<Target>, SignalError> {
        let subject: Arc<str> = format!("{}/{id}", self.of.name).into();
        let all: Vec<_> = self.tenants().map(|tenant| Target::Principal(tenant.clone(), subject.clone())).collect();
        if all.is_empty() { Err(SignalError::Request("its issuer has no tenants here")) } else { Ok(all) }
    }
}

fn verify(service: &Arc<Service>, jws: &Jws<'_>, now: Timestamp) -> Result<(), SignalError> {
    if !service.issuer.algorithms.contains(&jws.algorithm()) {
        return Err(SignalError::Key("its algorithm is not its issuer's"));
    }
    let key = key(service, jws, now).map_err(|refusal| match refusal.code {
        Code::UnconfirmedCredential => SignalError::Later(refusal),
        _ => SignalError::Key("it names no key that its issuer publishes"),
    })?;
    if key.verifies(jws.algorithm(), jws.signed(), jws.signature()) {
        Ok(())
    } else {
        Err(SignalError::Key("its signature does not verify"))
    }
}

/// Whether `aud`, one text or several, holds one of ours.
fn is_for(claims: Value<'_>, audiences: &[String]) -> bool {
    let ours = |value: Value<'_>| audiences.iter().any(|own| value.is(own));
    claims.get("aud").is_some_and(|aud| match aud.kind() {
        Kind::Array => aud.items().any(ours),
        _ => ours(aud),
    })
}

/// Reads one event by its URI.
fn event(uri: &str, event: Value<'_>) -> Result<Event, SignalError> {
    if event.kind() != Kind::Object {
        return Err(SignalError::Request("an event is no object"));
    }
    if uri == VERIFICATION {
        return Ok(Event::Verification);
    }
    let Some(name) = uri.strip_prefix(CAEP) else { return Ok(Event::Other) };
    let word = |member: &'static str| {
        let text = claims::required(event, member).map_err(fault)?;
        Ok::<_, SignalError>(text)
    };
    let unknown = SignalError::Request("an event says something that is not understood");
    Ok(match name {
        "session-revoked" => Event::SessionRevoked,
        "token-claims-change" => Event::ClaimsChanged,
        "credential-change" => match &*word("change_type")? {
            "create" => Event::Other,
            "revoke" | "update" | "delete" => Event::CredentialChanged,
            _ => return Err(unknown),
        },
        "device-compliance-change" => match &*word("current_status")? {
            "compliant" => Event::Compliance(true),
            "not-compliant" => Event::Compliance(false),
            _ => return Err(unknown),
        },
        "assurance-level-change" => {
            let level = word("current_level")?;
            // Without a direction nobody can say that it rose.
            let rose = event.get("change_direction").is_some_and(|direction| direction.is("increase"));
            Event::Assurance { level, fell: !rose }
        }
        "risk-level-change" => match &*word("current_level")?.to_ascii_lowercase() {
            "low" => Event::Risk("low"),
            "medium" => Event::Risk("medium"),
            "high" => Event::Risk("high"),
            _ => return Err(unknown),
        },
        _ => Event::Other,
    })
}

/// Reads whom it is about (RFC 9493; complex subjects as in the Shared Signals Framework, section 3).
fn about(subject: Value<'_>, speaker: Speaker<'_>) -> Result<About, SignalError> {
    if subject.kind() != Kind::Object {
        return Err(SignalError::Request("the subject is no object"));
    }
    let complex = match subject.get("format") {
        Some(format) => format.is("complex"),
        // Drafts had no format for complex subjects.
        None => true,
    };
    if !complex {
        return Ok(About { principals: speaker.principals(&simple(subject, speaker)?)?, ..About::default() });
    }
    let member = |name| subject.get(name).map(|value| simple(value, speaker)).transpose();
    let session = member("session")?.map(|id| Target::Session(speaker.of.name.clone(), id));
    let principals = member("user")?.map(|id| speaker.principals(&id)).transpose()?.unwrap_or_default();
    let client = match member("application") {
        Ok(id) => id.map(|id| Target::Client(speaker.of.name.clone(), id)),
        Err(_) if session.is_some() || !principals.is_empty() => None,
        Err(error) => return Err(error),
    };
    // The issuer's tenant is what the issuer vouches for, where nothing narrower is named.
    let narrower = ["device", "group", "org_unit"].into_iter().any(|name| subject.get(name).is_some());
    let tenant = (subject.get("tenant").is_some() && !narrower).then(|| Target::Issuer(speaker.of.name.clone()));
    let about = About { principals, session, others: client.or(tenant) };
    if about.narrowest().is_empty() {
        return Err(SignalError::Request("the subject is a device, a group or something else that is not known here"));
    }
    Ok(about)
}

/// The issuer's id of a simple subject.
fn simple(subject: Value<'_>, speaker: Speaker<'_>) -> Result<Arc<str>, SignalError> {
    let format = subject.get("format").and_then(Value::as_str).unwrap_or_default();
    let id = |name| claims::subject(subject, name).map_err(fault);
    match &*format {
        "iss_sub" if subject.get("iss").is_some_and(|iss| iss.is(&speaker.own.url) || iss.is(&speaker.of.url)) => {
            id("sub")
        }
        "iss_sub" => Err(SignalError::Denied("the subject is another issuer's")),
        "opaque" => id("id"),
        "account" | "email" | "phone_number" | "did" | "uri" => {
            Err(SignalError::Request("the subject is named by what can be somebody else's tomorrow"))
        }
        _ => Err(SignalError::Request("the subject is named in a way that is not known here")),
    }
}

fn fault(fault: Fault) -> SignalError {
    SignalError::Request(match fault {
        Fault::Expired => "it is too old",
        Fault::Bad(why) => why,
    })
}

const CAEP: &str = "https://schemas.openid.net/secevent/caep/event-type/";
const VERIFICATION: &str = "https://schemas.openid.net/secevent/ssf/event-type/verification";
const LOGOUT: &str = "http://schemas.openid.net/event/backchannel-logout";
const MAX_EVENTS: usize = 8;
/// How long a transmitter may go on trying to hand an event over.
const MAX_AGE: Duration = Duration::from_hours(24);

#[cfg(test)]
mod tests;
