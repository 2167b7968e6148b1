//! Runs every file of the fuzz corpus through what the fuzz target does with it.

use std::{fs, path::Path};

use countersign_bucket::said;

#[test]
fn what_buckets_say() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../fuzz/corpus/bucket");
    let mut count = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let (name, xml) = (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read(&path).unwrap());
        assert_eq!(said::versions(&xml).is_some(), name.starts_with("versions"), "{name}");
        assert_eq!(said::locking(&xml).is_some(), name.starts_with("locking"), "{name}");
        assert_eq!(said::error(&xml).is_empty(), !name.starts_with("error"), "{name}");
        count += 1;
    }
    assert!(count >= 6, "only {count} files");
}
