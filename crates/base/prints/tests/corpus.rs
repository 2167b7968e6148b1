//! The fuzzing corpus of indexes: what opens leads nowhere else than its own texts, and nothing opens without its key.

use std::{fs, path::Path};

use countersign_core::Secret;
use countersign_prints::{Builder, Index, Key, Shape, Trail, view, words::Words};

const TEXT: &str = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen";

/// What stands in the corpus, by name: indexes without what closes them.
fn seeds(key: &Key) -> Vec<(&'static str, Vec<u8>)> {
    let made = |shape, texts: &[&str]| {
        let mut builder = Builder::new(key, shape, "set", Vec::new(), Vec::new()).unwrap();
        for (at, text) in texts.iter().enumerate() {
            builder.add(&at.to_string(), text).unwrap();
        }
        let (_, bytes) = builder.finish().unwrap();
        let body = bytes.len() - 48;
        assert_eq!(key.close(&bytes[..body]), bytes);
        bytes[..body].to_vec()
    };
    let whole = made(Shape::Passages, &[TEXT, "a b"]);
    let mut torn = whole.clone();
    let at = torn.len() - 40;
    torn[at] = 9;
    vec![
        ("passages", whole.clone()),
        ("records", made(Shape::Records, &["seventeen eighteen;fifteen sixteen", "KX-1234567;thirteen fourteen"])),
        ("nothing", made(Shape::Passages, &[])),
        ("more-documents-than-there-are", torn),
        ("cut-off", whole[..whole.len() / 2].to_vec()),
        ("empty", Vec::new()),
    ]
}

#[test]
fn the_corpus_opens_with_its_key_alone_and_leads_nowhere_else() {
    let key = Key::new(&Secret::new([7; 32]));
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../fuzz/corpus/prints_index");
    let seeds = seeds(&key);
    for (name, bytes) in &seeds {
        // Made anew, a seed is what it was: the form of an index is stable.
        assert_eq!(&fs::read(folder.join(name)).unwrap(), bytes, "{name}");
    }
    let mut opened = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let bytes = fs::read(entry.unwrap().path()).unwrap();
        assert!(Index::open(Box::new(bytes.clone()), std::slice::from_ref(&key)).is_err());
        let Ok(index) = Index::open(Box::new(key.close(&bytes)), std::slice::from_ref(&key)) else { continue };
        opened += 1;
        let mut trail = Trail::new(&index);
        let text = format!("{TEXT} {}", String::from_utf8_lossy(&bytes));
        let (view, _) = view::view(&text);
        Words::default().read(&view, true, |word| {
            let _ = trail.push(word, &index);
        });
    }
    assert!(opened >= 3, "{opened}");
}
