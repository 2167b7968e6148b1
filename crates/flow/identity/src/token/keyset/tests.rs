use std::collections::BTreeSet;

use proptest::prelude::*;

use super::{
    super::testing::{Signer, after, set, set_of, signer},
    *,
};

const RULES: KeyRules =
    KeyRules { refresh: Duration::from_secs(600), max_age: Duration::from_secs(3600), pause: Duration::from_secs(10) };

fn empty() -> KeySet {
    KeySet::new(RULES, Algorithm::ALL.into(), ("sig", false), Box::new(|_| true), Arc::new(Lease::new(None)))
}

fn kid(algorithm: Algorithm) -> &'static Signer {
    signer(algorithm)
}

/// A set that was fetched at 0.
fn holding(signers: &[&Signer]) -> KeySet {
    let mut keys = empty();
    assert!(keys.take_fetch(after(0)));
    keys.fetched(set(signers).as_bytes(), after(0)).unwrap();
    keys
}

#[test]
fn the_first_fetch_is_due_at_once_and_is_asked_for_once() {
    let mut keys = empty();
    assert!(!keys.keys().usable(after(0)), "without keys nothing is accepted");
    assert!(keys.take_fetch(after(0)));
    assert!(!keys.take_fetch(after(1)) && !keys.take_fetch(after(59)));
    assert!(keys.take_fetch(after(60)), "a fetch that never comes back is given up");
    let report = keys.fetched(set(&[kid(Algorithm::Es256)]).as_bytes(), after(60)).unwrap();
    assert_eq!((report.new, report.kept, report.gone), (1, 0, 0));
    assert!(keys.keys().usable(after(60)) && keys.keys().get("ES256").is_some());
}

#[test]
fn keys_are_fetched_again_before_they_are_too_old() {
    let mut keys = holding(&[kid(Algorithm::Es256)]);
    assert!((1..600).all(|second| !keys.take_fetch(after(second))));
    assert!(keys.take_fetch(after(600)));
    let report = keys.fetched(set(&[kid(Algorithm::Es256)]).as_bytes(), after(600)).unwrap();
    assert_eq!((report.new, report.kept, report.gone), (0, 1, 0));
    assert!(!keys.take_fetch(after(1199)) && keys.take_fetch(after(1200)));
}

#[test]
fn an_issuer_out_of_reach_fails_closed_at_the_bound() {
    let mut keys = holding(&[kid(Algorithm::Es256)]);
    let mut tries = Vec::new();
    for second in 1..4000 {
        if keys.take_fetch(after(second)) {
            tries.push(second);
            keys.failed();
        }
        assert_eq!(keys.keys().usable(after(second)), second < 3600, "{second}");
    }
    assert_eq!(tries[..6], [600, 610, 630, 670, 730, 790], "the pause grows to a minute");
    assert!(tries.len() < 70);
    // And comes back by itself.
    let again = (4000..4100).find(|second| keys.take_fetch(after(*second))).unwrap();
    keys.fetched(set(&[kid(Algorithm::Es256)]).as_bytes(), after(again)).unwrap();
    assert!(keys.keys().usable(after(again)));
}

#[test]
fn junk_changes_nothing_and_is_a_failed_fetch() {
    let mut keys = holding(&[kid(Algorithm::Es256)]);
    let before = keys.keys();
    let mut second = 600;
    for junk in [&b""[..], b"{}", b"<html>", b"{\"keys\":7}", &[0xff; 40], &vec![b' '; jwk::MAX_SET + 1]] {
        while !keys.take_fetch(after(second)) {
            second += 1;
        }
        assert!(keys.fetched(junk, after(second)).is_err());
        assert!(Arc::ptr_eq(&before, &keys.keys()));
    }
    assert!(before.get("ES256").unwrap().lease.stands(after(second)));
    assert!(!keys.keys().usable(after(3600)), "junk keeps nothing fresh");
}

#[test]
fn a_key_that_vanished_is_not_accepted_and_its_lease_ends() {
    let both = [kid(Algorithm::Es256), kid(Algorithm::EdDsa)];
    let mut keys = holding(&both);
    let (gone, kept) = (keys.keys().get("ES256").unwrap().clone(), keys.keys().get("EdDSA").unwrap().clone());
    let report = keys.fetched(set(&both[1..]).as_bytes(), after(600)).unwrap();
    assert_eq!((report.new, report.kept, report.gone), (0, 1, 1));
    assert!(keys.keys().get("ES256").is_none() && !gone.lease.stands(after(600)));
    assert!(kept.lease.stands(after(600)) && Arc::ptr_eq(&kept, keys.keys().get("EdDSA").unwrap()));
    // A key that came back is a new one; an empty set is a set.
    keys.fetched(set(&both).as_bytes(), after(1200)).unwrap();
    assert!(!gone.lease.stands(after(1200)) && keys.keys().get("ES256").unwrap().lease.stands(after(1200)));
    keys.fetched(b"{\"keys\":[]}", after(1800)).unwrap();
    assert_eq!(keys.keys().len(), 0);
    assert!(!kept.lease.stands(after(1800)) && keys.keys().usable(after(1800)));
}

#[test]
fn another_key_of_the_same_name_is_another_key() {
    let mut keys = holding(&[kid(Algorithm::Es256)]);
    let old = keys.keys().get("ES256").unwrap().clone();
    let new = Signer::new(Algorithm::Es256, "ES256");
    let report = keys.fetched(set(&[&new]).as_bytes(), after(600)).unwrap();
    assert_eq!((report.new, report.kept, report.gone), (1, 0, 1));
    assert!(!old.lease.stands(after(600)));
    // And one whose private half is published is none any more.
    let leaked = new.jwk().with("d", "\"AAAA\"").text();
    let report = keys.fetched(set_of(&[leaked]).as_bytes(), after(1200)).unwrap();
    assert_eq!((report.gone, report.refused.len(), keys.keys().len()), (1, 1, 0));
}

#[test]
fn an_unknown_key_is_asked_for_once_in_a_pause_whoever_asks() {
    let mut keys = holding(&[kid(Algorithm::Es256)]);
    assert!(!keys.missed(after(5)), "the set is younger than the pause: the key does not exist");
    assert!(!keys.take_fetch(after(9)));
    // A flood of names: one fetch in ten seconds.
    let mut fetches = 0;
    for tick in 0..10_000 {
        let now = Timestamp(after(10).0 + tick * 10_000);
        keys.missed(now);
        if keys.take_fetch(now) {
            fetches += 1;
            assert!(keys.missed(now), "meanwhile it is worth coming back");
            keys.fetched(set(&[kid(Algorithm::Es256)]).as_bytes(), now).unwrap();
        }
    }
    assert_eq!(fetches, 10);
}

#[test]
fn a_flood_of_names_while_the_issuer_is_down_does_not_hammer_it() {
    let mut keys = holding(&[kid(Algorithm::Es256)]);
    let mut tries = Vec::new();
    for second in 10..400 {
        keys.missed(after(second));
        if keys.take_fetch(after(second)) {
            tries.push(second);
            keys.failed();
        }
    }
    assert_eq!(tries, [10, 20, 40, 80, 140, 200, 260, 320, 380]);
}

#[test]
fn clocks_that_jump_keep_nothing_alive() {
    let mut keys = holding(&[kid(Algorithm::Es256)]);
    // An hour back: how old the keys are, nobody knows. They are fetched at once.
    let past = Timestamp(after(0).0 - 3_600_000_000);
    assert!(!keys.keys().usable(past));
    assert!(keys.take_fetch(past));
    keys.fetched(set(&[kid(Algorithm::Es256)]).as_bytes(), past).unwrap();
    assert!(keys.keys().usable(past) && !keys.keys().usable(after(0)));
    // Some seconds back: nothing happens.
    let mut keys = holding(&[kid(Algorithm::Es256)]);
    let little = Timestamp(after(0).0 - 3_000_000);
    assert!(keys.keys().usable(little) && !keys.take_fetch(little));
    // Far ahead, as far as there is.
    assert!(!keys.keys().usable(Timestamp(u64::MAX)) && keys.take_fetch(Timestamp(u64::MAX)));
}

#[test]
fn a_new_configuration_takes_over_what_was_fetched() {
    let old = holding(&[kid(Algorithm::Es256), kid(Algorithm::EdDsa)]);
    let mut new =
        KeySet::new(RULES, vec![Algorithm::EdDsa], ("sig", false), Box::new(|_| true), Arc::new(Lease::new(None)));
    new.adopt(&old);
    assert_eq!((new.keys().len(), new.keys().fetched()), (1, Some(after(0))));
    assert!(new.keys().usable(after(3599)) && !new.keys().usable(after(3600)), "it is no younger for that");
    assert!(!new.take_fetch(after(599)) && new.take_fetch(after(600)));
    let mut none = empty();
    none.adopt(&empty());
    assert!(!none.keys().usable(after(0)) && none.take_fetch(after(0)));
}

/// What happens in one step of a simulated week.
#[derive(Clone, Debug)]
enum Step {
    /// Time goes on.
    Wait(u16),
    /// A token names a key that is not known.
    Miss,
    /// The issuer publishes these keys, by their place.
    Publish(BTreeSet<usize>),
    /// What the issuer answers from now on: its set, nothing, junk, or no answer at all.
    Answer(u8),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..2000_u16).prop_map(Step::Wait),
        2 => Just(Step::Miss),
        1 => prop::collection::btree_set(0..3_usize, 0..3).prop_map(Step::Publish),
        1 => (0..4_u8).prop_map(Step::Answer),
    ]
}

proptest! {
    #[test]
    fn over_time_no_key_outlives_its_bound_or_its_publication(steps in prop::collection::vec(step(), 1..120)) {
        let names = [Algorithm::Es256, Algorithm::Es384, Algorithm::EdDsa];
        let (mut keys, mut published, mut answer, mut second) = (empty(), BTreeSet::from([0]), 0, 0_u64);
        let (mut last_good, mut last_try, mut in_force) = (None::<u64>, None::<u64>, BTreeSet::new());
        for step in steps {
            match step {
                Step::Wait(time) => second += u64::from(time),
                Step::Miss => drop(keys.missed(after(second))),
                Step::Publish(these) => published = these,
                Step::Answer(how) => answer = how,
            }
            let now = after(second);
            if keys.take_fetch(now) {
                prop_assert!(last_try.is_none_or(|at| second - at >= 10), "{second} {last_try:?}");
                last_try = Some(second);
                match answer {
                    0 => {
                        let these: Vec<_> = published.iter().map(|at| kid(names[*at])).collect();
                        keys.fetched(set(&these).as_bytes(), now).unwrap();
                        (last_good, in_force) = (Some(second), published.clone());
                    }
                    1 => keys.failed(),
                    2 => drop(keys.fetched(b"junk", now).unwrap_err()),
                    _ => {}
                }
            }
            let usable = last_good.is_some_and(|at| second - at < 3600);
            prop_assert_eq!(keys.keys().usable(now), usable);
            for (at, name) in names.iter().enumerate() {
                prop_assert_eq!(keys.keys().get(name.as_str()).is_some(), in_force.contains(&at));
            }
            // Whatever happened, a fetch is tried again within a minute of the keys' being due.
            if last_good.is_none_or(|at| second - at >= 600) {
                prop_assert!(last_try.is_some_and(|at| second - at <= 60));
            }
        }
    }
}
