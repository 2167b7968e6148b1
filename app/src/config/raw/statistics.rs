//! Statistics of use.

use schemars::JsonSchema;
use serde::Deserialize;

/// How much the statistics of use may tell of one caller.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawStatistics {
    /// The ε of one day's counts, 0.001 to 10: the smaller, the more noise.
    #[serde(default = "epsilon")]
    #[schemars(range(min = 0.001, max = 10))]
    pub(crate) epsilon: f64,
    /// The ε that one reader may be told in 30 days, all days they read taken together, up to 1000.
    #[serde(default = "reader_epsilon")]
    #[schemars(range(min = 0.001, max = 1000))]
    pub(crate) reader_epsilon: f64,
}

impl Default for RawStatistics {
    fn default() -> Self {
        Self { epsilon: epsilon(), reader_epsilon: reader_epsilon() }
    }
}

const fn epsilon() -> f64 {
    0.5
}

const fn reader_epsilon() -> f64 {
    15.0
}
