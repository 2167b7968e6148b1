//! Secrets and the ways they can be cut.

/// A secret, the kind of finding it is, and the words around it.
#[derive(Clone, Debug)]
pub(crate) struct Secret {
    pub(crate) text: String,
    pub(crate) mask: &'static str,
}

impl Secret {
    pub(crate) const BEFORE: &'static str = "This is what the notes say: ";
    pub(crate) const AFTER: &'static str = " and there was nothing else in them.";

    /// The words with the secret in them.
    pub(crate) fn words(&self) -> String {
        format!("{}{}{}", Self::BEFORE, self.text, Self::AFTER)
    }

    /// The words as they should be with the secret masked.
    pub(crate) fn masked(&self) -> String {
        format!("{}{}{}", Self::BEFORE, self.mask, Self::AFTER)
    }

    /// The longest piece of the secret that stands in `text`.
    pub(crate) fn most_of(&self, text: &str) -> usize {
        let length = self.text.len();
        (1..=length)
            .rev()
            .find(|size| (0..=length - size).any(|at| self.text.get(at..at + size).is_some_and(|p| text.contains(p))))
            .unwrap_or(0)
    }
}

/// A repeatable source of numbers (xorshift64*).
#[derive(Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        usize::try_from(self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33).unwrap_or(0) % bound
    }

    /// A key id as AWS issues them.
    pub(crate) fn aws_key(&mut self) -> Secret {
        const BODY: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        let body: String = (0..16).map(|_| char::from(BODY[self.below(BODY.len())])).collect();
        Secret { text: format!("AKIA{body}"), mask: "[masked:secret]" }
    }

    /// A card number with a good check digit, in groups of four.
    pub(crate) fn card(&mut self) -> Secret {
        let mut digits = vec![4];
        digits.extend((0..14).map(|_| self.below(10)));
        let sum: usize =
            digits.iter().rev().enumerate().map(|(i, d)| if i % 2 == 0 { d * 2 / 10 + d * 2 % 10 } else { *d }).sum();
        digits.push((10 - sum % 10) % 10);
        let groups: Vec<String> = digits.chunks(4).map(|g| g.iter().map(ToString::to_string).collect()).collect();
        Secret { text: groups.join(" "), mask: "[masked:personal-data]" }
    }

    /// Five places to cut a text of `length` bytes into six.
    pub(crate) fn cuts(&mut self, length: usize) -> Vec<usize> {
        let mut cuts = std::collections::BTreeSet::new();
        while cuts.len() < 5 {
            cuts.insert(1 + self.below(length - 1));
        }
        cuts.into_iter().collect()
    }
}

/// Cuts for which every byte boundary is cut at least once: five neighbouring ones, moved along.
pub(crate) fn every_boundary(length: usize) -> Vec<Vec<usize>> {
    (1..=length - 5).map(|first| (first..first + 5).collect()).collect()
}

/// The words with the secret in six deltas. What stands before and after it comes in deltas of its own, or in the same.
pub(crate) fn pieces(dressed: &str, secret: &str, cuts: &[usize], joined: bool) -> Vec<String> {
    let at = dressed.find(secret).unwrap_or(0);
    let (before, rest) = dressed.split_at(at);
    let (secret, after) = rest.split_at(secret.len());
    let mut ends = cuts.to_vec();
    ends.push(secret.len());
    let mut start = 0;
    let mut pieces: Vec<String> = Vec::new();
    for end in ends {
        pieces.push(secret[start..end].to_owned());
        start = end;
    }
    if joined {
        pieces[0].insert_str(0, before);
        pieces.last_mut().expect("six pieces").push_str(after);
    } else {
        pieces.insert(0, before.to_owned());
        pieces.push(after.to_owned());
    }
    pieces
}
