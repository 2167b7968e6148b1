//! People sign in to the console at their identity provider: an authorization code with PKCE (OpenID Connect Core 1.0, RFC 7636), for an
//! access token of an `[[issuer]]` that is worth what such tokens are worth here.
//!
//! Nothing is kept of a question that waits for its answer: the browser holds a cookie that no script reads, and `state`, `nonce` and
//! the verifier are digests of it. So nobody fills a table here, and an answer is worth something to the browser alone that asked.
//!
//! Threats it answers: an answer that somebody else's browser is given (login forgery: `state` is of this browser's cookie); a code
//! that was taken along the way (the verifier never leaves but to the provider); an answer of another provider (mix-up, RFC 9207: `iss`
//! is compared where it is there, and has to be where the provider says so; the ID token is of the issuer that was asked); a redirect
//! to somewhere else (the redirect URI is from the configuration, and where a browser goes afterwards is not asked of anybody).

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;
use countersign_core::{Secret, Timestamp};
use countersign_identity::{Tokens, discovery};
use countersign_provider::Trust;
use data_encoding::BASE64URL_NOPAD;
use serde::Deserialize;
use tokio::{sync::OnceCell, time::timeout};

use crate::{
    clock,
    config::Config,
    fetch::Place,
    issuers::{Source, basic, escaped},
    state::State,
};

/// Where the provider sends browsers back to, below the console's address.
pub(crate) const BACK: &str = "/console/back";
/// The cookie that an answer has to come with.
pub(crate) const COOKIE: &str = "__Host-countersign-sign-in";

/// A provider at which people sign in, as the configuration has it.
#[derive(Clone)]
pub(crate) struct Provider {
    /// Where the issuer is.
    pub(crate) source: Source,
    /// Where browsers find the console.
    pub(crate) address: String,
    pub(crate) client: String,
    pub(crate) secret: Option<crate::config::Key>,
    pub(crate) scopes: String,
    pub(crate) resource: Option<String>,
}

/// Signs people in at one provider.
pub(crate) struct SignIn {
    provider: Provider,
    /// For basic authentication; none for a public client.
    credential: Option<Secret<String>>,
    found: OnceCell<Found>,
}

/// Where the provider is asked.
struct Found {
    trust: Option<Trust>,
    authorize: String,
    token: Place,
    named: bool,
}

/// What a provider's answer came with.
pub(crate) struct Answer<'a> {
    pub(crate) code: &'a str,
    pub(crate) state: &'a str,
    /// Who answers, where it says so.
    pub(crate) issuer: Option<&'a str>,
}

/// Why nobody is signed in.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unsigned {
    /// The answer is not to this browser's question, or is not one.
    #[error("{0}")]
    Refused(&'static str),
    /// The provider could not be asked.
    #[error("{0:#}")]
    Away(anyhow::Error),
    /// The ID token is none.
    #[error("{}", .0.reason)]
    Token(countersign_core::Refusal),
}

/// What a browser remembers of its question.
pub(crate) struct Question(Secret<String>);

#[derive(Deserialize)]
struct Tokened {
    access_token: String,
    token_type: String,
    id_token: String,
}

impl SignIn {
    /// # Errors
    /// When a sealed secret cannot be had.
    pub(crate) fn new(config: &Config, state: &State) -> anyhow::Result<Option<Arc<Self>>> {
        let Some(provider) = config.sign_in.clone() else { return Ok(None) };
        let secret = provider.secret.as_ref().map(|key| state.secret(key)).transpose();
        let secret = secret.context("`[console.sign_in]`: its secret")?;
        let credential = secret.map(|secret| basic(&provider.client, &secret));
        Ok(Some(Arc::new(Self { provider, credential, found: OnceCell::new() })))
    }

    /// The name of the issuer.
    pub(crate) fn name(&self) -> &str {
        &self.provider.source.name
    }

    /// Where a browser goes to sign in, with its question.
    pub(crate) async fn go(&self, question: &Question) -> Result<String, Unsigned> {
        let found = self.found().await?;
        let mut pairs = vec![
            ("response_type", "code".to_owned()),
            ("client_id", self.provider.client.clone()),
            ("redirect_uri", self.back()),
            ("scope", self.provider.scopes.clone()),
            ("state", question.part("state")),
            ("nonce", question.part("nonce")),
            ("code_challenge", BASE64URL_NOPAD.encode(digest(&SHA256, question.part("verifier").as_bytes()).as_ref())),
            ("code_challenge_method", "S256".to_owned()),
        ];
        pairs.extend(self.provider.resource.clone().map(|resource| ("resource", resource)));
        let joint = if found.authorize.contains('?') { '&' } else { '?' };
        Ok(format!("{}{joint}{}", found.authorize, form(&pairs)))
    }

    /// The access token that the provider gives for its answer to that question.
    pub(crate) async fn back_from(
        &self,
        answer: &Answer<'_>,
        question: &Question,
        tokens: &Tokens,
        now: Timestamp,
    ) -> Result<Secret<String>, Unsigned> {
        // Digests of 256 random bits: how long a comparison takes tells nobody anything.
        if answer.state != question.part("state") {
            return Err(Unsigned::Refused("the answer is to another browser's question, or to an older one"));
        }
        let found = self.found().await?;
        match answer.issuer {
            Some(issuer) if issuer != &*self.provider.source.url => {
                return Err(Unsigned::Refused("the answer is of another issuer than was asked"));
            }
            None if found.named => return Err(Unsigned::Refused("the answer does not say whose it is")),
            _ => {}
        }
        let mut pairs = vec![
            ("grant_type", "authorization_code".to_owned()),
            ("code", answer.code.to_owned()),
            ("redirect_uri", self.back()),
            ("code_verifier", question.part("verifier")),
        ];
        if self.credential.is_none() {
            pairs.push(("client_id", self.provider.client.clone()));
        }
        pairs.extend(self.provider.resource.clone().map(|resource| ("resource", resource)));
        let asked = found.token.post(found.trust.as_ref(), self.credential.as_ref(), form(&pairs).into(), MAX_ANSWER);
        let answered =
            timeout(PATIENCE, asked).await.map_err(|_| Unsigned::Away(anyhow::anyhow!("it took too long")))?;
        let text: Bytes = match answered {
            // A code that is over, was used, or is somebody else's (RFC 6749, section 5.2).
            Err(crate::fetch::FetchError::Status(400 | 401)) => {
                return Err(Unsigned::Refused("the provider gives nothing for the code"));
            }
            answered => answered.map_err(|error| Unsigned::Away(error.into()))?,
        };
        let given: Tokened =
            serde_json::from_slice(&text).map_err(|_| Unsigned::Refused("the provider gave no tokens"))?;
        let access = Secret::new(given.access_token);
        if !given.token_type.eq_ignore_ascii_case("bearer") {
            return Err(Unsigned::Refused("the access token is bound to a key"));
        }
        let (client, nonce) = (&self.provider.client, question.part("nonce"));
        tokens.id_token(given.id_token.as_bytes(), self.name(), client, &nonce, now).map_err(Unsigned::Token)?;
        Ok(access)
    }

    fn back(&self) -> String {
        format!("{}{BACK}", self.provider.address)
    }

    async fn found(&self) -> Result<&Found, Unsigned> {
        let find = async {
            let source = &self.provider.source;
            let trust = source.trust().await?;
            let metadata = timeout(PATIENCE, source.metadata(trust.as_ref())).await.context("it took too long")??;
            let said = discovery::sign_in(&metadata, &source.url)?;
            let (authorize, token): (Place, Place) = (said.authorize.parse()?, said.token.parse()?);
            for place in [&authorize, &token] {
                anyhow::ensure!(place.is_safe(source.clear), "the metadata lead to {place}, which is not https");
            }
            Ok(Found { trust, authorize: authorize.to_string(), token, named: said.named })
        };
        self.found.get_or_try_init(|| find).await.map_err(Unsigned::Away)
    }
}

impl Question {
    /// A new one.
    pub(crate) fn new() -> Self {
        Self(Secret::new(BASE64URL_NOPAD.encode(&clock::random::<32>())))
    }

    /// The one that a browser's cookie is of; none where it cannot be.
    pub(crate) fn of(cookie: &[u8]) -> Option<Self> {
        let whole = BASE64URL_NOPAD.decode(cookie).is_ok_and(|seed| seed.len() == 32);
        whole.then(|| Self(Secret::new(String::from_utf8_lossy(cookie).into_owned())))
    }

    /// What the browser keeps.
    pub(crate) const fn cookie(&self) -> &Secret<String> {
        &self.0
    }

    /// One of the three things that follow from it, none of which tells of the others.
    fn part(&self, of: &str) -> String {
        let text = Secret::new(format!("countersign sign-in {of} {}", self.0.expose()));
        BASE64URL_NOPAD.encode(digest(&SHA256, text.expose().as_bytes()).as_ref())
    }
}

fn form(pairs: &[(&str, String)]) -> String {
    let pairs: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={}", escaped(value))).collect();
    pairs.join("&")
}

const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes of the provider's answer with the tokens.
const MAX_ANSWER: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_from_a_question_is_of_it_alone() {
        let (one, other) = (Question::new(), Question::new());
        let again = Question::of(one.cookie().expose().as_bytes()).unwrap();
        let parts: Vec<String> = ["state", "nonce", "verifier"].iter().map(|of| one.part(of)).collect();
        assert_eq!(parts, ["state", "nonce", "verifier"].map(|of| again.part(of)));
        assert!(parts.iter().all(|part| part.len() == 43 && !parts.contains(&other.part("state"))));
        assert!(parts[0] != parts[1] && parts[1] != parts[2] && parts[0] != parts[2]);
        for bad in ["", "x", "csb_abc", &"A".repeat(42), &"A".repeat(44)] {
            assert!(Question::of(bad.as_bytes()).is_none(), "{bad}");
        }
    }
}
