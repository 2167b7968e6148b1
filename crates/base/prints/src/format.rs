//! The file of an index. Numbers are little-endian; sections follow one another without gaps.
//!
//! | section | bytes |
//! | --- | --- |
//! | magic | `CSPRINTS` |
//! | checks | one a word, document after document; none for records |
//! | places | for each print: document (4), place of its last word or number of its field (4); in order of the prints |
//! | remainders | 16 bits of each print, after those that name its bucket |
//! | directory | for each bucket where its prints begin (4), and where the last ends |
//! | documents | where checks (8) and name (8) begin, and where the last end |
//! | names | the set's, then each document's |
//! | footer | see [`Footer`] |
//! | closing | id of the key (16), HMAC-SHA256 of all before it (32) |
//!
//! The first bits of a print name its bucket. Prints are hashes under a key, so they spread evenly; buckets hold [`BUCKET`] on average,
//! and 16 further bits tell all but one in some thousand strangers from the prints of a bucket. Buckets and remainders are held in
//! memory; everything else is read where it stands, once something has matched.

use crate::{Shape, key::ID};

/// Begins each file.
pub(crate) const MAGIC: [u8; 8] = *b"CSPRINTS";

/// The one version there is.
pub(crate) const VERSION: u16 = 1;

/// Prints of a bucket, on average at most twice as many.
const BUCKET: u64 = 8;

/// Bytes of the code that closes a file.
pub(crate) const CODE: usize = 32;

/// Bytes of the footer.
pub(crate) const FOOTER: usize = 48;

/// Bytes after the names.
pub(crate) const TAIL: usize = FOOTER + ID + CODE;

/// Bytes of a place.
pub(crate) const PLACE: usize = 8;

/// Bytes of a document's entry.
pub(crate) const UNIT: usize = 16;

/// What says how long the sections are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Footer {
    pub(crate) shape: Shape,
    /// How many bits of a print name its bucket.
    pub(crate) bits: u8,
    /// Bytes of the set's name.
    pub(crate) set: u32,
    pub(crate) units: u32,
    pub(crate) prints: u32,
    pub(crate) checks: u64,
    pub(crate) names: u64,
}

/// Where sections begin.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    pub(crate) checks: u64,
    pub(crate) places: u64,
    pub(crate) remainders: u64,
    pub(crate) directory: u64,
    pub(crate) units: u64,
    pub(crate) names: u64,
    /// Where the footer begins.
    pub(crate) end: u64,
}

impl Footer {
    pub(crate) fn bytes(&self) -> [u8; FOOTER] {
        let mut out = [0; FOOTER];
        let shape = match self.shape {
            Shape::Passages => 0,
            Shape::Records => 1,
        };
        let fields = VERSION
            .to_le_bytes()
            .into_iter()
            .chain([shape, self.bits])
            .chain(self.set.to_le_bytes())
            .chain(self.units.to_le_bytes())
            .chain(self.prints.to_le_bytes())
            .chain(self.checks.to_le_bytes())
            .chain(self.names.to_le_bytes());
        for (to, from) in out.iter_mut().zip(fields) {
            *to = from;
        }
        out
    }

    /// The version a footer says it is of.
    pub(crate) fn version(bytes: &[u8; FOOTER]) -> u16 {
        u16::from_le_bytes([bytes[0], bytes[1]])
    }

    /// None where it means nothing.
    pub(crate) fn read(bytes: &[u8; FOOTER]) -> Option<Self> {
        let four = |at: usize| bytes.get(at..)?.first_chunk().map(|b| u32::from_le_bytes(*b));
        let eight = |at: usize| bytes.get(at..)?.first_chunk().map(|b| u64::from_le_bytes(*b));
        let footer = Self {
            shape: match bytes[2] {
                0 => Shape::Passages,
                1 => Shape::Records,
                _ => return None,
            },
            bits: bytes[3],
            set: four(4)?,
            units: four(8)?,
            prints: four(12)?,
            checks: eight(16)?,
            names: eight(24)?,
        };
        (Self::version(bytes) == VERSION && footer.bytes() == *bytes && footer.bits <= MOST_BITS).then_some(footer)
    }

    /// None where the lengths cannot be those of a file.
    pub(crate) fn layout(&self) -> Option<Layout> {
        let checks = MAGIC.len() as u64;
        let places = checks.checked_add(self.checks)?;
        let remainders = places.checked_add(u64::from(self.prints) * PLACE as u64)?;
        let directory = remainders.checked_add(u64::from(self.prints) * 2)?;
        let units = directory.checked_add(((1 << self.bits) + 1) * 4)?;
        let names = units.checked_add((u64::from(self.units) + 1) * UNIT as u64)?;
        let end = names.checked_add(self.names)?;
        Some(Layout { checks, places, remainders, directory, units, names, end })
    }
}

/// How many bits name the bucket of a print, where there are so many.
pub(crate) fn bits(prints: u64) -> u8 {
    let buckets = (prints / BUCKET).max(1);
    u8::try_from(buckets.ilog2()).unwrap_or(MOST_BITS).min(MOST_BITS)
}

/// The bucket of a print, and what of it is kept there.
#[inline]
pub(crate) const fn place(print: u64, bits: u8) -> (usize, u16) {
    // Twice, for a shift by 64 is none.
    let bucket = print >> 1 >> (63 - bits as u32);
    (bucket as usize, (print << bits >> 48) as u16)
}

/// A directory of half a gigabyte; more prints than a place can count need no more.
const MOST_BITS: u8 = 29;
