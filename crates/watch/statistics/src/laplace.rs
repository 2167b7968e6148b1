//! Noise of the discrete Laplace distribution, sampled exactly: with whole numbers alone.
//!
//! Threat: a sampler that computes with floating point leaves gaps between the numbers it can give, and by the gaps the count
//! beneath the noise is read off (Mironov, 2012). Source: Canonne, Kamath and Steinke, "The Discrete Gaussian for Differential
//! Privacy" (2020), algorithms 1 and 2.

/// Random numbers, without bias.
pub struct Bits<R>(R);

impl<R: FnMut() -> u64> Bits<R> {
    /// Numbers from a source of 64 random bits.
    pub const fn new(source: R) -> Self {
        Self(source)
    }

    /// One of 0 to `below - 1`, each as likely as any other; `below` is at least 1.
    fn number(&mut self, below: u64) -> u64 {
        // The numbers at the end that would make some remainders likelier are drawn again.
        let most = u64::MAX - u64::MAX % below;
        loop {
            let drawn = (self.0)();
            if drawn < most {
                return drawn % below;
            }
        }
    }

    /// True with probability `over / under`.
    fn chance(&mut self, over: u64, under: u64) -> bool {
        self.number(under) < over
    }

    /// True with probability `exp(-over / under)`; `over` is at most `under`.
    fn decays(&mut self, over: u64, under: u64) -> bool {
        let mut k = 1;
        // The series of exp, term by term: odd ends are true.
        while self.chance(over, under.saturating_mul(k)) {
            k += 1;
        }
        k % 2 == 1
    }
}

/// A whole number, `n` with a probability that goes with `exp(-|n| * rate_over / rate_under)`: noise of the scale
/// `rate_under / rate_over`. Both are at least 1.
pub fn laplace<R: FnMut() -> u64>(bits: &mut Bits<R>, rate_under: u64, rate_over: u64) -> i64 {
    loop {
        let rest = bits.number(rate_under);
        if !bits.decays(rest, rate_under) {
            continue;
        }
        let mut whole = 0_u64;
        while bits.decays(1, 1) {
            whole += 1;
        }
        let size = rest.saturating_add(rate_under.saturating_mul(whole)) / rate_over;
        let negative = bits.chance(1, 2);
        // Nought has one sign, or it would be twice as likely as it should be.
        if negative && size == 0 {
            continue;
        }
        let size = i64::try_from(size).unwrap_or(i64::MAX);
        return if negative { -size } else { size };
    }
}
