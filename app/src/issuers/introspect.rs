//! Asks issuers what tokens are worth that say nothing by themselves (RFC 7662). When to ask, and what an answer means, is the
//! identity stage's to say; here is only the network.

use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use countersign_core::{Code, Secret};
use countersign_identity::{discovery, token::MAX_ANSWER};
use countersign_provider::Trust;
use data_encoding::BASE64;
use tokio::{sync::OnceCell, time::timeout};

use super::Source;
use crate::{
    cmd::Failure,
    config::{Config, Key},
    fetch::Place,
    state::State,
};

/// Asks one issuer.
pub(crate) struct Asker {
    source: Source,
    /// Where to ask, if that was said; else it is found by the issuer's metadata.
    endpoint: Option<Place>,
    found: OnceCell<Place>,
    trust: OnceCell<Option<Trust>>,
    /// The gateway's own id and secret at the issuer, for basic authentication (RFC 6749, section 2.3.1).
    credential: Secret<String>,
}

/// Who asks the issuers of the configuration about tokens, by their names, with the secrets unsealed.
pub(crate) fn askers(config: &Config, state: &State) -> anyhow::Result<Vec<(Arc<str>, Arc<Asker>)>> {
    let mut askers = Vec::new();
    for issuer in &config.issuers {
        let Some(how) = &issuer.introspection else { continue };
        let secret = match &how.secret {
            Key::Known(secret) => secret.clone(),
            Key::Sealed(name) => state.secrets()?.get(state.ring(), name).map_err(|e| Failure {
                code: Code::ConfigInvalid,
                what: format!("issuer `{}`: the sealed secret of `introspect`: {e}", issuer.source.name),
                fix: "see `countersign secret list`, and `countersign secret set NAME`",
            })?,
        };
        let asker = Asker::new(issuer.source.clone(), how.endpoint.clone(), &how.client_id, &secret);
        askers.push((issuer.source.name.clone(), Arc::new(asker)));
    }
    Ok(askers)
}

impl Asker {
    pub(super) fn new(source: Source, endpoint: Option<Place>, client: &str, secret: &Secret<String>) -> Self {
        let credential = basic(client, secret);
        Self { source, endpoint, found: OnceCell::new(), trust: OnceCell::new(), credential }
    }

    /// What the issuer says of a token, in bounded time.
    pub(crate) async fn ask(&self, token: &Secret<String>) -> anyhow::Result<Bytes> {
        match timeout(PATIENCE, self.answer(token)).await {
            Ok(answer) => answer,
            Err(_) => anyhow::bail!("it took longer than {} s", PATIENCE.as_secs()),
        }
    }

    async fn answer(&self, token: &Secret<String>) -> anyhow::Result<Bytes> {
        let trust = self.trust.get_or_try_init(|| self.source.trust()).await?.as_ref();
        let at = match &self.endpoint {
            Some(at) => at,
            None => self.found.get_or_try_init(|| self.discover(trust)).await?,
        };
        let form = format!("token={}&token_type_hint=access_token", escaped(token.expose()));
        at.post(trust, Some(&self.credential), form.into(), MAX_ANSWER)
            .await
            .map_err(|e| anyhow::anyhow!("asked at {at}: {e}"))
    }

    async fn discover(&self, trust: Option<&Trust>) -> anyhow::Result<Place> {
        let metadata = self.source.metadata(trust).await?;
        let at: Place = discovery::introspection(&metadata, &self.source.url)?.parse()?;
        anyhow::ensure!(at.is_safe(self.source.clear), "the metadata lead to {at}, which is not https");
        Ok(at)
    }
}

impl fmt::Debug for Asker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Asker").field("issuer", &self.source.name).finish_non_exhaustive()
    }
}

/// An id and a secret for basic authentication at an issuer (RFC 6749, section 2.3.1).
pub(crate) fn basic(client: &str, secret: &Secret<String>) -> Secret<String> {
    let both = Secret::new(format!("{}:{}", escaped(client), escaped(secret.expose())));
    Secret::new(BASE64.encode(both.expose().as_bytes()))
}

/// As a form has it (`application/x-www-form-urlencoded`): whatever is not plainly itself is spelt in hexadecimal.
pub(crate) fn escaped(text: &str) -> String {
    let mut form = String::with_capacity(text.len());
    for b in text.bytes() {
        if b.is_ascii_alphanumeric() || b"-._~".contains(&b) {
            form.push(char::from(b));
        } else {
            form.push_str(&format!("%{b:02X}"));
        }
    }
    form
}

/// For one question, the metadata included. A request waits for it.
const PATIENCE: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests;
