//! Bounds on leaves: their number, their size, and one short unit over and over.

use countersign_core::{Kind, Leaf};

use crate::{Found, Limits};

/// The bounds, as configured.
pub(crate) struct Bounds(pub(crate) Limits);

impl Bounds {
    /// Reports the bound that leaf `index` passes, if any.
    pub(crate) fn leaf(&self, index: usize, leaf: &Leaf<'_>, out: &mut Vec<Found>) {
        let limits = self.0;
        let rule = if index >= limits.leaves {
            "limit/leaves"
        } else if leaf.text.len() > limits.leaf {
            "limit/leaf-size"
        } else if repeats(leaf.text.as_bytes(), limits.repetition) {
            "limit/repetition"
        } else {
            return;
        };
        out.push(Found { kind: Kind::Limit, rule, span: 0..leaf.text.len(), confidence: 1.0 });
    }
}

/// Whether a unit of at most [`UNIT`] bytes repeats over `most` bytes or more. A few comparisons for every `most / 2` bytes.
fn repeats(bytes: &[u8], most: usize) -> bool {
    if most < 4 * UNIT || bytes.len() < most {
        return false;
    }
    let half = most / 2;
    // A run of `most` covers a whole half; every half is looked at, and only where one repeats is the run measured.
    (0..bytes.len() / half).any(|n| {
        let start = n * half;
        (1..=UNIT).any(|unit| {
            let same = |from: usize, len: usize| {
                let one = bytes.get(from..from + len);
                one.is_some() && one == bytes.get(from + unit..from + unit + len)
            };
            if !same(start, 2 * UNIT) {
                return false;
            }
            let after =
                bytes.iter().skip(start).zip(bytes.iter().skip(start + unit)).take(most).take_while(|(a, b)| a == b);
            let before =
                (0..start.min(most)).take_while(|i| bytes.get(start - 1 - i) == bytes.get(start - 1 - i + unit));
            after.count() + before.count() + unit >= most
        })
    })
}

/// Longest unit that is looked for.
const UNIT: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repetition_is_found_wherever_it_stands() {
        for unit in ["a", "ab", "spam ", "0123456789abcdef"] {
            for lead in [0, 1, 77, 300] {
                let long = format!("{}{}{}", "x1y2".repeat(lead / 4), unit.repeat(1024 / unit.len() + 8), "end");
                assert!(repeats(long.as_bytes(), 1024), "{unit} {lead}");
                let short = format!(
                    "{}{}",
                    unit.repeat(900 / unit.len()),
                    (0..600).map(|n| format!("{n},")).collect::<String>()
                );
                assert!(!repeats(short.as_bytes(), 1024), "{unit} {lead}");
            }
        }
    }
}
