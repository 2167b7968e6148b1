//! What is wrong with a policy: file, line, column, what, and how to mend it.

use std::fmt;

use cedar_policy::ffi::DetailedError;

/// A policy that does not load. Whoever wrote it is at fault; nothing was changed by trying.
#[derive(Debug, thiserror::Error)]
pub struct PolicyError {
    problems: Vec<Problem>,
}

/// One thing to mend.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Problem {
    /// The file, as named by whoever handed it in.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong.
    pub what: String,
    /// How to mend it.
    pub fix: String,
}

impl PolicyError {
    /// Everything that is wrong, in the order of the files.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.problems.iter().enumerate() {
            let Problem { file, line, column, what, fix } = problem;
            write!(f, "{}{file}:{line}:{column}: {what}; {fix}", if i == 0 { "" } else { "\n" })?;
        }
        Ok(())
    }
}

impl From<Vec<Problem>> for PolicyError {
    fn from(problems: Vec<Problem>) -> Self {
        Self { problems }
    }
}

impl Problem {
    /// A problem at byte `offset` of `text`.
    pub(crate) fn at(file: &str, text: &str, offset: usize, what: impl Into<String>, fix: impl Into<String>) -> Self {
        let (line, column) = position(text, offset);
        Self { file: file.into(), line, column, what: what.into(), fix: fix.into() }
    }

    /// A problem Cedar reports in `text`. Where Cedar gives no place it is put at byte `otherwise`, and where Cedar has no
    /// advice, `fix` is given.
    pub(crate) fn cedar(file: &str, text: &str, otherwise: usize, fix: &str, error: &DetailedError) -> Self {
        let label = error.source_locations.first();
        let offset = label.map_or(otherwise, |label| label.loc.start);
        // Cedar begins with the name the policy has inside this crate, which says nothing to its writer.
        let mut what = match error.message.strip_prefix("for policy `").and_then(|rest| rest.split_once("`, ")) {
            Some((_, message)) => message.into(),
            None => error.message.clone(),
        };
        if let Some(label) = label.and_then(|l| l.label.as_deref()) {
            what = format!("{what}: {label}");
        }
        let fix = error.help.clone().unwrap_or_else(|| fix.into());
        Self::at(file, text, offset, one_line(&what), one_line(&fix))
    }
}

/// Line and column, from 1, of byte `offset`.
pub(crate) fn position(text: &str, offset: usize) -> (usize, usize) {
    let mut end = offset.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let before = text.get(..end).unwrap_or_default();
    let line = before.rsplit('\n').next().unwrap_or_default();
    (before.matches('\n').count() + 1, line.chars().count() + 1)
}

/// Cedar quotes what it read, line ends included; a message is one line, and control characters stay out of the terminal.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>().trim_end_matches(['.', ' ']).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_characters_and_survive_any_offset() {
        assert_eq!(position("", 0), (1, 1));
        assert_eq!(position("aé\nü=x", 6), (2, 2));
        assert_eq!(position("é", 1), (1, 1));
        assert_eq!(position("a\n", 99), (2, 1));
    }
}
