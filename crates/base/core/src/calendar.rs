//! Dates of the proleptic Gregorian calendar, in UTC, without leap seconds: what budgets' windows and headers are told in.

use std::fmt;

use crate::Timestamp;

/// A moment as a calendar and a clock on the wall in UTC show it, to the second.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Civil {
    /// Year.
    pub year: u64,
    /// Month, 1 to 12.
    pub month: u64,
    /// Day of the month, 1 to 31.
    pub day: u64,
    /// Seconds since midnight.
    pub seconds: u64,
}

impl Civil {
    /// The moment `at`.
    #[must_use]
    pub const fn of(at: Timestamp) -> Self {
        let (days, seconds) = (at.seconds() / DAY, at.seconds() % DAY);
        // Years begin in March here, so that the leap day is a year's last; eras are 400 years.
        let shifted = days + TO_1970;
        let (era, day) = (shifted / ERA, shifted % ERA);
        let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
        let day = day - (365 * year + year / 4 - year / 100);
        let month = (5 * day + 2) / 153;
        let day = day - (153 * month + 2) / 5 + 1;
        let month = if month < 10 { month + 3 } else { month - 9 };
        Self { year: year + era * 400 + (month <= 2) as u64, month, day, seconds }
    }

    /// The first moment of a month; of the year's 13th it is that of the next year.
    #[must_use]
    pub const fn month(year: u64, month: u64) -> Timestamp {
        let (year, month) = if month > 12 { (year + 1, month - 12) } else { (year, month) };
        let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
        let (era, in_era) = (year / 400, year % 400);
        let day = in_era * 365 + in_era / 4 - in_era / 100 + (153 * month + 2) / 5;
        Timestamp((era * ERA + day).saturating_sub(TO_1970).saturating_mul(DAY * 1_000_000))
    }
}

/// As RFC 3339 has it: `2026-11-22T14:30:00Z`.
impl fmt::Display for Civil {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { year, month, day, seconds } = self;
        let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }
}

const DAY: u64 = 86_400;
/// Days in 400 years.
const ERA: u64 = 146_097;
/// Days from the first of March of the year 0 to 1970.
const TO_1970: u64 = 719_468;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_those_of_the_calendar() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (68_169_599, "1972-02-28T23:59:59Z"),
            (68_169_600, "1972-02-29T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_795_357_815, "2026-11-22T14:30:15Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (253_402_300_799, "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(Civil::of(Timestamp(seconds * 1_000_000)).to_string(), text);
        }
    }

    /// Day after day for five hundred years: each follows the one before, and each month begins where the calendar says.
    #[test]
    fn every_day_follows_the_one_before() {
        let mut before = Civil::of(Timestamp(0));
        for day in 1..180_000_u64 {
            let at = Timestamp(day * DAY * 1_000_000);
            let now = Civil::of(at);
            if now.day == 1 {
                assert_eq!(Civil::month(now.year, now.month), at);
                assert_eq!(Civil::month(before.year, before.month + 1), at);
            } else {
                assert_eq!((now.year, now.month, now.day), (before.year, before.month, before.day + 1));
            }
            before = now;
        }
        assert_eq!((before.year, before.month, before.day), (2462, 10, 27));
    }
}
