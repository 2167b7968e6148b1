//! What others hold the audit log to.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

/// Who cosigns the checkpoints of the audit log, and whose this gateway cosigns.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawAudit {
    /// Logs whose checkpoints are cosigned here, by their public keys in note form, as `countersign doctor` prints them there. They are
    /// handed in at `/witness/add-checkpoint` of listeners with `admin = true`.
    #[serde(default)]
    pub(crate) cosigns: Vec<String>,
    /// Who cosigns the checkpoints of this log.
    #[serde(default, rename = "witness")]
    pub(crate) witnesses: Vec<RawWitness>,
}

/// A witness (C2SP tlog-witness).
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawWitness {
    /// Its public key in note form, as `countersign doctor` prints it there.
    pub(crate) key: String,
    /// Where checkpoints are handed in, without `/add-checkpoint`: `https://HOST:PORT/witness` for another gateway.
    pub(crate) url: String,
    /// PEM file with the authorities of its certificate, instead of the system's.
    pub(crate) ca: Option<PathBuf>,
    /// Ask in the clear. The only value is `"i-accept-cleartext-on-loopback"`, and only loopback addresses take it.
    pub(crate) cleartext: Option<String>,
}
