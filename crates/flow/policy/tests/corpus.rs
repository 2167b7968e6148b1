//! The fuzzer's corpus, run as an ordinary test.

use std::{fs, path::Path};

use countersign_policy::Policy;

#[test]
fn no_policy_in_the_corpus_does_harm() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../fuzz/corpus/policy");
    let mut accepted = 0;
    let mut refused = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let bytes = fs::read(entry.unwrap().path()).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        match Policy::parse(&[("corpus.cedar", &text)]) {
            Ok(_) => accepted += 1,
            Err(error) => {
                assert!(!error.problems().is_empty());
                refused += 1;
            }
        }
    }
    assert!(accepted >= 3 && refused >= 3, "{accepted} accepted, {refused} refused");
}
