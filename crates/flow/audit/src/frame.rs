//! One record as it stands in the journal: a header, the entry (the leaf of the tree) and the sealed body beside it.
//!
//! The body is beside the entry, not in it: the entry holds the body's hash, so a body can be erased one day and the tree
//! still verifies. Layout, numbers big-endian:
//!
//! ```text
//! "CSJ1" | entry length u32 | body length u32 | index u64 | first index of the batch u64 | check [16] | entry | body
//! ```
//!
//! The check is the beginning of SHA-256 over the header before it, the entry's leaf hash and the body's SHA-256.
//! It finds torn and rotten frames; it is no defence against people, for that is what the signed tree is for.

use crate::merkle::{Hash, leaf_hash, sha256};

/// Longest entry: what the entry bundles of C2SP tlog-tiles can hold.
pub(crate) const MAX_ENTRY: usize = 65_535;
/// Longest body.
pub(crate) const MAX_BODY: usize = 256 << 20;
/// Bytes before the entry.
pub(crate) const HEADER: usize = 44;

/// A frame that holds together.
#[derive(Debug)]
pub(crate) struct Frame<'a> {
    pub(crate) index: u64,
    /// Index of the first record of the batch that was written together.
    pub(crate) first: u64,
    pub(crate) entry: &'a [u8],
    pub(crate) body: &'a [u8],
    pub(crate) leaf: Hash,
    /// SHA-256 of the body; zero when there is none.
    pub(crate) body_hash: Hash,
    /// Bytes of the whole frame.
    pub(crate) len: usize,
}

/// The bytes do not begin with a whole frame.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum BadFrame {
    #[error("the frame breaks off")]
    Short,
    #[error("the frame's header is not one")]
    Header,
    #[error("the frame's check does not hold")]
    Check,
}

/// Appends a frame; gives the entry's leaf hash. The caller has checked the lengths.
pub(crate) fn encode(out: &mut Vec<u8>, index: u64, first: u64, entry: &[u8], body: &[u8], body_hash: &Hash) -> Hash {
    let start = out.len();
    out.extend_from_slice(MAGIC);
    for length in [entry.len(), body.len()] {
        out.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
    }
    out.extend_from_slice(&index.to_be_bytes());
    out.extend_from_slice(&first.to_be_bytes());
    let leaf = leaf_hash(entry);
    let check = check(&out[start..], &leaf, body_hash);
    out.extend_from_slice(&check);
    out.extend_from_slice(entry);
    out.extend_from_slice(body);
    leaf
}

/// Reads the frame that `bytes` begin with.
pub(crate) fn decode(bytes: &[u8]) -> Result<Frame<'_>, BadFrame> {
    let (header, rest) = bytes.split_at_checked(HEADER).ok_or(BadFrame::Short)?;
    let mut reader = Reader(header);
    if reader.take::<4>() != *MAGIC {
        return Err(BadFrame::Header);
    }
    let entry_len = u32::from_be_bytes(reader.take()) as usize;
    let body_len = u32::from_be_bytes(reader.take()) as usize;
    let index = u64::from_be_bytes(reader.take());
    let first = u64::from_be_bytes(reader.take());
    if entry_len > MAX_ENTRY || body_len > MAX_BODY || first > index {
        return Err(BadFrame::Header);
    }
    let (entry, rest) = rest.split_at_checked(entry_len).ok_or(BadFrame::Short)?;
    let (body, _) = rest.split_at_checked(body_len).ok_or(BadFrame::Short)?;
    let (leaf, body_hash) = (leaf_hash(entry), hash_body(body));
    if check(&header[..HEADER - 16], &leaf, &body_hash) != reader.take::<16>() {
        return Err(BadFrame::Check);
    }
    Ok(Frame { index, first, entry, body, leaf, body_hash, len: HEADER + entry_len + body_len })
}

/// Where the first whole frame at or after `from` begins that `wanted` accepts.
pub(crate) fn find<'a>(bytes: &'a [u8], from: usize, wanted: impl Fn(&Frame<'a>) -> bool) -> Option<usize> {
    (from..bytes.len().saturating_sub(HEADER - 1))
        .find(|at| bytes[*at..].starts_with(MAGIC) && decode(&bytes[*at..]).is_ok_and(|frame| wanted(&frame)))
}

/// SHA-256 of a body; zero when there is none, which spares hashing nothing.
pub(crate) fn hash_body(body: &[u8]) -> Hash {
    if body.is_empty() { [0; 32] } else { sha256(body) }
}

fn check(header: &[u8], leaf: &Hash, body: &Hash) -> [u8; 16] {
    let mut input = [0; HEADER - 16 + 64];
    input[..HEADER - 16].copy_from_slice(header);
    input[HEADER - 16..HEADER + 16].copy_from_slice(leaf);
    input[HEADER + 16..].copy_from_slice(body);
    let mut check = [0; 16];
    check.copy_from_slice(&sha256(&input)[..16]);
    check
}

/// Takes fixed pieces off a header whose length was checked.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let (piece, rest) = self.0.split_first_chunk::<N>().map_or(([0; N], &[][..]), |(p, r)| (*p, r));
        self.0 = rest;
        piece
    }
}

const MAGIC: &[u8; 4] = b"CSJ1";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn round_trip(index in any::<u64>(), back in any::<u64>(), entry in prop::collection::vec(any::<u8>(), 0..300),
                      body in prop::collection::vec(any::<u8>(), 0..300), tail in prop::collection::vec(any::<u8>(), 0..9)) {
            let first = index.saturating_sub(back);
            let mut bytes = Vec::new();
            let leaf = encode(&mut bytes, index, first, &entry, &body, &hash_body(&body));
            let len = bytes.len();
            bytes.extend_from_slice(&tail);
            let frame = decode(&bytes).unwrap();
            prop_assert_eq!((frame.index, frame.first, frame.len, frame.leaf), (index, first, len, leaf));
            prop_assert_eq!((frame.entry, frame.body), (entry.as_slice(), body.as_slice()));
        }

        #[test]
        fn no_bit_can_be_turned(at in any::<prop::sample::Index>(), bit in 0_u8..8) {
            let mut bytes = Vec::new();
            encode(&mut bytes, 7, 5, b"entry", b"body", &hash_body(b"body"));
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            prop_assert!(decode(&bytes).is_err());
        }

        #[test]
        fn no_cut_is_a_frame(cut in 0_usize..53) {
            let mut bytes = Vec::new();
            encode(&mut bytes, 7, 5, b"entry", b"body", &hash_body(b"body"));
            prop_assert_eq!(bytes.len(), 53);
            prop_assert_eq!(decode(&bytes[..cut]).unwrap_err(), BadFrame::Short);
        }
    }
}
