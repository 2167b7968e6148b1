use super::*;

#[test]
fn addresses_are_read_and_written() {
    for (text, host, prefix) in [
        ("https://api.openai.com", "api.openai.com", ""),
        ("http://127.0.0.1:11434", "127.0.0.1:11434", ""),
        ("https://[::1]:8443/a/b", "[::1]:8443", "/a/b"),
        ("https://[fe80::1]", "[fe80::1]", ""),
        ("unix:/run/model.sock", "localhost", ""),
    ] {
        let base: Base = text.parse().unwrap();
        assert_eq!((base.to_string().as_str(), base.host().as_str(), base.prefix()), (text, host, prefix));
    }
    assert_eq!("https://h:443/x//".parse::<Base>().unwrap().to_string(), "https://h/x");
}

#[test]
fn what_is_not_an_address_is_refused() {
    for bad in [
        "",
        "api.openai.com",
        "ftp://h",
        "https://",
        "https:///x",
        "https://h:",
        "https://h:0",
        "https://h:99999",
        "https://user:pw@h",
        "https://h?x",
        "https://h/x?y",
        "https://h/#f",
        "https://h/a b",
        "https://h\r\nx",
        "https://::1",
        "https://[::1",
        "https://[::1]x",
        "unix:relative",
        "unix:",
        "https://hö",
    ] {
        assert!(bad.parse::<Base>().is_err(), "{bad:?}");
    }
}

#[test]
fn a_key_is_not_shown() {
    let target = Target {
        name: "t".into(),
        dialect: Dialect::OpenAi,
        base: "https://h".parse().unwrap(),
        key: Some(Secret::new("canary-91c2".to_owned())),
        models: vec![],
        timeouts: Timeouts::default(),
        ca: None,
        oldest_tls: Default::default(),
        connections: 1,
    };
    assert!(!format!("{target:?}").contains("canary"));
}
