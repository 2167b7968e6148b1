//! How much is used, told in a way that nobody can be found in: each person's day is hidden by ε-differential privacy.
//!
//! What is hidden is the whole day of one principal (Dwork, McSherry, Nissim and Smith, 2006): whether or not they asked anything on
//! that day, every answer is as likely as without them, up to a factor of `exp(ε)`. Of each principal [`MOST`] requests of a day
//! are counted, so that one of them can change the counts by no more than that, and each count is given with noise of that size.
//!
//! Which counts there are is no secret: the models of the configuration, each with what became of the request. A model that nobody
//! asked has its count too, with noise like all others.

mod laplace;

use std::{fmt, sync::Arc};

use ahash::{AHashMap, RandomState};

pub use laplace::{Bits, laplace};

/// So many of one principal's requests of a day are counted.
pub const MOST: u32 = 20;

/// What became of a request.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Ended {
    /// It passed every check and left for a provider.
    Passed,
    /// It was refused before.
    Refused,
}

impl Ended {
    /// The name it is told by.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Refused => "refused",
        }
    }
}

/// How much a release may tell of one principal, in thousandths: 0.001 to 10.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Epsilon(u32);

impl Epsilon {
    /// One of so many thousandths; none where it hides nothing (over 10) or is nothing.
    #[must_use]
    pub const fn of(thousandths: u32) -> Option<Self> {
        if thousandths >= 1 && thousandths <= 10_000 { Some(Self(thousandths)) } else { None }
    }

    /// Thousandths.
    #[must_use]
    pub const fn thousandths(self) -> u32 {
        self.0
    }

    /// 19 of 20 counts are no further than this from what was counted.
    #[must_use]
    pub fn within(self) -> u64 {
        // Of a Laplace distribution of scale b, a share of exp(-x / b) is further away than x.
        (f64::from(MOST) * 1000.0 / f64::from(self.0) * 20_f64.ln()).ceil() as u64
    }
}

impl fmt::Display for Epsilon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", f64::from(self.0) / 1000.0)
    }
}

/// The counts of one day, before anybody sees them.
pub struct Census {
    cells: Vec<(Arc<str>, Ended, u64)>,
    /// How many of each principal's requests were counted. By a hash: a principal who shares theirs is counted less, never more.
    people: AHashMap<u64, u32>,
    hasher: RandomState,
}

impl Census {
    /// Counts of these models, all nought.
    #[must_use]
    pub fn new(models: impl IntoIterator<Item = Arc<str>>) -> Self {
        let mut models: Vec<_> = models.into_iter().collect();
        models.sort();
        models.dedup();
        let each = |model: Arc<str>| [(model.clone(), Ended::Passed, 0), (model, Ended::Refused, 0)];
        Self { cells: models.into_iter().flat_map(each).collect(), people: AHashMap::new(), hasher: RandomState::new() }
    }

    /// Counts a request, unless its principal has been counted often enough or its model is none of ours.
    pub fn count(&mut self, tenant: &str, subject: &str, model: &str, ended: Ended) {
        let cell = self.cells.binary_search_by(|(m, e, _)| (&**m, *e).cmp(&(model, ended)));
        let Some((_, _, count)) = cell.ok().and_then(|at| self.cells.get_mut(at)) else { return };
        let counted = self.people.entry(self.hasher.hash_one((tenant, subject))).or_default();
        if *counted < MOST {
            *counted += 1;
            *count += 1;
        }
    }

    /// The counts with their noise: all that may be told, once. A count may come out below nought; cut off there, small ones would
    /// be told too large on average.
    #[must_use]
    pub fn release(self, epsilon: Epsilon, random: impl FnMut() -> u64) -> Vec<(Arc<str>, Ended, i64)> {
        let mut bits = Bits::new(random);
        let noisy = |(model, ended, count): (Arc<str>, Ended, u64)| {
            // A principal's requests may all be in one count, or spread over several: either way they change all counts together
            // by at most MOST, so noise of that scale on each will do.
            let noise = laplace(&mut bits, u64::from(MOST) * 1000, u64::from(epsilon.thousandths()));
            (model, ended, i64::try_from(count).unwrap_or(i64::MAX).saturating_add(noise))
        };
        self.cells.into_iter().map(noisy).collect()
    }
}

#[cfg(test)]
mod tests;
