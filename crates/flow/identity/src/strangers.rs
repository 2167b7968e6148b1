//! Counts refused credentials by where they come from, so that a flood of them is one record a minute and not thousands.
//!
//! Threat: a stranger who fills the audit log. Each place has its minute, in which the first refusals are recorded one by one
//! and the rest are counted. Whoever knows a key is never looked at here, wherever the request comes from: an address is no
//! credential, and a stranger behind the same one must not lock anybody out.

use std::{
    collections::hash_map::Entry,
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use ahash::AHashMap;
use countersign_core::Timestamp;

/// The refusals of the present minute, by place. Bounded: places beyond [`PLACES`] are counted as one.
#[derive(Debug, Default)]
pub struct Strangers(Mutex<AHashMap<Place, Count>>);

/// Where refused credentials come from.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Place {
    /// An IPv4 address.
    Address(Ipv4Addr),
    /// An IPv6 network of 64 bits, which is what one subscriber has.
    Network(Ipv6Addr),
    /// A Unix socket.
    Socket,
    /// Places beyond those that are kept account of.
    Others,
}

/// Refusals that were counted instead of being recorded one by one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Tally {
    /// Where they came from.
    pub from: Place,
    /// How many they are.
    pub count: u64,
    /// When the first of them was.
    pub first: Timestamp,
    /// When the last was.
    pub last: Timestamp,
}

#[derive(Debug)]
struct Count {
    /// When the place's minute began.
    since: Timestamp,
    /// Refusals in it.
    refused: u64,
    /// What is still to be recorded.
    tally: Option<Tally>,
}

impl Strangers {
    /// Takes note of a refused credential. None when it is to be recorded by itself; else it is counted, and the stranger may
    /// be told to come back after so long.
    pub fn refused(&self, from: Option<IpAddr>, now: Timestamp) -> Option<Duration> {
        // INVARIANT: nothing panics half-way through a change, so a poisoned map is still whole.
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut place = Place::of(from);
        if places.len() >= PLACES && !places.contains_key(&place) {
            places.retain(|_, count| !count.is_spent(now));
            if places.len() >= PLACES {
                place = Place::Others;
            }
        }
        let count = match places.entry(place) {
            Entry::Occupied(count) => count.into_mut(),
            Entry::Vacant(none) => none.insert(Count { since: now, refused: 0, tally: None }),
        };
        if count.is_over(now) {
            (count.since, count.refused) = (now, 0);
        }
        count.refused += 1;
        if count.refused <= RECORDED {
            return None;
        }
        let tally = count.tally.get_or_insert(Tally { from: place, count: 0, first: now, last: now });
        (tally.count, tally.last) = (tally.count + 1, now);
        Some(MINUTE.saturating_sub(now.since(count.since)))
    }

    /// What is to be recorded now: the tallies whose minute is over, or all there are.
    pub fn tallies(&self, now: Timestamp, all: bool) -> Vec<Tally> {
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let due = |count: &mut Count| {
            let over = count.is_over(now);
            count.tally.take_if(|tally| all || over || now.since(tally.first) >= MINUTE)
        };
        let tallies = places.values_mut().filter_map(due).collect();
        places.retain(|_, count| !count.is_spent(now));
        tallies
    }
}

impl Place {
    fn of(address: Option<IpAddr>) -> Self {
        match address.map(|address| address.to_canonical()) {
            None => Self::Socket,
            Some(IpAddr::V6(address)) => Self::Network(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
            Some(IpAddr::V4(address)) => Self::Address(address),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Network(network) => write!(f, "{network}/64"),
            Self::Socket => f.write_str("a Unix socket"),
            Self::Others => f.write_str("other addresses"),
        }
    }
}

impl Count {
    /// Whether its minute is over. A clock that was set back ends it too.
    fn is_over(&self, now: Timestamp) -> bool {
        now < self.since || now.since(self.since) >= MINUTE
    }

    /// Whether nothing of it is needed any more.
    fn is_spent(&self, now: Timestamp) -> bool {
        self.tally.is_none() && self.is_over(now)
    }
}

/// Refusals of a place that are recorded one by one in its minute.
const RECORDED: u64 = 120;
const MINUTE: Duration = Duration::from_secs(60);
/// Places that are kept account of.
const PLACES: usize = 1_024;

#[cfg(test)]
mod tests;
