use super::*;

fn root() -> Secret<Vec<u8>> {
    Secret::new(vec![9; 64])
}

#[test]
fn wrapped_root_keys_open_only_with_their_key_and_as_they_were_written() {
    let kek = FileKek::new(&Secret::new(vec![3; 32])).unwrap();
    let key = WrappedRoot::wrapping_key().unwrap();
    let wrapped = WrappedRoot::seal(&kek.name().unwrap(), &key, kek.wrap(&key).unwrap(), &root()).unwrap();
    let bytes = wrapped.to_bytes();
    assert!(!bytes.windows(8).any(|w| w == [9; 8]));
    let read = WrappedRoot::parse(&bytes).unwrap();
    assert_eq!(read, wrapped);
    let open = |read: &WrappedRoot| read.open(&kek.unwrap(read.wrapped_key())?);
    assert_eq!(open(&read).unwrap().expose(), root().expose());
    // Another key of the same kind unwraps nothing.
    let other = FileKek::new(&Secret::new(vec![4; 32])).unwrap();
    assert_ne!(other.name().unwrap(), kek.name().unwrap());
    assert_eq!(other.unwrap(read.wrapped_key()).err(), Some(SealError::Damaged));
    // No character of the file can be changed.
    for at in 0..bytes.len() {
        let mut bad = bytes.clone();
        bad[at] = if bad[at] == b'A' { b'B' } else { b'A' };
        let opened = WrappedRoot::parse(&bad).ok().map(|read| open(&read).is_ok());
        assert_ne!(opened, Some(true), "byte {at}");
        assert!(WrappedRoot::parse(&bytes[..at]).is_err() || at + 1 == bytes.len(), "cut at {at}");
    }
}

#[test]
fn a_file_of_a_newer_release_is_told_from_damage() {
    for (text, error) in [
        (r#"{"version":2,"kek":"x","more":[]}"#, BadWrappedRoot::Newer),
        (r#"{"version":1,"kek":"x","key":"","sealed":"","more":1}"#, BadWrappedRoot::Form),
        (r#"{"version":1,"kek":"x","key":"*","sealed":""}"#, BadWrappedRoot::Form),
        (r#"{"version":0,"kek":"x","key":"","sealed":""}"#, BadWrappedRoot::Form),
        ("", BadWrappedRoot::Form),
    ] {
        assert_eq!(WrappedRoot::parse(text.as_bytes()), Err(error), "{text}");
    }
    assert_eq!(WrappedRoot::parse(&vec![b' '; 100_000]), Err(BadWrappedRoot::Form));
}

#[test]
fn a_key_in_a_file_is_32_bytes_and_not_zeros() {
    for bad in [vec![], vec![1; 31], vec![1; 33], vec![0; 32]] {
        assert!(FileKek::new(&Secret::new(bad)).is_err());
    }
}

fn services() -> [Box<dyn Service>; 2] {
    let text = |text: &str| Secret::new(text.to_owned());
    [
        Box::new(VaultTransit { mount: "transit".into(), key: "root".into(), token: text("hvs.canary") }),
        Box::new(AwsKms {
            key_id: "alias/root".into(),
            region: "eu-central-1".into(),
            host: "kms.eu-central-1.amazonaws.com".into(),
            credentials: Credentials { id: "AKIDEXAMPLE".into(), secret: text("canary"), token: None },
        }),
    ]
}

#[test]
fn what_services_answer_is_read_strictly() {
    let [vault, aws] = services();
    let key = data_encoding::BASE64.encode(&[7; 32]);
    let said = r#"{"request_id":"r","data":{"ciphertext":"vault:v1:abcd","key_version":1}}"#;
    assert_eq!(vault.wrapped(said.as_bytes()), Ok(b"vault:v1:abcd".to_vec()));
    let said = format!(r#"{{"data":{{"plaintext":"{key}"}}}}"#);
    assert_eq!(vault.unwrapped(said.as_bytes()).unwrap().expose(), &[7; 32]);
    assert_eq!(aws.wrapped(br#"{"CiphertextBlob":"YWJj","KeyId":"arn"}"#), Ok(b"abc".to_vec()));
    assert_eq!(aws.unwrapped(format!(r#"{{"Plaintext":"{key}"}}"#).as_bytes()).unwrap().expose(), &[7; 32]);
    for bad in [
        "",
        "{}",
        "[]",
        r#"{"data":{}}"#,
        r#"{"Plaintext":"YWJj"}"#,
        r#"{"data":{"plaintext":"YWJj"}}"#,
        r#"{"CiphertextBlob":""}"#,
        r#"{"data":{"ciphertext":"clear"}}"#,
    ] {
        for service in &services() {
            assert_eq!(service.wrapped(bad.as_bytes()), Err(BadAnswer), "{bad}");
            assert_eq!(service.unwrapped(bad.as_bytes()).err(), Some(BadAnswer), "{bad}");
        }
    }
}

#[test]
fn requests_show_neither_credentials_nor_the_key() {
    for service in services() {
        let asks = [service.wrap(Timestamp(0), &Secret::new([65; 32])), service.unwrap(Timestamp(0), b"vault:v1:x")];
        for ask in asks {
            let shown = format!("{ask:?}");
            assert!(!shown.contains("canary") && !shown.contains("QUFB"), "{shown}");
        }
    }
}

#[test]
fn the_fuzz_corpus_passes() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../fuzz/corpus/seal_root");
    let (mut roots, mut answers) = (0, 0);
    for file in std::fs::read_dir(folder).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        if let Ok(root) = WrappedRoot::parse(&bytes) {
            assert_eq!(WrappedRoot::parse(&root.to_bytes()).unwrap(), root);
            roots += 1;
        }
        for service in services() {
            answers += usize::from(service.wrapped(&bytes).is_ok()) + usize::from(service.unwrapped(&bytes).is_ok());
        }
    }
    assert_eq!((roots, answers), (1, 4));
}
