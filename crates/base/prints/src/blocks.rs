//! Looks at sixty-four bytes at a time: which of them belong to a class, one bit for each. What is then asked of a whole block costs
//! a few instructions, and nothing has to be guessed byte by byte.

/// Bytes of one block.
pub const BLOCK: usize = 64;

/// Which bytes of the block at `at` have each of the lowest N bits in `classes`. What is behind the end counts as NUL.
/// `ASCII` says that no other byte has a class, which makes short work of other scripts.
#[inline]
pub fn masks<const N: usize, const ASCII: bool>(classes: &[u8; 256], bytes: &[u8], at: usize) -> [u64; N] {
    let rest = bytes.get(at..).unwrap_or_default();
    let mut out = [0; N];
    if let Some(block) = rest.first_chunk::<BLOCK>() {
        block.as_chunks::<8>().0.iter().for_each(|eight| add::<N, ASCII>(classes, &mut out, eight));
        return out;
    }
    // Only as much is looked at as is there: streams come in small pieces.
    let (eights, tail) = rest.as_chunks::<8>();
    eights.iter().for_each(|eight| add::<N, ASCII>(classes, &mut out, eight));
    let mut last = [0; 8];
    last.iter_mut().zip(tail).for_each(|(to, from)| *to = *from);
    add::<N, ASCII>(classes, &mut out, &last);
    // The last of eight is never there.
    out.map(|mask| mask >> (8 * (7 - eights.len())))
}

/// Eight bytes come in from above and move the ones before them down.
#[inline(always)]
fn add<const N: usize, const ASCII: bool>(classes: &[u8; 256], out: &mut [u64; N], eight: &[u8; 8]) {
    if ASCII && u64::from_le_bytes(*eight) & HIGHEST == HIGHEST {
        return out.iter_mut().for_each(|mask| *mask >>= 8);
    }
    let all = eight.iter().rev().fold(0, |all, b| all << 8 | u64::from(classes[usize::from(*b)]));
    for (bit, mask) in out.iter_mut().enumerate() {
        *mask = *mask >> 8 | gather(all >> bit & LOWEST);
    }
}

/// How many bytes from the beginning on are ASCII; a few less where that is found out sooner.
#[inline]
pub fn ascii_len(bytes: &[u8]) -> usize {
    let (eights, _) = bytes.as_chunks::<8>();
    8 * eights.iter().take_while(|eight| u64::from_le_bytes(**eight) & HIGHEST == 0).count()
}

/// The masks of one block at a time, worked out when a place of it is first asked for.
pub struct Blocks<'a, const N: usize> {
    classes: &'static [u8; 256],
    bytes: &'a [u8],
    /// Where the block begins whose masks these are.
    start: usize,
    masks: [u64; N],
}

impl<'a, const N: usize> Blocks<'a, N> {
    /// Blocks of `bytes` from `from` on.
    #[inline]
    pub fn new(classes: &'static [u8; 256], bytes: &'a [u8], from: usize) -> Self {
        Self { classes, bytes, start: from, masks: masks::<N, false>(classes, bytes, from) }
    }

    /// The block of the place `at`: where it begins, and its masks. Places come in order.
    #[inline]
    pub fn at(&mut self, at: usize) -> (usize, [u64; N]) {
        if at >= self.start + BLOCK {
            self.start += (at - self.start) / BLOCK * BLOCK;
            self.masks = masks::<N, false>(self.classes, self.bytes, self.start);
        }
        (self.start, self.masks)
    }
}

/// The lowest bit of each byte, as the highest byte.
#[inline]
const fn gather(lowest: u64) -> u64 {
    lowest.wrapping_mul(0x0102_0408_1020_4080) & 0xff << 56
}

const LOWEST: u64 = 0x0101_0101_0101_0101;
const HIGHEST: u64 = 0x8080_8080_8080_8080;

/// Where characters begin that are not ASCII.
pub fn leads(bytes: &[u8]) -> impl Iterator<Item = usize> {
    bytes.chunks(BLOCK).enumerate().flat_map(|(n, block)| {
        let (eights, tail) = block.as_chunks::<8>();
        let add = |mask, all: u64| mask >> 8 | gather((all & all << 1) >> 7 & LOWEST);
        let mask = eights.iter().fold(0, |mask, eight| add(mask, u64::from_le_bytes(*eight)));
        let mask = match eights.len() {
            8 => mask,
            some => add(mask, tail.iter().rev().fold(0, |all, b| all << 8 | u64::from(*b))) >> (8 * (7 - some)),
        };
        places(mask).map(move |place| n * BLOCK + place)
    })
}

/// The places of the bits of a mask, in order.
#[inline]
pub fn places(mut mask: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let place = (mask != 0).then(|| mask.trailing_zeros() as usize)?;
        mask &= mask - 1;
        Some(place)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leads_are_where_characters_begin() {
        for pad in 0..70 {
            let text = "x".repeat(pad) + "aé漢🦀 ü".repeat(9).as_str() + "漢";
            let want: Vec<_> = text.char_indices().filter(|(_, c)| !c.is_ascii()).map(|(at, _)| at).collect();
            assert_eq!(leads(text.as_bytes()).collect::<Vec<_>>(), want);
        }
    }

    #[test]
    fn every_byte_has_its_bit() {
        let mut classes = [0; 256];
        (classes[usize::from(b'a')], classes[usize::from(b'b')], classes[0xff]) = (1, 2, 5);
        let bytes: Vec<u8> = (0..200_usize).map(|n| [b'a', b'x', 0xff, b'b', b'a', 0xff][n * n / 90 % 6]).collect();
        for at in 0..bytes.len() + 9 {
            let [one, two, three] = masks::<3, false>(&classes, &bytes, at);
            let set = |want: &[u8]| (0..64).filter(|n| bytes.get(at + n).is_some_and(|b| want.contains(b))).collect();
            let places = |mask| places(mask).collect::<Vec<_>>();
            let (a, b, c): (Vec<_>, Vec<_>, Vec<_>) = (set(b"a\xff"), set(b"b"), set(b"\xff"));
            assert_eq!((places(one), places(two), places(three)), (a, b, c), "{at}");
            let mut ascii = classes;
            ascii[0xff] = 0;
            assert_eq!(masks::<3, true>(&ascii, &bytes, at), masks::<3, false>(&ascii, &bytes, at), "{at}");
        }
    }
}
