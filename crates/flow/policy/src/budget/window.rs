//! Windows of the calendar, in UTC: every node and every person knows when one ends.

use std::time::Duration;

use countersign_core::{Timestamp, calendar::Civil};

/// How long a budget lasts until it is full again.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Window {
    /// To the next full minute.
    Minute,
    /// To the next full hour.
    Hour,
    /// To midnight.
    Day,
    /// To the first of the next month.
    Month,
}

impl Window {
    /// Every window.
    pub const ALL: [Self; 4] = [Self::Minute, Self::Hour, Self::Day, Self::Month];

    /// The name used in configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Month => "month",
        }
    }

    /// The first moment after the window that `now` is in.
    #[must_use]
    pub const fn ends(self, now: Timestamp) -> Timestamp {
        match self {
            Self::Minute => every(60, now),
            Self::Hour => every(3_600, now),
            Self::Day => every(86_400, now),
            Self::Month => {
                let today = Civil::of(now);
                Civil::month(today.year, today.month + 1)
            }
        }
    }

    /// How long the window that ends at `ends` is.
    #[must_use]
    pub const fn length(self, ends: Timestamp) -> Duration {
        match self {
            Self::Minute => Duration::from_secs(60),
            Self::Hour => Duration::from_secs(3_600),
            Self::Day => Duration::from_secs(86_400),
            Self::Month => {
                let last = Civil::of(Timestamp(ends.0.saturating_sub(1)));
                ends.since(Civil::month(last.year, last.month))
            }
        }
    }
}

const fn every(seconds: u64, now: Timestamp) -> Timestamp {
    Timestamp((now.seconds() / seconds + 1).saturating_mul(seconds).saturating_mul(1_000_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_end_where_the_calendar_says() {
        let now = Timestamp(1_795_357_815_000_001);
        for (window, ends, length) in [
            (Window::Minute, "2026-11-22T14:31:00Z", 60),
            (Window::Hour, "2026-11-22T15:00:00Z", 3_600),
            (Window::Day, "2026-11-23T00:00:00Z", 86_400),
            (Window::Month, "2026-12-01T00:00:00Z", 30 * 86_400),
        ] {
            let end = window.ends(now);
            assert_eq!((Civil::of(end).to_string().as_str(), window.length(end).as_secs()), (ends, length));
            // The end of one is the beginning of the next.
            assert!(window.ends(end) > end && window.ends(Timestamp(end.0 - 1)) == end);
        }
        let december = Civil::month(2026, 12);
        assert_eq!(Civil::of(Window::Month.ends(december)).to_string(), "2027-01-01T00:00:00Z");
    }
}
