//! What a request shows to say who it is from.

use std::fmt;

use countersign_core::{Code, Refusal};

/// The credentials of one request, as they came.
#[derive(Clone, Copy, Default)]
pub struct Presented<'a> {
    /// The value of `authorization`.
    pub authorization: Option<&'a [u8]>,
    /// The value of `x-api-key`.
    pub api_key: Option<&'a [u8]>,
    /// The client's certificate in DER, its chain verified.
    pub certificate: Option<&'a [u8]>,
}

impl<'a> Presented<'a> {
    /// Picks the credentials out of a request's headers.
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
        let bearer = match self.authorization {
            Some(value) => {
                Some(bearer(value).ok_or_else(|| bad("the authorization header is not a bearer credential"))?)
            }
            None => None,
        };
        match (bearer, self.api_key) {
            (Some(one), Some(other)) if one != other => Err(bad("two headers carry two different keys")),
            // A key has no dots. Tokens are taken from the header that is meant for them (RFC 6750).
            (Some(text), _) if memchr::memchr_iter(b'.', text).take(3).count() == 2 => Ok(Some(Shown::Token(text))),
            (Some(text), _) | (None, Some(text)) => Ok(Some(Shown::Key(text))),
            (None, None) => Ok(None),
        }
    }
}

/// What a header carries, by its looks.
pub(crate) enum Shown<'a> {
    /// An API key, or nothing that is known.
    Key(&'a [u8]),
    /// An access token.
    Token(&'a [u8]),
}

impl fmt::Debug for Presented<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Presented")
            .field("authorization", &self.authorization.is_some())
            .field("api_key", &self.api_key.is_some())
            .field("certificate", &self.certificate.is_some())
            .finish()
    }
}

/// The token of `Bearer TOKEN` (RFC 6750): the scheme in any case, one space.
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_first_chunk::<7>()?;
    scheme.eq_ignore_ascii_case(b"bearer ").then_some(token)
}
