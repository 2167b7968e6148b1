use proptest::prelude::*;

use super::*;
use crate::{Dir as _, DiskDir};

#[derive(Clone, Debug)]
enum Step {
    Write(usize),
    Truncate(prop::sample::Index),
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => prop_oneof![0_usize..300, 3900_usize..4300, 8100_usize..20_000].prop_map(Step::Write),
        1 => any::<prop::sample::Index>().prop_map(Step::Truncate),
        1 => Just(Step::Reopen),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever the blocks, the file holds what was appended, and nothing but zeros after it.
    #[test]
    fn a_tail_is_what_was_appended(steps in prop::collection::vec(step(), 1..12)) {
        let folder = tempfile::tempdir().unwrap();
        let dir = DiskDir::open(folder.path()).unwrap();
        let mut tail = dir.append("journal/0").unwrap();
        let mut expected = Vec::new();
        for (n, step) in steps.into_iter().enumerate() {
            match step {
                Step::Write(len) => {
                    let bytes: Vec<u8> = (0..len).map(|i| (i * 7 + n) as u8 | 1).collect();
                    tail.write(&bytes).unwrap();
                    tail.sync().unwrap();
                    expected.extend_from_slice(&bytes);
                }
                Step::Truncate(at) => {
                    expected.truncate(at.index(expected.len() + 1));
                    tail.truncate(expected.len() as u64).unwrap();
                }
                Step::Reopen => {
                    drop(tail);
                    prop_assert_eq!(&dir.read("journal/0").unwrap(), &expected);
                    tail = dir.append("journal/0").unwrap();
                }
            }
            prop_assert_eq!(tail.len(), expected.len() as u64);
            let held = dir.read("journal/0").unwrap();
            prop_assert_eq!(&held[..expected.len()], &expected);
            prop_assert!(held[expected.len()..].iter().all(|b| *b == 0));
        }
    }
}

#[test]
fn a_long_record_leaves_no_long_buffer_behind() {
    let folder = tempfile::tempdir().unwrap();
    let file = File::options().create_new(true).read(true).write(true).open(folder.path().join("tail")).unwrap();
    let mut tail = DiskTail::open(file).unwrap();
    tail.write(&vec![1; 3 << 20]).unwrap();
    tail.write(&[2; 5000]).unwrap();
    assert!(tail.block.bytes.len() <= KEPT);
    let held = std::fs::read(folder.path().join("tail")).unwrap();
    assert!(held[..3 << 20].iter().all(|b| *b == 1) && held[3 << 20..][..5000].iter().all(|b| *b == 2));
}

#[test]
fn what_cannot_go_past_the_cache_goes_through_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tail");
    let file = File::options().create_new(true).read(true).write(true).open(&path).unwrap();
    past_the_cache(&file, true);
    let mut blocks = Blocks::new(BLOCK);
    let crooked = &mut blocks.grow(2 * BLOCK, 0)[1..=BLOCK];
    crooked.fill(7);
    write_blocks(&file, crooked, 0).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), [7; BLOCK]);
}
