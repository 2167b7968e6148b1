//! What the watch knows as bytes, so that it outlives its process, and back.
//!
//! Samples of words are left out: the key that they were made under is forgotten with the process. Nothing here seals anything; the
//! bytes name people, and whoever keeps them seals them.

use std::sync::Arc;

use ahash::RandomState;
use countersign_core::{RequestId, Target, Timestamp};

use crate::{Limits, Monitor, peers::Peers, timeline::Timeline};

/// The bytes are not what a watch of this version has written.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not what this version of the watch has written")]
pub struct NotKept;

/// Something that is written as bytes and read back.
pub(crate) trait Keep: Sized {
    fn put(&self, out: &mut Vec<u8>);
    fn take(from: &mut &[u8]) -> Option<Self>;
}

impl Monitor {
    /// Appends a part of what is known to `out`; false where there is no such part. The first part is what is usual among peers, each
    /// of the others some timelines, so that nobody who looks a risk up waits for all of it.
    pub fn keep(&self, part: usize, now: Timestamp, out: &mut Vec<u8>) -> bool {
        let Some(block) = part.checked_sub(1) else {
            (VERSION, self.seeds, probe(&self.key)).put(out);
            self.peers.put(out);
            return true;
        };
        let Some(timelines) = self.table.block(block) else { return false };
        timelines.iter().filter(|timeline| now.since(timeline.last()) < LONGEST).for_each(|timeline| timeline.put(out));
        true
    }

    /// One that goes on from what [`Monitor::keep`] has written, all parts of it in their order.
    ///
    /// # Errors
    /// When it is not what this version has written. Nothing is taken of it then.
    pub fn kept(limits: Limits, mut bytes: &[u8]) -> Result<Self, NotKept> {
        let from = &mut bytes;
        let (version, seeds, probed) = <(u32, [u64; 4], u64)>::take(from).ok_or(NotKept)?;
        let mut monitor = Self::with_seeds(limits, seeds);
        // Hashes of another build of this library are other numbers, and everything would look unlike before.
        if version != VERSION || probed != probe(&monitor.key) {
            return Err(NotKept);
        }
        monitor.peers = Peers::take(from).ok_or(NotKept)?;
        while !from.is_empty() {
            let timeline = Timeline::take(from).ok_or(NotKept)?;
            if timeline.key() == monitor.key.hash_one(timeline.of()) {
                monitor.table.put_back(timeline);
            }
        }
        Ok(monitor)
    }
}

fn probe(key: &RandomState) -> u64 {
    key.hash_one(Target::Tenant("probe".into()))
}

macro_rules! numbers {
    ($($number:ty),*) => {$(
        impl Keep for $number {
            fn put(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_le_bytes());
            }

            fn take(from: &mut &[u8]) -> Option<Self> {
                let (number, rest) = from.split_first_chunk()?;
                *from = rest;
                Some(Self::from_le_bytes(*number))
            }
        }
    )*};
}

numbers!(u8, u16, u32, u64, u128);

/// Sums and counts are neither negative nor infinite.
impl Keep for f32 {
    fn put(&self, out: &mut Vec<u8>) {
        self.to_bits().put(out);
    }

    fn take(from: &mut &[u8]) -> Option<Self> {
        u32::take(from).map(Self::from_bits).filter(|number| number.is_finite() && *number >= 0.0)
    }
}

impl Keep for bool {
    fn put(&self, out: &mut Vec<u8>) {
        u8::from(*self).put(out);
    }

    fn take(from: &mut &[u8]) -> Option<Self> {
        u8::take(from).filter(|byte| *byte < 2).map(|byte| byte == 1)
    }
}

impl<T: Keep, const N: usize> Keep for [T; N] {
    fn put(&self, out: &mut Vec<u8>) {
        self.iter().for_each(|one| one.put(out));
    }

    fn take(from: &mut &[u8]) -> Option<Self> {
        let all: Vec<T> = (0..N).map(|_| T::take(from)).collect::<Option<_>>()?;
        all.try_into().ok()
    }
}

impl<T: Keep> Keep for Option<T> {
    fn put(&self, out: &mut Vec<u8>) {
        self.is_some().put(out);
        if let Some(one) = self {
            one.put(out);
        }
    }

    fn take(from: &mut &[u8]) -> Option<Self> {
        if bool::take(from)? { T::take(from).map(Some) } else { Some(None) }
    }
}

impl<T: Keep> Keep for Box<T> {
    fn put(&self, out: &mut Vec<u8>) {
        (**self).put(out);
    }

    fn take(from: &mut &[u8]) -> Option<Self> {
        T::take(from).map(Self::new)
    }
}

impl<A: Keep, B: Keep> Keep for (A, B) {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
        self.1.put(out);
    }

    fn take(from: &mut &[u8]) -> Option<Self> {
        Some((A::take(from)?, B::take(from)?))
    }
}

impl<A: Keep, B: Keep, C: Keep> Keep for (A, B, C) {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
        self.1.put(out);
        self.2.put(out);
    }

    fn take(from: &mut &[u8]) -> Option<Self> {
        Some((A::take(from)?, B::take(from)?, C::take(from)?))
    }
}

impl Keep for Timestamp {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
    }

    fn take(from: &mut &[u8]) -> Option<Self> {
        u64::take(from).map(Self)
    }
}

impl Keep for RequestId {
    fn put(&self, out: &mut Vec<u8>) {
        self.bits().put(out);
    }

    fn take(from: &mut &[u8]) -> Option<Self> {
        let bits = u128::take(from)?;
        let bytes = bits.to_be_bytes();
        let random = bytes.last_chunk()?;
        Some(Self::new(Timestamp(((bits >> 80) as u64).saturating_mul(1000)), *random))
    }
}

impl Keep for Arc<str> {
    fn put(&self, out: &mut Vec<u8>) {
        (self.len() as u32).put(out);
        out.extend_from_slice(self.as_bytes());
    }

    fn take(from: &mut &[u8]) -> Option<Self> {
        let length = u32::take(from)? as usize;
        let (text, rest) = from.split_at_checked(length)?;
        *from = rest;
        std::str::from_utf8(text).ok().map(Self::from)
    }
}

impl Keep for Target {
    fn put(&self, out: &mut Vec<u8>) {
        Arc::<str>::from(self.to_string()).put(out);
    }

    fn take(from: &mut &[u8]) -> Option<Self> {
        // What cannot be read is nobody's, and is left out for its hash.
        Arc::<str>::take(from).map(|text| text.parse().unwrap_or(Self::Everything))
    }
}

/// Written first; another number for every change of what is written.
const VERSION: u32 = 1;
/// Of whom nothing was heard for so long: a month.
const LONGEST: std::time::Duration = std::time::Duration::from_secs(30 * 86_400);

#[cfg(test)]
mod tests;
