//! Any bytes as a book of sealed secrets: read or refused, and what is read writes and reads the same.
#![no_main]
use countersign_seal::SecretBook;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(book) = SecretBook::parse(bytes) {
        assert_eq!(SecretBook::parse(&book.to_bytes()).expect("what was written reads"), book);
    }
});
