use proptest::prelude::*;

use super::*;

const S: u64 = 1_000_000;

fn opened(at: Timestamp) -> Breaker {
    let breaker = Breaker::default();
    for _ in 0..FAILURES {
        assert!(breaker.admits(at));
        breaker.failure(at);
    }
    breaker
}

#[test]
fn it_opens_probes_once_and_closes() {
    let breaker = opened(Timestamp(0));
    assert_eq!((breaker.phase(Timestamp(0)), breaker.wait(Timestamp(0))), (Phase::Open, FIRST_PAUSE));
    assert!(!breaker.admits(Timestamp(5 * S - 1)));
    assert_eq!(breaker.phase(Timestamp(5 * S)), Phase::HalfOpen);
    assert!(breaker.admits(Timestamp(5 * S)));
    assert!(!breaker.admits(Timestamp(5 * S)) && !breaker.admits(Timestamp(15 * S - 1)));
    assert_eq!(breaker.phase(Timestamp(5 * S)), Phase::HalfOpen);
    breaker.success();
    assert_eq!(breaker.phase(Timestamp(5 * S)), Phase::Closed);
    assert!(breaker.admits(Timestamp(5 * S)));
}

#[test]
fn a_failed_probe_opens_it_for_longer_up_to_a_limit() {
    let breaker = opened(Timestamp(0));
    let mut now = Timestamp(0);
    for seconds in [5, 10, 20, 40, 80, 120, 120] {
        assert_eq!(breaker.wait(now), Duration::from_secs(seconds));
        now = now.plus(breaker.wait(now));
        assert!(breaker.admits(now));
        breaker.failure(now);
    }
}

#[test]
fn a_probe_that_never_reports_is_given_up_on() {
    let breaker = opened(Timestamp(0));
    assert!(breaker.admits(Timestamp(5 * S)));
    assert!(!breaker.admits(Timestamp(15 * S - 1)));
    assert!(breaker.admits(Timestamp(15 * S)));
}

#[test]
fn failures_apart_do_not_open_it_and_late_ones_do_not_prolong_it() {
    let breaker = Breaker::default();
    for _ in 0..100 {
        breaker.failure(Timestamp(0));
        breaker.success();
    }
    assert_eq!(breaker.phase(Timestamp(0)), Phase::Closed);
    let breaker = opened(Timestamp(0));
    breaker.failure(Timestamp(4 * S));
    assert_eq!(breaker.wait(Timestamp(4 * S)), Duration::from_secs(1));
}

proptest! {
    /// Whatever happens: it never stays shut for longer than its longest pause, and one success closes it.
    #[test]
    fn it_always_comes_back(steps in prop::collection::vec((0u8..3, 0u64..200 * S), 0..60)) {
        let breaker = Breaker::default();
        let mut now = Timestamp(0);
        for (what, pass) in steps {
            now = Timestamp(now.0 + pass);
            match what {
                0 => { breaker.admits(now); }
                1 => breaker.failure(now),
                _ => {
                    breaker.success();
                    prop_assert!(breaker.admits(now));
                }
            }
            prop_assert!(breaker.wait(now) <= LONGEST_PAUSE);
prop_assert!(breaker.phase(now) != Phase::Closed || breaker.wait(now).is_zero());
        }
        prop_assert!(breaker.admits(now.plus(LONGEST_PAUSE)));
    }
}
