use proptest::prelude::*;

use super::*;

/// SplitMix64: the same numbers every time.
fn source(mut seed: u64) -> impl FnMut() -> u64 {
    move || {
        seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = seed;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

fn census() -> Census {
    Census::new(["large".into(), "small".into()])
}

/// The counts without noise.
fn counts(census: &Census) -> Vec<u64> {
    census.cells.iter().map(|(.., count)| *count).collect()
}

#[test]
fn noise_is_distributed_as_the_paper_has_it() {
    // Scale 2: the probability of n is (1 - p) / (1 + p) * p^|n| with p = exp(-1/2).
    let mut bits = Bits::new(source(7));
    let (draws, p) = (200_000_u32, (-0.5_f64).exp());
    let mut seen = [0_u32; 21];
    for _ in 0..draws {
        let n = laplace(&mut bits, 2, 1);
        if let Some(cell) = usize::try_from(n + 10).ok().and_then(|at| seen.get_mut(at)) {
            *cell += 1;
        }
    }
    let mut chi = 0.0;
    for (at, count) in seen.iter().enumerate() {
        let n = (at as i32 - 10).abs();
        let expected = f64::from(draws) * (1.0 - p) / (1.0 + p) * p.powi(n);
        chi += (f64::from(*count) - expected).powi(2) / expected;
    }
    // 20 degrees of freedom: one honest sampler of a hundred thousand is above 60, and this one's numbers are always the same.
    assert!(chi < 60.0, "{chi}");
}

#[test]
fn whoever_is_there_or_not_changes_a_release_by_no_more_than_epsilon() {
    // The worst that one principal can do: all of MOST in one count.
    let epsilon = Epsilon::of(2_000).unwrap();
    let draws = 60_000;
    let mut seen = [std::collections::BTreeMap::<i64, f64>::new(), std::collections::BTreeMap::new()];
    for (with, seen) in seen.iter_mut().enumerate() {
        let mut random = source(with as u64 + 1);
        for _ in 0..draws {
            let mut day = Census::new(["m".into()]);
            for _ in 0..100 * with {
                day.count("t", "alice", "m", Ended::Passed);
            }
            let told = day.release(epsilon, &mut random)[0].2;
            // In steps of the noise's scale, so that every step is seen often.
            *seen.entry(told.div_euclid(10).clamp(-3, 5)).or_default() += 1.0;
        }
    }
    let [without, with] = seen;
    let bound = 2_f64.exp() * 1.15;
    for (step, count) in &with {
        let other = without.get(step).copied().unwrap_or(0.5);
        assert!(count / other < bound && other / count < bound, "{step}: {count} and {other}");
    }
}

#[test]
fn a_principal_is_counted_so_often_and_no_more() {
    let mut day = census();
    for _ in 0..50 {
        day.count("bank", "alice", "small", Ended::Passed);
        day.count("bank", "alice", "large", Ended::Refused);
    }
    day.count("bank", "bob", "small", Ended::Passed);
    day.count("other", "alice", "small", Ended::Passed);
    day.count("bank", "bob", "a model that nobody serves", Ended::Passed);
    assert_eq!(counts(&day), [0, 10, 12, 0]);
}

#[test]
fn what_nobody_asked_has_its_count_too() {
    let told = census().release(Epsilon::of(500).unwrap(), source(3));
    let names: Vec<_> = told.iter().map(|(model, ended, _)| (&**model, ended.as_str())).collect();
    assert_eq!(names, [("large", "passed"), ("large", "refused"), ("small", "passed"), ("small", "refused")]);
    assert!(told.iter().any(|(.., count)| *count != 0), "without noise it would be told that nobody came");
}

#[test]
fn an_epsilon_is_a_number_that_hides_something() {
    for (thousandths, text) in [(500, "0.5"), (1000, "1"), (10_000, "10"), (1, "0.001"), (2250, "2.25")] {
        assert_eq!(Epsilon::of(thousandths).unwrap().to_string(), text);
    }
    assert_eq!((Epsilon::of(0), Epsilon::of(10_001)), (None, None));
    assert_eq!(Epsilon::of(1000).unwrap().within(), 60);
}

proptest! {
    #[test]
    fn one_principal_changes_all_counts_together_by_no_more_than_most(
        others in prop::collection::vec((0..5_u8, any::<bool>(), any::<bool>()), 0..80),
        theirs in prop::collection::vec((0..80_usize, any::<bool>(), any::<bool>()), 0..80),
    ) {
        let (mut without, mut with) = (census(), census());
        let pick = |large: bool, refused: bool| {
            (if large { "large" } else { "small" }, if refused { Ended::Refused } else { Ended::Passed })
        };
        for (at, (who, large, refused)) in others.iter().enumerate() {
            let (model, ended) = pick(*large, *refused);
            without.count("t", &who.to_string(), model, ended);
            with.count("t", &who.to_string(), model, ended);
            for (_, large, refused) in theirs.iter().filter(|(when, ..)| *when == at) {
                let (model, ended) = pick(*large, *refused);
                with.count("t", "them", model, ended);
            }
        }
        let apart: u64 = counts(&without).iter().zip(counts(&with)).map(|(one, other)| one.abs_diff(other)).sum();
        prop_assert!(apart <= u64::from(MOST), "{apart}");
    }
}
