//! FF1 (NIST SP 800-38G) on decimal digits: encryption of a number to another one of the same length.
//!
//! Put together from the AES of aws-lc-rs. Fewer than six digits are refused, as the standard's domain of a million values says: with
//! so few, whoever sees enough pairs knows them all.

use aws_lc_rs::cipher::{self, EncryptingKey, UnboundCipherKey};

use crate::Unusable;

/// A key for numbers.
pub(crate) struct Ff1(EncryptingKey);

/// Which way.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Way {
    /// To the number that stands for it.
    There,
    /// To what it stands for.
    Back,
}

impl Ff1 {
    /// With an AES key of 16, 24 or 32 bytes.
    pub(crate) fn new(key: &[u8]) -> Result<Self, Unusable> {
        let algorithm = match key.len() {
            16 => &cipher::AES_128,
            24 => &cipher::AES_192,
            32 => &cipher::AES_256,
            _ => return Err(Unusable),
        };
        let key = UnboundCipherKey::new(algorithm, key).map_err(|_| Unusable)?;
        Ok(Self(EncryptingKey::ecb(key).map_err(|_| Unusable)?))
    }

    /// Another number as long as `digits`, each 0 to 9: algorithms 7 and 8, which go over the same rounds in opposite order.
    pub(crate) fn run(&self, tweak: &[u8], digits: &[u8], way: Way) -> Result<Vec<u8>, Unusable> {
        if !(LEAST..=MOST).contains(&digits.len()) || digits.iter().any(|d| *d > 9) || tweak.len() > MOST {
            return Err(Unusable);
        }
        let (left, right) = digits.split_at(digits.len() / 2);
        let (u, v) = (left.len(), right.len());
        let (mut a, mut b) = (number(left), number(right));
        let bytes = bytes_of(v);
        let mut first = vec![1, 2, 1, 0, 0, RADIX as u8, ROUNDS, u as u8];
        first.extend_from_slice(&(digits.len() as u32).to_be_bytes());
        first.extend_from_slice(&(tweak.len() as u32).to_be_bytes());
        for step in 0..ROUNDS {
            let round = if way == Way::There { step } else { ROUNDS - 1 - step };
            let length = if round % 2 == 0 { u } else { v };
            let modulus = RADIX.pow(length as u32);
            let side = if way == Way::There { b } else { a };
            let mut block = [&first, tweak].concat();
            let pad = (tweak.len() + bytes + 1).next_multiple_of(BLOCK) - tweak.len() - bytes - 1;
            block.resize(block.len() + pad, 0);
            block.push(round);
            block.extend_from_slice(side.to_be_bytes().get(BLOCK - bytes..).ok_or(Unusable)?);
            let y = self.stretched(&block, 4 * bytes.div_ceil(4) + 4, modulus)?;
            if way == Way::There {
                (a, b) = (b, (a + y) % modulus);
            } else {
                (a, b) = ((b + modulus - y) % modulus, a);
            }
        }
        let mut out = digits_of(a, u);
        out.extend(digits_of(b, v));
        Ok(out)
    }

    /// The first `length` bytes of the round's hash, as a number, modulo `modulus`.
    fn stretched(&self, text: &[u8], length: usize, modulus: u128) -> Result<u128, Unusable> {
        let mut hash = [0; BLOCK];
        for block in text.chunks(BLOCK) {
            for (to, from) in hash.iter_mut().zip(block) {
                *to ^= *from;
            }
            self.block(&mut hash)?;
        }
        let mut all = hash.to_vec();
        for j in 1..length.div_ceil(BLOCK) as u128 {
            let mut next = (u128::from_be_bytes(hash) ^ j).to_be_bytes();
            self.block(&mut next)?;
            all.extend_from_slice(&next);
        }
        // INVARIANT: the modulus is at most 10^28, so the product does not overflow.
        Ok(all.iter().take(length).fold(0, |sum, byte| (sum * 256 + u128::from(*byte)) % modulus))
    }

    fn block(&self, block: &mut [u8; BLOCK]) -> Result<(), Unusable> {
        self.0.encrypt(block).map(drop).map_err(|_| Unusable)
    }
}

/// How many bytes hold every number of so many digits.
fn bytes_of(digits: usize) -> usize {
    (RADIX.pow(digits as u32) - 1).to_be_bytes().iter().skip_while(|byte| **byte == 0).count()
}

fn number(digits: &[u8]) -> u128 {
    digits.iter().fold(0, |number, digit| number * RADIX + u128::from(*digit))
}

fn digits_of(mut number: u128, length: usize) -> Vec<u8> {
    let mut out = vec![0; length];
    for digit in out.iter_mut().rev() {
        *digit = (number % RADIX) as u8;
        number /= RADIX;
    }
    out
}

const RADIX: u128 = 10;
const ROUNDS: u8 = 10;
const BLOCK: usize = 16;
/// A million values.
const LEAST: usize = 6;
/// Halves of which fit into 128 bits with a byte to spare.
const MOST: usize = 56;
