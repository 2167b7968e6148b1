//! What protects the root keys.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use super::RawKey;

/// What protects the root keys. Without it they stand in the clear in the state directory, in `root.key`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawKeys {
    /// The key-encryption key.
    pub(crate) kek: RawKek,
    /// The one before it, until `countersign keys rewrap` has been run.
    pub(crate) previous: Option<RawKek>,
}

/// A key-encryption key. Exactly one.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub(crate) enum RawKek {
    /// 32 random bytes in a file that is brought in from elsewhere, as systemd and Kubernetes bring in secrets.
    File(PathBuf),
    /// A key of AWS KMS. Who asks is read from AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN.
    AwsKms(RawAwsKms),
    /// A key of the transit engine of HashiCorp Vault or OpenBao.
    VaultTransit(RawVaultTransit),
    /// An AES key in a hardware module, by PKCS#11.
    Pkcs11(RawPkcs11),
}

/// A key of AWS KMS.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawAwsKms {
    /// The key's id, ARN or alias.
    pub(crate) key_id: String,
    /// The region it is in.
    pub(crate) region: String,
    /// The address of the API where it is not `https://kms.REGION.amazonaws.com`. In the clear on a loopback address alone.
    pub(crate) endpoint: Option<String>,
    /// PEM file with the authorities of its certificate, instead of the system's.
    pub(crate) ca: Option<PathBuf>,
}

/// A key of a transit engine.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawVaultTransit {
    /// The server: `https://HOST:PORT`. In the clear on a loopback address alone, where an agent may listen.
    pub(crate) address: String,
    /// The key's name.
    pub(crate) key: String,
    /// Where the engine is mounted.
    #[serde(default = "transit")]
    pub(crate) mount: String,
    /// Where the token comes from: a file or an environment variable.
    pub(crate) token: RawKey,
    /// PEM file with the authorities of its certificate, instead of the system's.
    pub(crate) ca: Option<PathBuf>,
}

/// An AES key in a hardware module.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawPkcs11 {
    /// The module's library, as in `/usr/lib/softhsm/libsofthsm2.so`.
    pub(crate) module: PathBuf,
    /// The token's label.
    pub(crate) token: String,
    /// The key's label.
    pub(crate) key: String,
    /// Where the user's PIN comes from: a file or an environment variable.
    pub(crate) pin: RawKey,
}

fn transit() -> String {
    "transit".to_owned()
}
