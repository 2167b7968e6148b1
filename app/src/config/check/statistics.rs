//! Statistics: an epsilon that hides something, and a reader who may be told a day at least.

use countersign_statistics::Epsilon;
use toml::Spanned;

use super::{
    super::{Statistics, raw::RawStatistics},
    Check,
};

impl Check<'_> {
    pub(super) fn statistics(&mut self, raw: Option<&Spanned<RawStatistics>>) -> Option<Statistics> {
        let unsaid = RawStatistics::default();
        let (at, raw) = raw.map_or((0..0, &unsaid), |raw| (raw.span(), raw.get_ref()));
        let Some(epsilon) = thousandths(raw.epsilon).and_then(Epsilon::of) else {
            return self.wrong(&at, "`epsilon` hides nothing, or everything", "write 0.001 to 10, as in 0.5");
        };
        let most = thousandths(raw.reader_epsilon).filter(|most| (epsilon.thousandths()..=MOST).contains(most));
        let Some(reader) = most else {
            let what = "`reader_epsilon` is less than one day's `epsilon`, or more than 1000";
            return self.wrong(&at, what, "write as many times `epsilon` as a reader may read days in 30 days");
        };
        Some(Statistics { epsilon, reader })
    }
}

/// A number in thousandths; none where it has no such form.
fn thousandths(number: f64) -> Option<u32> {
    let all = (number * 1000.0).round();
    ((1.0..=f64::from(MOST)).contains(&all) && (all / 1000.0 - number).abs() < 1e-9).then_some(all as u32)
}

/// Thousandths of the most that is taken for a number that hides anything.
const MOST: u32 = 1_000_000;
