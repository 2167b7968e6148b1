//! The console.

use schemars::JsonSchema;
use serde::Deserialize;

use super::RawKey;

/// What people may do at the console beyond what policy says.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawConsole {
    /// Whether those who may `writePolicy` change the policy files of this node there. The files then have to be writable by the gateway.
    /// Not with `[cluster]`: nodes that decide by different policies are worse than none that can be edited.
    #[serde(default)]
    pub(crate) edit_policies: bool,
    /// Where people sign in; with an API key or an access token alone when absent.
    pub(crate) sign_in: Option<RawSignIn>,
}

/// An identity provider at which people sign in for the console, by an authorization code (OpenID Connect Core 1.0, PKCE).
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawSignIn {
    /// The name of the [[issuer]]. What its access tokens give here is what its people have at the console.
    pub(crate) issuer: String,
    /// Where browsers find the console, without a path, as in `"https://gateway.example:8444"`. At the issuer, the redirect URI is this
    /// and `/console/back`, to the letter.
    pub(crate) address: String,
    /// The console's id at the issuer.
    pub(crate) client_id: String,
    /// Where its secret comes from; none for a public client.
    pub(crate) secret: Option<RawKey>,
    /// The scopes that are asked for, `openid` among them.
    #[serde(default = "scopes")]
    pub(crate) scopes: Vec<String>,
    /// What the access token is asked for (RFC 8707), where the issuer wants to be told.
    pub(crate) resource: Option<String>,
}

fn scopes() -> Vec<String> {
    vec!["openid".into()]
}
