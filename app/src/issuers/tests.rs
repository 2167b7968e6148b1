use countersign_identity::token::{Algorithm, Issuer, KeyRules, Profile};

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
            audiences: vec!["https://ai.bank.example".into()],
            algorithms: vec![Algorithm::EdDsa],
            profile: Profile::Rfc9068,
            roles: vec![],
            extra: vec![],
            leeway: Duration::from_secs(5),
            max_lifetime: Duration::from_hours(1),
            keys: KeyRules::default(),
        },
        source: Source {
            name: "bank".into(),
            url: url.into(),
            keys: Keys::At(keys.parse().unwrap()),
            ca: None,
            clear: false,
        },
    }
}

fn keys(tokens: &Tokens) -> usize {
    tokens.status(NOW)[0].keys
}

#[test]
fn keys_outlive_a_reload_unless_they_are_to_come_from_elsewhere() {
    let (tokens, issuers) = (Tokens::default(), Issuers::default());
    issuers.set(&tokens, &[issuer("https://id.bank.example/keys")]).unwrap();
    assert_eq!(tokens.wanted(NOW), ["bank".into()]);
    let source = issuers.named("bank").unwrap();
    let landed = issuers.land(&tokens, &source, Ok(SET.into()), NOW);
    assert!(landed.is_some_and(|report| report.is_ok_and(|report| report.new == 1)));
    assert_eq!(keys(&tokens), 1);

    issuers.set(&tokens, &[issuer("https://id.bank.example/keys")]).unwrap();
    assert_eq!(keys(&tokens), 1);
    assert!(Arc::ptr_eq(&source, &issuers.named("bank").unwrap()));

    issuers.set(&tokens, &[issuer("https://id.bank.example/other")]).unwrap();
    assert_eq!(keys(&tokens), 0);
}

#[test]
fn what_was_fetched_under_a_configuration_that_is_gone_is_nobodys() {
    let (tokens, issuers) = (Tokens::default(), Issuers::default());
    issuers.set(&tokens, &[issuer("https://id.bank.example/keys")]).unwrap();
    let before = issuers.named("bank").unwrap();
    issuers.set(&tokens, &[issuer("https://id.bank.example/other")]).unwrap();
    assert!(issuers.land(&tokens, &before, Ok(SET.into()), NOW).is_none());
    assert_eq!(keys(&tokens), 0);
    issuers.set(&tokens, &[]).unwrap();
    assert!(issuers.named("bank").is_none());
}

#[test]
fn junk_changes_nothing() {
    let (tokens, issuers) = (Tokens::default(), Issuers::default());
    issuers.set(&tokens, &[issuer("https://id.bank.example/keys")]).unwrap();
    let source = issuers.named("bank").unwrap();
    assert!(issuers.land(&tokens, &source, Ok(SET.into()), NOW).is_some_and(|report| report.is_ok()));
    for junk in ["", "{}", "[]", "<html>", r#"{"keys":7}"#] {
        assert!(issuers.land(&tokens, &source, Ok(junk.into()), NOW).is_some_and(|report| report.is_err()), "{junk}");
        assert_eq!(keys(&tokens), 1, "{junk}");
    }
}
