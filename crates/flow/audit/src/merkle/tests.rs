use std::{fs, path::Path};

use data_encoding::BASE64;
use proptest::prelude::*;
use serde_json::Value;

use super::*;

fn leaves(count: u64) -> Vec<Hash> {
    (0..count).map(|i| leaf_hash(&i.to_be_bytes())).collect()
}

/// The definition of RFC 6962, section 2.1, word for word.
fn slow_root(hashes: &[Hash]) -> Hash {
    match hashes {
        [] => sha256(&[]),
        [one] => *one,
        many => {
            let k = split(many.len() as u64) as usize;
            node_hash(&slow_root(&many[..k]), &slow_root(&many[k..]))
        }
    }
}

fn node_of(hashes: &[Hash]) -> impl FnMut(u32, u64) -> Option<Hash> + '_ {
    move |level, i| {
        let width = 1_usize << level;
        hashes.get(i as usize * width..(i as usize + 1) * width).map(slow_root)
    }
}

#[test]
fn known_roots() {
    let hex = |h: Hash| data_encoding::HEXLOWER.encode(&h);
    assert_eq!(hex(root_of(&[])), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_eq!(hex(leaf_hash(b"")), "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d");
}

proptest! {
    #[test]
    fn frontier_agrees_with_the_definition(count in 0_u64..600) {
        prop_assert_eq!(root_of(&leaves(count)), slow_root(&leaves(count)));
    }

    #[test]
    fn every_inclusion_proof_holds_and_no_other_leaf_passes(size in 1_u64..300, pick in any::<u64>(), flip in any::<u8>()) {
        let all = leaves(size);
        let index = pick % size;
        let root = slow_root(&all);
        let mut proof = prove_inclusion(index, size, &mut node_of(&all)).unwrap();
        let leaf = all[index as usize];
        prop_assert!(verify_inclusion(index, size, &leaf, &proof, &root).is_ok());
        prop_assert!(verify_inclusion(index, size, &leaf_hash(b"other"), &proof, &root).is_err());
        if !proof.is_empty() {
            let at = usize::from(flip) % proof.len();
            proof[at][usize::from(flip) % 32] ^= 1 << (flip % 8);
            prop_assert!(verify_inclusion(index, size, &leaf, &proof, &root).is_err());
        }
    }

    #[test]
    fn every_consistency_proof_holds_and_no_rewrite_passes(size2 in 1_u64..300, pick in any::<u64>(), edit in any::<u64>()) {
        let size1 = pick % size2 + 1;
        let new = leaves(size2);
        let old = slow_root(&new[..size1 as usize]);
        let proof = prove_consistency(size1, size2, &mut node_of(&new)).unwrap();
        prop_assert!(verify_consistency(size1, size2, &old, &slow_root(&new), &proof).is_ok());
        let mut rewritten = new;
        rewritten[(edit % size1) as usize] = leaf_hash(b"rewritten");
        let forged = prove_consistency(size1, size2, &mut node_of(&rewritten)).unwrap();
        prop_assert!(verify_consistency(size1, size2, &old, &slow_root(&rewritten), &forged).is_err());
    }
}

/// A hash as the vectors write it; none where they write nothing. Where theirs is a phrase, its hash stands in for it.
#[test]
fn a_leaf_is_hashed_the_same_in_one_piece_and_in_several() {
    for len in (0..80).chain(1000..1100).chain([65_535]) {
        let record = vec![b'r'; len];
        assert_eq!(leaf_hash(&record), sha256(&[&[0], record.as_slice()].concat()), "{len}");
    }
}

#[test]
fn the_root_over_any_first_leaves_follows_from_levels_hashed_once() {
    let leaves = leaves(65_536 + 256 + 3);
    for count in [0, 1, 255, 256, 257, 600, leaves.len()] {
        let levels = Levels::of(leaves[..count].to_vec());
        assert_eq!(levels.leaves(), &leaves[..count]);
        let sizes = [0, 1, 2, 255, 256, 257, 512, 513, 65_535, 65_536, 65_537, count];
        for size in sizes.into_iter().filter(|size| *size <= count) {
            assert_eq!(levels.root(size), Some(root_of(&leaves[..size])), "{size} of {count}");
        }
        assert_eq!(levels.root(count + 1), None);
        assert_eq!(levels.root(count + 256), None);
        assert_eq!(levels.root(1 << 40), None);
    }
}

fn hash(value: &Value) -> Option<Hash> {
    let bytes = BASE64.decode(value.as_str()?.as_bytes()).ok().filter(|b| !b.is_empty())?;
    Some(bytes.as_slice().try_into().unwrap_or_else(|_| sha256(&bytes)))
}

fn verdict(kind: &str, case: &Value) -> Option<bool> {
    let number = |name: &str| case.get(name).and_then(Value::as_u64).unwrap();
    let proof: Vec<Hash> =
        case["proof"].as_array().map_or(Some(Vec::new()), |items| items.iter().map(hash).collect())?;
    let root = |name: &str| hash(&case[name]);
    let checked = match kind {
        "inclusion" => {
            verify_inclusion(number("leafIdx"), number("treeSize"), &root("leafHash")?, &proof, &root("root")?)
        }
        "consistency" => verify_consistency(number("size1"), number("size2"), &root("root1")?, &root("root2")?, &proof),
        "subtreeinclusion" => {
            let range = number("start")..number("end");
            verify_subtree_inclusion(number("leafIdx"), range, &root("leafHash")?, &proof, &root("root")?)
        }
        _ => {
            let range = number("start")..number("end");
            verify_subtree_consistency(range, number("size"), &root("root1")?, &root("root2")?, &proof)
        }
    };
    Some(checked.is_ok())
}

#[test]
fn public_vectors() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../../shared/vectors/rfc6962/testdata");
    if !root.exists() {
        assert!(std::env::var_os("CI").is_none(), "the vectors must be present where CI is set");
        #[expect(clippy::print_stderr, reason = "a skipped test says so loudly")]
        {
            eprintln!("SKIPPED: the RFC 6962 vectors are absent");
        }
        return;
    }
    let (mut cases, mut negative, mut wrong) = (0, 0, Vec::new());
    for kind in ["inclusion", "consistency", "subtreeinclusion", "subtreeconsistency"] {
        let mut folders = vec![root.join(kind)];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let case: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
                let bad = case["wantErr"].as_bool().unwrap();
                cases += 1;
                negative += usize::from(bad);
                if verdict(kind, &case).unwrap_or_default() == bad {
                    wrong.push(path);
                }
            }
        }
    }
    assert_eq!(wrong, Vec::<std::path::PathBuf>::new());
    assert_eq!((cases, negative), (518, 482));
}
