//! Runs every file of the fuzz corpora through what the fuzz targets do with it.

use std::{fs, path::Path};

use countersign_audit::{
    Checkpoint, Dir as _, MemoryDir, note,
    proof::{Growth, Proof, Trust},
    record::Entry,
    show, verify,
};

fn each(corpus: &str, test: impl Fn(&str, &[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../fuzz/corpus").join(corpus);
    let mut count = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        test(&path.file_name().unwrap().to_string_lossy(), &fs::read(&path).unwrap());
        count += 1;
    }
    assert!(count >= 5, "{corpus} has only {count} files");
}

#[test]
fn records() {
    each("audit_record", |name, bytes| match Entry::read(bytes) {
        Ok(entry) => assert_eq!(serde_json::to_vec(&entry).unwrap(), bytes, "{name}"),
        Err(_) => assert_eq!(name, "newer"),
    });
}

#[test]
fn checkpoints() {
    each("audit_checkpoint", |name, bytes| {
        assert_eq!(Checkpoint::peek(bytes).is_ok(), ["note", "two", "extension"].contains(&name), "{name}");
        assert!(Checkpoint::open(bytes, "example.com/node-1", &[]).is_err());
        if let Some((origin, key)) = std::str::from_utf8(bytes).ok().and_then(|text| note::read_key(text).ok()) {
            assert_eq!(note::key_text(&origin, &key).as_bytes(), bytes);
        }
    });
}

#[test]
fn proofs() {
    each("audit_proof", |name, bytes| {
        let (proof, growth) = (Proof::read(bytes), Growth::read(bytes));
        assert_eq!((proof.is_ok(), growth.is_ok()), (name.starts_with("proof"), name.starts_with("growth")), "{name}");
        if let Ok(proof) = &proof {
            assert_eq!(proof.to_string().as_bytes(), bytes, "{name}");
        }
        if let Ok(growth) = &growth {
            assert_eq!(growth.to_string().as_bytes(), bytes, "{name}");
        }
        let trust = Trust { origin: "example.com/node-1", keys: &[], witnesses: &[] };
        assert!(proof.is_ok_and(|proof| proof.verify(&trust).is_err()) || name != "proof");
    });
}

#[test]
fn journals() {
    each("audit_journal", |name, bytes| {
        let dir = MemoryDir::default();
        dir.put(&[("journal/00000000000000000000".to_owned(), bytes.to_vec())]).unwrap();
        let shown: Vec<_> = show::records(&dir).unwrap().collect();
        let against = verify::Against { origin: "example.com/node-1", keys: &[], data: None, remembered: None };
        let report = verify::verify(&dir, &against);
        assert!(!report.is_whole() && report.held == 0, "a log without a checkpoint is none");
        let first = match name {
            "hole" | "swapped" | "rotten" | "doubled" => Some(1),
            _ => None,
        };
        assert_eq!(report.first(), first, "{name}: {:?}", report.damage);
        assert_eq!(report.torn > 0, name == "torn", "{name}");
        assert_eq!(shown.iter().all(Result::is_ok), ["whole", "padded"].contains(&name), "{name}");
    });
}
