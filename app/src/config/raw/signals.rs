//! Security events: whose are taken in, and who is told of ours.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use super::RawKey;

/// Which security events of an issuer are taken in, on listeners with `admin = true`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawSignals {
    /// What `aud` of its security event tokens has to hold; one of these is enough. They are pushed to `/ssf/events`.
    #[serde(default)]
    pub(crate) audiences: Vec<String>,
    /// The gateway's client id at the issuer, which is what `aud` of its logout tokens has to hold. They are posted to `/ssf/logout`.
    pub(crate) logout: Option<String>,
    /// Global token revocation, which Okta calls Universal Logout: it asks at `/global-token-revocation` that all that somebody holds
    /// ends.
    pub(crate) revocation: Option<RawRevocation>,
    /// Where it hands its events out (RFC 8936), if it does not push them.
    pub(crate) poll: Option<String>,
    /// Where the bearer token for `poll` comes from, where it takes one.
    pub(crate) token: Option<RawKey>,
}

/// What the tokens say by which an issuer asks for global revocations.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawRevocation {
    /// Their `aud`: the URL that it asks, to the letter, as in `https://ai.example.com/global-token-revocation`.
    pub(crate) endpoint: String,
    /// Their `sub`: the gateway's client id at the issuer.
    pub(crate) client: String,
}

/// Somebody who is told what is revoked here. Exactly one of `push` and `polled_by`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawReceiver {
    /// Names the receiver. What it has acknowledged is kept under this name.
    pub(crate) name: String,
    /// What `aud` of its events says.
    pub(crate) audience: String,
    /// How its events are signed. CAEP's interoperability profile asks for `RS256`.
    #[serde(default)]
    pub(crate) algorithm: Signing,
    /// Where events are pushed to (RFC 8935).
    pub(crate) push: Option<String>,
    /// Who fetches them at `/ssf/poll/NAME` (RFC 8936): `TENANT/SUBJECT`.
    pub(crate) polled_by: Option<String>,
    /// Where the bearer token for `push` comes from, where it takes one.
    pub(crate) token: Option<RawKey>,
    /// PEM file with the authorities of its certificate, instead of the system's.
    pub(crate) ca: Option<PathBuf>,
    /// Push in the clear. The only value is `"i-accept-cleartext-on-loopback"`, and only loopback addresses take it.
    pub(crate) cleartext: Option<String>,
}

/// By which algorithm events are signed.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq)]
pub(crate) enum Signing {
    /// Ed25519, by a key that is derived from the root key.
    #[default]
    #[serde(rename = "EdDSA")]
    EdDsa,
    /// RSA of 2,048 bits, by a key that is made where a receiver asks for it, sealed and kept in the store.
    #[serde(rename = "RS256")]
    Rs256,
}
