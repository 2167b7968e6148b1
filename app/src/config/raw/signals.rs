//! Security events: whose are taken in.

use schemars::JsonSchema;
use serde::Deserialize;

/// Which security events of an issuer are taken in, on listeners with `admin = true`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawSignals {
    /// What `aud` of its security event tokens has to hold; one of these is enough. They are pushed to `/ssf/events`.
    #[serde(default)]
    pub(crate) audiences: Vec<String>,
    /// The gateway's client id at the issuer, which is what `aud` of its logout tokens has to hold. They are posted to `/ssf/logout`.
    pub(crate) logout: Option<String>,
}
