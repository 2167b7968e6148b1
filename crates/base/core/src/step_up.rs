//! Which authentication would do where the one at hand does not (RFC 9470).

use std::{fmt, str::FromStr, time::Duration};

/// What a caller has to authenticate by, written `acr=VALUE VALUE, max_age=SECONDS`; either part may be left out. What it holds can
/// stand in a quoted string of a header as it is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StepUp {
    acr: Option<Box<str>>,
    max_age: Option<u32>,
}

/// The text does not say which authentication would do.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "expected `acr=VALUE`, `max_age=SECONDS`, or both with a comma between; a value has no quote, backslash or comma"
)]
pub struct NoStepUp;

impl StepUp {
    /// Authentication context classes that would do, with spaces between.
    #[must_use]
    pub fn acr(&self) -> Option<&str> {
        self.acr.as_deref()
    }

    /// How many seconds ago the caller may have logged in at most.
    #[must_use]
    pub const fn max_age(&self) -> Option<u32> {
        self.max_age
    }

    /// A login within the last `span`, by one of the classes of `asked`.
    #[must_use]
    pub fn since(asked: Option<&Self>, span: Duration) -> Self {
        let max_age = Some(u32::try_from(span.as_secs()).unwrap_or(u32::MAX));
        Self { acr: asked.and_then(|asked| asked.acr.clone()), max_age }
    }

    /// What is asked for when `other` has to be satisfied as well. Where both name context classes those of `self` are asked for:
    /// who has satisfied them is told the others next.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let youngest = [self.max_age, other.max_age].into_iter().flatten().min();
        Self { acr: self.acr.clone().or_else(|| other.acr.clone()), max_age: youngest }
    }
}

impl FromStr for StepUp {
    type Err = NoStepUp;

    fn from_str(text: &str) -> Result<Self, NoStepUp> {
        let (mut acr, mut max_age) = (None, None);
        for part in text.split(',') {
            match part.trim_matches(' ').split_once('=') {
                Some(("acr", values)) if acr.is_none() => {
                    let clean = |value: &str| {
                        !value.is_empty() && value.bytes().all(|b| b.is_ascii_graphic() && !b"\"\\".contains(&b))
                    };
                    if text.len() > LONGEST || !values.split(' ').all(clean) {
                        return Err(NoStepUp);
                    }
                    acr = Some(values.into());
                }
                Some(("max_age", seconds)) if max_age.is_none() && seconds.bytes().all(|b| b.is_ascii_digit()) => {
                    max_age = Some(seconds.parse().map_err(|_| NoStepUp)?);
                }
                _ => return Err(NoStepUp),
            }
        }
        Ok(Self { acr, max_age })
    }
}

impl fmt::Display for StepUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let acr = self.acr.as_ref().map(|acr| format!("acr={acr}"));
        let max_age = self.max_age.map(|seconds| format!("max_age={seconds}"));
        f.write_str(&acr.into_iter().chain(max_age).collect::<Vec<_>>().join(", "))
    }
}

/// Bytes of the text.
const LONGEST: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_do_is_read_strictly() {
        for text in ["acr=mfa", "max_age=300", "acr=urn:x:phr urn:x:phrh, max_age=0", "acr=a=b"] {
            assert_eq!(text.parse::<StepUp>().unwrap().to_string(), text);
        }
        assert_eq!(" max_age=5,acr=x ".parse::<StepUp>().unwrap().to_string(), "acr=x, max_age=5");
        let long = format!("acr={}", "x".repeat(LONGEST));
        for text in [
            "",
            ",",
            "acr",
            "acr=",
            "acr= ",
            "acr=a  b",
            "acr=a, acr=b",
            "acr=\"x\"",
            "acr=a\\",
            "acr=\u{e9}",
            "acr=a\tb",
            "acr=a\r\nb",
            "max_age=",
            "max_age=-1",
            "max_age=+1",
            "max_age=5s",
            "max_age=99999999999",
            "max_age=1, max_age=2",
            "age=5",
            &long,
        ] {
            assert_eq!(text.parse::<StepUp>(), Err(NoStepUp), "{text:?}");
        }
    }

    #[test]
    fn two_are_asked_for_together() {
        let read = |text: &str| text.parse::<StepUp>().unwrap();
        let both = |a: &str, b: &str| read(a).and(&read(b)).to_string();
        assert_eq!(both("acr=a, max_age=300", "acr=b, max_age=60"), "acr=a, max_age=60");
        assert_eq!(both("max_age=5", "acr=b"), "acr=b, max_age=5");
    }
}
