//! What somebody usually does, in a few bytes: a Dirichlet count for each of a few categories, the rest together.

use crate::keep::Keep;

/// Counts of the categories seen most, by hash; of categories that are seen for the first time the rarest makes room.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tally<const N: usize> {
    places: [(u32, u16); N],
    all: u16,
}

impl<const N: usize> Default for Tally<N> {
    fn default() -> Self {
        Self { places: [(0, 0); N], all: 0 }
    }
}

impl<const N: usize> Tally<N> {
    pub(crate) fn count(&self, what: u32) -> f32 {
        self.places
            .iter()
            .find(|(known, count)| *known == what && *count > 0)
            .map_or(0.0, |(_, count)| f32::from(*count))
    }

    /// How many categories are known.
    pub(crate) fn kinds(&self) -> f32 {
        self.places.iter().filter(|(_, count)| *count > 0).count() as f32
    }

    pub(crate) fn all(&self) -> f32 {
        f32::from(self.all)
    }

    /// How likely `what` is, given `before`: how likely others think it.
    pub(crate) fn likely(&self, what: u32, before: f32) -> f32 {
        (self.count(what) + STRENGTH * before) / (self.all() + STRENGTH)
    }

    pub(crate) fn add(&mut self, what: u32) {
        if self.all == MOST {
            self.all /= 2;
            self.places.iter_mut().for_each(|(_, count)| *count /= 2);
        }
        self.all += 1;
        if let Some((_, count)) = self.places.iter_mut().find(|(known, count)| *known == what && *count > 0) {
            *count += 1;
        } else if let Some(rarest) = self.places.iter_mut().min_by_key(|(_, count)| *count) {
            *rarest = (what, 1);
        }
    }
}

impl<const N: usize> Keep for Tally<N> {
    fn put(&self, out: &mut Vec<u8>) {
        (self.all, self.places).put(out);
    }

    fn take(from: &mut &[u8]) -> Option<Self> {
        let (all, places) = <(u16, [(u32, u16); N])>::take(from)?;
        (all <= MOST && places.iter().all(|(_, count)| *count <= all)).then_some(Self { places, all })
    }
}

/// How likely an hour of the day is for somebody; hours next to it count, too.
pub(crate) fn hour_likely<T: Copy + Into<f32>>(hours: &[T; 24], hour: usize, before: f32) -> f32 {
    let at = |hour: usize| hours.get(hour % 24).map_or(0.0, |count| (*count).into());
    let all: f32 = hours.iter().map(|count| (*count).into()).sum();
    let near = at(hour) * 0.5 + (at(hour + 1) + at(hour + 23)) * 0.25;
    (near + STRENGTH * before) / (all + STRENGTH)
}

/// What others do weighs as much as this many of one's own requests.
const STRENGTH: f32 = 8.0;
const MOST: u16 = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_usual_is_likely_and_a_newcomer_is_as_likely_as_others_say() {
        let mut tally = Tally::<2>::default();
        assert!((tally.likely(1, 0.3) - 0.3).abs() < 1e-6);
        (0..92).for_each(|_| tally.add(1));
        assert!(tally.likely(1, 0.5) > 0.9 && tally.likely(2, 0.1) < 0.01);
        // More kinds than there are places: what is usual stays.
        (10..40).for_each(|what| tally.add(what));
        assert!(tally.count(1) >= 92.0);
    }

    #[test]
    fn counts_have_an_end_and_shares_stay() {
        let mut tally = Tally::<4>::default();
        (0..50_000_u32).for_each(|n| tally.add(n % 2));
        assert!((tally.likely(0, 0.0) - 0.5).abs() < 0.01);
    }

    #[test]
    fn an_hour_next_to_the_usual_one_is_no_stranger() {
        let mut hours = [0_u8; 24];
        hours[9] = 200;
        assert!(hour_likely(&hours, 10, 0.01) > 0.2 && hour_likely(&hours, 3, 0.01) < 0.01);
        assert!(hour_likely(&hours, 8, 0.01) > 0.2);
    }
}
