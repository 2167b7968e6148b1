//! Tighter rates for whoever's prompts keep being refused for what they say.
//!
//! Threat: an attacker who tries one wording after another until a guard misses one. Each try past the first few halves how
//! often the next may come; whoever stops trying has the old rate back after a while.

use std::time::Duration;

use countersign_core::Timestamp;

use crate::Rate;

/// Refusals that still weigh, at `at`. One is forgotten every [`FORGIVEN`].
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Strikes {
    count: u32,
    at: Timestamp,
}

impl Strikes {
    /// One more.
    pub(crate) fn add(&mut self, now: Timestamp) {
        *self = Self { count: MOST.min(self.count(now) + 1), at: self.at.max(now) };
    }

    /// The rate for whoever has these.
    pub(crate) fn tighten(&self, rate: Rate, now: Timestamp) -> Rate {
        let halvings = self.count(now).saturating_sub(FREE);
        if halvings == 0 || rate.per_minute == Some(0) {
            return rate;
        }
        let minute = (rate.per_minute.unwrap_or(UNBOUNDED) >> halvings).max(1);
        Rate {
            per_minute: Some(minute),
            burst: Some(rate.burst.map_or(minute, |burst| burst.clamp(1, minute))),
            ..rate
        }
    }

    /// Whether nothing is left of them.
    pub(crate) fn is_clean(&self, now: Timestamp) -> bool {
        self.count(now) == 0
    }

    /// A clock that is set back forgives nothing.
    fn count(&self, now: Timestamp) -> u32 {
        let forgiven = now.since(self.at).as_secs() / FORGIVEN.as_secs();
        self.count.saturating_sub(u32::try_from(forgiven).unwrap_or(u32::MAX))
    }
}

/// Refusals that cost nothing: anybody's wording is taken amiss now and then.
const FREE: u32 = 5;
/// How long until one is forgotten.
const FORGIVEN: Duration = Duration::from_secs(120);
/// Refusals that are counted at most: past this the rate falls no further, and an hour clears it.
const MOST: u32 = FREE + 10;
/// What is halved where no rate is set.
const UNBOUNDED: u64 = 600;

#[cfg(test)]
mod tests {
    use super::*;

    fn after(minutes: u64) -> Timestamp {
        Timestamp(1_000_000_000_000 + minutes * 60_000_000)
    }

    #[test]
    fn each_refusal_past_the_first_few_halves_the_rate_and_time_gives_it_back() {
        let rate = Rate { per_minute: Some(600), burst: Some(60), concurrent: Some(4) };
        let mut strikes = Strikes::default();
        let mut minutes = Vec::new();
        for _ in 0..12 {
            strikes.add(after(0));
            minutes.push(strikes.tighten(rate, after(0)).per_minute.unwrap());
        }
        assert_eq!(minutes, [600, 600, 600, 600, 600, 300, 150, 75, 37, 18, 9, 4]);
        assert_eq!(strikes.tighten(rate, after(0)).burst, Some(4), "no more at once than in a minute");
        assert_eq!(strikes.tighten(rate, after(0)).concurrent, Some(4));
        assert_eq!(strikes.tighten(rate, after(2)).per_minute, Some(9));
        assert_eq!(strikes.tighten(rate, after(14)).per_minute, Some(600));
        assert!(!strikes.is_clean(after(23)) && strikes.is_clean(after(24)));
        assert!(!strikes.is_clean(Timestamp(0)), "a clock set back forgives nothing");
    }

    #[test]
    fn it_never_falls_to_nothing_and_is_a_rate_even_where_none_is_set() {
        let mut strikes = Strikes::default();
        (0..1_000).for_each(|_| strikes.add(after(0)));
        let one = strikes.tighten(Rate { per_minute: Some(10), ..Rate::default() }, after(0));
        assert_eq!((one.per_minute, one.burst), (Some(1), Some(1)));
        assert_eq!(strikes.tighten(Rate::default(), after(0)).per_minute, Some(1));
        assert_eq!(strikes.tighten(Rate { per_minute: Some(0), ..Rate::default() }, after(0)).per_minute, Some(0));
        assert!(strikes.is_clean(after(30)), "an hour clears the worst");
    }
}
