//! The console.

use schemars::JsonSchema;
use serde::Deserialize;

/// What people may do at the console beyond what policy says.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawConsole {
    /// Whether those who may `writePolicy` change the policy files of this node there. The files then have to be writable by the gateway.
    /// Not with `[cluster]`: nodes that decide by different policies are worse than none that can be edited.
    #[serde(default)]
    pub(crate) edit_policies: bool,
}
