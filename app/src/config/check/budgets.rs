//! Budgets: figures that can be counted, and prices for all that is counted in tokens or money.

use std::{collections::BTreeMap, sync::Arc};

use countersign_core::charge::{Price, Unit};
use countersign_policy::budget::{Budget, Budgets, By, Tariff, Window};
use toml::Spanned;

use super::{
    super::{
        Target,
        raw::{RawBudget, RawBy, RawPrice, RawWindow},
    },
    Check, Place,
};

impl Check<'_> {
    pub(super) fn budgets(
        &mut self,
        budgets: Vec<Spanned<RawBudget>>,
        prices: Vec<Spanned<RawPrice>>,
        targets: &[Target],
    ) -> Budgets {
        self.distinct("budget", budgets.iter().map(|b| (b.get_ref().name.as_str(), b.span())));
        let mut tariffs = BTreeMap::new();
        for price in prices {
            let at = price.span();
            let Some(tariff) = self.tariff(&at, price.get_ref()) else { continue };
            for model in price.into_inner().models {
                if tariffs.insert(Arc::from(model.as_str()), tariff).is_some() {
                    self.report(&at, format!("the model `{model}` has two prices"), "keep one of the two");
                }
            }
        }
        let models: Vec<Arc<str>> =
            targets.iter().flat_map(|t| t.target.models.iter().map(|model| model.name.clone())).collect();
        let budgets =
            budgets.into_iter().filter_map(|b| self.budget(&b.span(), b.into_inner(), &tariffs, &models)).collect();
        Budgets { budgets, tariffs }
    }

    fn tariff(&mut self, at: &Place, raw: &RawPrice) -> Option<Tariff> {
        let mut money = |name: &str, text: &str| match micros(text) {
            Some(micros) => Some(micros),
            None => self.wrong(
                at,
                format!("`{name}` is not an amount"),
                "write it as in \"2.50\", with at most six decimals",
            ),
        };
        let (input, output) = (money("input", &raw.input), money("output", &raw.output));
        if raw.models.is_empty() {
            return self.wrong(at, "a price for no model", "list the models it holds for");
        }
        if raw.most_output == 0 {
            return self.wrong(at, "`most_output` is 0", "write how many tokens the model can answer with at most");
        }
        let price = Price { input: input?, output: output? };
        Some(Tariff { price, most_output: raw.most_output, attachment: raw.attachment })
    }

    fn budget(
        &mut self,
        at: &Place,
        raw: RawBudget,
        tariffs: &BTreeMap<Arc<str>, Tariff>,
        models: &[Arc<str>],
    ) -> Option<Budget> {
        let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if raw.name.len() > 40 || !raw.name.chars().all(word) {
            return self.wrong(
                at,
                "a budget's name cannot stand in a header",
                "write a to z, 0 to 9 and `-`, 40 at most",
            );
        }
        let (unit, limit) = match (raw.requests, raw.tokens, &raw.money) {
            (Some(requests), None, None) => (Unit::Requests, Some(requests)),
            (None, Some(tokens), None) => (Unit::Tokens, Some(tokens)),
            (None, None, Some(money)) => (Unit::Money, micros(money)),
            _ => {
                let what = "a budget has exactly one of `requests`, `tokens` and `money`";
                return self.wrong(at, what, "write one, and another budget for another");
            }
        };
        let Some(limit) = limit.filter(|limit| *limit <= MOST) else {
            return self.wrong(
                at,
                "the budget's figure cannot be counted",
                "write money as in \"25.00\"; no more than 10^15",
            );
        };
        let names: Vec<Arc<str>> = raw.models.iter().map(|model| model.as_str().into()).collect();
        if let Some(unknown) = names.iter().find(|name| !models.contains(name)) {
            return self.wrong(at, format!("no target serves the model `{unknown}`"), "name models as callers do");
        }
        let counted = if names.is_empty() { models } else { &names };
        if unit != Unit::Requests
            && let Some(unpriced) = counted.iter().find(|model| !tariffs.contains_key(*model))
        {
            let what = format!("the budget counts the model `{unpriced}`, which has no [[price]]");
            return self.wrong(at, what, "add one; for a budget of tokens its `most_output` is what counts");
        }
        Some(Budget {
            name: raw.name.into(),
            per: raw.per.into_iter().map(by).collect(),
            roles: raw.roles.iter().map(|role| role.as_str().into()).collect(),
            models: names,
            window: match raw.window {
                RawWindow::Minute => Window::Minute,
                RawWindow::Hour => Window::Hour,
                RawWindow::Day => Window::Day,
                RawWindow::Month => Window::Month,
            },
            unit,
            limit,
        })
    }
}

/// An amount of money in millionths, exactly as it is written.
fn micros(text: &str) -> Option<u64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(part) || part.len() > 6 {
        return None;
    }
    let part: u64 = format!("{part:0<6}").parse().ok()?;
    whole.parse::<u64>().ok()?.checked_mul(1_000_000)?.checked_add(part)
}

const fn by(raw: RawBy) -> By {
    match raw {
        RawBy::Key => By::Key,
        RawBy::Principal => By::Principal,
        RawBy::Role => By::Role,
        RawBy::Model => By::Model,
        RawBy::Tenant => By::Tenant,
    }
}

/// Far beyond any budget, and far from where sums overflow.
const MOST: u64 = 1_000_000_000_000_000;

#[cfg(test)]
mod tests {
    use super::micros;

    #[test]
    fn money_is_read_to_the_millionth() {
        for (text, amount) in [
            ("25", Some(25_000_000)),
            ("25.00", Some(25_000_000)),
            ("0.000001", Some(1)),
            ("2.5", Some(2_500_000)),
            ("18446744073709551615", None),
            ("0.0000001", None),
            ("-1", None),
            ("+1", None),
            ("1.", None),
            (".5", None),
            ("1e3", None),
            ("1,5", None),
            ("", None),
        ] {
            assert_eq!(micros(text), amount, "{text}");
        }
    }
}
