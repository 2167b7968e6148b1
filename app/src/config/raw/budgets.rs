//! What tokens cost, and what may be spent.

use schemars::JsonSchema;
use serde::Deserialize;

/// What models cost. Every model that is counted in tokens or money needs one.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawPrice {
    /// The models it holds for, by the names that callers use.
    pub(crate) models: Vec<String>,
    /// A million tokens of prompts, as in `"2.50"`; at most six decimals. One currency for all.
    pub(crate) input: String,
    /// A million tokens of answers.
    pub(crate) output: String,
    /// Tokens that an answer can have at most: set aside where a caller sets no bound.
    pub(crate) most_output: u64,
    /// Tokens that an image, an audio clip or a file can be at most.
    #[serde(default = "attachment")]
    pub(crate) attachment: u64,
}

/// What may be spent in a window of the calendar (UTC). Exactly one of `requests`, `tokens` and `money`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawBudget {
    /// What it is called. a to z, 0 to 9, `-`.
    pub(crate) name: String,
    /// Whose spending is counted together: `key`, `principal`, `role`, `model`, `tenant`; a count for each combination. One
    /// count for all when absent.
    #[serde(default)]
    pub(crate) per: Vec<RawBy>,
    /// Only for callers with one of these roles; for everyone when absent.
    #[serde(default)]
    pub(crate) roles: Vec<String>,
    /// Only for these models; for all when absent.
    #[serde(default)]
    pub(crate) models: Vec<String>,
    /// When it is full again.
    pub(crate) window: RawWindow,
    /// Requests in each window.
    pub(crate) requests: Option<u64>,
    /// Tokens of prompts and answers in each window.
    pub(crate) tokens: Option<u64>,
    /// Money in each window, as in `"25.00"`, in the currency of the prices.
    pub(crate) money: Option<String>,
}

/// What spending is counted by.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RawBy {
    /// The credential: a key, a certificate, a token's subject.
    Key,
    /// The subject, whichever credential it shows.
    Principal,
    /// Each role of the caller, or each that the budget names.
    Role,
    /// The model.
    Model,
    /// The tenant.
    Tenant,
}

/// A window of the calendar, in UTC.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RawWindow {
    /// To the next full minute.
    Minute,
    /// To the next full hour.
    Hour,
    /// To midnight.
    Day,
    /// To the first of the next month.
    Month,
}

const fn attachment() -> u64 {
    4_096
}
