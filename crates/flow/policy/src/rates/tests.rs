use std::thread;

use proptest::prelude::*;

use super::*;

const MINUTE: u64 = 60_000_000;

fn name(text: &str) -> Arc<str> {
    text.into()
}

fn rate(per_minute: u64, burst: u64) -> Rate {
    Rate { per_minute: Some(per_minute), burst: Some(burst), concurrent: None }
}

#[test]
fn a_burst_then_the_rate_to_the_microsecond() {
    let limiter = Limiter::new();
    let take = |now| limiter.take(&name("k"), rate(60, 3), None, Timestamp(now)).map(drop);
    for _ in 0..3 {
        take(5).unwrap();
    }
    let refused = take(5).unwrap_err();
    assert_eq!((refused.code, refused.retry_after), (Code::RateLimited, Some(Duration::from_secs(1))));
    assert!(take(1_000_004).is_err());
    take(1_000_005).unwrap();
    assert!(take(1_000_005).is_err());
    // What it says to wait is enough, and no less is.
    let wait = take(1_000_905).unwrap_err().retry_after.unwrap();
    assert!(take(1_000_905 + wait.as_micros() as u64 - 1).is_err());
    take(1_000_905 + wait.as_micros() as u64).unwrap();
}

#[test]
fn a_clock_set_back_mints_nothing_and_locks_nobody_out() {
    let limiter = Limiter::new();
    let take = |now| limiter.take(&name("k"), rate(60, 2), None, Timestamp(now)).map(drop);
    take(100 * MINUTE).unwrap();
    take(100 * MINUTE).unwrap();
    assert!(take(100 * MINUTE).is_err());
    assert!(take(0).is_err());
    assert!(take(999_999).is_err());
    take(1_000_000).unwrap();
    assert!(take(1_000_000).is_err());
}

#[test]
fn credentials_do_not_share_a_bucket_and_unbounded_ones_have_none() {
    let limiter = Limiter::new();
    limiter.take(&name("a"), rate(1, 1), None, Timestamp(0)).map(drop).unwrap();
    assert!(limiter.take(&name("a"), rate(1, 1), None, Timestamp(0)).is_err());
    limiter.take(&name("b"), rate(1, 1), None, Timestamp(0)).map(drop).unwrap();
    for _ in 0..1_000 {
        limiter.take(&name("c"), Rate::default(), None, Timestamp(0)).map(drop).unwrap();
    }
}

#[test]
fn zero_refuses() {
    let limiter = Limiter::new();
    for burst in [0, 9] {
        assert!(limiter.take(&name("k"), rate(0, burst), None, Timestamp(u64::MAX)).is_err());
    }
    let none = Rate { concurrent: Some(0), ..Rate::default() };
    assert!(limiter.take(&name("k"), none, None, Timestamp(0)).is_err());
    assert!(limiter.take(&name("k"), Rate::default(), Some(0), Timestamp(0)).is_err());
    assert_eq!(limiter.in_flight(), 0);
}

#[test]
fn a_hold_is_given_back_when_dropped_and_a_refusal_takes_nothing() {
    let limiter = Limiter::new();
    let two = Rate { concurrent: Some(2), ..rate(1, 3) };
    let first = limiter.take(&name("k"), two, None, Timestamp(0)).unwrap();
    let second = limiter.take(&name("k"), two, None, Timestamp(0)).unwrap();
    for _ in 0..5 {
        assert_eq!(limiter.take(&name("k"), two, None, Timestamp(0)).err().unwrap().code, Code::RateLimited);
    }
    assert_eq!(limiter.in_flight(), 2);
    drop(first);
    // The five refusals used nothing of the burst of three.
    let third = limiter.take(&name("k"), two, Some(2), Timestamp(0)).unwrap();
    drop(second);
    assert_eq!(limiter.take(&name("l"), two, Some(1), Timestamp(0)).err().unwrap().code, Code::Overloaded);
    drop(third);
    assert_eq!(limiter.in_flight(), 0);
}

#[test]
fn many_credentials_are_bounded_and_nobody_escapes_by_crowding() {
    let limiter = Limiter::new();
    let spent = name("spent");
    limiter.take(&spent, rate(1, 1), None, Timestamp(0)).map(drop).unwrap();
    let mut overloaded = 0;
    for i in 0..40_000 {
        // Untouched buckets refill at once, so they are forgotten; the spent one is not.
        let crowd = rate(60_000_000, 1);
        overloaded += u32::from(limiter.take(&name(&format!("k{i}")), crowd, None, Timestamp(i)).is_err());
    }
    assert_eq!(overloaded, 0);
    assert!(limiter.take(&spent, rate(1, 1), None, Timestamp(40_000)).is_err());
    let kept: usize = limiter.shards.iter().map(|shard| shard.lock().unwrap().len()).sum();
    assert!(kept <= SHARDS * MOST_ACCOUNTS, "{kept}");
}

#[test]
fn a_full_house_of_spent_buckets_refuses_newcomers() {
    let limiter = Limiter::new();
    let refused = (0..40_000)
        .filter_map(|i| limiter.take(&name(&format!("k{i}")), rate(1, 1), None, Timestamp(0)).err())
        .inspect(|refusal| assert_eq!(refusal.code, Code::Overloaded))
        .count();
    assert_eq!(refused, 40_000 - SHARDS * MOST_ACCOUNTS);
    limiter.take(&name("later"), rate(1, 1), None, Timestamp(2 * MINUTE)).map(drop).unwrap();
}

#[test]
fn exact_under_threads() {
    let limiter = Limiter::new();
    let bound = Rate { concurrent: Some(7), ..rate(1, 500) };
    let most = AtomicU32::new(0);
    let now = AtomicU32::new(0);
    let passed: u32 = thread::scope(|scope| {
        let work = || {
            let mut passed = 0;
            for _ in 0..2_000 {
                let Ok(hold) = limiter.take(&name("k"), bound, Some(5), Timestamp(0)) else { continue };
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                passed += 1;
                thread::yield_now();
                now.fetch_sub(1, Ordering::SeqCst);
                drop(hold);
            }
            passed
        };
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(work)).collect();
        threads.into_iter().map(|t| t.join().unwrap()).sum()
    });
    assert_eq!(passed, 500);
    assert!(most.into_inner() <= 5);
    assert_eq!(limiter.in_flight(), 0);
}

#[test]
fn a_reload_neither_refills_nor_forgets() {
    let limiter = Limiter::new();
    for _ in 0..4 {
        limiter.take(&name("k"), rate(60, 5), None, Timestamp(0)).map(drop).unwrap();
    }
    limiter.take(&name("k"), rate(600, 50), None, Timestamp(0)).map(drop).unwrap();
    assert!(limiter.take(&name("k"), rate(600, 50), None, Timestamp(0)).is_err());
}

#[test]
fn the_most_generous_role_counts() {
    let who = |roles: &[&str]| crate::policy::tests::principal("t", "s", roles);
    let rates = Rates {
        default: rate(10, 10),
        roles: vec![
            ("batch".into(), rate(600, 20)),
            ("slow".into(), Rate { concurrent: Some(1), ..rate(1, 100) }),
            ("free".into(), Rate::default()),
        ],
        ..Rates::default()
    };
    assert_eq!(rates.of(&who(&["other"])), rate(10, 10));
    assert_eq!(rates.of(&who(&["slow"])).per_minute, Some(1));
    assert_eq!(rates.of(&who(&["slow", "batch"])), rate(600, 100));
    assert_eq!(rates.of(&who(&["slow", "batch", "free"])).per_minute, None);
}

proptest! {
    /// Over any run of clock readings, never more than the burst and what the time gone forward is worth.
    #[test]
    fn never_more_than_burst_and_time(
        minute in 1_u64..10_000,
        burst in 0_u64..50,
        steps in proptest::collection::vec((-3_000_000_i64..3_000_000, 1_usize..20), 1..60),
    ) {
        let limiter = Limiter::new();
        let (mut now, mut forward, mut passed) = (1_000_000_000_i64, 0_u128, 0_u128);
        for (step, tries) in steps {
            now += step;
            forward += u128::try_from(step).unwrap_or(0);
            for _ in 0..tries {
                passed += u128::from(limiter.take(&name("k"), rate(minute, burst), None, Timestamp(now as u64)).is_ok());
            }
            prop_assert!(passed * u128::from(PARTS) <= u128::from(burst) * u128::from(PARTS) + forward * u128::from(minute));
        }
    }

    #[test]
    fn any_figures_do_no_harm(minute: u64, burst: u64, a: u64, b: u64) {
        let limiter = Limiter::new();
        for now in [a, b, u64::MAX, 0] {
            let _ = limiter.take(&name("k"), rate(minute, burst), None, Timestamp(now));
        }
    }
}
