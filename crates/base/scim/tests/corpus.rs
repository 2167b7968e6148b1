//! The fuzzer's corpus, run as an ordinary test.

use std::{fs, path::Path};

use countersign_scim::{Filter, Kind, Patch, read};

#[test]
fn the_scim_corpus_does_no_harm() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../fuzz/corpus/scim");
    let (mut filters, mut resources, mut patches) = (0, 0, 0);
    for entry in fs::read_dir(folder).unwrap() {
        let bytes = fs::read(entry.unwrap().path()).unwrap();
        filters += usize::from(std::str::from_utf8(&bytes).is_ok_and(|text| Filter::parse(text).is_ok()));
        let Ok(body) = read(&bytes) else { continue };
        let resource = Kind::ALL.into_iter().find_map(|kind| kind.resource(&body).ok());
        resources += usize::from(resource.is_some());
        patches += usize::from(Patch::read(&body).is_ok());
    }
    assert!(
        filters >= 3 && resources >= 2 && patches >= 2,
        "{filters} filters, {resources} resources, {patches} patches"
    );
}
