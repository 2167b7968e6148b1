//! What several nodes share.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use super::RawKey;

/// Where API keys, revocations, grants and the like are kept. In a file of the state directory when absent.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawStore {
    /// A PostgreSQL database: `postgres://USER@HOST:PORT/DATABASE`. By TLS, unless the host is a loopback address or a Unix socket
    /// (`postgres://USER@%2Frun%2Fpostgresql/DATABASE`).
    pub(crate) postgres: String,
    /// Where the user's password comes from; none where the server asks for none.
    pub(crate) password: Option<RawKey>,
    /// PEM file with the authorities of the server's certificate, besides the public ones.
    pub(crate) ca: Option<PathBuf>,
}

/// What several nodes count and hear together.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawCluster {
    /// A Redis server: `rediss://USER@HOST:PORT`, or `redis://127.0.0.1:6379` in the clear on a loopback address alone.
    pub(crate) redis: String,
    /// Where the user's password comes from; none where the server asks for none.
    pub(crate) password: Option<RawKey>,
    /// PEM file with the authorities of the server's certificate, instead of the system's.
    pub(crate) ca: Option<PathBuf>,
}
