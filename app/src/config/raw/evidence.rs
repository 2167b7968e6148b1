//! What others hold the audit log to.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{RawArchive, RawKey};

/// Who cosigns the checkpoints of the audit log, and whose this gateway cosigns.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawAudit {
    /// Logs whose checkpoints are cosigned here, by their public keys in note form, as `countersign doctor` prints them there. They are
    /// handed in at `/witness/add-checkpoint` of listeners with `admin = true`.
    #[serde(default)]
    pub(crate) cosigns: Vec<String>,
    /// For so many days records are kept at least. Older ones are given up once a day, by files of a day or of 32 MiB, but for what a
    /// legal hold covers; their hashes stay. For ever when absent.
    #[schemars(range(min = 1, max = 36_500))]
    pub(crate) keep_days: Option<u32>,
    /// Who cosigns the checkpoints of this log.
    #[serde(default, rename = "witness")]
    pub(crate) witnesses: Vec<RawWitness>,
    /// Where this log is copied to.
    pub(crate) archive: Option<RawArchive>,
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

/// Somebody who collects what is on record.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawExport {
    /// Names the export. How far its receiver has come is kept under this name.
    pub(crate) name: String,
    /// In which words.
    pub(crate) form: RawWords,
    /// Where to: `tls://HOST:PORT` (syslog over TLS, RFC 5425), `tcp://HOST:PORT` (syslog in the clear, RFC 6587) or an https URL that
    /// documents are posted to, for `otlp` with its path, as in `https://collector:4318/v1/logs`.
    pub(crate) to: String,
    /// Where the bearer token for an https URL comes from, where it takes one.
    pub(crate) token: Option<RawKey>,
    /// PEM file with the authorities of its certificate, instead of the system's.
    pub(crate) ca: Option<PathBuf>,
    /// Send in the clear. The only value is `"i-accept-cleartext-on-loopback"`, and only loopback addresses take it.
    pub(crate) cleartext: Option<String>,
}

/// In which words records are handed on.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RawWords {
    /// OCSF: API Activity with the profiles `ai_operation` and `record_integrity`. By syslog, or posted as a list.
    Ocsf,
    /// CEF, by syslog.
    Cef,
    /// OpenTelemetry logs, posted as JSON.
    Otlp,
}
