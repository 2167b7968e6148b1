//! Runs the committed corpus of the fuzz target `http1_response`.

mod replay;

#[test]
fn http1_response() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../fuzz/corpus/http1_response");
    let mut files = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        replay::check(&std::fs::read(entry.unwrap().path()).unwrap());
        files += 1;
    }
    assert!(files > 0, "the corpus is empty");
}
