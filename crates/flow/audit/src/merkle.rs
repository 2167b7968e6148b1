//! The hash tree of RFC 6962: leaves, nodes, roots that grow, and proofs that a log holds a record and was only appended to.
//!
//! Subtree proofs are those of draft-ietf-plants-merkle-tree-certs; a subtree that begins at 0 is RFC 6962's own case.

use aws_lc_rs::digest::{Context, SHA256, digest};

/// A SHA-256 hash of a leaf or node.
pub type Hash = [u8; 32];

/// The hash of one record: `SHA-256(0x00 || record)`.
#[must_use]
pub fn leaf_hash(record: &[u8]) -> Hash {
    // In one piece where it is as short as almost all records are: setting up to hash several costs as much as hashing this one.
    let mut input = [0; LEAF_AT_ONCE + 1];
    if let Some(copy) = input.get_mut(1..=record.len()) {
        copy.copy_from_slice(record);
        return sha256(input.get(..=record.len()).unwrap_or_default());
    }
    let mut context = Context::new(&SHA256);
    context.update(&[0]);
    context.update(record);
    to_hash(context.finish().as_ref())
}

/// The hash over two neighbours: `SHA-256(0x01 || left || right)`.
#[must_use]
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    let mut input = [1; 65];
    input[1..33].copy_from_slice(left);
    input[33..].copy_from_slice(right);
    sha256(&input)
}

/// Plain SHA-256.
#[must_use]
pub fn sha256(data: &[u8]) -> Hash {
    to_hash(digest(&SHA256, data).as_ref())
}

fn to_hash(bytes: &[u8]) -> Hash {
    let mut hash = [0; 32];
    for (to, from) in hash.iter_mut().zip(bytes) {
        *to = *from;
    }
    hash
}

/// The root over `hashes` as leaf (or equal-height node) hashes; the hash of nothing when there are none.
#[must_use]
pub fn root_of(hashes: &[Hash]) -> Hash {
    let mut frontier = Frontier::default();
    for hash in hashes {
        frontier.push(*hash);
    }
    frontier.root()
}

/// The right edge of a growing tree: all that is needed to append and to know the root. At most 64 hashes.
#[derive(Clone, Debug, Default)]
pub struct Frontier {
    size: u64,
    // Roots of the complete subtrees, left to right; one for each set bit of `size`, highest first.
    edge: Vec<Hash>,
}

impl Frontier {
    /// The right edge of a tree of `size` leaves, from the roots of its complete subtrees, left to right.
    #[must_use]
    pub(crate) const fn from_edge(size: u64, edge: Vec<Hash>) -> Self {
        Self { size, edge }
    }

    /// Appends one leaf hash.
    pub fn push(&mut self, leaf: Hash) {
        self.push_to_tile(leaf);
    }

    /// Appends one leaf hash. Gives the root over the last 256 leaves, where they are a complete subtree now.
    pub(crate) fn push_to_tile(&mut self, leaf: Hash) -> Option<Hash> {
        let mut hash = leaf;
        let mut tile = None;
        // Every trailing one of the size is a complete subtree that the new leaf completes further.
        for height in 1..=self.size.trailing_ones() {
            if let Some(left) = self.edge.pop() {
                hash = node_hash(&left, &hash);
            }
            if height == TILE_HEIGHT {
                tile = Some(hash);
            }
        }
        self.edge.push(hash);
        self.size += 1;
        tile
    }

    /// How many leaves the tree has.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The root over all leaves; the hash of nothing for an empty tree.
    #[must_use]
    pub fn root(&self) -> Hash {
        let mut rest = self.edge.iter().rev();
        let Some(first) = rest.next() else { return sha256(&[]) };
        rest.fold(*first, |right, left| node_hash(left, &right))
    }
}

/// A tree's leaves and the roots of its complete subtrees of 256, 65,536 and so on leaves, each hashed once.
pub(crate) struct Levels(Vec<Vec<Hash>>);

impl Levels {
    pub(crate) fn of(leaves: Vec<Hash>) -> Self {
        let mut levels = vec![leaves];
        while let Some(roots) =
            levels.last().map(|below| below.chunks_exact(TILE_WIDTH).map(root_of).collect::<Vec<_>>())
            && !roots.is_empty()
        {
            levels.push(roots);
        }
        Self(levels)
    }

    /// The leaves.
    pub(crate) fn leaves(&self) -> &[Hash] {
        self.0.first().map_or(&[], Vec::as_slice)
    }

    /// The hashes of each level that has any, the leaves' first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &[Hash]> {
        self.0.iter().map(Vec::as_slice).filter(|hashes| !hashes.is_empty())
    }

    /// The root over the first leaves; none where there are not as many.
    pub(crate) fn root(&self, size: usize) -> Option<Hash> {
        let mut right = None;
        let mut count = size;
        for hashes in &self.0 {
            let rest = hashes.get(count - count % TILE_WIDTH..count)?;
            let mut edge = Frontier::default();
            rest.iter().for_each(|hash| edge.push(*hash));
            right =
                edge.edge.iter().rfold(right, |right, left| Some(right.map_or(*left, |right| node_hash(left, &right))));
            count /= TILE_WIDTH;
        }
        // More than the highest level has room for is more than there are.
        (count == 0).then(|| right.unwrap_or_else(|| sha256(&[])))
    }
}

/// A proof does not show what it claims.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{0}")]
pub struct BadProof(&'static str);

/// Checks that the leaf with hash `leaf` stands at `index` of the tree of `size` leaves with this `root`.
///
/// # Errors
/// When the proof does not show it (RFC 6962, section 2.1.1; RFC 9162, section 2.1.3.2).
pub fn verify_inclusion(index: u64, size: u64, leaf: &Hash, proof: &[Hash], root: &Hash) -> Result<(), BadProof> {
    verify_subtree_inclusion(index, 0..size, leaf, proof, root)
}

/// Checks that the leaf with hash `leaf` stands at `index` of the log, below the `root` of the subtree over `range`.
///
/// # Errors
/// When `range` is no valid subtree, does not hold `index`, or the proof does not show it.
pub fn verify_subtree_inclusion(
    index: u64,
    range: std::ops::Range<u64>,
    leaf: &Hash,
    proof: &[Hash],
    root: &Hash,
) -> Result<(), BadProof> {
    if !is_subtree(&range) || !range.contains(&index) {
        return Err(BadProof("the range is no subtree that holds the index"));
    }
    let (mut at, mut last) = (index - range.start, range.end - range.start - 1);
    let mut hash = *leaf;
    for sibling in proof {
        if last == 0 {
            return Err(BadProof("the proof is too long"));
        }
        if at & 1 == 1 || at == last {
            hash = node_hash(sibling, &hash);
            while at & 1 == 0 && at != 0 {
                (at, last) = (at >> 1, last >> 1);
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        (at, last) = (at >> 1, last >> 1);
    }
    if last == 0 && hash == *root { Ok(()) } else { Err(BadProof("the proof does not lead to the root")) }
}

/// Checks that the tree of `size2` leaves with `root2` only appends to the one of `size1` leaves with `root1`.
///
/// # Errors
/// When the proof does not show it (RFC 6962, section 2.1.2; RFC 9162, section 2.1.4.2), or the older tree is empty.
pub fn verify_consistency(size1: u64, size2: u64, root1: &Hash, root2: &Hash, proof: &[Hash]) -> Result<(), BadProof> {
    if size1 == 0 {
        return Err(BadProof("nothing can be shown of an empty tree"));
    }
    verify_subtree_consistency(0..size1, size2, root1, root2, proof)
}

/// Checks that the subtree over `range`, with hash `part`, is part of the tree of `size` leaves with this `root`.
///
/// # Errors
/// When `range` is no valid subtree of such a tree or the proof does not show it.
pub fn verify_subtree_consistency(
    range: std::ops::Range<u64>,
    size: u64,
    part: &Hash,
    root: &Hash,
    proof: &[Hash],
) -> Result<(), BadProof> {
    if range.start == range.end && range.end <= size {
        // Part of every tree.
        let shown = proof.is_empty() && *part == sha256(&[]);
        return if shown { Ok(()) } else { Err(BadProof("the subtree is empty and its hash is not")) };
    }
    if !is_subtree(&range) || range.end > size {
        return Err(BadProof("the range is no subtree of the tree"));
    }
    let (mut first, mut last, mut end) = (range.start, range.end - 1, size - 1);
    // Skip to where the subtree's own right edge and the tree's part ways.
    while if last == end { first != last } else { first != last && last & 1 == 1 } {
        (first, last, end) = (first >> 1, last >> 1, end >> 1);
    }
    let (seed, rest) = if first == last {
        (*part, proof)
    } else {
        let (seed, rest) = proof.split_first().ok_or(BadProof("the proof is empty"))?;
        (*seed, rest)
    };
    let (mut of_part, mut of_tree) = (seed, seed);
    for hash in rest {
        if end == 0 {
            return Err(BadProof("the proof is too long"));
        }
        if last & 1 == 1 || last == end {
            if first < last {
                of_part = node_hash(hash, &of_part);
            }
            of_tree = node_hash(hash, &of_tree);
            while last & 1 == 0 && last != 0 {
                (first, last, end) = (first >> 1, last >> 1, end >> 1);
            }
        } else {
            of_tree = node_hash(&of_tree, hash);
        }
        (first, last, end) = (first >> 1, last >> 1, end >> 1);
    }
    if end == 0 && of_part == *part && of_tree == *root {
        Ok(())
    } else {
        Err(BadProof("the proof does not lead to both roots"))
    }
}

/// Whether a subtree may stand over `range`: not empty, and beginning at a multiple of its width rounded up to a power of two.
fn is_subtree(range: &std::ops::Range<u64>) -> bool {
    let Some(width) = range.end.checked_sub(range.start).filter(|w| *w > 0) else { return false };
    width.checked_next_power_of_two().map_or(range.start == 0, |w| range.start.is_multiple_of(w))
}

/// Proves that `index` stands in the tree of `size` leaves. `node(level, i)` gives the root over the complete subtree of
/// `2^level` leaves from `i * 2^level`; `None` when it is not at hand.
pub fn prove_inclusion(index: u64, size: u64, node: &mut dyn FnMut(u32, u64) -> Option<Hash>) -> Option<Vec<Hash>> {
    let mut proof = Vec::new();
    let (mut low, mut high) = (0, size);
    if index >= size {
        return None;
    }
    while high - low > 1 {
        let middle = low + split(high - low);
        if index < middle {
            proof.push(range_root(middle, high, node)?);
            high = middle;
        } else {
            proof.push(range_root(low, middle, node)?);
            low = middle;
        }
    }
    proof.reverse();
    Some(proof)
}

/// Proves that the tree of `size2` leaves appends to the one of `size1`; `node` as for [`prove_inclusion`].
pub fn prove_consistency(size1: u64, size2: u64, node: &mut dyn FnMut(u32, u64) -> Option<Hash>) -> Option<Vec<Hash>> {
    let mut proof = Vec::new();
    if size1 == 0 || size1 > size2 {
        return None;
    }
    let (mut low, mut high) = (0, size2);
    // Whether the part that is common so far begins at 0, whose root the verifier has already.
    while high != size1 {
        let middle = low + split(high - low);
        if size1 <= middle {
            proof.push(range_root(middle, high, node)?);
            high = middle;
        } else {
            proof.push(range_root(low, middle, node)?);
            low = middle;
        }
    }
    if low != 0 {
        proof.push(range_root(low, high, node)?);
    }
    proof.reverse();
    Some(proof)
}

fn range_root(low: u64, high: u64, node: &mut dyn FnMut(u32, u64) -> Option<Hash>) -> Option<Hash> {
    let width = high - low;
    if width.is_power_of_two() {
        return node(width.trailing_zeros(), low / width);
    }
    let middle = low + split(width);
    let left = range_root(low, middle, node)?;
    Some(node_hash(&left, &range_root(middle, high, node)?))
}

/// The largest power of two below `width`, which is at least 2.
const fn split(width: u64) -> u64 {
    1 << (u64::BITS - 1 - (width - 1).leading_zeros())
}

const LEAF_AT_ONCE: usize = 1023;
/// A tile holds the hashes of a subtree of this height.
const TILE_HEIGHT: u32 = 8;
const TILE_WIDTH: usize = 1 << TILE_HEIGHT;

#[cfg(test)]
mod tests;
