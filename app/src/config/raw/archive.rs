//! Where the audit log is copied to.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

/// A bucket of S3-style object storage that the audit log is copied to, all but the texts of prompts and answers. Who asks is read from
/// AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN; nothing is ever removed there, and no permission to do so is needed.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawArchive {
    /// Its name.
    pub(crate) bucket: String,
    /// The region it is in.
    pub(crate) region: String,
    /// The address of the API where it is not `https://s3.REGION.amazonaws.com`. In the clear on a loopback address alone.
    pub(crate) endpoint: Option<String>,
    /// PEM file with the authorities of its certificate, instead of the system's.
    pub(crate) ca: Option<PathBuf>,
    /// What stands before the node's name in the names of objects, without a slash at the end.
    #[serde(default)]
    pub(crate) prefix: String,
    /// Fewer than 4,096 new records are copied after so many seconds, 1 to 86,400; as many, or more, at once.
    #[serde(default = "super::seconds::<60>")]
    pub(crate) seconds: u64,
    /// Which checkpoints are locked, and for how long.
    pub(crate) lock: Option<RawLock>,
}

/// Checkpoints that nobody can take back before their time. The bucket has to know retention locks.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawLock {
    /// How they are locked.
    #[serde(default)]
    pub(crate) mode: RawLocks,
    /// For so many days, 1 to 36,500.
    pub(crate) days: u64,
    /// A checkpoint is locked every so many minutes, 1 to 1,440, while there is something new.
    #[serde(default = "super::seconds::<60>")]
    pub(crate) minutes: u64,
}

/// How checkpoints are locked.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RawLocks {
    /// Nobody can remove them, the account's owner included.
    #[default]
    Compliance,
    /// Whoever has a special permission can.
    Governance,
}
