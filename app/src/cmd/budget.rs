//! `countersign budget`: what has been spent, of which budgets, and by whom.

use std::process::ExitCode;

use countersign_core::{Timestamp, charge::Unit};
use countersign_policy::budget::{Budgets, ends};
use serde_json::json;

use crate::{
    cli::{BudgetArgs, Output},
    clock,
    cluster::Cluster,
    cmd,
    config::Config,
    state::State,
    term,
};

pub(crate) async fn run(args: &BudgetArgs) -> anyhow::Result<ExitCode> {
    let config = cmd::configuration(&args.config)?;
    let state = State::existing(&args.config).await?;
    let rows = rows(&config.policy.rates.budgets, spent(&config, &state).await?, clock::now());
    if args.format == Output::Json {
        let rows: Vec<_> = rows.iter().map(Row::json).collect();
        cmd::json(&rows.into());
        return Ok(ExitCode::SUCCESS);
    }
    if rows.is_empty() {
        term::note(format_args!("nothing has been spent in any window that is open"));
    }
    for row in rows {
        let (spent, limit) = (row.show(row.spent), row.show(row.limit));
        let percent = u128::from(row.spent) * 100 / u128::from(row.limit.max(1));
        term::say(format_args!(
            "{:20} {:40} {spent} of {limit} {} ({percent}%), full again {}",
            row.budget,
            if row.whose.is_empty() { "everyone" } else { &row.whose },
            row.unit.as_str(),
            clock::rfc3339(row.ends),
        ));
    }
    Ok(ExitCode::SUCCESS)
}

/// The figures of all nodes where they share them; otherwise this node's, as of its last full second.
async fn spent(config: &Config, state: &State) -> anyhow::Result<Vec<(String, u64)>> {
    if let Some(redis) = &config.cluster {
        return Cluster::new(redis, state)?.spent().await;
    }
    let figures = state.store().budgets(state.node()).await?;
    Ok(figures.cells.into_iter().map(|(cell, spent)| (cell.to_string(), u64::try_from(spent).unwrap_or(0))).collect())
}

/// What was spent of one budget by one of those it counts.
pub(crate) struct Row {
    pub(crate) budget: String,
    /// Empty where it counts everyone together.
    pub(crate) whose: String,
    pub(crate) unit: Unit,
    pub(crate) spent: u64,
    pub(crate) limit: u64,
    pub(crate) ends: Timestamp,
    /// What it was read from.
    pub(crate) cell: String,
}

impl Row {
    fn json(&self) -> serde_json::Value {
        json!({
            "budget": self.budget, "whose": self.whose, "unit": self.unit.as_str(), "spent": self.show(self.spent),
            "limit": self.show(self.limit), "ends": clock::rfc3339(self.ends),
        })
    }

    /// Money as it is written in the configuration.
    pub(crate) fn show(&self, amount: u64) -> String {
        match self.unit {
            Unit::Money => format!("{}.{:06}", amount / 1_000_000, amount % 1_000_000),
            Unit::Requests | Unit::Tokens => amount.to_string(),
        }
    }
}

/// What is of a budget that is configured, in a window that is open.
pub(crate) fn rows(budgets: &Budgets, spent: Vec<(String, u64)>, now: Timestamp) -> Vec<Row> {
    let row = |(cell, spent): (String, u64)| {
        let budget = budgets.of(&cell).filter(|_| ends(&cell) > now)?;
        let whose = cell.splitn(3, '/').nth(2).unwrap_or_default();
        Some(Row {
            budget: budget.name.to_string(),
            whose: whose.replace("%s", "/").replace("%p", "%"),
            unit: budget.unit,
            spent,
            limit: budget.limit,
            ends: ends(&cell),
            cell,
        })
    };
    spent.into_iter().filter_map(row).collect()
}
