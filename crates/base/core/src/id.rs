//! Identifiers that mean one thing each.

use std::{fmt, str::FromStr};

use crate::Timestamp;

/// Names one request everywhere: response header, log, trace and audit record.
///
/// 48 bits of milliseconds and 80 random bits, so that ids sort by time. Text form: `req_` and 26 characters of
/// lower-case Crockford base32.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct RequestId(u128);

impl RequestId {
    /// Makes an id from the present time and 80 random bits.
    #[must_use]
    pub fn new(now: Timestamp, random: [u8; 10]) -> Self {
        let mut bytes = [0; 16];
        bytes[..6].copy_from_slice(&now.millis().to_be_bytes()[2..]);
        bytes[6..].copy_from_slice(&random);
        Self(u128::from_be_bytes(bytes))
    }

    /// The 128 bits.
    #[must_use]
    pub const fn bits(self) -> u128 {
        self.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = *b"req_00000000000000000000000000";
        for (i, c) in text[4..].iter_mut().enumerate() {
            *c = ALPHABET[(self.0 >> (125 - 5 * i) & 31) as usize];
        }
        f.write_str(std::str::from_utf8(&text).unwrap_or_default())
    }
}

/// The text is not a request id.
#[derive(Debug, thiserror::Error)]
#[error("not a request id; expected `req_` and 26 characters")]
pub struct NotARequestId(());

impl FromStr for RequestId {
    type Err = NotARequestId;

    fn from_str(text: &str) -> Result<Self, NotARequestId> {
        let digits = text.strip_prefix("req_").filter(|d| d.len() == 26).ok_or(NotARequestId(()))?;
        let mut bits: u128 = 0;
        for (i, c) in digits.bytes().enumerate() {
            let value = ALPHABET.iter().position(|a| *a == c).ok_or(NotARequestId(()))?;
            // 26 digits carry 130 bits; the first may only use its low three.
            if i == 0 && value > 7 {
                return Err(NotARequestId(()));
            }
            bits = bits << 5 | value as u128;
        }
        Ok(Self(bits))
    }
}

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form_round_trips_and_sorts_by_time() {
        let early = RequestId::new(Timestamp(1_000_000), [255; 10]);
        let late = RequestId::new(Timestamp(2_000_000), [0; 10]);
        assert!(early < late && early.to_string() < late.to_string());
        assert_eq!(early.to_string().parse::<RequestId>().unwrap(), early);
        assert_eq!(RequestId(u128::MAX).to_string().parse::<RequestId>().unwrap(), RequestId(u128::MAX));
        for bad in ["", "req_", "req_8zzzzzzzzzzzzzzzzzzzzzzzzz", "req_0000000000000000000000000U"] {
            assert!(bad.parse::<RequestId>().is_err(), "{bad}");
        }
    }
}
