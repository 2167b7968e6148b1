//! What the gateway says of itself to clients that look for a token: its metadata as a protected resource (RFC 9728), and the
//! challenge of refused requests (RFC 6750, section 3). Nothing here is taken from a request: not the host, least of all.

use std::fmt::Write;

use bytes::Bytes;
use countersign_core::StepUp;
use countersign_identity::{dpop, token::Algorithm};
use countersign_wire::say;
use http::{HeaderValue, Uri, uri};

/// The gateway as a resource that is protected by issuers of tokens.
#[derive(Clone, Debug)]
pub struct Resource {
    metadata: Bytes,
    /// `https://HOST[:PORT]`.
    origin: Box<str>,
    /// Where the metadata are.
    url: String,
}

impl Resource {
    /// The resource that callers know by `url`, which is `https://HOST[:PORT]`, and whose tokens `issuers` write, each named by its
    /// `iss`. None when the URL is not that.
    #[must_use]
    pub fn new(url: &str, issuers: &[&str]) -> Option<Self> {
        let uri: Uri = url.parse().ok()?;
        let host = uri.authority().filter(|_| uri.scheme() == Some(&uri::Scheme::HTTPS))?;
        let clean = host.as_str().bytes().all(|b| b.is_ascii_alphanumeric() || b"-._:[]".contains(&b));
        if !clean || format!("https://{host}") != url {
            return None;
        }
        let metadata = say::resource(url, issuers, &dpop::ALGORITHMS.map(Algorithm::as_str));
        Some(Self { metadata, origin: url.into(), url: format!("{url}{PATH}") })
    }

    /// What callers know the gateway by.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The metadata in JSON.
    pub(crate) fn metadata(&self) -> Bytes {
        self.metadata.clone()
    }
}

/// How a token is to be presented.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Scheme {
    /// RFC 6750.
    Bearer,
    /// With a proof of the key it is bound to (RFC 9449, section 7.1).
    Dpop,
}

/// The value of `www-authenticate`: what is wrong with what was presented, if anything was, and where to read on.
/// `step_up` is the authentication that would do (RFC 9470, section 3).
pub(crate) fn challenge(
    scheme: Scheme,
    error: Option<&str>,
    step_up: Option<&StepUp>,
    resource: Option<&Resource>,
) -> HeaderValue {
    let mut text = match scheme {
        Scheme::Bearer => String::from("Bearer realm=\"countersign\""),
        Scheme::Dpop => {
            let algorithms = dpop::ALGORITHMS.map(Algorithm::as_str).join(" ");
            format!("DPoP realm=\"countersign\", algs=\"{algorithms}\"")
        }
    };
    if let Some(error) = error {
        let _ = write!(text, ", error=\"{error}\"");
    }
    if let Some(acr) = step_up.and_then(StepUp::acr) {
        let _ = write!(text, ", acr_values=\"{acr}\"");
    }
    if let Some(max_age) = step_up.and_then(StepUp::max_age) {
        let _ = write!(text, ", max_age=\"{max_age}\"");
    }
    if let Some(resource) = resource {
        let _ = write!(text, ", resource_metadata=\"{}\"", resource.url);
    }
    // URL and context classes were found clean when they were made.
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("Bearer"))
}

/// Where the metadata are: RFC 9728 puts it between host and path, and there is no path.
pub(crate) const PATH: &str = "/.well-known/oauth-protected-resource";

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_resource_is_an_https_origin_to_the_letter() {
        let issuers = ["https://id.bank.example/oauth2"];
        for good in ["https://ai.bank.example", "https://ai.bank.example:8443", "https://[2001:db8::1]:1"] {
            let resource = Resource::new(good, &issuers).unwrap();
            let said: serde_json::Value = serde_json::from_slice(&resource.metadata()).unwrap();
            assert_eq!((said["resource"].as_str(), &said["authorization_servers"]), (Some(good), &json!(issuers)));
        }
        for bad in [
            "",
            "ai.bank.example",
            "http://ai.bank.example",
            "https://ai.bank.example/",
            "https://ai.bank.example/v1",
            "https://ai.bank.example?x",
            "https://user@ai.bank.example",
            "https://ai.bank.example\", error=\"x",
            "HTTPS://ai.bank.example",
        ] {
            assert!(Resource::new(bad, &issuers).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_challenge_says_what_is_wrong_and_where_to_read_on() {
        let resource = Resource::new("https://ai.example", &[]);
        let bearer = |error, resource| challenge(Scheme::Bearer, error, None, resource);
        assert_eq!(bearer(None, None), "Bearer realm=\"countersign\"");
        assert_eq!(bearer(Some("invalid_token"), None), "Bearer realm=\"countersign\", error=\"invalid_token\"");
        assert_eq!(
            challenge(Scheme::Dpop, Some("use_dpop_nonce"), None, None),
            "DPoP realm=\"countersign\", algs=\"ES256 ES384 EdDSA PS256 RS256\", error=\"use_dpop_nonce\""
        );
        assert_eq!(
            bearer(Some("insufficient_scope"), resource.as_ref()),
            "Bearer realm=\"countersign\", error=\"insufficient_scope\", \
             resource_metadata=\"https://ai.example/.well-known/oauth-protected-resource\""
        );
        let said = |step_up: &str| {
            let step_up = step_up.parse().unwrap();
            challenge(Scheme::Bearer, Some("insufficient_user_authentication"), Some(&step_up), None)
        };
        let begin = "Bearer realm=\"countersign\", error=\"insufficient_user_authentication\", ";
        assert_eq!(said("acr=mfa hwk, max_age=300"), format!("{begin}acr_values=\"mfa hwk\", max_age=\"300\""));
        assert_eq!(said("max_age=0"), format!("{begin}max_age=\"0\""));
    }
}
