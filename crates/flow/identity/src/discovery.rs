//! Where an issuer's key set is, from its own metadata (OpenID Connect Discovery 1.0, RFC 8414). Without I/O: whoever has a network
//! fetches one of [`places`] and hands the bytes to [`read`].
//!
//! Threat: metadata of another issuer, or of the same host's next tenant, that leads to somebody else's keys. So the `issuer` in
//! it is ours to the last byte, and it stands once.

use countersign_wire::{
    Limits,
    json::{Doc, Kind},
};

/// What makes a document no metadata of an issuer.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum MetadataError {
    /// More bytes than [`MAX_METADATA`].
    #[error("the metadata are too large")]
    TooLarge,
    /// Not one strict JSON object.
    #[error("the metadata are not a strict JSON object")]
    Malformed,
    /// The `issuer` is missing or another.
    #[error("the `issuer` in the metadata is another")]
    Issuer,
    /// The `jwks_uri` is missing or no text.
    #[error("the metadata name no `jwks_uri`")]
    KeySet,
    /// The `authorization_endpoint` or the `token_endpoint` is missing or no text.
    #[error("the metadata name no `authorization_endpoint` and `token_endpoint`")]
    SignIn,
    /// The `introspection_endpoint` is missing or no text.
    #[error("the metadata name no `introspection_endpoint`")]
    Introspection,
}

/// Where people sign in at an issuer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SignIn {
    /// Where browsers are sent.
    pub authorize: String,
    /// Where codes are exchanged.
    pub token: String,
    /// Whether its answers say whose they are (RFC 9207).
    pub named: bool,
}

/// Bytes of the largest metadata.
pub const MAX_METADATA: usize = 64 << 10;

/// The URLs at which an issuer's metadata may be: OpenID Connect's first, then RFC 8414's. None when `issuer` has no
/// host, or has a query or fragment, which neither allows.
#[must_use]
pub fn places(issuer: &str) -> Option<[String; 2]> {
    if issuer.contains(['?', '#']) {
        return None;
    }
    let issuer = issuer.strip_suffix('/').unwrap_or(issuer);
    let host = issuer.find("://")? + 3;
    let path = issuer.get(host..)?.find('/').map_or(issuer.len(), |at| host + at);
    let (origin, path) = issuer.split_at_checked(path)?;
    let places = [
        format!("{issuer}/.well-known/openid-configuration"),
        format!("{origin}/.well-known/oauth-authorization-server{path}"),
    ];
    (origin.len() > host).then_some(places)
}

/// The URL of the key set of `issuer`, which is compared byte by byte.
///
/// # Errors
/// [`MetadataError`] when the document is none of that issuer.
pub fn read(metadata: &[u8], issuer: &str) -> Result<String, MetadataError> {
    named(metadata, issuer, "jwks_uri", MetadataError::KeySet)
}

/// The URL at which `issuer` says what tokens are worth (RFC 7662); `issuer` is compared byte by byte.
///
/// # Errors
/// [`MetadataError`] when the document is none of that issuer.
pub fn introspection(metadata: &[u8], issuer: &str) -> Result<String, MetadataError> {
    named(metadata, issuer, "introspection_endpoint", MetadataError::Introspection)
}

/// Where people sign in at `issuer`, which is compared byte by byte.
///
/// # Errors
/// [`MetadataError`] when the document is none of that issuer.
pub fn sign_in(metadata: &[u8], issuer: &str) -> Result<SignIn, MetadataError> {
    let url = |name| named(metadata, issuer, name, MetadataError::SignIn);
    let (authorize, token) = (url("authorization_endpoint")?, url("token_endpoint")?);
    let doc = Doc::read(metadata, &LIMITS).map_err(|_| MetadataError::Malformed)?;
    let named = doc.root().get("authorization_response_iss_parameter_supported");
    Ok(SignIn { authorize, token, named: named.is_some_and(|named| named.kind() == Kind::True) })
}

fn named(metadata: &[u8], issuer: &str, name: &str, missing: MetadataError) -> Result<String, MetadataError> {
    if metadata.len() > MAX_METADATA {
        return Err(MetadataError::TooLarge);
    }
    let doc = Doc::read(metadata, &LIMITS).map_err(|_| MetadataError::Malformed)?;
    let root = doc.root();
    if root.kind() != Kind::Object {
        return Err(MetadataError::Malformed);
    }
    if !root.get("issuer").is_some_and(|named| named.is(issuer)) {
        return Err(MetadataError::Issuer);
    }
    let url = root.get(name).and_then(|url| url.as_str()).ok_or(missing)?;
    Ok(url.into_owned())
}

const LIMITS: Limits = Limits { body: MAX_METADATA, depth: 16, nodes: 4096, event: 0 };

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;

    #[test]
    fn metadata_are_looked_for_where_both_specifications_put_them() {
        for (issuer, oidc, oauth) in [
            (
                "https://id.bank.example",
                "https://id.bank.example/.well-known/openid-configuration",
                "https://id.bank.example/.well-known/oauth-authorization-server",
            ),
            (
                "https://id.bank.example/oauth2/default",
                "https://id.bank.example/oauth2/default/.well-known/openid-configuration",
                "https://id.bank.example/.well-known/oauth-authorization-server/oauth2/default",
            ),
            (
                "https://sts.windows.net/5f2b8a3e/",
                "https://sts.windows.net/5f2b8a3e/.well-known/openid-configuration",
                "https://sts.windows.net/.well-known/oauth-authorization-server/5f2b8a3e",
            ),
        ] {
            assert_eq!(places(issuer), Some([oidc.to_owned(), oauth.to_owned()]));
        }
        for none in
            ["", "https://", "https:///x", "id.bank.example", "/x", "https://id.example/?x", "https://id.example#x"]
        {
            assert_eq!(places(none), None, "{none}");
        }
    }

    #[test]
    fn where_people_sign_in_is_of_the_issuer_that_was_asked() {
        let ours = "https://id.bank.example/a";
        let text = |more: &str| {
            format!(r#"{{"issuer":"{ours}","authorization_endpoint":"https://id.bank.example/auth"{more}}}"#)
        };
        let both = text(r#","token_endpoint":"https://id.bank.example/token""#);
        let found = sign_in(both.as_bytes(), ours).unwrap();
        assert_eq!(
            (&*found.authorize, &*found.token, found.named),
            ("https://id.bank.example/auth", "https://id.bank.example/token", false)
        );
        let named = text(r#","token_endpoint":"x","authorization_response_iss_parameter_supported":true"#);
        assert!(sign_in(named.as_bytes(), ours).unwrap().named);
        assert_eq!(sign_in(text("").as_bytes(), ours), Err(MetadataError::SignIn));
        assert_eq!(sign_in(both.as_bytes(), "https://id.bank.example/b"), Err(MetadataError::Issuer));
    }

    #[test]
    fn metadata_of_another_issuer_lead_nowhere() {
        let ours = "https://id.bank.example/a";
        let good = br#"{"issuer":"https://id.bank.example/a","jwks_uri":"https://keys.example/a"}"#;
        assert_eq!(read(good, ours), Ok("https://keys.example/a".into()));
        for other in ["https://id.bank.example/a/", "https://id.bank.example/A", "https://id.bank.example", ""] {
            assert_eq!(read(good, other), Err(MetadataError::Issuer), "{other}");
        }
        for (text, error) in [
            ("", MetadataError::Malformed),
            ("[]", MetadataError::Malformed),
            ("<html>", MetadataError::Malformed),
            ("{}", MetadataError::Issuer),
            (r#"{"issuer":["https://id.bank.example/a"]}"#, MetadataError::Issuer),
            // Two readers would take two different ones.
            (
                r#"{"issuer":"https://id.bank.example/a","issuer":"https://evil.example","jwks_uri":"x"}"#,
                MetadataError::Malformed,
            ),
            (r#"{"issuer":"https://id.bank.example/a"}"#, MetadataError::KeySet),
            (r#"{"issuer":"https://id.bank.example/a","jwks_uri":null}"#, MetadataError::KeySet),
        ] {
            assert_eq!(read(text.as_bytes(), ours), Err(error), "{text}");
        }
        assert_eq!(introspection(good, ours), Err(MetadataError::Introspection));
        let asked = br#"{"issuer":"https://id.bank.example/a","introspection_endpoint":"https://id.bank.example/ask"}"#;
        assert_eq!(introspection(asked, ours), Ok("https://id.bank.example/ask".into()));
        assert_eq!(introspection(asked, "https://evil.example"), Err(MetadataError::Issuer));
        assert_eq!(read(&vec![b' '; MAX_METADATA + 1], ours), Err(MetadataError::TooLarge));
    }

    #[test]
    fn the_fuzz_corpus_of_metadata_passes() {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../fuzz/corpus/discovery");
        let mut tried = 0;
        for file in fs::read_dir(corpus).unwrap() {
            let bytes = fs::read(file.unwrap().path()).unwrap();
            let _ = read(&bytes, "https://id.example");
            tried += 1;
        }
        assert!(tried >= 4);
    }
}
