//! Conditions: comparisons of what is known of an alert, joined by `AND`, in the words of STIX patterns that CACAO takes over.
//!
//! `__risk__:value >= 80 AND __of__:value = 'session'`. Everything compared is the watch's own figure or name: no word of a prompt or an
//! answer can be read by a condition, so none can steer it.

use crate::told::Told;

/// A condition; it holds when every comparison does.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Condition(Vec<Comparison>);

#[derive(Clone, Debug, Eq, PartialEq)]
enum Comparison {
    Risk(Operator, u64),
    Reasons(Operator, u64),
    Text(Field, bool, String),
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Operator {
    Equal,
    Unequal,
    Less,
    AtMost,
    More,
    AtLeast,
}

/// What an alert says in words.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Field {
    Pattern,
    Of,
    Tenant,
}

impl Condition {
    /// Reads a condition.
    ///
    /// # Errors
    /// What is not understood.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        if text.len() > LONGEST {
            return Err(format!("a condition is at most {LONGEST} bytes"));
        }
        text.split(" AND ").map(comparison).collect::<Result<_, _>>().map(Self)
    }

    /// Whether it holds of an alert.
    pub(crate) fn holds(&self, of: &Told) -> bool {
        self.0.iter().all(|comparison| match comparison {
            Comparison::Risk(operator, figure) => operator.holds(of.risk.into(), *figure),
            Comparison::Reasons(operator, figure) => operator.holds(of.because.len() as u64, *figure),
            Comparison::Text(field, equal, text) => (field.of(of) == text) == *equal,
        })
    }
}

impl Field {
    /// Reads the name of a variable.
    ///
    /// # Errors
    /// Which it is not.
    pub(crate) fn read(variable: &str) -> Result<Self, String> {
        match variable {
            "__pattern__:value" => Ok(Self::Pattern),
            "__of__:value" => Ok(Self::Of),
            "__tenant__:value" => Ok(Self::Tenant),
            _ => Err(format!("`{variable}` is none of the variables that an alert has")),
        }
    }

    /// What it is in an alert.
    pub(crate) fn of(self, told: &Told) -> &str {
        match self {
            Self::Pattern => &told.pattern,
            Self::Of => told.sort(),
            Self::Tenant => &told.tenant,
        }
    }
}

impl Operator {
    const fn holds(self, is: u64, figure: u64) -> bool {
        match self {
            Self::Equal => is == figure,
            Self::Unequal => is != figure,
            Self::Less => is < figure,
            Self::AtMost => is <= figure,
            Self::More => is > figure,
            Self::AtLeast => is >= figure,
        }
    }
}

fn comparison(text: &str) -> Result<Comparison, String> {
    let wrong = || format!("`{text}` is no comparison such as `__risk__:value >= 80` or `__of__:value = 'session'`");
    let mut words = text.trim().splitn(3, ' ');
    let (Some(variable), Some(operator), Some(value)) = (words.next(), words.next(), words.next()) else {
        return Err(wrong());
    };
    let operator = match operator {
        "=" => Operator::Equal,
        "!=" => Operator::Unequal,
        "<" => Operator::Less,
        "<=" => Operator::AtMost,
        ">" => Operator::More,
        ">=" => Operator::AtLeast,
        _ => return Err(wrong()),
    };
    let figure = || {
        let digits = value.bytes().all(|b| b.is_ascii_digit());
        value.parse().ok().filter(|_| digits).ok_or_else(wrong)
    };
    let field = match variable {
        "__risk__:value" => return Ok(Comparison::Risk(operator, figure()?)),
        "__reasons__:value" => return Ok(Comparison::Reasons(operator, figure()?)),
        _ => Field::read(variable)?,
    };
    let equal = match operator {
        Operator::Equal => true,
        Operator::Unequal => false,
        _ => return Err(wrong()),
    };
    let text = value.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')).ok_or_else(wrong)?;
    if text.contains(['\'', '\\']) { Err(wrong()) } else { Ok(Comparison::Text(field, equal, text.to_owned())) }
}

const LONGEST: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_compares_what_is_known_and_nothing_else() {
        let told = Told {
            at: 1,
            pattern: "canary-tripped".into(),
            of: "session:okta/s1".into(),
            tenant: "bank' AND x".into(),
            risk: 80,
            because: Vec::new(),
        };
        let cases = [
            ("__risk__:value >= 80", true),
            ("__risk__:value > 80", false),
            ("__risk__:value != 80", false),
            ("__risk__:value < 81 AND __of__:value = 'session'", true),
            ("__of__:value = 'session' AND __reasons__:value >= 1", false),
            ("__pattern__:value != 'runaway-agent'", true),
            ("__tenant__:value = 'bank'", false),
        ];
        for (text, holds) in cases {
            assert_eq!(Condition::read(text).unwrap().holds(&told), holds, "{text}");
        }
        let bad = [
            "",
            "true",
            "__risk__ >= 80",
            "__risk__:value >= '80'",
            "__risk__:value >= +8",
            "__risk__:value >= 80 OR __risk__:value = 1",
            "__of__:value > 'session'",
            "__of__:value = session",
            "__of__:value = 'a'b'",
            "__prompt__:value = 'x'",
            "__risk__:value >= 99999999999999999999",
        ];
        for text in bad {
            assert!(Condition::read(text).is_err(), "{text}");
        }
        assert!(Condition::read(&"x".repeat(LONGEST + 1)).is_err());
    }
}
