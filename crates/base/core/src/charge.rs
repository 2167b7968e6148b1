//! What a request costs its caller's budgets, from the moment it is set aside until the provider has said what it used.

use std::{sync::Arc, time::Duration};

/// What was set aside for one request. Nothing where no budget applies.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Charge {
    /// One for each budget that applies.
    pub lines: Vec<Line>,
    /// What the model's tokens cost.
    pub price: Price,
}

/// What one budget has set aside for a request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Line {
    /// What counts it: the budget, its window and whose it is, in one text.
    pub cell: Arc<str>,
    /// What it is counted in.
    pub unit: Unit,
    /// How much is set aside.
    pub amount: u64,
    /// How much the cell holds in all.
    pub limit: u64,
}

/// What a budget is counted in.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Unit {
    /// Requests that left.
    Requests,
    /// Tokens of prompts and answers, as the provider counts them.
    Tokens,
    /// Millionths of the currency that prices are in.
    Money,
}

impl Unit {
    /// The name used in configuration, records and headers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Tokens => "tokens",
            Self::Money => "money",
        }
    }
}

/// What a model's tokens cost, in millionths of the currency for a million tokens.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Price {
    /// Tokens of the prompt.
    pub input: u64,
    /// Tokens of the answer.
    pub output: u64,
}

impl Price {
    /// What so many tokens cost, rounded up: in millionths.
    #[must_use]
    pub fn of(self, input: u64, output: u64) -> u64 {
        let million = |price: u64, tokens: u64| u128::from(price) * u128::from(tokens);
        let cost = million(self.input, input).saturating_add(million(self.output, output)).div_ceil(1_000_000);
        u64::try_from(cost).unwrap_or(u64::MAX)
    }
}

/// How a request that something was set aside for has ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ending {
    /// It never left: all of it goes back.
    Stayed,
    /// The provider refused to work on it: the request counts, but no tokens.
    Declined,
    /// The provider said what it used.
    Used {
        /// Tokens of the prompt.
        input: u64,
        /// Tokens of the answer.
        output: u64,
    },
    /// It left and nobody said what was used, so all that was set aside counts as used.
    Unknown,
}

impl Charge {
    /// What is set aside of each cell.
    pub fn amounts(&self) -> impl Iterator<Item = (Arc<str>, i64)> {
        self.lines.iter().map(|line| (line.cell.clone(), signed(line.amount)))
    }

    /// What goes back to each cell; less than nothing where the provider used more than was set aside.
    #[must_use]
    pub fn back(&self, ending: Ending) -> Vec<(Arc<str>, i64)> {
        let used = |line: &Line| match (ending, line.unit) {
            (Ending::Stayed, _) | (Ending::Declined, Unit::Tokens | Unit::Money) => 0,
            (Ending::Unknown, _) | (_, Unit::Requests) => line.amount,
            (Ending::Used { input, output }, Unit::Tokens) => input.saturating_add(output),
            (Ending::Used { input, output }, Unit::Money) => self.price.of(input, output),
        };
        let back = self.lines.iter().map(|line| (line.cell.clone(), signed(line.amount) - signed(used(line))));
        back.filter(|(_, amount)| *amount != 0).collect()
    }
}

/// How much of something a caller may take, and has left.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Quota {
    /// What it is called.
    pub name: Arc<str>,
    /// What it is counted in.
    pub unit: Unit,
    /// How much there is in a window.
    pub limit: u64,
    /// How much is left of it.
    pub left: u64,
    /// How long a window is.
    pub window: Duration,
    /// Until it is full again.
    pub reset: Duration,
}

/// Half the range, so that no difference of two overflows.
pub(crate) const fn signed(amount: u64) -> i64 {
    const MOST: u64 = (i64::MAX / 2) as u64;
    if amount > MOST { i64::MAX / 2 } else { amount.cast_signed() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn charge() -> Charge {
        let line = |cell: &str, unit, amount| Line { cell: cell.into(), unit, amount, limit: 1_000_000 };
        Charge {
            lines: vec![line("r", Unit::Requests, 1), line("t", Unit::Tokens, 900), line("m", Unit::Money, 500)],
            price: Price { input: 1_000_000, output: 3_000_000 },
        }
    }

    fn back(ending: Ending) -> Vec<i64> {
        let back = charge().back(ending);
        ["r", "t", "m"].map(|cell| back.iter().find(|(c, _)| **c == *cell).map_or(0, |(_, amount)| *amount)).into()
    }

    #[test]
    fn what_goes_back_is_what_was_not_used() {
        assert_eq!(back(Ending::Stayed), [1, 900, 500]);
        assert_eq!(back(Ending::Declined), [0, 900, 500]);
        assert_eq!(back(Ending::Unknown), [0, 0, 0]);
        assert_eq!(back(Ending::Used { input: 10, output: 20 }), [0, 870, 430]);
        assert_eq!(back(Ending::Used { input: 1_000, output: 100 }), [0, -200, -800], "more than was set aside");
        assert_eq!(back(Ending::Used { input: u64::MAX, output: u64::MAX })[1], 900 - i64::MAX / 2);
    }

    #[test]
    fn a_price_is_rounded_up_and_never_overflows() {
        let price = Price { input: 1, output: 2_500_000 };
        assert_eq!((price.of(0, 0), price.of(1, 0), price.of(0, 1), price.of(0, 2)), (0, 1, 3, 5));
        assert_eq!(Price { input: u64::MAX, output: u64::MAX }.of(u64::MAX, u64::MAX), u64::MAX);
    }
}
