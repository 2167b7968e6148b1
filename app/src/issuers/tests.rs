use countersign_identity::token::{Algorithm, Issuer, KeyRules, Profile};
use rustls::pki_types::PrivatePkcs8KeyDer;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;

use super::*;

const SET: &str =
    r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"one","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
const NOW: Timestamp = Timestamp(1_795_342_530_000_000);

fn issuer(keys: &str) -> config::Issuer {
    let url = "https://id.bank.example/oauth2";
    config::Issuer {
        issuer: Issuer {
            name: "bank".into(),
            url: url.into(),
            tenant: "bank".into(),
            tenants: None,
            audiences: vec!["https://ai.bank.example".into()],
            algorithms: vec![Algorithm::EdDsa],
            profile: Profile::Rfc9068,
            roles: vec![],
            extra: vec![],
            leeway: Duration::from_secs(5),
            max_lifetime: Duration::from_hours(1),
            keys: KeyRules::default(),
            introspection: None,
            speaks_for: None,
        },
        source: Source {
            name: "bank".into(),
            url: url.into(),
            keys: Keys::At(keys.parse().unwrap()),
            ca: None,
            clear: false,
        },
        introspection: None,
        signals: None,
        directory: false,
    }
}

fn keys(tokens: &Tokens) -> usize {
    tokens.status(NOW)[0].keys
}

#[test]
fn keys_outlive_a_reload_unless_they_are_to_come_from_elsewhere() {
    let (tokens, issuers) = (Tokens::default(), Issuers::default());
    issuers.set(&tokens, &[issuer("https://id.bank.example/keys")], vec![]).unwrap();
    assert_eq!(tokens.wanted(NOW), ["bank".into()]);
    let source = issuers.named("bank").unwrap();
    let landed = issuers.land(&tokens, &source, Ok(SET.into()), NOW);
    assert!(landed.is_some_and(|report| report.is_ok_and(|report| report.new == 1)));
    assert_eq!(keys(&tokens), 1);

    issuers.set(&tokens, &[issuer("https://id.bank.example/keys")], vec![]).unwrap();
    assert_eq!(keys(&tokens), 1);
    assert!(Arc::ptr_eq(&source, &issuers.named("bank").unwrap()));

    issuers.set(&tokens, &[issuer("https://id.bank.example/other")], vec![]).unwrap();
    assert_eq!(keys(&tokens), 0);
}

#[test]
fn what_was_fetched_under_a_configuration_that_is_gone_is_nobodys() {
    let (tokens, issuers) = (Tokens::default(), Issuers::default());
    issuers.set(&tokens, &[issuer("https://id.bank.example/keys")], vec![]).unwrap();
    let before = issuers.named("bank").unwrap();
    issuers.set(&tokens, &[issuer("https://id.bank.example/other")], vec![]).unwrap();
    assert!(issuers.land(&tokens, &before, Ok(SET.into()), NOW).is_none());
    assert_eq!(keys(&tokens), 0);
    issuers.set(&tokens, &[], vec![]).unwrap();
    assert!(issuers.named("bank").is_none());
}

#[test]
fn junk_changes_nothing() {
    let (tokens, issuers) = (Tokens::default(), Issuers::default());
    issuers.set(&tokens, &[issuer("https://id.bank.example/keys")], vec![]).unwrap();
    let source = issuers.named("bank").unwrap();
    assert!(issuers.land(&tokens, &source, Ok(SET.into()), NOW).is_some_and(|report| report.is_ok()));
    for junk in ["", "{}", "[]", "<html>", r#"{"keys":7}"#] {
        assert!(issuers.land(&tokens, &source, Ok(junk.into()), NOW).is_some_and(|report| report.is_err()), "{junk}");
        assert_eq!(keys(&tokens), 1, "{junk}");
    }
}

/// An issuer that speaks TLS as `localhost`: its URL, and its certificate in PEM. `metadata` is made of the URL.
async fn serve(metadata: fn(&str) -> String) -> (String, Vec<u8>) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap();
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key.into())
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}/tenant", listener.local_addr().unwrap().port());
    let metadata = metadata(&url);
    let acceptor = TlsAcceptor::from(Arc::new(config));
    tokio::spawn(async move {
        loop {
            let (io, _) = listener.accept().await.unwrap();
            // Whoever does not trust us ends the handshake.
            let Ok(mut io) = acceptor.accept(io).await else { continue };
            let mut asked = vec![0; 1024];
            let n = io.read(&mut asked).await.unwrap_or_default();
            let asked = String::from_utf8_lossy(&asked[..n]).into_owned();
            let (status, body) = match asked.split(' ').nth(1) {
                // Only where RFC 8414 puts it.
                Some("/.well-known/oauth-authorization-server/tenant") => ("200 OK", metadata.as_str()),
                Some("/tenant/keys") => ("200 OK", SET),
                _ => ("404 Not Found", "{}"),
            };
            let length = body.len();
            let head =
                format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n");
            let _ = io.write_all(format!("{head}{body}").as_bytes()).await;
        }
    });
    (url, made.cert.pem().into_bytes())
}

fn source(url: &str, ca: Vec<u8>) -> Source {
    let places = discovery::places(url).unwrap().map(|place| place.parse().unwrap());
    Source { name: "bank".into(), url: url.into(), keys: Keys::Discovered(places), ca: Some(ca), clear: false }
}

#[tokio::test]
async fn keys_come_over_tls_from_whom_the_configuration_trusts() {
    let (url, ca) = serve(|url| format!(r#"{{"issuer":"{url}","jwks_uri":"{url}/keys"}}"#)).await;
    assert_eq!(source(&url, ca.clone()).fetch().await.unwrap(), SET);
    let other = rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap().cert.pem().into_bytes();
    let error = source(&url, other).fetch().await.unwrap_err();
    assert!(error.to_string().contains("certificate"), "{error}");
    // The certificate is not for the address.
    assert!(source(&url.replace("localhost", "127.0.0.1"), ca.clone()).fetch().await.is_err());
    let at = Source { keys: Keys::At(format!("{url}/keys").parse().unwrap()), ..source(&url, ca) };
    assert_eq!(at.fetch().await.unwrap(), SET, "metadata are not asked for where the place is said");
}

#[tokio::test]
async fn metadata_that_lead_astray_are_not_followed() {
    let (url, ca) = serve(|url| format!(r#"{{"issuer":"{url}/","jwks_uri":"{url}/keys"}}"#)).await;
    let error = source(&url, ca).fetch().await.unwrap_err();
    assert!(error.to_string().contains("is another"), "{error}");
    let astray: [fn(&str) -> String; 2] = [
        |url| format!(r#"{{"issuer":"{url}","jwks_uri":"http://localhost/keys"}}"#),
        |url| format!(r#"{{"issuer":"{url}","jwks_uri":"http://169.254.169.254/latest"}}"#),
    ];
    for metadata in astray {
        let (url, ca) = serve(metadata).await;
        let error = source(&url, ca).fetch().await.unwrap_err();
        assert!(error.to_string().contains("which is not https"), "{error}");
    }
}
