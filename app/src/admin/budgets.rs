//! Budgets and tokens: what was spent of what, by whom, and what models used and cost day by day.

use std::collections::HashMap;

use countersign_core::{Refusal, Timestamp};
use countersign_policy::Administer;
use http::Method;
use schemars::JsonSchema;
use serde::Serialize;

use super::{
    Ask, Gives, Param, Permit, Reply, Route,
    ask::malformed,
    page::{self, List},
    reply::JSON,
    schema,
};
use crate::{clock, cmd::budget::rows};

pub(crate) const ROUTES: &[Route] = &[
    Route {
        method: Method::GET,
        path: "/admin/v1/budgets",
        permit: Permit::Action(Administer::ReadTraffic),
        name: "listBudgets",
        what: "List what was spent of budgets in the windows that are open, those with the least left first.",
        query: &[page::PARAMS[0]],
        takes: None,
        gives: &[Gives { status: 200, what: "The budgets.", body: Some((JSON, schema::<List<Budget>>)) }],
        run: |ask| Box::pin(budgets(ask)),
    },
    Route {
        method: Method::GET,
        path: "/admin/v1/usage",
        permit: Permit::Action(Administer::ReadTraffic),
        name: "getUsage",
        what: "Which models were asked on which day, and the tokens and the cost of it, as far as requests are at hand.",
        query: &[Param { name: "days", what: "How many days back, UTC, 1 to 31; 14 unless told.", form: schema::<u8> }],
        takes: None,
        gives: &[Gives { status: 200, what: "The days.", body: Some((JSON, schema::<Usage>)) }],
        run: |ask| Box::pin(async move { usage(ask) }),
    },
];

/// What was spent of one budget by one of those it counts.
#[derive(JsonSchema, Serialize)]
struct Budget {
    /// Its name.
    budget: String,
    /// Whose spending it is; absent where everyone's is counted together.
    #[serde(skip_serializing_if = "Option::is_none")]
    whose: Option<String>,
    /// What it is counted in: `requests`, `tokens` or `money`.
    unit: &'static str,
    /// What is spent for good. Money is in the currency of the prices.
    used: String,
    /// What is set aside for requests in flight on this node, at most what they may cost.
    reserved: String,
    /// What is left.
    left: String,
    /// How much there is in a window.
    limit: String,
    /// How much of it is gone, in thousandths.
    gone: u64,
    /// When it is full again, RFC 3339.
    ends: String,
}

/// What was used.
#[derive(JsonSchema, Serialize)]
struct Usage {
    /// Since when requests are at hand, RFC 3339; absent where none are.
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<String>,
    /// The days, oldest first, as in `2026-11-23`; UTC.
    days: Vec<String>,
    /// The models, those with the most tokens first: 50 at most.
    models: Vec<Model>,
    /// Models that are not listed: callers may write any name.
    others: usize,
}

/// What was used of a model.
#[derive(JsonSchema, Serialize)]
struct Model {
    /// As callers name it.
    model: String,
    /// For each of the days.
    days: Vec<Day>,
}

/// What was used on one day.
#[derive(Clone, Default, JsonSchema, Serialize)]
struct Day {
    /// Requests.
    asked: u64,
    /// Tokens of prompts, as providers counted.
    input_tokens: u64,
    /// Tokens of answers.
    output_tokens: u64,
    /// What they cost, where the model has a price.
    #[serde(skip_serializing_if = "Option::is_none")]
    cost: Option<f64>,
}

async fn budgets(ask: &Ask<'_>) -> Result<Reply, Refusal> {
    let (limit, policy) = (ask.page()?.limit, &ask.admin.policy);
    let spent = policy.spent().await?;
    let aside: HashMap<String, u64> = spent.iter().map(|one| (one.cell.to_string(), one.aside)).collect();
    let cells = spent.iter().map(|one| (one.cell.to_string(), one.spent)).collect();
    let mut rows = rows(&policy.budgets(), cells, ask.now());
    let gone =
        |spent: u64, limit: u64| u64::try_from(u128::from(spent) * 1000 / u128::from(limit.max(1))).unwrap_or(u64::MAX);
    rows.sort_by_key(|row| std::cmp::Reverse(gone(row.spent, row.limit)));
    let items = rows.iter().take(limit).map(|row| {
        let reserved = aside.get(&row.cell).copied().unwrap_or_default().min(row.spent);
        Budget {
            budget: row.budget.clone(),
            whose: Some(row.whose.clone()).filter(|whose| !whose.is_empty()),
            unit: row.unit.as_str(),
            used: row.show(row.spent - reserved),
            reserved: row.show(reserved),
            left: row.show(row.limit.saturating_sub(row.spent)),
            limit: row.show(row.limit),
            gone: gone(row.spent, row.limit),
            ends: clock::rfc3339(row.ends),
        }
    });
    Reply::json(200, &List { items: items.collect(), next: None })
}

fn usage(ask: &Ask<'_>) -> Result<Reply, Refusal> {
    let days = match ask.parameter("days") {
        None => 14,
        Some(text) => {
            let days = text.parse().ok().filter(|days| (1..=31).contains(days));
            days.ok_or_else(|| malformed("`days` is not a number from 1 to 31"))?
        }
    };
    let today = ask.now().seconds() / DAY;
    let first = (today + 1).saturating_sub(days);
    let begin = Timestamp(first * DAY * 1_000_000);
    let tariffs = ask.admin.policy.budgets().tariffs;
    let used = ask.admin.console.ring.usage(begin);
    let mut models: Vec<Model> = used
        .models
        .into_iter()
        .map(|(model, of)| {
            let price = tariffs.get(&model).map(|tariff| tariff.price);
            let day = |day| {
                let tokens = of.get(&day).copied().unwrap_or_default();
                #[expect(clippy::cast_precision_loss, reason = "shown with two decimals")]
                let cost = price.map(|price| price.of(tokens.input, tokens.output) as f64 / 1e6);
                Day { asked: tokens.asked, input_tokens: tokens.input, output_tokens: tokens.output, cost }
            };
            Model { model: model.to_string(), days: (first..=today).map(day).collect() }
        })
        .collect();
    let weight = |of: &Model| of.days.iter().map(|day| day.input_tokens + day.output_tokens).sum::<u64>();
    models.sort_by_key(|of| std::cmp::Reverse(weight(of)));
    let others = models.len().saturating_sub(MODELS);
    models.truncate(MODELS);
    let days = (first..=today).map(|day| clock::rfc3339(Timestamp(day * DAY * 1_000_000)).chars().take(10).collect());
    Reply::json(200, &Usage { since: used.since.map(clock::rfc3339), days: days.collect(), models, others })
}

const DAY: u64 = 86_400;
const MODELS: usize = 50;

#[cfg(test)]
mod tests {
    use http::StatusCode;
    use serde_json::json;

    use crate::admin::tests::World;

    #[tokio::test]
    async fn what_was_spent_is_told_of_whoever_spent_it() {
        let more = "[[price]]\nmodels = [\"m\"]\ninput = \"1\"\noutput = \"2\"\nmost_output = 1000\n\
                    [[budget]]\nname = \"each\"\nper = [\"principal\"]\nwindow = \"day\"\nrequests = 4\n\
                    [[budget]]\nname = \"house\"\nwindow = \"day\"\nmoney = \"100\"";
        let world = World::with("", more).await;
        let (status, none) = world.get("/admin/v1/budgets").await;
        assert_eq!((status, &none["items"]), (StatusCode::OK, &json!([])), "{none}");
        let question = json!({"model": "m", "messages": [{"role": "user", "content": "Is the shop open?"}]});
        // Nobody listens there, so the request costs nothing.
        assert_eq!(world.post("/v1/chat/completions", question).await.0, StatusCode::BAD_GATEWAY);
        let told = world.until("/admin/v1/budgets", |told| told["items"][0]["left"] == told["items"][0]["limit"]).await;
        let each = told["items"].as_array().unwrap().iter().find(|one| one["budget"] == "each").unwrap();
        assert_eq!(
            (&each["whose"], &each["unit"], &each["limit"]),
            (&json!("tenant=default/principal=root"), &json!("requests"), &json!("4"))
        );
        let number = |name: &str| each[name].as_str().unwrap().parse::<u64>().unwrap();
        assert_eq!(number("used") + number("reserved") + number("left"), 4, "{each}");
        let usage = world.until("/admin/v1/usage?days=2", |usage| usage["models"][0]["days"][1]["asked"] == 1).await;
        assert_eq!((&usage["models"][0]["model"], usage["days"].as_array().unwrap().len()), (&json!("m"), 2));
        assert_eq!(usage["models"][0]["days"][1]["cost"], json!(0.0));
        assert_eq!(world.get("/admin/v1/usage?days=32").await.0, StatusCode::BAD_REQUEST);
    }
}
