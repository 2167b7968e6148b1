//! Runs the committed corpus of the fuzz target `resp`.

mod replay;

#[test]
fn resp() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../fuzz/corpus/resp");
    let mut files = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        replay::check(&std::fs::read(entry.unwrap().path()).unwrap());
        files += 1;
    }
    assert!(files > 0, "the corpus is empty");
}
