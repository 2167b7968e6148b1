//! Global token revocation (draft-parecki-oauth-global-token-revocation, which Okta calls Universal Logout): an issuer asks that all
//! that somebody holds ends. A token in the header says who asks, the body says of whom.
//!
//! Threats: another token of the issuer's that passes for this one, such as an access token of somebody who wants another out (a type
//! and an audience of its own, and the issuer's one client that may ask); a token that is taken along the way and shown again with
//! another name in the body, which nothing binds it to (it is good for minutes, and whoever takes it in takes it once); an e-mail
//! address that is somebody else's by now (it is no subject, see [`Whom::Mailed`]).

use std::{sync::Arc, time::Duration};

use countersign_core::Timestamp;
use countersign_wire::json::{Doc, Kind};

use super::{About, Event, Signal, SignalError, Speaker, claims, fault, simple};
use crate::token::Tokens;

/// What a token has to say by which an issuer asks.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Revoker {
    /// Its `aud`: the URL that is asked, to the letter.
    pub endpoint: String,
    /// Its `sub`: the gateway's client id at the issuer.
    pub client: String,
}

/// Whose credentials are to end.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Whom {
    /// Somebody by the issuer's id.
    Known(About),
    /// Whoever has this address, of the people of the issuer with that name. Only a directory can say who that is today.
    Mailed {
        /// The issuer's name.
        issuer: Arc<str>,
        /// The tenants that its people stand in.
        tenants: Vec<Arc<str>>,
        /// The address, as it was written.
        address: Arc<str>,
    },
}

impl Tokens {
    /// Who asks for a global revocation: the event that follows from it, about nobody yet. `revoker` is by the name of the issuer; none
    /// for one that may not ask.
    ///
    /// # Errors
    /// [`SignalError`] says why the token is not believed; [`SignalError::Denied`], that it is and may not.
    pub fn revoker(
        &self,
        token: &[u8],
        revoker: &dyn Fn(&str) -> Option<Revoker>,
        now: Timestamp,
    ) -> Result<Signal, SignalError> {
        let audiences = |issuer: &str| revoker(issuer).map(|revoker| revoker.endpoint).into_iter().collect();
        let signal = self.event(token, TYPE, &audiences, now, |claims, speaker| {
            let moment = |name| claims::time(claims, name).map_err(fault);
            let (issued, ends) = (moment("iat")?, moment("exp")?);
            let ends = ends.ok_or(SignalError::Request("it does not say when it ends"))?;
            if issued.is_none_or(|issued| ends > issued.plus(MAX_LIFE)) {
                return Err(SignalError::Request("it lives too long"));
            }
            if moment("nbf")?.is_some_and(|first| first > now.plus(speaker.own.leeway)) {
                return Err(SignalError::Request("it is not valid yet"));
            }
            let caller = claims::required(claims, "sub").map_err(fault)?;
            if revoker(&speaker.own.name).is_none_or(|revoker| *revoker.client != *caller) {
                return Err(SignalError::Denied("it is of another client"));
            }
            Ok((About::default(), vec![Event::TokensRevoked], Some(ends)))
        })?;
        // All that was issued until now is to end, not until the token was.
        Ok(Signal { issued: now.max(signal.issued), ..signal })
    }

    /// Whom the body of a revocation by that issuer names.
    ///
    /// # Errors
    /// [`SignalError::Request`] for what is malformed or not understood, [`SignalError::Denied`] for another issuer's people.
    pub fn revoked(&self, issuer: &str, body: &[u8]) -> Result<Whom, SignalError> {
        let doc = Doc::read(body, &claims::LIMITS).map_err(|_| SignalError::Request("the body is not strict JSON"))?;
        let subject = doc.root().get("sub_id").filter(|subject| subject.kind() == Kind::Object);
        let subject = subject.ok_or(SignalError::Request("the body holds no `sub_id`"))?;
        let services = self.services.load();
        let service = services.iter().find(|service| *service.issuer.name == *issuer);
        let service = service.ok_or(SignalError::Issuer("it is of no issuer that is known"))?;
        let speaker = Speaker::new(&service.issuer, &services)?;
        if subject.get("format").is_some_and(|format| format.is("email")) {
            let address = claims::required(subject, "email").map_err(fault)?;
            let tenants = speaker.tenants().cloned().collect();
            return Ok(Whom::Mailed { issuer: speaker.of.name.clone(), tenants, address });
        }
        let principals = speaker.principals(&simple(subject, speaker)?)?;
        Ok(Whom::Known(About { principals, ..About::default() }))
    }
}

const TYPE: &str = "global-token-revocation+jwt";
/// From `iat` to `exp`; five minutes are recommended, and some begin five minutes back.
const MAX_LIFE: Duration = Duration::from_mins(15);

#[cfg(test)]
mod tests;
