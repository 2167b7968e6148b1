use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::{MemoryDir, merkle::leaf_hash};

#[test]
fn paths_are_those_of_the_specification() {
    let tile = |holds, number, width| Tile { holds, number, width }.path();
    assert_eq!(tile(Holds::Hashes(0), 1_234_067, 256), "tile/0/x001/x234/067");
    assert_eq!(tile(Holds::Hashes(1), 0, 7), "tile/1/000.p/7");
    assert_eq!(tile(Holds::Entries, 1_000, 256), "tile/entries/x001/000");
}

proptest! {
    #[test]
    fn paths_round_trip(level in prop::option::of(0_u8..8), number in 0..u64::MAX / WIDTH, width in 1_u64..=256) {
        let tile = Tile { holds: level.map_or(Holds::Entries, Holds::Hashes), number, width };
        prop_assert_eq!(Tile::parse(&tile.path()), Some(tile));
    }

    #[test]
    fn reading_never_panics(path in "tile/[0-9a-z/.x]{0,30}", bytes in prop::collection::vec(any::<u8>(), 0..90)) {
        let _ = (Tile::parse(&path), read_bundle(&bytes), read_hashes(&bytes));
    }
}

#[test]
fn what_was_written_loads_and_grows_on() {
    let entry = |i: u64| i.to_string().into_bytes();
    for size in [0_u64, 1, 255, 256, 257, 511, 512, 700, 65_535, 65_536, 66_000, 131_400] {
        let dir = MemoryDir::default();
        let mut tiles = Tiles::default();
        for i in 0..size {
            tiles.push(leaf_hash(&entry(i)), &entry(i));
            if tiles.waiting() > 20 {
                let full = tiles.take_full();
                // What could not be written comes again, and in order.
                let (done, failed) = full.split_at(7);
                dir.put(done).unwrap();
                tiles.put_back(failed.to_vec());
            }
        }
        dir.put(&tiles.take_full()).unwrap();
        // Only full tiles are read: the rest comes from the journal.
        let mut loaded = Tiles::edge(&dir, size / WIDTH * WIDTH).unwrap();
        for i in size / WIDTH * WIDTH..size {
            loaded.push(leaf_hash(&entry(i)), &entry(i));
        }
        assert_eq!((loaded.size(), loaded.root()), (size, tiles.root()));
        assert_eq!(loaded.partial(), tiles.partial());
        for i in size..size + 300 {
            tiles.push(leaf_hash(&entry(i)), &entry(i));
            loaded.push(leaf_hash(&entry(i)), &entry(i));
        }
        assert_eq!((loaded.root(), loaded.partial()), (tiles.root(), tiles.partial()));
        assert_eq!(loaded.take_full(), tiles.take_full());
    }
}

#[test]
fn a_damaged_edge_does_not_load() {
    let dir = MemoryDir::default();
    let mut tiles = Tiles::default();
    for i in 0..600_u64 {
        tiles.push(leaf_hash(&i.to_be_bytes()), &i.to_be_bytes());
    }
    dir.put(&tiles.take_full()).unwrap();
    assert!(Tiles::edge(&dir, 512).is_ok());
    dir.put(&[("tile/0/001".to_owned(), vec![0; 31])]).unwrap();
    let Err(AuditError::Damaged { what, .. }) = Tiles::edge(&dir, 512) else { panic!() };
    assert_eq!(what, "tile/0/001 is damaged");
}

/// Tiles of a public certificate log: four full ones, and one with a partial neighbour that is its prefix.
#[test]
fn a_public_log_reads_the_same() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../../shared/vectors/sunlight/testdata/navigli2025h2");
    if !root.exists() {
        assert!(std::env::var_os("CI").is_none(), "the vectors must be present where CI is set");
        #[expect(clippy::print_stderr, reason = "a skipped test says so loudly")]
        {
            eprintln!("SKIPPED: the tiles of a public log are absent");
        }
        return;
    }
    let dir = crate::DiskDir::read_only(&root).unwrap();
    let paths = dir.list("tile").unwrap();
    assert_eq!(paths.len(), 5);
    let mut frontier = Frontier::default();
    for path in &paths {
        let tile = Tile::parse(path).unwrap();
        let bytes = dir.read(path).unwrap();
        let hashes = read_hashes(&bytes).unwrap();
        assert_eq!(hashes.len() as u64, tile.width);
        if tile.width == WIDTH {
            assert_eq!(tile.number * WIDTH, frontier.size());
            hashes.iter().for_each(|h| frontier.push(*h));
        } else {
            let full = dir.read(&Tile { width: WIDTH, ..tile }.path()).unwrap();
            assert!(full.starts_with(&bytes));
            // The partial tile is the edge of a smaller tree of the same log.
            let before = frontier_of(&dir, tile.number);
            let mut smaller = before;
            hashes.iter().for_each(|h| smaller.push(*h));
            assert_eq!(smaller.size(), tile.number * WIDTH + tile.width);
        }
    }
    assert_eq!(frontier.size(), 1024);
    assert_eq!(Tiles::edge(&dir, 1024).unwrap().root(), frontier.root());
}

fn frontier_of(dir: &dyn Dir, tiles: u64) -> Frontier {
    let mut frontier = Frontier::default();
    for number in 0..tiles {
        let bytes = dir.read(&Tile { holds: Holds::Hashes(0), number, width: WIDTH }.path()).unwrap();
        read_hashes(&bytes).unwrap().iter().for_each(|h| frontier.push(*h));
    }
    frontier
}
