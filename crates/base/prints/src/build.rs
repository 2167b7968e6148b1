//! Makes an index: texts go in one by one, and the file comes out from beginning to end, in memory that does not grow with the texts.

use std::{collections::HashSet, io, ops::Range};

use aws_lc_rs::hmac;

use crate::{
    COMMON, FIELD, Key, RUN, Shape,
    format::{self, Footer, MAGIC},
    torn,
    winnow::{Winnow, pair},
    words::Word,
    words_of,
};

/// Where prints wait to be sorted, in [`PARTS`] heaps. `Vec<Vec<u8>>` is one in memory.
pub trait Scratch {
    /// Adds bytes to a heap.
    ///
    /// # Errors
    /// When they cannot be kept.
    fn put(&mut self, part: usize, bytes: &[u8]) -> io::Result<()>;

    /// Empties a heap.
    ///
    /// # Errors
    /// When it cannot be read.
    fn take(&mut self, part: usize) -> io::Result<Vec<u8>>;
}

/// How many heaps there are; sorting takes as much memory as the largest of them.
pub const PARTS: usize = 256;

impl Scratch for Vec<Vec<u8>> {
    fn put(&mut self, part: usize, bytes: &[u8]) -> io::Result<()> {
        if self.len() < PARTS {
            self.resize(PARTS, Vec::new());
        }
        self.get_mut(part).ok_or_else(torn)?.extend_from_slice(bytes);
        Ok(())
    }

    fn take(&mut self, part: usize) -> io::Result<Vec<u8>> {
        Ok(self.get_mut(part).map(std::mem::take).unwrap_or_default())
    }
}

/// An index being made.
pub struct Builder<W, S> {
    key: Key,
    shape: Shape,
    out: Closing<W>,
    scratch: S,
    /// Hashes of whole texts: one that is there already is not taken in twice.
    known: HashSet<u64>,
    /// Where the checks of each text begin, and its name.
    units: Vec<(u64, u64)>,
    set: String,
    names: Vec<u8>,
    checks: u64,
    prints: u64,
}

/// What became of a text.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Added {
    /// It can be recognised.
    Registered,
    /// It is too short to be told from ordinary language: less than [`RUN`] words, or less than two fields that say something.
    TooShort,
    /// The same text is there already.
    Known,
}

/// What an index holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Built {
    /// Texts.
    pub units: u64,
    /// Fingerprints.
    pub prints: u64,
    /// Fingerprints that were left out, for they stand in too many places.
    pub common: u64,
    /// Bytes of the file.
    pub bytes: u64,
}

impl<W: io::Write, S: Scratch> Builder<W, S> {
    /// Begins an index of the set named `set`, which is written to `out`.
    ///
    /// # Errors
    /// When `out` cannot be written.
    pub fn new(key: &Key, shape: Shape, set: &str, out: W, scratch: S) -> io::Result<Self> {
        let mut out = Closing { to: out, code: key.closing(), bytes: 0 };
        out.write(&MAGIC)?;
        Ok(Self {
            key: key.clone(),
            shape,
            out,
            scratch,
            known: HashSet::new(),
            units: Vec::new(),
            set: set.to_owned(),
            names: Vec::new(),
            checks: 0,
            prints: 0,
        })
    }

    /// Takes in a text.
    ///
    /// # Errors
    /// When something cannot be written, or there are more texts than can be counted.
    pub fn add(&mut self, name: &str, text: &str) -> io::Result<Added> {
        let words = words_of(text);
        let prints = match self.shape {
            Shape::Passages => passages(&words, &self.key),
            Shape::Records => fields(text, &words, &self.key),
        };
        let enough = match self.shape {
            Shape::Passages => words.len() >= RUN,
            Shape::Records => prints.iter().any(|(_, field)| prints.first().is_some_and(|(_, first)| first != field)),
        };
        if !enough {
            return Ok(Added::TooShort);
        }
        let whole = words.iter().fold(words.len() as u64, |all, word| pair(all, word.hash));
        if !self.known.insert(self.key.print(whole)) {
            return Ok(Added::Known);
        }
        let unit = u32::try_from(self.units.len()).map_err(|_| torn())?;
        self.units.push((self.checks, (self.set.len() + self.names.len()) as u64));
        let name = name.get(..name.floor_char_boundary(LONGEST)).unwrap_or_default();
        self.names.extend_from_slice(name.as_bytes());
        if self.shape == Shape::Passages {
            let checks: Vec<u8> =
                (0..).zip(&words).map(|(place, word)| self.key.check(unit, place, word.hash)).collect();
            self.out.write(&checks)?;
            self.checks += checks.len() as u64;
        }
        for (print, place) in prints {
            let mut entry = [0; ENTRY];
            let bytes = print.to_be_bytes().into_iter().chain(unit.to_be_bytes()).chain(place.to_be_bytes());
            entry.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
            self.scratch.put((print >> 56) as usize, &entry)?;
            self.prints += 1;
        }
        Ok(Added::Registered)
    }

    /// Writes what is left to write, and hands back what was written to.
    ///
    /// # Errors
    /// When something cannot be read or written, or there are more prints than can be counted.
    pub fn finish(mut self) -> io::Result<(Built, W)> {
        let bits = format::bits(self.prints);
        let (mut remainders, mut directory) = (Vec::new(), vec![0u32; 1 << bits]);
        let mut common = 0;
        for part in 0..PARTS {
            let heap = self.scratch.take(part)?;
            let (entries, _) = heap.as_chunks::<ENTRY>();
            let mut entries = entries.to_vec();
            drop(heap);
            entries.sort_unstable();
            for group in entries.chunk_by(|a, b| a.first_chunk::<8>() == b.first_chunk::<8>()) {
                if group.len() > COMMON {
                    common += group.len() as u64;
                    continue;
                }
                for entry in group {
                    let number = u64::from_be_bytes(*entry.first_chunk().unwrap_or(&[0; 8]));
                    let (bucket, rest) = format::place(number, bits);
                    if let Some(count) = directory.get_mut(bucket) {
                        *count += 1;
                    }
                    remainders.extend_from_slice(&rest.to_le_bytes());
                    let mut place = *entry.last_chunk::<{ format::PLACE }>().unwrap_or(&[0; format::PLACE]);
                    place.reverse();
                    place.rotate_left(4);
                    self.out.write(&place)?;
                }
            }
        }
        let prints = u32::try_from(remainders.len() / 2).map_err(|_| torn())?;
        self.out.write(&remainders)?;
        let mut at = 0u32;
        for count in directory {
            self.out.write(&at.to_le_bytes())?;
            at += count;
        }
        self.out.write(&at.to_le_bytes())?;
        let names = (self.set.len() + self.names.len()) as u64;
        for (checks, name) in self.units.iter().copied().chain([(self.checks, names)]) {
            self.out.write(&checks.to_le_bytes())?;
            self.out.write(&name.to_le_bytes())?;
        }
        self.out.write(self.set.as_bytes())?;
        self.out.write(&self.names)?;
        let footer = Footer {
            shape: self.shape,
            bits,
            set: u32::try_from(self.set.len()).map_err(|_| torn())?,
            units: u32::try_from(self.units.len()).map_err(|_| torn())?,
            prints,
            checks: self.checks,
            names,
        };
        self.out.write(&footer.bytes())?;
        self.out.write(self.key.id())?;
        let Closing { mut to, code, bytes } = self.out;
        to.write_all(code.sign().as_ref())?;
        to.flush()?;
        let bytes = bytes + format::CODE as u64;
        Ok((Built { units: self.units.len() as u64, prints: u64::from(prints), common, bytes }, to))
    }
}

/// The groups that stand for a text: print, and place of the last word.
fn passages(words: &[Word], key: &Key) -> Vec<(u64, u32)> {
    let mut winnow = Winnow::default();
    let kept = (0u32..).zip(words).filter_map(|(place, word)| {
        let kept = winnow.push(word.hash, key)?;
        Some((kept.print, place - kept.ago))
    });
    kept.collect()
}

/// What stands for a record: print, and number of the field.
fn fields(text: &str, words: &[Word], key: &Key) -> Vec<(u64, u32)> {
    let (view, _) = crate::view::view(text);
    let bounds = bounds(&view);
    let mut prints = Vec::new();
    for (number, field) in (0u32..).zip(&bounds) {
        let words: Vec<&Word> = words.iter().filter(|w| field.start <= w.start && w.end <= field.end).collect();
        // What is not divided is told by its parts: each is a field.
        let number_of = |part: u32| if bounds.len() > 1 { number } else { part };
        let digits = |word: &Word| view.get(word.start..word.end).is_some_and(|w| w.iter().any(u8::is_ascii_digit));
        for (part, word) in (0..).zip(&words) {
            if word.end - word.start >= FIELD && (words.len() == 1 || digits(word)) {
                prints.push((key.print(word.hash), number_of(part)));
            }
        }
        for (part, two) in (0..).zip(words.windows(2)) {
            if let [a, b] = two
                && a.end - a.start + b.end - b.start >= FIELD
            {
                prints.push((key.print(pair(a.hash, b.hash)), number_of(part)));
            }
        }
    }
    prints.sort_unstable();
    prints.dedup_by_key(|(print, _)| *print);
    prints
}

/// The fields of a line, split at its tabs, semicolons, bars or commas: at the first of these that there are outside of quotes.
fn bounds(line: &[u8]) -> Vec<Range<usize>> {
    for separator in *b"\t;|," {
        let (mut quoted, mut start, mut fields) = (false, 0, Vec::new());
        for (at, byte) in line.iter().enumerate() {
            quoted ^= *byte == b'"';
            if *byte == separator && !quoted {
                fields.push(start..at);
                start = at + 1;
            }
        }
        fields.push(start..line.len());
        if fields.len() > 1 {
            return fields;
        }
    }
    std::iter::once(0..line.len()).collect()
}

/// Writes, counts, and authenticates what it writes.
struct Closing<W> {
    to: W,
    code: hmac::Context,
    bytes: u64,
}

impl<W: io::Write> Closing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.code.update(bytes);
        self.bytes += bytes.len() as u64;
        self.to.write_all(bytes)
    }
}

/// Bytes of a name; what is longer is cut.
const LONGEST: usize = 4 << 10;

/// Bytes of a print that waits: itself, its text, its place.
const ENTRY: usize = 16;
