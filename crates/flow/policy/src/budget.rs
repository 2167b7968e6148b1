//! Budgets: how many requests, tokens and how much money may be spent in a window of the calendar, and by whom together.
//!
//! Before a request leaves, every budget that applies sets aside what it may cost at most, all of them or none. What was not
//! used goes back when the provider has said what was. Threat: a key run wild, an agent in a loop, a bill that nobody expected.
//! Nothing here is a guess: a token is at least a byte, so a prompt is never more tokens than bytes.

mod aside;
mod book;
mod till;
mod window;

use std::{collections::BTreeMap, fmt::Write, sync::Arc, time::Duration};

use countersign_core::{
    Call, Charge, Code, Format, Principal, Quota, Refusal, Timestamp,
    charge::{Line, Price, Unit},
};

pub(crate) use aside::Aside;
pub use book::{Book, Short, ends};
pub use till::{Purse, Refused, Reserving, Telling, Till};
pub use window::Window;

/// Every budget, and what tokens cost.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Budgets {
    /// The budgets; names are distinct.
    pub budgets: Vec<Budget>,
    /// By the model's name, as callers use it. Every model that is counted in tokens or money has to stand here.
    pub tariffs: BTreeMap<Arc<str>, Tariff>,
}

/// How much may be spent.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Budget {
    /// What it is called, in refusals' reasons, records and headers.
    pub name: Arc<str>,
    /// Whose spending is counted together: a count for each combination, or one for all where this is empty.
    pub per: Vec<By>,
    /// Only for callers with one of these roles; for everyone where this is empty.
    pub roles: Vec<Arc<str>>,
    /// Only for these models; for all where this is empty.
    pub models: Vec<Arc<str>>,
    /// When it is full again.
    pub window: Window,
    /// What it is counted in.
    pub unit: Unit,
    /// How much there is in each window.
    pub limit: u64,
}

/// What spending is counted by.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum By {
    /// The credential: a key, a certificate, a token's subject.
    Key,
    /// The subject, whichever credential it shows.
    Principal,
    /// Each role of the caller, or each that the budget names. Groups of an identity provider become roles.
    Role,
    /// The model.
    Model,
    /// The tenant.
    Tenant,
}

/// What one cell has spent.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Spent {
    /// The budget, its window and whose it is.
    pub cell: Arc<str>,
    /// How much, with what is set aside.
    pub spent: u64,
    /// How much of that is set aside for requests in flight on this node.
    pub aside: u64,
}

/// What a model's tokens cost, and how many there can be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Tariff {
    /// For a million tokens.
    pub price: Price,
    /// Tokens that an answer can have at most.
    pub most_output: u64,
    /// Tokens that an image, an audio clip or a file can be at most.
    pub attachment: u64,
}

/// What is known of a request's size before it leaves.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Weight {
    /// Bytes of its body, which are at least as many as tokens.
    pub bytes: u64,
    /// How many answers were asked for.
    pub answers: u64,
}

impl Budgets {
    /// What is to be set aside for a request; nothing where no budget applies.
    ///
    /// # Errors
    /// `CS0901` when a model that is counted in tokens has no tariff, which a checked configuration rules out.
    pub fn charge(&self, who: &Principal, call: &Call, weight: Weight, now: Timestamp) -> Result<Charge, Refusal> {
        let mut charge = Charge::default();
        for budget in self.budgets.iter().filter(|budget| budget.applies(who, call)) {
            let amount = match budget.unit {
                Unit::Requests => 1,
                Unit::Tokens | Unit::Money => {
                    let Some(tariff) = self.tariffs.get(&call.model) else {
                        return Err(Refusal::new(Code::Internal, "a model that a budget counts has no price"));
                    };
                    charge.price = tariff.price;
                    let (input, output) = tariff.most(call, weight);
                    if budget.unit == Unit::Tokens {
                        input.saturating_add(output)
                    } else {
                        tariff.price.of(input, output)
                    }
                }
            };
            let line = |cell: String| Line { cell: cell.into(), unit: budget.unit, amount, limit: budget.limit };
            if amount > 0 {
                charge.lines.extend(budget.cells(who, call, now).into_iter().map(line));
            }
        }
        Ok(charge)
    }

    /// Why a request goes no further, and when it may.
    pub(crate) fn refusal(&self, charge: &Charge, refused: Refused, now: Timestamp) -> Refusal {
        let short = match refused {
            Refused::Short(short) => short,
            Refused::Away(why) => {
                return Refusal { retry_after: Some(AWAY), ..Refusal::new(Code::OutOfTouch, why) };
            }
        };
        let Some(line) = charge.lines.get(short.line) else {
            return Refusal::new(Code::Internal, "a budget that nobody asked is spent");
        };
        // The name alone: whose cell it is may be a text of the caller's.
        let name = line.cell.split_once('@').map_or("", |(name, _)| name);
        Refusal {
            retry_after: Some(ends(&line.cell).since(now)),
            quotas: self.quota(line, short.spent, now).into_iter().collect(),
            ..Refusal::new(Code::BudgetSpent, format!("the budget `{name}` cannot hold what the request may cost"))
        }
    }

    /// What a caller is told of a budget. Only of one that counts the caller alone: other figures tell what others do.
    pub(crate) fn quota(&self, line: &Line, spent: u64, now: Timestamp) -> Option<Quota> {
        let budget = self.of(&line.cell).filter(|budget| budget.is_own() && budget.unit != Unit::Money)?;
        let ends = ends(&line.cell);
        Some(Quota {
            name: budget.name.clone(),
            unit: budget.unit,
            limit: budget.limit,
            left: budget.limit.saturating_sub(spent),
            window: budget.window.length(ends),
            reset: ends.since(now),
        })
    }

    /// The budget that a cell belongs to, if it is still configured as it was.
    #[must_use]
    pub fn of(&self, cell: &str) -> Option<&Budget> {
        let (name, rest) = cell.split_once('@')?;
        let unit = rest.split('/').nth(1)?;
        self.budgets.iter().find(|budget| *budget.name == *name && budget.unit.as_str() == unit)
    }
}

impl Budget {
    fn applies(&self, who: &Principal, call: &Call) -> bool {
        let role = self.roles.is_empty() || who.roles.iter().any(|role| self.roles.contains(role));
        role && (self.models.is_empty() || self.models.contains(&call.model))
    }

    /// Whether only the caller's own spending is counted, so that a figure tells nothing of others.
    pub(crate) fn is_own(&self) -> bool {
        self.per.iter().any(|by| matches!(by, By::Key | By::Principal))
    }

    /// Names of the counters: budget, end of its window, unit, and whose. Several only where roles are counted.
    fn cells(&self, who: &Principal, call: &Call, now: Timestamp) -> Vec<String> {
        let ends = self.window.ends(now).seconds();
        let mut cells = vec![format!("{}@{ends}/{}", self.name, self.unit.as_str())];
        for by in &self.per {
            match by {
                By::Key => add(&mut cells, "key", &who.credential),
                By::Principal => {
                    add(&mut cells, "tenant", &who.tenant);
                    add(&mut cells, "principal", &who.subject);
                }
                By::Model => add(&mut cells, "model", &call.model),
                By::Tenant => add(&mut cells, "tenant", &who.tenant),
                By::Role => {
                    let mut with_role = Vec::new();
                    for role in who.roles.iter().filter(|role| self.roles.is_empty() || self.roles.contains(role)) {
                        let mut of_role = cells.clone();
                        add(&mut of_role, "role", role);
                        with_role.append(&mut of_role);
                    }
                    cells = with_role;
                }
            }
        }
        // A role that stands twice is counted once.
        cells.sort_unstable();
        cells.dedup();
        cells
    }
}

impl Tariff {
    /// Tokens of prompt and answer at most.
    fn most(&self, call: &Call, weight: Weight) -> (u64, u64) {
        let input = u64::from(call.attachments).saturating_mul(self.attachment).saturating_add(weight.bytes);
        match call.format {
            // Counting is free.
            Format::CountTokens | Format::Models => (0, 0),
            Format::Embeddings => (input, 0),
            Format::Chat | Format::Responses | Format::Completions | Format::Messages => {
                let each = call.max_tokens.map_or(self.most_output, |asked| asked.min(self.most_output));
                (input, each.saturating_mul(weight.answers))
            }
        }
    }
}

/// Adds to each cell whose it is. What callers could choose is written so that it cannot be taken for something else.
fn add(cells: &mut [String], what: &str, whose: &str) {
    for cell in cells {
        // Writing to a string does not fail.
        let _ = write!(cell, "/{what}=");
        for c in whose.chars() {
            match c {
                '/' | '%' => cell.extend(['%', if c == '/' { 's' } else { 'p' }]),
                c => cell.push(c),
            }
        }
    }
}

/// When to look again whether what nodes share can be reached.
const AWAY: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests;
