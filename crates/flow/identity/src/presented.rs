//! What a request shows to say who it is from.

use std::fmt;

use countersign_core::{Code, Refusal};

use crate::key::PREFIX;

/// The credentials of one request, as they came.
#[derive(Clone, Copy, Default)]
pub struct Presented<'a> {
    /// The value of `authorization`.
    pub authorization: Option<&'a [u8]>,
    /// The value of `x-api-key`.
    pub api_key: Option<&'a [u8]>,
    /// The client's certificate in DER, its chain verified.
    pub certificate: Option<&'a [u8]>,
    /// The value of `dpop`: a proof of the key that the token is bound to.
    pub proof: Option<&'a [u8]>,
    /// The cookie of a browser's session, for the caller to fill in where one is taken.
    pub cookie: Option<&'a [u8]>,
    /// The request's method, which a proof has to name.
    pub method: &'a str,
    /// The request's path, which a proof has to name.
    pub path: &'a str,
    /// The origin that callers know the gateway by, `https://HOST[:PORT]`, as configured. No proof holds without one.
    pub origin: Option<&'a str>,
}

impl<'a> Presented<'a> {
    /// Picks the credentials out of a request's headers. Method, path and origin are for the caller to fill in.
    ///
    /// # Errors
    /// `CS0202` when a credential header is there twice: whoever reads only the first, or the last, would see another caller.
    pub fn gather(
        headers: impl IntoIterator<Item = (&'a str, &'a [u8])>,
        certificate: Option<&'a [u8]>,
    ) -> Result<Self, Refusal> {
        let mut presented = Self { certificate, ..Self::default() };
        for (name, value) in headers {
            let place = if name.eq_ignore_ascii_case("authorization") {
                &mut presented.authorization
            } else if name.eq_ignore_ascii_case("x-api-key") {
                &mut presented.api_key
            } else if name.eq_ignore_ascii_case("dpop") {
                &mut presented.proof
            } else {
                continue;
            };
            if place.replace(value).is_some() {
                return Err(Refusal::new(Code::BadCredential, "a credential header is there twice"));
            }
        }
        Ok(presented)
    }

    /// The API key or token, when a header carries one.
    pub(crate) fn shown(&self) -> Result<Option<Shown<'a>>, Refusal> {
        let bad = |reason| Refusal::new(Code::BadCredential, reason);
        let authorization = match self.authorization {
            Some(value) => {
                let split = scheme(value);
                Some(split.ok_or_else(|| bad("the authorization header is neither a bearer credential nor DPoP"))?)
            }
            None => None,
        };
        match (authorization, self.api_key) {
            (Some((_, one)), Some(other)) if one != other => Err(bad("two headers carry two different keys")),
            (Some((scheme, text)), _) if !text.starts_with(PREFIX.as_bytes()) => {
                Ok(Some(Shown::Token { text, scheme }))
            }
            (Some((Scheme::Dpop, _)), _) => Err(bad("an API key is bound to no key")),
            // Tokens are taken from the header that is meant for them (RFC 6750).
            (Some((Scheme::Bearer, text)), _) | (None, Some(text)) => Ok(Some(Shown::Key(text))),
            (None, None) => Ok(None),
        }
    }
}

/// What a header carries, by its looks.
pub(crate) enum Shown<'a> {
    /// An API key, or nothing that is known.
    Key(&'a [u8]),
    /// An access token, or nothing that is known.
    Token { text: &'a [u8], scheme: Scheme },
}

/// How a token is presented.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Scheme {
    /// Whoever bears it may use it (RFC 6750).
    Bearer,
    /// With a proof of the key that it is bound to (RFC 9449).
    Dpop,
}

impl fmt::Debug for Presented<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Presented")
            .field("authorization", &self.authorization.is_some())
            .field("api_key", &self.api_key.is_some())
            .field("certificate", &self.certificate.is_some())
            .field("proof", &self.proof.is_some())
            .field("cookie", &self.cookie.is_some())
            .finish_non_exhaustive()
    }
}

/// Scheme and credential: the scheme in any case, one space.
fn scheme(value: &[u8]) -> Option<(Scheme, &[u8])> {
    let of = |name: &[u8], scheme| {
        let (begin, rest) = value.split_at_checked(name.len())?;
        begin.eq_ignore_ascii_case(name).then_some((scheme, rest))
    };
    of(b"bearer ", Scheme::Bearer).or_else(|| of(b"dpop ", Scheme::Dpop))
}
