use std::collections::{BTreeSet, HashMap};

use proptest::prelude::*;

use super::*;

fn tree() -> Tree {
    Tree::new(vec![Node { place: Place::ROOT, seed: Secret::new([7; KEY]) }]).unwrap()
}

fn after(tree: &Tree, change: Change) -> Tree {
    let gone: BTreeSet<_> = change.gone.into_iter().collect();
    let kept = tree.0.values().filter(|node| !gone.contains(&node.place)).cloned();
    Tree::new(kept.chain(change.come).collect()).unwrap()
}

fn path(first: u8, last: u8) -> [u8; PATH] {
    let mut path = [0; PATH];
    (path[0], path[PATH - 1]) = (first, last);
    path
}

fn key(tree: &Tree, path: &[u8; PATH]) -> [u8; KEY] {
    *tree.leaf(path).unwrap().expose()
}

#[test]
fn each_leaf_has_a_key_of_its_own_and_always_the_same() {
    let tree = tree();
    let keys: BTreeSet<_> = (0..=255).flat_map(|a| [key(&tree, &path(a, 0)), key(&tree, &path(0, a))]).collect();
    assert_eq!(keys.len(), 511);
    assert_eq!(key(&tree, &path(3, 9)), key(&self::tree(), &path(3, 9)));
}

#[test]
fn what_is_forgotten_has_another_key_and_nothing_else_has() {
    let before = tree();
    let place = Place::of(&path(5, 77), 96);
    let change = before.forget(place).unwrap();
    assert_eq!((change.gone.len(), change.come.len()), (1, 97));
    let now = after(&before, change);
    for last in 0..=255 {
        assert_ne!(key(&before, &path(5, last)), key(&now, &path(5, last)), "{last}");
    }
    for first in (0..=255).filter(|first| *first != 5) {
        assert_eq!(key(&before, &path(first, 77)), key(&now, &path(first, 77)), "{first}");
    }
    // Forgotten again, it is forgotten again, and takes no more room.
    let again = now.forget(place).unwrap();
    assert_eq!((again.gone.len(), again.come.len()), (1, 1));
    let again = after(&now, again);
    assert_ne!(key(&now, &path(5, 77)), key(&again, &path(5, 77)));
    assert_eq!(again.len(), 97);
}

#[test]
fn who_holds_all_that_is_left_cannot_go_back_up() {
    let before = tree();
    let change = before.forget(Place::of(&path(200, 1), 144)).unwrap();
    // None of the seeds on the way down is among those that are left.
    let mut way = BTreeSet::from([[7; KEY]]);
    let mut seed = Secret::new([7; KEY]);
    for at in 0..LEAF {
        seed = below(&seed, bit(&path(200, 1), at));
        way.insert(*seed.expose());
    }
    assert!(change.come.iter().all(|node| !way.contains(node.seed.expose())));
}

#[test]
fn a_wider_place_takes_what_was_forgotten_below_with_it() {
    let mut tree = tree();
    for last in 0..20 {
        tree = after(&tree, tree.forget(Place::of(&path(9, last), 144)).unwrap());
    }
    assert!(tree.len() > 150);
    tree = after(&tree, tree.forget(Place::of(&path(9, 0), 48)).unwrap());
    assert_eq!(tree.len(), 49);
}

#[test]
fn places_have_one_name_each() {
    for depth in [0, 1, 47, 48, 143, 144] {
        let place = Place::of(&[0xa5; PATH], depth);
        assert_eq!(Place::read(&place.name()), Some(place));
    }
    let name = Place::of(&[0xff; PATH], 4).name();
    let zeros = "00".repeat(PATH - 1);
    assert_eq!(name, format!("4-f0{zeros}"));
    for bad in
        ["", "4", "-", "145-", "names", &format!("04-f0{zeros}"), &format!("4-ff{zeros}"), &format!("4-F0{zeros}")]
    {
        assert_eq!(Place::read(bad), None, "{bad}");
    }
}

#[test]
fn a_seed_below_another_is_damage() {
    let node = |place| Node { place, seed: Secret::new([1; KEY]) };
    let (wide, narrow) = (Place::of(&path(4, 0), 8), Place::of(&path(4, 8), 144));
    assert!(Tree::new(vec![node(wide), node(narrow)]).is_err());
    assert!(Tree::new(vec![node(Place::ROOT), node(Place::of(&path(0, 0), 1))]).is_err());
    assert!(Tree::new(vec![node(wide), node(Place::of(&path(5, 0), 8))]).is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn whatever_is_forgotten_in_whatever_order(forgotten in prop::collection::vec((0..4_u8, 0..4_u8, prop::sample::select(vec![8_u8, 48, 96, 144])), 0..12)) {
        let mut tree = tree();
        let all: Vec<_> = (0..4).flat_map(|a| (0..4).map(move |b| path(a, b))).collect();
        let mut keys: HashMap<_, _> = all.iter().map(|p| (*p, key(&tree, p))).collect();
        let mut seen: BTreeSet<_> = keys.values().copied().collect();
        for (first, last, depth) in forgotten {
            let place = Place::of(&path(first, last), depth);
            tree = after(&tree, tree.forget(place).unwrap());
            for p in &all {
                let now = key(&tree, p);
                let was = keys.insert(*p, now).unwrap();
                if place.leads_to(p) {
                    prop_assert!(seen.insert(now), "a key came back");
                } else {
                    prop_assert_eq!(now, was);
                }
            }
        }
    }

    #[test]
    fn no_name_breaks_the_reader(name: String) {
        if let Some(place) = Place::read(&name) {
            prop_assert_eq!(place.name(), name);
        }
    }
}
