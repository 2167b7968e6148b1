//! ID tokens (OpenID Connect Core 1.0, section 2): that somebody has just signed in at the issuer, in answer to a question of ours.
//! They open nothing by themselves.
//!
//! Threats: another token of the issuer's, or one for another client, that passes for this one (type, audience and nonce); the answer
//! to somebody else's question (the nonce is of one question of one browser); an answer of another issuer than was asked (the name of
//! the issuer is given, not taken from the token).

use countersign_core::{Code, Refusal, Timestamp};
use countersign_wire::json::{Doc, Kind};

use super::{Jws, Tokens, bad, claims, key, refused};

impl Tokens {
    /// Whether it is an ID token of that issuer for `client`, in answer to the question that `nonce` is of.
    ///
    /// # Errors
    /// `CS0202` says that it is not, `CS0203` that its time is over, `CS0205` that the issuer's keys are not at hand.
    pub fn id_token(
        &self,
        token: &[u8],
        issuer: &str,
        client: &str,
        nonce: &str,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let jws = Jws::read(token).map_err(|error| Refusal::new(Code::BadCredential, error.to_string()))?;
        // Every other kind that issuers sign has a type of its own.
        if jws.typ().is_some_and(|typ| !typ.eq_ignore_ascii_case("JWT")) {
            return Err(bad("the ID token is a token of another type"));
        }
        let doc =
            Doc::read(jws.payload(), &claims::LIMITS).map_err(|_| bad("the ID token's claims are not strict JSON"))?;
        let claims = doc.root();
        let service = self.service(issuer).ok_or_else(|| bad("the ID token's issuer is not known"))?;
        if !claims.get("iss").is_some_and(|iss| iss.is(&service.issuer.url)) {
            return Err(bad("the ID token is of another issuer"));
        }
        if !service.issuer.algorithms.contains(&jws.algorithm()) {
            return Err(bad("the ID token's algorithm is not its issuer's"));
        }
        if !key(&service, &jws, now)?.verifies(jws.algorithm(), jws.signed(), jws.signature()) {
            return Err(bad("the ID token's signature does not verify"));
        }
        let alone = claims.get("aud").is_some_and(|aud| match aud.kind() {
            Kind::Array => aud.items().count() == 1 && aud.items().all(|one| one.is(client)),
            _ => aud.is(client),
        });
        if !alone || claims.get("azp").is_some_and(|azp| !azp.is(client)) {
            return Err(bad("the ID token is for another client"));
        }
        if !claims.get("nonce").is_some_and(|said| said.is(nonce)) {
            return Err(bad("the ID token answers another question"));
        }
        let moment = |name| claims::time(claims, name).map_err(refused);
        let (issued, ends) = (moment("iat")?, moment("exp")?);
        let (Some(issued), Some(ends)) = (issued, ends) else { return Err(bad("the ID token has no time")) };
        if issued > now.plus(service.issuer.leeway) {
            return Err(bad("the ID token was issued in the future"));
        }
        if ends <= now {
            return Err(Refusal::new(Code::ExpiredCredential, "the ID token has expired"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::{
        Algorithm, Issuer,
        testing::{NOW, Object, Signer, URL, after, issuer, object, signer, stage},
    };

    const CLIENT: &str = "console";

    fn claims() -> Object {
        object()
            .with("iss", format!("{URL:?}"))
            .with("sub", "\"u-1\"")
            .with("aud", format!("{CLIENT:?}"))
            .with("nonce", "\"n-1\"")
            .with("iat", NOW.seconds().to_string())
            .with("exp", after(300).seconds().to_string())
    }

    fn read(signer: &Signer, typ: Option<&str>, claims: &Object, now: Timestamp) -> Result<(), String> {
        let other = Issuer { name: "other".into(), url: "https://other.example".into(), ..issuer() };
        let identity = stage(&[issuer(), other], &[super::super::testing::signer(Algorithm::Es256)]);
        let header =
            typ.into_iter().fold(signer.header().without("typ"), |header, typ| header.with("typ", format!("{typ:?}")));
        let token = signer.token_of(header.text().as_bytes(), claims.text().as_bytes());
        let read = identity.tokens().id_token(token.as_bytes(), "bank", CLIENT, "n-1", now);
        read.map_err(|refusal| format!("{} {}", refusal.code.id(), refusal.reason))
    }

    #[test]
    fn only_the_answer_to_this_question_of_this_client_at_this_issuer_is_one() {
        let own = signer(Algorithm::Es256);
        for typ in [None, Some("JWT"), Some("jwt")] {
            assert_eq!(read(own, typ, &claims(), NOW), Ok(()));
        }
        assert_eq!(read(own, None, &claims().with("aud", "[\"console\"]").with("azp", "\"console\""), NOW), Ok(()));
        for (claims, why) in [
            (claims().with("iss", "\"https://other.example\""), "CS0202 the ID token is of another issuer"),
            (claims().with("aud", "\"notebook\""), "CS0202 the ID token is for another client"),
            (claims().with("aud", "[\"console\",\"notebook\"]"), "CS0202 the ID token is for another client"),
            (claims().with("aud", "[]"), "CS0202 the ID token is for another client"),
            (claims().with("azp", "\"notebook\""), "CS0202 the ID token is for another client"),
            (claims().with("nonce", "\"n-2\""), "CS0202 the ID token answers another question"),
            (claims().with("nonce", "[\"n-1\"]"), "CS0202 the ID token answers another question"),
            (claims().without("nonce"), "CS0202 the ID token answers another question"),
            (claims().without("exp"), "CS0202 the ID token has no time"),
            (claims().with("iat", after(60).seconds().to_string()), "CS0202 the ID token was issued in the future"),
        ] {
            assert_eq!(read(own, None, &claims, NOW), Err(why.to_owned()));
        }
        let late = read(own, None, &claims(), after(300));
        assert_eq!(late, Err("CS0203 the ID token has expired".to_owned()));
        for typ in ["at+jwt", "logout+jwt", "secevent+jwt", "dpop+jwt"] {
            let why = "CS0202 the ID token is a token of another type".to_owned();
            assert_eq!(read(own, Some(typ), &claims(), NOW), Err(why));
        }
        // Signed by somebody whose key the issuer does not publish.
        assert!(read(signer(Algorithm::EdDsa), None, &claims(), NOW).is_err());
    }
}
