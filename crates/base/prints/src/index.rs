//! An index that has been opened: what of it is held in memory, and what is read where it stands.

use std::{fmt, io, sync::Arc};

use crate::{
    Key, Shape,
    format::{self, CODE, FOOTER, Footer, Layout, MAGIC, PLACE, TAIL, UNIT},
    key::ID,
    torn,
};

/// Bytes that are read by their place. They must not change: an index is made anew, never changed.
pub trait Source: Send + Sync {
    /// How many there are.
    fn len(&self) -> u64;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Fills `into` from `at` on.
    ///
    /// # Errors
    /// When it cannot be filled.
    fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<()>;
}

impl Source for Vec<u8> {
    fn len(&self) -> u64 {
        self.as_slice().len() as u64
    }

    fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<()> {
        let at = usize::try_from(at).map_err(|_| torn())?;
        let from = self.get(at..).and_then(|rest| rest.get(..into.len())).ok_or_else(torn)?;
        into.copy_from_slice(from);
        Ok(())
    }
}

/// Why an index cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// It cannot be read.
    #[error("it cannot be read: {0}")]
    Unreadable(#[from] io::Error),
    /// It is no index at all, or only a part of one.
    #[error("it is no index of documents, or not whole")]
    NotAnIndex,
    /// It was made by another version.
    #[error("it has format {0}, which this version does not read")]
    Version(u16),
    /// It was made with a key that is not here.
    #[error("it was made with the key of another deployment")]
    OtherKey,
    /// It is not as it was made.
    #[error("it is damaged: its bytes are not those that were written")]
    Damaged,
}

/// An index. Cheap to use from many threads behind an `Arc`.
pub struct Index {
    source: Box<dyn Source>,
    key: Key,
    footer: Footer,
    layout: Layout,
    set: Arc<str>,
    directory: Box<[u32]>,
    remainders: Box<[u16]>,
}

impl Index {
    /// Reads all of it once, and believes nothing that its key does not vouch for.
    ///
    /// # Errors
    /// [`IndexError`], when it cannot be used.
    pub fn open(source: Box<dyn Source>, keys: &[Key]) -> Result<Self, IndexError> {
        let len = source.len();
        let end = len.checked_sub(TAIL as u64).ok_or(IndexError::NotAnIndex)?;
        let mut magic = [0; MAGIC.len()];
        source.read_at(0, &mut magic)?;
        if magic != MAGIC {
            return Err(IndexError::NotAnIndex);
        }
        let (mut footer, mut id, mut code) = ([0; FOOTER], [0; ID], [0; CODE]);
        source.read_at(end, &mut footer)?;
        source.read_at(end + FOOTER as u64, &mut id)?;
        source.read_at(end + (FOOTER + ID) as u64, &mut code)?;
        let key = keys.iter().find(|key| *key.id() == id);
        let version = Footer::version(&footer);
        let Some(key) = key else {
            // The end of a file that was cut off names no key that anybody has.
            return Err(if version == format::VERSION { IndexError::OtherKey } else { IndexError::NotAnIndex });
        };
        if version != format::VERSION {
            return Err(IndexError::Version(version));
        }
        verify(&*source, key, len - CODE as u64, &code)?;
        let footer = Footer::read(&footer).ok_or(IndexError::Damaged)?;
        let layout = footer.layout().filter(|layout| layout.end == end).ok_or(IndexError::Damaged)?;
        let remainders = table(&*source, layout.remainders, u64::from(footer.prints), u16::from_le_bytes)?;
        let directory = table(&*source, layout.directory, (1 << footer.bits) + 1, u32::from_le_bytes)?;
        let sorted = directory.is_sorted() && directory.last() == Some(&footer.prints);
        if !sorted || u64::from(footer.set) > footer.names {
            return Err(IndexError::Damaged);
        }
        let mut set = vec![0; usize::try_from(footer.set).map_err(|_| IndexError::Damaged)?];
        source.read_at(layout.names, &mut set)?;
        let set = String::from_utf8(set).map_err(|_| IndexError::Damaged)?.into();
        Ok(Self { source, key: key.clone(), footer, layout, set, directory, remainders })
    }

    /// What its texts are.
    #[must_use]
    pub const fn shape(&self) -> Shape {
        self.footer.shape
    }

    /// The set's name.
    #[must_use]
    pub const fn set(&self) -> &Arc<str> {
        &self.set
    }

    /// How many texts are registered.
    #[must_use]
    pub const fn units(&self) -> u32 {
        self.footer.units
    }

    /// How many fingerprints they have.
    #[must_use]
    pub const fn prints(&self) -> u32 {
        self.footer.prints
    }

    /// Bytes held in memory.
    #[must_use]
    pub fn resident(&self) -> usize {
        size_of_val(&*self.directory) + size_of_val(&*self.remainders)
    }

    pub(crate) const fn key(&self) -> &Key {
        &self.key
    }

    /// Where a print stands: text, and place in it. A print in some thousands that stands nowhere seems to stand somewhere.
    #[inline]
    pub(crate) fn places(&self, print: u64) -> io::Result<Vec<(u32, u32)>> {
        let (bucket, rest) = format::place(print, self.footer.bits);
        let begin = self.directory.get(bucket).copied().unwrap_or_default() as usize;
        let end = self.directory.get(bucket + 1).copied().unwrap_or_default() as usize;
        let bucket = self.remainders.get(begin..end).unwrap_or_default();
        let Some(first) = bucket.iter().position(|r| *r == rest) else { return Ok(Vec::new()) };
        let count = bucket.iter().skip(first).take_while(|r| **r == rest).count();
        self.read_places(begin + first, count)
    }

    #[cold]
    fn read_places(&self, first: usize, count: usize) -> io::Result<Vec<(u32, u32)>> {
        let mut bytes = vec![0; count * PLACE];
        self.source.read_at(self.layout.places + (first * PLACE) as u64, &mut bytes)?;
        let (places, _) = bytes.as_chunks::<PLACE>();
        Ok(places
            .iter()
            .map(|[a, b, c, d, e, f, g, h]| {
                (u32::from_le_bytes([*a, *b, *c, *d]), u32::from_le_bytes([*e, *f, *g, *h]))
            })
            .collect())
    }

    /// How many words a text has, and where their checks are.
    pub(crate) fn text(&self, unit: u32) -> io::Result<Text> {
        let (begin, _) = self.entry(unit)?;
        let (end, _) = self.entry(unit.checked_add(1).ok_or_else(torn)?)?;
        let words = end.checked_sub(begin).filter(|_| end <= self.footer.checks).ok_or_else(torn)?;
        Ok(Text { at: self.layout.checks + begin, words: u32::try_from(words).map_err(|_| torn())? })
    }

    /// Fills `into` with checks of a text, from the word at `from` on.
    pub(crate) fn checks(&self, text: Text, from: u32, into: &mut [u8]) -> io::Result<usize> {
        let count = into.len().min(text.words.saturating_sub(from) as usize);
        if count > 0 {
            self.source.read_at(text.at + u64::from(from), into.get_mut(..count).unwrap_or_default())?;
        }
        Ok(count)
    }

    /// The name of a text, after the name of the set.
    pub(crate) fn name(&self, unit: u32) -> io::Result<Arc<str>> {
        let (_, begin) = self.entry(unit)?;
        let (_, end) = self.entry(unit.checked_add(1).ok_or_else(torn)?)?;
        let count = end.checked_sub(begin).filter(|n| end <= self.footer.names && *n <= LONGEST).ok_or_else(torn)?;
        let mut bytes = vec![0; usize::try_from(count).map_err(|_| torn())?];
        self.source.read_at(self.layout.names + begin, &mut bytes)?;
        let name = String::from_utf8(bytes).map_err(|_| torn())?;
        Ok(format!("{}: {name}", self.set).into())
    }

    fn entry(&self, unit: u32) -> io::Result<(u64, u64)> {
        if unit > self.footer.units {
            return Err(torn());
        }
        let mut bytes = [0; UNIT];
        self.source.read_at(self.layout.units + u64::from(unit) * UNIT as u64, &mut bytes)?;
        let half = |b: Option<&[u8; 8]>| b.map_or(0, |b| u64::from_le_bytes(*b));
        Ok((half(bytes.first_chunk()), half(bytes.last_chunk())))
    }
}

impl fmt::Debug for Index {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Index").field("set", &self.set).field("units", &self.footer.units).finish_non_exhaustive()
    }
}

/// The words of one text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Text {
    at: u64,
    pub(crate) words: u32,
}

/// Compares the code over the first `len` bytes.
fn verify(source: &dyn Source, key: &Key, len: u64, code: &[u8; CODE]) -> Result<(), IndexError> {
    let mut closing = key.closing();
    each(source, 0, len, |bytes| closing.update(bytes))?;
    aws_lc_rs::constant_time::verify_slices_are_equal(closing.sign().as_ref(), code).map_err(|_| IndexError::Damaged)
}

/// Numbers of N bytes, from `at` on.
fn table<T, const N: usize>(
    source: &dyn Source,
    at: u64,
    count: u64,
    number: impl Fn([u8; N]) -> T,
) -> Result<Box<[T]>, IndexError> {
    let mut all = Vec::with_capacity(usize::try_from(count).map_err(|_| IndexError::Damaged)?);
    // INVARIANT: a piece is a multiple of N, so no number is cut in two.
    each(source, at, count * N as u64, |bytes| all.extend(bytes.as_chunks::<N>().0.iter().map(|b| number(*b))))?;
    Ok(all.into())
}

/// Reads piece by piece.
fn each(source: &dyn Source, mut at: u64, len: u64, mut take: impl FnMut(&[u8])) -> Result<(), IndexError> {
    let end = at + len;
    let mut buffer = vec![0; PIECE];
    while at < end {
        let count = (end - at).min(PIECE as u64);
        let piece = buffer.get_mut(..count as usize).unwrap_or_default();
        source.read_at(at, piece)?;
        take(piece);
        at += count;
    }
    Ok(())
}

/// How much is read at once.
const PIECE: usize = 1 << 18;

/// No name is longer, in bytes.
const LONGEST: u64 = 4 << 10;
