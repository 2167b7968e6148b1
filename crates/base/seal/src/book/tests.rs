use proptest::prelude::*;

use super::*;

fn of(root: u8) -> KeyRing {
    KeyRing::from_bytes(Secret::new(vec![root; 32])).unwrap()
}

#[test]
fn secrets_survive_the_file_and_open_under_their_own_name_only() {
    let ring = of(1);
    let mut book = SecretBook::default();
    book.put(&ring, "openai", &Secret::new("sk-one".into())).unwrap();
    book.put(&ring, "anthropic", &Secret::new("sk-two".into())).unwrap();
    let bytes = book.to_bytes();
    assert!(!String::from_utf8_lossy(&bytes).contains("sk-"));
    let mut book = SecretBook::parse(&bytes).unwrap();
    assert_eq!(book.names().collect::<Vec<_>>(), ["anthropic", "openai"]);
    assert_eq!(book.get(&ring, "openai").unwrap().expose(), "sk-one");
    assert!(matches!(book.get(&of(2), "openai"), Err(BookError::Seal(SealError::Damaged))));
    assert!(matches!(book.get(&ring, "other"), Err(BookError::Unknown)));
    let stolen = book.entries["anthropic"].clone();
    book.entries.insert("openai".into(), stolen);
    assert!(matches!(book.get(&ring, "openai"), Err(BookError::Seal(SealError::Damaged))));
    assert!(book.remove("openai") && !book.remove("openai"));
}

#[test]
fn what_is_no_book_is_refused() {
    for bad in ["", "[]", "{", "{\"a\":1}", "{\"a\":\"!\"}", "{\"\":\"AA\"}", "{\"a\":\"AA\",\"a\":\"AA\"}", "{} {}"] {
        assert!(matches!(SecretBook::parse(bad.as_bytes()), Err(BookError::NotABook { .. })), "{bad}");
    }
    assert!(matches!(SecretBook::parse(&vec![b' '; MAX_BYTES + 1]), Err(BookError::TooLarge)));
    let mut book = SecretBook::default();
    for bad in ["", "a b", "a/b", "ä", &"x".repeat(65)] {
        assert!(matches!(book.put(&of(1), bad, &Secret::new(String::new())), Err(BookError::Name)), "{bad}");
    }
}

#[test]
fn an_error_shows_nothing_of_the_file() {
    let error = SecretBook::parse(b"{\"sk-live-canary\": sk-live-canary}").unwrap_err();
    assert!(!format!("{error} {error:?}").contains("canary"));
}

#[test]
fn the_fuzz_corpus_passes() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../fuzz/corpus/seal_book");
    for file in std::fs::read_dir(folder).unwrap() {
        round(&std::fs::read(file.unwrap().path()).unwrap());
    }
}

fn round(bytes: &[u8]) {
    if let Ok(book) = SecretBook::parse(bytes) {
        assert_eq!(SecretBook::parse(&book.to_bytes()).unwrap(), book);
    }
}

proptest! {
    #[test]
    fn any_book_round_trips(entries in proptest::collection::btree_map("[A-Za-z0-9._-]{1,64}", any::<Vec<u8>>(), 0..8)) {
        let book = SecretBook { entries };
        prop_assert_eq!(SecretBook::parse(&book.to_bytes()).unwrap(), book);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
        round(&bytes);
    }
}
