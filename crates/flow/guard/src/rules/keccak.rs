//! Keccak-256 as Ethereum uses it, for the checksum in the case of its addresses (EIP-55). Not for anything that must be secret.

/// The hash of a text that fits one block.
pub(super) fn keccak256(text: &[u8]) -> [u8; 32] {
    let mut block = [0u8; RATE];
    block.iter_mut().zip(text).for_each(|(to, from)| *to = *from);
    // The padding of Keccak, which differs from that of SHA-3.
    if let Some(byte) = block.get_mut(text.len()) {
        *byte ^= 1;
    }
    if let Some(byte) = block.last_mut() {
        *byte ^= 0x80;
    }
    let mut state = [[0u64; 5]; 5];
    for (i, eight) in block.as_chunks::<8>().0.iter().enumerate() {
        state[i / 5][i % 5] = u64::from_le_bytes(*eight);
    }
    permute(&mut state);
    let mut out = [0; 32];
    for (to, lane) in out.as_chunks_mut::<8>().0.iter_mut().zip(state[0]) {
        *to = lane.to_le_bytes();
    }
    out
}

/// Keccak-f[1600]; `state[y][x]`.
#[expect(clippy::indexing_slicing, reason = "all indices are taken modulo the size")]
fn permute(state: &mut [[u64; 5]; 5]) {
    let mut lfsr = 1u8;
    for _ in 0..24 {
        let column: [u64; 5] = std::array::from_fn(|x| state.iter().fold(0, |c, row| c ^ row[x]));
        for row in state.iter_mut() {
            for (x, lane) in row.iter_mut().enumerate() {
                *lane ^= column[(x + 4) % 5] ^ column[(x + 1) % 5].rotate_left(1);
            }
        }
        let (mut x, mut y, mut carried) = (1, 0, state[0][1]);
        for t in 0..24u32 {
            (x, y) = (y, (2 * x + 3 * y) % 5);
            (carried, state[y][x]) = (state[y][x], carried.rotate_left((t + 1) * (t + 2) / 2 % 64));
        }
        for row in state.iter_mut() {
            let old = *row;
            for (x, lane) in row.iter_mut().enumerate() {
                *lane = old[x] ^ !old[(x + 1) % 5] & old[(x + 2) % 5];
            }
        }
        for bit in 0..7 {
            if lfsr & 1 == 1 {
                state[0][0] ^= 1 << ((1u32 << bit) - 1);
            }
            lfsr = lfsr << 1 ^ if lfsr & 0x80 == 0 { 0 } else { 0x71 };
        }
    }
}

/// Bytes of one block.
const RATE: usize = 136;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_hashes() {
        let hex = |text: &[u8]| data_encoding::HEXLOWER.encode(&keccak256(text));
        assert_eq!(hex(b""), "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470");
        assert_eq!(hex(b"abc"), "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45");
    }
}
